"""Like with like: the adjustment changes a verdict where the cases differ, and leaves it where they do not."""

import random

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from qc.adjust import observed_expected


def cases(*groups: tuple[str, str, int, int]) -> pl.DataFrame:
    """(part, topic, cases, of which sold) -> a row a case."""
    rows = [("店", part, topic, float(i < sold)) for part, topic, n, sold in groups for i in range(n)]
    return pl.DataFrame(rows, schema=["shop", "part", "topic", "value"], orient="row")


def verdict(found: pl.DataFrame, part: str) -> str:
    row = found.row(by_predicate=(pl.col("part") == part), named=True)
    return "below" if row["high"] < 1 else "above" if row["low"] > 1 else "within"


# The book: of like inquiries A sells 3, B 8, C 11 (here of 20 each, ten times over). What an agent is worth shows on like customers only.
def test_the_verdict_changes_when_the_customers_were_not_alike() -> None:
    # Everybody sells 10 % of the hard topic and 60 % of the easy one; A gets the hard ones, C the easy ones
    talks = cases(
        ("A", "库存", 180, 18),
        ("A", "商品", 20, 12),
        ("B", "库存", 80, 8),
        ("B", "商品", 120, 72),
        ("C", "库存", 20, 2),
        ("C", "商品", 180, 108),
    )
    raw = observed_expected(talks, [])
    like = observed_expected(talks, ["topic"])
    assert raw["observed"].to_list() == [0.15, 0.4, 0.55]
    assert [verdict(raw, p) for p in "ABC"] == ["below", "within", "above"]
    assert [verdict(like, p) for p in "ABC"] == ["within"] * 3
    assert [round(r, 6) for r in like["ratio"]] == [1, 1, 1]


def test_the_verdict_stands_when_the_customers_were_alike() -> None:
    talks = cases(*((p, t, 100, sold // 2) for p, sold in (("A", 30), ("B", 80), ("C", 110)) for t in ("库存", "商品")))
    raw, like = observed_expected(talks, []), observed_expected(talks, ["topic"])
    assert [verdict(raw, p) for p in "ABC"] == [verdict(like, p) for p in "ABC"] == ["below", "within", "above"]


def test_a_stratum_with_too_few_others_asks_the_coarser_one() -> None:
    talks = cases(("A", "发票", 30, 15), ("A", "商品", 30, 15), ("B", "发票", 5, 5), ("B", "商品", 50, 10))
    row = observed_expected(talks, ["topic"]).row(0, named=True)
    assert row["n_coarse"] == 30  # five others are no measure of 发票: the shop's other cases are, 15 of 55
    assert abs(row["expected"] - (30 * 15 / 55 + 30 * 0.2) / 60) < 1e-12


def test_nobody_to_compare_with_is_said() -> None:
    row = observed_expected(cases(("A", "商品", 9, 3)), ["topic"]).row(0, named=True)
    assert (row["observed"], row["expected"], row["ratio"], row["low"]) == (3 / 9, None, None, None)


def test_an_interval_of_skewed_amounts_holds_the_truth_from_both_sides() -> None:
    """Nobody differs, a few buy much: of 2 000 shops the two sides are missed alike, and 95 % hold 1."""
    rng = np.random.default_rng(7)
    n_shops, n_a, n_b = 2000, 25, 225
    frame = pl.DataFrame({
        "shop": np.repeat([f"{i}" for i in range(n_shops)], n_a + n_b), "part": (["A"] * n_a + ["B"] * n_b) * n_shops,
        "value": rng.lognormal(5, 0.7, n_shops * (n_a + n_b)),
    })  # fmt: skip
    found = observed_expected(frame, []).filter(part="A")
    above, below = found.filter(pl.col("low") > 1).height / n_shops, found.filter(pl.col("high") < 1).height / n_shops
    assert above + below < 0.06 and max(above, below) < 0.036


def test_the_error_of_what_is_expected_counts_by_the_ratio() -> None:
    """A sells 64 %, the others 40 %, and they are but twice as many: without the ratio's square only about 89 % hold 1.6."""
    rng = np.random.default_rng(11)
    n_shops, n_a, n_b = 2000, 100, 200
    sold = np.concatenate([rng.random((n_shops, n_a)) < 0.64, rng.random((n_shops, n_b)) < 0.4], axis=1)
    frame = pl.DataFrame({
        "shop": np.repeat([f"{i}" for i in range(n_shops)], n_a + n_b), "part": (["A"] * n_a + ["B"] * n_b) * n_shops,
        "value": sold.ravel().astype(float),
    })  # fmt: skip
    found = observed_expected(frame, []).filter(part="A")
    held = found.filter((pl.col("low") <= 1.6) & (pl.col("high") >= 1.6)).height / n_shops
    assert 0.94 < held < 0.965


def test_an_interval_of_fieller_by_hand() -> None:
    """A sells 12 of 20, the others 10 of 40: due 5, variances 20 × 3/16 and 400/40 × 3/16, skewness 3.75⁻¹ᐟ² …"""
    row = observed_expected(cases(("A", "商品", 20, 12), ("B", "商品", 40, 10)), ["topic"]).row(0, named=True)
    own, of_due, third = 20 * 3 / 16, 400 / 40 * 3 / 16, 20 * (3 / 32) * (1 - (20 / 40) ** 2)
    moved, z = third / (own + of_due) / 6 * (1.96**2 - 1), 1.96
    for end in (row["low"], row["high"]):  # both ends solve the equation
        assert abs((12 - moved - end * 5) ** 2 - z**2 * (own + end**2 * of_due)) < 1e-2
    assert row["low"] < row["ratio"] == 12 / 5 < row["high"]


def test_too_few_skewed_amounts_have_a_ratio_but_no_interval() -> None:
    others = [("店", "B", "商品", 100.0 if i % 20 else 2000.0) for i in range(60)]
    few, more = ([("店", "A", "商品", 150.0)] * n for n in (3, 40))
    rows = [
        observed_expected(pl.DataFrame(others + own, schema=["shop", "part", "topic", "value"], orient="row"), ["topic"]).row(0, named=True)
        for own in (few, more)
    ]
    assert [row["ratio"] is not None for row in rows] == [True, True]
    assert [row["low"] is not None for row in rows] == [row["high"] is not None for row in rows] == [False, True]


TALKS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(["x", "y", None]), st.sampled_from([0.0, 1.0, 5.5])),
    min_size=1,
    max_size=60,
)


@settings(max_examples=80)
@given(TALKS, st.integers(1, 8))
def test_what_is_expected_equals_a_walk_through_the_cases(talks: list, least: int) -> None:
    frame = pl.DataFrame([("店", *t) for t in talks], schema=["shop", "part", "topic", "value"], orient="row")
    found = observed_expected(frame, ["topic"], least=least)
    for row in found.iter_rows(named=True):
        own = [t for t in talks if t[0] == row["part"]]
        due = []
        for part, topic, _ in own:
            near = [v for p, t, v in talks if p != part and t == topic]
            far = [v for p, _, v in talks if p != part]
            chosen = near if len(near) >= least else far
            due.append(sum(chosen) / len(chosen) if chosen else None)
        if None in due:
            assert row["expected"] is None
        else:
            assert abs(row["expected"] - sum(due) / len(due)) < 1e-9
    random.Random(1).shuffle(talks)
    again = pl.DataFrame([("店", *t) for t in talks], schema=["shop", "part", "topic", "value"], orient="row")
    assert (
        observed_expected(again, ["topic"], least=least)
        .select("part", "n", "n_coarse")
        .equals(found.select("part", "n", "n_coarse"))
    )
