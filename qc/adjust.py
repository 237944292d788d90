"""Like with like: what a group would have had if its cases had gone as such cases go with the others. KPI §5."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

LEAST = 20  # cases of others that a stratum needs; with fewer the next coarser one is asked. Ours
_Z = 1.959963984540054


def observed_expected(cases: pl.DataFrame, strata: Sequence[str], *, least: int = LEAST) -> pl.DataFrame:
    """cases(shop, part, value, *strata) -> (shop, part, n, observed, expected, ratio, low, high, n_coarse), a row a part.

    `value` is 0/1 or an amount; `observed` its mean over the part's cases. `expected` is the mean over the same cases of
    what the *others* of the shop got in the same stratum: strata in the order of their weight, and the last is dropped,
    then the next, until others have at least `least` cases there (`n_coarse`: cases that fell back to the shop as a
    whole). `ratio` = observed ÷ expected with its 95 % interval (normal, spread of the strata and of what is expected).
    NULL where the others have no cases at all. Indirect standardisation; an association, no proof.
    """
    rows = cases.with_columns(case=pl.int_range(pl.len()), value=pl.col("value").cast(pl.Float64))
    levels = [_others(rows, list(strata[:k]), least) for k in range(len(strata), -1, -1)]
    found = rows.select("case", "shop", "part", "value")
    for k, level in enumerate(levels):
        found = found.join(
            level.rename({c: f"{c}_{k}" for c in ("mean", "var", "n")}), on="case", how="left", maintain_order="left"
        )
    found = found.with_columns(
        *(pl.coalesce(f"{c}_{k}" for k in range(len(levels))).alias(c) for c in ("mean", "var", "n")),
        is_coarse=pl.all_horizontal(*(pl.col(f"mean_{k}").is_null() for k in range(len(levels) - 1)))
        if strata
        else pl.lit(False),
    )
    cells = found.group_by("shop", "part", "mean", "var", "n").agg(
        pl.len().alias("m"), pl.col("value").sum(), pl.col("is_coarse").sum()
    )
    # Σ of m cases with the stratum's spread, and m times an expectation that itself rests on n cases of others.
    spread = (pl.col("m") * pl.col("var") + pl.col("m") ** 2 * pl.col("var") / pl.col("n")).sum()
    parts = cells.sort("shop", "part", "mean", "var", "n").group_by("shop", "part", maintain_order=True).agg(
        n=pl.col("m").sum(), total=pl.col("value").sum(), due=(pl.col("m") * pl.col("mean")).sum(), spread=spread.sqrt(),
        is_known=pl.col("mean").is_not_null().all(), n_coarse=pl.col("is_coarse").sum(),
    )  # fmt: skip
    known = pl.col("is_known") & (pl.col("due") > 0)
    reach = _Z * pl.col("spread") / pl.col("due")
    ratio = pl.col("total") / pl.col("due")
    return parts.select(
        "shop", "part", "n", observed=pl.col("total") / pl.col("n"), expected=pl.when("is_known").then(pl.col("due") / pl.col("n")),
        ratio=pl.when(known).then(ratio), low=pl.when(known).then((ratio - reach).clip(lower_bound=0)), high=pl.when(known).then(ratio + reach),
        n_coarse=pl.col("n_coarse").cast(pl.Int64),
    )  # fmt: skip


def _others(rows: pl.DataFrame, strata: list[str], least: int) -> pl.DataFrame:
    """case -> mean, variance and number of the other parts' values in its stratum, where they are at least `least`."""
    cell = ["shop", *strata]
    sums = [pl.len().alias("n"), pl.col("value").sum().alias("s"), (pl.col("value") ** 2).sum().alias("q")]
    whole = rows.group_by(cell).agg(sums)
    own = rows.group_by([*cell, "part"]).agg(sums)
    both = own.join(whole, on=cell, nulls_equal=True, suffix="_all").with_columns(
        n=pl.col("n_all") - pl.col("n"), s=pl.col("s_all") - pl.col("s"), q=pl.col("q_all") - pl.col("q")
    )
    enough = both.filter(pl.col("n") >= (least if strata else 1)).with_columns(mean=pl.col("s") / pl.col("n"))
    enough = enough.with_columns(var=(pl.col("q") / pl.col("n") - pl.col("mean") ** 2).clip(lower_bound=0))
    placed = rows.join(enough.select(*cell, "part", "mean", "var", "n"), on=[*cell, "part"], nulls_equal=True)
    return placed.select("case", "mean", "var", "n")
