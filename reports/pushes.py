"""Why a message was felt to be good or bad: the grams of the model that weigh most in it."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import polars as pl

from qc import shop
from reports.queries import rows

MOST = 3  # of each class
Weights = Mapping[str, tuple[float, float, float]]


def weights(con: duckdb.DuckDBPyConnection) -> Weights:
    """gram → what it weighs, as the mart has it; empty where the mood comes from another model."""
    return {r["gram"]: (r["negative"], r["neutral"], r["positive"]) for r in rows(con, "FROM mood_grams")}


def strongest(text: str, by_gram: Weights) -> dict[str, list[tuple[str, float]]]:
    """class → the grams that push a text most towards it, with how much; what is so before a word was said left out."""
    pushes = shop.explain(text, by_gram).filter((pl.col("gram") != "") & (pl.col("contribution") > 0))
    best = (
        pushes.sort("contribution", "gram", descending=[True, False]).group_by("class", maintain_order=True).head(MOST)
    )
    return {c: best.filter(pl.col("class") == c).select("gram", "contribution").rows() for c in shop.CLASSES}
