"""Like with like: what a group would have had if its cases had gone as such cases go with the others. KPI §5."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

LEAST = 20  # cases of others that a stratum needs; with fewer the next coarser one is asked. Ours
MOMENTS = ("mean", "var", "third", "n")
_Z = 1.959963984540054


def observed_expected(cases: pl.DataFrame, strata: Sequence[str], *, least: int = LEAST) -> pl.DataFrame:
    """cases(shop, part, value, *strata) -> (shop, part, n, observed, expected, ratio, low, high, n_coarse), a row a part.

    `value` is 0/1 or an amount; `observed` its mean over the part's cases. `expected` is the mean over the same cases of
    what the *others* of the shop got in the same stratum: strata in the order of their weight, and the last is dropped,
    then the next, until others have at least `least` cases there (`n_coarse`: cases that fell back to the shop as a
    whole). `ratio` = observed ÷ expected, NULL where the others have no cases at all, with its 95 % interval: Fieller's
    (1954, JRSS B 16:175), since what is expected has an error of its own, that counts ratio² times; by the spread of the
    strata, moved by their skewness (the first term of Cornish and Fisher's expansion): else a few large amounts lift it off
    the truth. No interval where the cases are too few for it: so few that by the skewness of all the others' values that
    expansion turns back (3 ÷ 1.96), or an expectation that is not known to be above 0. Indirect standardisation; an association, no proof.
    """
    rows = cases.with_columns(pl.col("value").cast(pl.Float64)).sort(
        "shop", "part", *strata, "value"
    )  # sums to the last digit
    rows = rows.with_columns(case=pl.int_range(pl.len()))
    levels = [_others(rows, list(strata[:k]), least) for k in range(len(strata), -1, -1)]
    found = rows.select("case", "shop", "part", "value")
    for k, level in enumerate(levels):
        found = found.join(level.rename({c: f"{c}_{k}" for c in MOMENTS}), on="case", how="left", maintain_order="left")
    found = found.with_columns(
        *(pl.coalesce(f"{c}_{k}" for k in range(len(levels))).alias(c) for c in MOMENTS),
        is_coarse=pl.all_horizontal(*(pl.col(f"mean_{k}").is_null() for k in range(len(levels) - 1)))
        if strata
        else pl.lit(False),
        # Of all the others' values, not of the stratum's few: those that happen to lack a large one look less skewed than they are.
        lopsided=pl.col(f"third_{len(strata)}") / pl.col(f"var_{len(strata)}") ** 1.5,
    )
    cells = found.group_by("shop", "part", *MOMENTS).agg(
        pl.len().alias("m"), pl.col("value").sum(), pl.col("is_coarse").sum(), pl.col("lopsided").first()
    )
    # Σ of m cases with the stratum's spread, and m times an expectation that itself rests on n cases of others.
    m, n = pl.col("m").cast(pl.Float64), pl.col("n").cast(pl.Float64)
    parts = cells.sort("shop", "part", *MOMENTS).group_by("shop", "part", maintain_order=True).agg(
        n=pl.col("m").sum(), total=pl.col("value").sum(), due=(m * pl.col("mean")).sum(), of_own=(m * pl.col("var")).sum(), of_due=(m**2 / n * pl.col("var")).sum(),
        third=(m * pl.col("third") * (1 - (m / n) ** 2)).sum(), is_known=pl.col("mean").is_not_null().all(), n_coarse=pl.col("is_coarse").sum(), lopsided=pl.col("lopsided").first().fill_nan(0.0),
    )  # fmt: skip
    low, high = _fieller(pl.col("total") - _moved(), pl.col("due"), pl.col("of_own"), pl.col("of_due"))
    known = pl.col("is_known") & (pl.col("due") > 0)
    is_held = (
        known
        & (pl.col("lopsided") < 3 / _Z * pl.col("n").cast(pl.Float64).sqrt())
        & (pl.col("due") ** 2 > _Z**2 * pl.col("of_due"))
    )
    return parts.select(
        "shop", "part", "n", observed=pl.col("total") / pl.col("n"), expected=pl.when("is_known").then(pl.col("due") / pl.col("n")),
        ratio=pl.when(known).then(pl.col("total") / pl.col("due")), low=pl.when(is_held).then(low.clip(lower_bound=0)), high=pl.when(is_held).then(high),
        n_coarse=pl.col("n_coarse").cast(pl.Int64),
    )  # fmt: skip


def _skewness() -> pl.Expr:
    """Of observed − expected; 0 where nothing varies."""
    spread = (pl.col("of_own") + pl.col("of_due")).sqrt()
    return pl.when(spread > 0).then(pl.col("third") / spread**3).otherwise(0.0)


def _moved() -> pl.Expr:
    """By how much both ends of the interval of observed − expected lie higher than a normal one's."""
    return _skewness() * (pl.col("of_own") + pl.col("of_due")).sqrt() * (_Z**2 - 1) / 6


def _fieller(total: pl.Expr, due: pl.Expr, of_total: pl.Expr, of_due: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The ratios r for which (total − r·due)² ≤ z² · (its variance: of_total + r²·of_due); holds 1 just where 1 is not refuted."""
    least = due**2 - _Z**2 * of_due
    reach = _Z * (of_total * least + of_due * total**2).sqrt()
    return (total * due - reach) / least, (total * due + reach) / least


def _others(rows: pl.DataFrame, strata: list[str], least: int) -> pl.DataFrame:
    """case -> mean, variance, third central moment and number of the other parts' values in its stratum, where they are at least `least`."""
    cell = ["shop", *strata]
    sums = [pl.len().cast(pl.Float64).alias("n"), *((pl.col("value") ** k).sum().alias(f"s{k}") for k in (1, 2, 3))]
    whole = rows.group_by(cell, maintain_order=True).agg(sums)
    own = rows.group_by([*cell, "part"], maintain_order=True).agg(sums)
    both = own.join(whole, on=cell, nulls_equal=True, suffix="_all").with_columns(
        (pl.col(f"{c}_all") - pl.col(c)).alias(c) for c in ("n", "s1", "s2", "s3")
    )
    enough = both.filter(pl.col("n") >= (least if strata else 1)).with_columns(pl.col("s1", "s2", "s3") / pl.col("n"))
    mean, second, third = (pl.col(c) for c in ("s1", "s2", "s3"))
    enough = enough.select(
        *cell,
        "part",
        "n",
        mean=mean,
        var=(second - mean**2).clip(lower_bound=0),
        third=third - 3 * mean * second + 2 * mean**3,
    )
    placed = rows.join(enough, on=[*cell, "part"], nulls_equal=True)
    return placed.select("case", *MOMENTS)
