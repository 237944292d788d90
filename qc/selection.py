"""Who rates? What is learnt from rated talks holds for the others as far as they are alike: here is how far they are not."""

from __future__ import annotations

import polars as pl

SHOWN = (
    "mood_first",
    "mood_end",
    "mood_low",
    "thanks_at_end",
    "asks_at_end",
    "n_customer",
    "n_unanswered",
    "n_complaints",
    "longest_wait_s",
)
NORMAL = 1.959963984540054  # of a 95 % interval


def compared(features: pl.DataFrame, rated: pl.Series) -> pl.DataFrame:
    """`qc.satisfaction` features and the numbers of the rated talks -> (feature, rated, unrated, gap, low, high).

    Means of what is known, counts and seconds as they were before the logarithm; the interval of the difference is Welch's
    with normal quantiles. What either side does not have has no row.
    """
    is_rated = pl.col("conversation_id").is_in(rated.implode())
    plain = features.with_columns(pl.col(f).exp() - 1 for f in SHOWN if not f.startswith("mood_"))
    sides = plain.unpivot(SHOWN, index="conversation_id", variable_name="feature").drop_nulls("value").group_by(
        "feature", side=pl.when(is_rated).then(pl.lit("rated")).otherwise(pl.lit("unrated"))
    ).agg(mean=pl.col("value").mean(), error=pl.col("value").var() / pl.len())  # fmt: skip
    both = sides.filter(pl.col("side") == "rated").join(
        sides.filter(pl.col("side") == "unrated"), on="feature", suffix="_other"
    )
    gap, reach = pl.col("mean") - pl.col("mean_other"), NORMAL * (pl.col("error") + pl.col("error_other")).sqrt()
    order = pl.col("feature").replace_strict(list(SHOWN), list(range(len(SHOWN))), return_dtype=pl.Int32)
    return both.sort(order).select(
        "feature", rated="mean", unrated="mean_other", gap=gap, low=gap - reach, high=gap + reach
    )
