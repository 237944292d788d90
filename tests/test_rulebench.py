"""The bench of rule authors on the sample shop: a trial finds what the night found, a comparison moves whom the rule touches."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines import rulebench, store
from tests.talk import DATA, changed_rule


@pytest.mark.parametrize("since", [None, date(2026, 9, 20)])
def test_a_trial_finds_what_the_night_found_from_a_day_on(sample_home: Path, since: date | None) -> None:
    found = rulebench.attempt(sample_home, "NO_WAY", since, n_quotes=3)
    with store.open_mart(sample_home) as con:
        day = since or date(2000, 1, 1)
        hits, talks, of = con.execute(
            "SELECT count(f.seq), count(DISTINCT f.conversation_id), count(DISTINCT c.conversation_id) "
            "FROM (FROM conversations SEMI JOIN scores USING (conversation_id)) c "
            "LEFT JOIN (FROM findings WHERE rule_id = 'NO_WAY') f USING (conversation_id) WHERE c.day >= ?", [day],
        ).fetchone()  # fmt: skip
    assert hits > 0 and found.counts.select("n", "n_conversations", "of").row(0) == (hits, talks, of)
    assert found.quotes.height == min(hits, 3)
    assert all(quote in text for quote, text in found.quotes.select("quote", "text").rows())
    around = found.quotes.filter(pl.col("seq") > 1)
    assert around.height and around["before_by"].is_not_null().all()


def test_a_dearer_rule_moves_the_scores_of_those_it_found(sample_home: Path, tmp_path: Path) -> None:
    old = DATA / "rules" / "negative.yaml"
    new = tmp_path / "negative.yaml"
    new.write_text(changed_rule(old.read_text(encoding="utf-8"), "NO_WAY", "deduction: 5", "deduction: 7"), encoding="utf-8")
    moved = rulebench.compare(sample_home, old, new)
    assert moved.old_hash != moved.new_hash
    with store.open_mart(sample_home) as con:
        touched = {c for (c,) in con.execute("SELECT DISTINCT conversation_id FROM findings WHERE rule_id = 'NO_WAY'").fetchall()}
    assert set(moved.conversations["conversation_id"]) == touched
    assert moved.conversations.filter(pl.col("change") >= 0).is_empty() and moved.conversations["why"].str.contains("NO_WAY").all()
    assert moved.agents["n_moved"].sum() == moved.conversations.height
    assert rulebench.compare(sample_home, old, old).conversations.is_empty()
