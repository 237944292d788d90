"""Sentiment with a memory: a text that was scored once by a model is never scored again by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl

from pipelines import store
from pipelines.settings import SettingsError
from qc import sentiment, shop

BATCH = 100_000


def model(home: Path, backend: str) -> sentiment.Model:
    """The sentiment model of this name; what is the workspace's own lies under its `models/`."""
    from pipelines import shop_weights, snow_tables

    if backend == "shop":
        return sentiment.shop_model(shop_weights.load(home / "models"))
    if backend == "snownlp":
        return sentiment.snownlp(snow_tables.load(home / "models"))
    raise SettingsError(f"没有叫「{backend}」的情绪模型;可用的有:{'、'.join(sentiment.BACKENDS)}(qc.toml 的 sentiment)")


def grams(model: sentiment.Model) -> pl.DataFrame:
    """What each gram weighs in the shop model, for the mart; empty for a model that does not go by grams."""
    if model.name != "shop":
        return pl.DataFrame(schema={"gram": pl.String, **dict.fromkeys(shop.CLASSES, pl.Float64)})
    return shop.table(model.tables)


def cached(
    con: duckdb.DuckDBPyConnection, model: sentiment.Model, step: Callable[[str], None]
) -> Callable[[pl.Series], pl.DataFrame]:
    """A function texts -> (text, p_negative, p_neutral, p_positive, is_scored) that scores only what is new."""

    def score(texts: pl.Series) -> pl.DataFrame:
        con.register("texts_", pl.DataFrame({"text": texts}))
        con.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT text, md5(text)::UUID AS text_key FROM texts_")
        known = "SELECT text_key FROM warehouse.text_facts WHERE model = ?"
        new = store.frame(
            con, f"SELECT text FROM wanted WHERE text_key NOT IN ({known}) ORDER BY text", [model.version]
        )["text"]
        for start in range(0, len(new), BATCH):
            step(f"客户情绪 {start:,}/{len(new):,}")
            batch = new.slice(start, BATCH)
            con.register("scored_", sentiment.score(batch, model=model).with_columns(text=batch))
            con.execute(
                "INSERT INTO warehouse.text_facts SELECT md5(text)::UUID, ?, p_negative, p_neutral, p_positive, is_scored FROM scored_",
                [model.version],
            )
        found = store.frame(
            con,
            "SELECT w.text, f.* EXCLUDE (text_key, model) FROM wanted w JOIN warehouse.text_facts f USING (text_key) WHERE f.model = ?",
            [model.version],
        )
        con.execute("DROP TABLE wanted")
        return found

    return score
