"""Predicted satisfaction: learnt from ratings, apart from them, taken back; and the committed figures hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines import satisfaction as job
from pipelines import store
from pipelines.evaluate import shown
from pipelines.labels import LabelsError
from qc import satisfaction, selection
from tests.conftest import SHARED

PAGE = Path(__file__).parents[1] / "docs" / "satisfaction.md"


def told() -> tuple[pl.DataFrame, np.ndarray]:
    """Talks that end in thanks, and talks that end in anger."""
    rows = []
    for n in range(60):
        good = n % 2 == 0
        rows += [(f"{n:03}", 1, "customer", "在吗", 0.0), (f"{n:03}", 2, "agent", "您好", None), (f"{n:03}", 3, "customer", "什么时候发货", -0.1),
                 (f"{n:03}", 4, "customer", "好的谢谢" if good else "太差了骗人", 0.8 if good else -0.9)]  # fmt: skip
    schema = ["conversation_id", "seq", "sender_kind", "text", "mood"]
    return pl.DataFrame(rows, schema=schema, orient="row"), np.arange(60) % 2 == 0


def test_what_is_learnt_tells_talks_apart_and_their_order_says_nothing() -> None:
    messages, y = told()
    known = satisfaction.talks(messages)
    weights = satisfaction.learn(known, y, satisfaction.CHOICE, "probe")
    p = satisfaction.apply(known, weights)["p"].to_numpy()
    assert (p[y] > 0.8).all() and (p[~y] < 0.2).all()
    assert weights.features["mood_end"][2] > 0
    shuffled = satisfaction.talks(messages.sample(fraction=1, shuffle=True, seed=3))
    assert satisfaction.apply(shuffled, weights)["p"].to_list() == p.tolist()


def test_no_string_of_fewer_talks_than_allowed_is_kept() -> None:
    messages, y = told()
    once = pl.DataFrame([("000", 5, "customer", "张三丰", 0.1)], schema=messages.schema, orient="row")
    weights = satisfaction.learn(satisfaction.talks(pl.concat([messages, once])), y, (satisfaction.BOTH,), "probe")
    assert weights.strings and not [s for s in weights.strings if "张" in s]


@pytest.mark.parametrize(("customer", "is_kept"), [(["甲"] * 60, False), ([f"客{n % 5}" for n in range(60)], True)])
def test_no_string_of_fewer_customers_than_allowed_is_kept(customer: list[str], is_kept: bool) -> None:
    messages, y = told()
    whose = pl.DataFrame({"conversation_id": messages["conversation_id"].unique().sort(), "customer": customer})
    known = satisfaction.talks(messages.join(whose, on="conversation_id"))
    assert bool(satisfaction.learn(known, y, (satisfaction.BOTH,), "probe").strings) == is_kept


def test_text_is_used_only_where_it_clearly_helps() -> None:
    messages, y = told()
    luck = np.random.default_rng(4).random(60) < 0.5
    by_text = messages.with_columns(mood=pl.lit(0.0))  # only the words tell
    assert satisfaction.learn(satisfaction.talks(by_text), y, satisfaction.CHOICE, "probe").strings
    assert not satisfaction.learn(satisfaction.talks(messages), luck, satisfaction.CHOICE, "probe").strings


def test_the_topic_is_used_only_where_it_clearly_helps() -> None:
    messages, y = told()
    alike = messages.filter(pl.col("seq") < 4)  # nothing but what it is about tells the talks apart
    ids = alike["conversation_id"].unique().sort()

    def learnt(topic: list[str]) -> satisfaction.Weights:
        topics = pl.DataFrame({"conversation_id": ids, "topic": topic})
        return satisfaction.learn(satisfaction.talks(alike, topics=topics), y, satisfaction.CHOICE, "probe")

    told_by = learnt(["质量" if not good else "商品" for good in y]).features
    assert told_by["about_质量"][2] < 0 < told_by["about_商品"][2]
    assert not learnt(["物流"] * 30 + ["商品"] * 30).features


def test_a_night_knows_what_each_talk_is_about(sample_home: Path) -> None:
    with store.open_mart(sample_home) as con:
        known = job.talks(con, "main").features
        topics = dict(con.execute("SELECT conversation_id, topic FROM conversations").fetchall())
    about = known.unpivot(list(satisfaction.ABOUT), index="conversation_id").filter(pl.col("value") == 1)
    found = {c: satisfaction.ABOUT[name] for c, name, _ in about.iter_rows()}
    assert len(found) > 500 and all(topics[c] == topic for c, topic in found.items())


@pytest.mark.parametrize(("said", "asks"), [("到哪了?", 1), ("到哪了？", 1), ("发货了吗", 1), ("好的", 0)])
def test_a_talk_that_ends_with_a_question(said: str, asks: int) -> None:
    messages = pl.DataFrame(
        [("c", 1, "customer", said, 0.0)], schema=["conversation_id", "seq", "sender_kind", "text", "mood"], orient="row"
    )
    assert satisfaction.talks(messages).features["asks_at_end"].to_list() == [np.log1p(asks)]


def test_without_a_model_it_is_null_with_a_reason(sample_home: Path) -> None:
    with store.open_mart(sample_home) as con:
        assert con.execute("SELECT DISTINCT p, reason FROM predicted_csat").fetchall() == [
            (None, "no_satisfaction_model")
        ]
        assert con.execute("SELECT reason FROM gaps WHERE metric = 'predicted_csat'").fetchall() == [
            ("no_satisfaction_model",)
        ]


def test_who_rates_is_told(sample_home: Path) -> None:
    found = job.who_rates(sample_home)
    assert len(found) == len(job.WHO) and all(len(row) == 4 for row in found)
    with store.open_mart(sample_home) as con:
        rated, others = con.execute(
            "SELECT avg(mood_end::DOUBLE) FILTER (WHERE r.n > 0), avg(mood_end::DOUBLE) FILTER (WHERE r.n IS NULL) FROM conversations "
            "LEFT JOIN (SELECT conversation_id, count(*) AS n FROM ratings WHERE stars IS NOT NULL GROUP BY ALL) r USING (conversation_id)"
        ).fetchone() or (0, 0)
    first = next(row for row in found if row[0].startswith("后三分之一"))
    assert (float(first[1]) > float(first[2])) == (rated > others)


def test_the_rated_stand_apart_where_they_do() -> None:
    features = satisfaction.talks(told()[0]).features
    happy = features.filter(pl.col("mood_end") > 0)["conversation_id"]
    rows = {f: (a, b, low) for f, a, b, _, low, _ in selection.compared(features, happy).iter_rows()}
    rated, unrated, low = rows["mood_end"]
    assert rated == pytest.approx(0.8) and unrated == pytest.approx(-0.9) and low > 1.6
    assert rows["n_customer"][:2] == pytest.approx((3, 3)) and "longest_wait_s" not in rows


def test_nothing_to_undo_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="没有可撤销的"):
        job.undo(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled talks are not part of the product")
@pytest.mark.parametrize("name", list(job.SETS))
def test_the_committed_figures_hold(name: str, tmp_path: Path) -> None:
    """The features' line, the quick one, to the last digit; the sign of politeness too."""
    given, messages = job.of_others(tmp_path, name, SHARED)
    part = PAGE.read_text("utf-8").split(f"`{name}`")[1]
    found = job.measured(given, job.RECIPES["只用特征"])
    assert f"| 只用特征 | {shown(found['auc_polar'])} |" in part
    assert f"| 只数客服每句几个「您」 | {shown(job.politeness(given, messages))} |" in part
