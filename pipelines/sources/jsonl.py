"""Lines → fields of JSON Lines: one object a line, values as text; nested values stay JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from pipelines.sources.json_records import plain
from pipelines.sources.lines import Block, rejects
from pipelines.sources.table import Chunk


def names_in(block: Block) -> list[str]:
    """The keys of the first hundred objects, in order of appearance."""
    names: dict[str, None] = {}
    for raw in block.lines["raw"].head(100):
        value = _object(raw)
        names.update(dict.fromkeys(value or {}))
    return list(names)


def read(blocks: Iterator[Block], names: list[str]) -> Iterator[Chunk]:
    """Blocks of lines -> chunks of fields; a line that is no JSON object is rejected by itself."""
    for block in blocks:
        lines = block.lines.filter(pl.col("raw").str.contains(r"\S"))
        objects = [_object(raw) for raw in lines["raw"]]
        good = pl.Series([o is not None for o in objects], dtype=pl.Boolean)
        kept = [o for o in objects if o is not None]
        columns = {name: pl.Series([plain(o.get(name)) for o in kept], dtype=pl.String) for name in names}
        fields = pl.concat(
            [lines.filter(good).select(_line="line", _raw="raw"), pl.DataFrame(columns)], how="horizontal"
        )
        torn = lines.filter(~good).with_columns(
            code=pl.lit("json"), reason=pl.lit("不是完整的 JSON 对象;这一行可能被截断")
        )
        yield Chunk(fields, pl.concat([rejects([]), block.bad, torn]), block.at)


def _object(raw: str) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
