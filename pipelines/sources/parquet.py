"""Parquet → fields as text, in batches; the row's number stands for its line."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow.parquet as pq

from pipelines.sources import lines
from pipelines.sources.lines import UnreadableFile, rejects
from pipelines.sources.table import Chunk

MAGIC = b"PAR1"
ROWS = 500_000


def is_parquet(path: Path) -> bool:
    """Told by its first bytes, gzipped or not."""
    try:
        with lines.open_bytes(path) as f:
            return f.read(4) == MAGIC
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False


def names_in(path: Path) -> list[str]:
    """Column names; UnreadableFile when the footer is damaged."""
    try:
        return list(pq.read_schema(_seekable(path)).names)
    except (OSError, ValueError, EOFError, zlib.error) as e:
        raise UnreadableFile(f"Parquet 文件不完整或已损坏({e});请重新导出") from e


def read(path: Path) -> Iterator[Chunk]:
    """The table in batches, every column as text."""
    first, file, size = 1, pq.ParquetFile(_seekable(path)), path.stat().st_size
    for batch in file.iter_batches(batch_size=ROWS):
        frame = pl.DataFrame(pl.from_arrow(batch)).select(_as_text(c) for c in batch.schema.names)
        lines = pl.int_range(first, first + len(frame), dtype=pl.Int64, eager=True)
        raw = frame.select(pl.concat_str(pl.all(), separator=",", ignore_nulls=True)).to_series()
        first += len(frame)
        at = size * (first - 1) // max(file.metadata.num_rows, 1)  # as if all rows were of a length
        yield Chunk(frame.with_columns(_line=lines, _raw=raw), rejects([]), at)


def _seekable(path: Path) -> BinaryIO:
    """Parquet is read from its end: a gzipped one is unpacked in memory first."""
    stream = lines.open_bytes(path)
    return io.BytesIO(stream.read()) if isinstance(stream, gzip.GzipFile) else stream


def _as_text(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String)
