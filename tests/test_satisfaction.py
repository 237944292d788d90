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
from qc import satisfaction
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


def test_without_a_model_it_is_null_with_a_reason(sample_home: Path) -> None:
    with store.open_mart(sample_home) as con:
        assert con.execute("SELECT DISTINCT p, reason FROM predicted_csat").fetchall() == [
            (None, "no_satisfaction_model")
        ]
        assert con.execute("SELECT reason FROM gaps WHERE metric = 'predicted_csat'").fetchall() == [
            ("no_satisfaction_model",)
        ]


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
