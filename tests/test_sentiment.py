"""The door, with a backend of the tests' own behind it; SnowNLP's figures are tested in test_snow.py."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from qc import sentiment
from qc.sentiment import Model, score, three_classes

ECHO = Model("echo", "1", [])


@pytest.fixture(autouse=True)
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that finds a text the more positive the longer it is, and writes down what it was asked."""

    def backend(texts: pl.Series, asked: list[str]) -> pl.DataFrame:
        asked += texts.to_list()
        return three_classes(texts.str.len_chars() / 10)

    monkeypatch.setitem(sentiment.BACKENDS, "echo", backend)


SAYS_NOTHING = [
    None,
    "",
    " \t\n\u3000\x1c",
    "。。。！？~",
    "[电话]",
    "[数字x]",
    "[订单x]  ;[订单x]",
    "[ORDERID_10031770]",
    "[价保金额(单件)]",
    "#E-s[数字x]",
    "#E-s57#E-s12",
    "[微笑][微笑]",
    "/:^_^/:066",
    "😀👍🏻",
    "??????",
    "[电话]?",
]
SAYS_SOMETHING = ["好", "ok", "666", "不是[电话]", "[快点给我发货，都三天了]", "差评😡", "Ｖ", "𠮷", "?", " ？？？ "]


@pytest.mark.parametrize("text", SAYS_NOTHING)
def test_what_says_nothing_is_neutral_and_not_scored(text: str | None) -> None:
    assert score([text], model=ECHO).rows() == [(0.0, 1.0, 0.0, False)]


@pytest.mark.parametrize("text", SAYS_SOMETHING)
def test_what_says_something_is_scored(text: str) -> None:
    assert score([text], model=ECHO)["is_scored"].to_list() == [True]


def test_rows_stand_in_the_order_given() -> None:
    got = score(pl.Series(["太慢了", None, "好评好评好评好", "太慢了"]), model=ECHO)
    assert got["is_scored"].to_list() == [True, False, True, True]
    assert got["p_positive"].round(9).to_list() == [0.0, 0.0, 0.4, 0.0]
    assert got["p_negative"].round(9).to_list() == [0.4, 0.0, 0.0, 0.4]


def test_a_distinct_text_is_scored_once() -> None:
    asked: list[str] = []
    score(["好的", "在吗", "好的", "", None, "在吗", "[电话]"], model=ECHO._replace(tables=asked))
    assert asked == ["好的", "在吗"]


def test_nothing_in_nothing_out() -> None:
    got = score([], model=ECHO)
    assert got.schema == {**dict.fromkeys(sentiment.PROBABILITIES, pl.Float64), "is_scored": pl.Boolean}
    assert got.height == 0


def test_three_classes_add_up_and_keep_the_order() -> None:
    s = pl.Series([i / 997 for i in range(998)])
    got = three_classes(s)
    assert (got.sum_horizontal() - 1).abs().max() == pytest.approx(0, abs=1e-15)
    assert got.min_horizontal().min() >= 0
    assert (got["p_positive"] - got["p_negative"]).is_sorted()
    assert three_classes(pl.Series([0.5])).rows() == [(0.0, 1.0, 0.0)]


def test_an_unknown_backend_is_named() -> None:
    unknown: Any = Model("oracle", "1", None)
    with pytest.raises(KeyError, match="oracle"):
        score(["好"], model=unknown)
