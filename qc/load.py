"""How much an agent had in hand when a question came: open turns at each turn's start. KPI §2 concurrency."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from qc.profiles import Profile

AGENT = ("shop", "responsible")
SHOP = ("shop",)


def n_open(turns: pl.DataFrame, profile: Profile, by: Sequence[str] = AGENT) -> pl.Series:
    """frames.Turn -> how many turns of the same `by` stand open when each one opens, itself included.

    A turn is open from its question to its reply, at most for `unanswered_s`: who is forgotten is no work any more.
    Thanks that nobody need answer are none either. NULL: no time, nobody responsible, or no reply due.
    """
    us = pl.duration(microseconds=1)
    end = pl.min_horizontal("answered_at", pl.col("asked_at") + pl.duration(seconds=profile.unanswered_s))
    rows = turns.select(*by, "asked_at", "answered_at", "reason").with_row_index("i")
    known = pl.all_horizontal(pl.col(*by, "asked_at").is_not_null()) & (pl.col("reason") != "pleasantry").fill_null(
        True
    )
    # A turn that is answered in the very second it opens was open at its start all the same.
    open_ = rows.filter(known).with_columns(end=pl.max_horizontal(end, pl.col("asked_at") + us))
    change = pl.concat([
        open_.select(*by, at="asked_at", n=pl.lit(1, dtype=pl.Int64)), open_.select(*by, at="end", n=pl.lit(-1, dtype=pl.Int64)),
    ])  # fmt: skip
    level = (
        change.group_by(*by, "at").agg(pl.col("n").sum()).sort(*by, "at").with_columns(n=pl.col("n").cum_sum().over(by))
    )
    found = open_.join(level, left_on=[*by, "asked_at"], right_on=[*by, "at"], how="left")
    return rows.join(found.select("i", "n"), on="i", how="left").sort("i")["n"].cast(pl.Int32)
