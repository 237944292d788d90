"""Where an export's format is told by its content and its kind by its columns; one file per format beside this one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import polars as pl

from pipelines import mapping as mappings
from pipelines.mapping import Mapping
from pipelines.sources import jsonl, lines, parquet, table
from pipelines.sources.lines import UnreadableFile


class Source(NamedTuple):
    """A file and how it is to be read."""

    path: Path
    format: str  # table, jsonl, parquet
    encoding: str
    names: list[str]
    first_line: str
    mapping: Mapping


def recognise(
    path: Path,
    known: Sequence[Mapping],
    *,
    encoding: str | None = None,
    forced: Mapping | None = None,
    kind: str | None = None,
) -> Source:
    """Format by content, mapping by header (or as told); UnreadableFile says why a file is neither."""
    if path.stat().st_size == 0:
        raise UnreadableFile("文件是空的;请重新导出")
    if parquet.is_parquet(path):
        names = parquet.names_in(path)
        return Source(path, "parquet", "", names, "", _mapping(names, "", known, forced, kind))
    told = encoding or (forced.format.encoding if forced else None)
    encoding = told or lines.encoding_of(path)
    block = next((b for b in islice(lines.read(path, encoding), 1) if len(b.lines)), None)
    first = next((raw for raw in block.lines["raw"] if raw.strip()), "") if block else ""
    if block is None or not first:
        raise UnreadableFile("文件里没有一行可读的内容;请重新导出")
    if first.lstrip().startswith("{"):
        names = jsonl.names_in(block)
        return Source(path, "jsonl", encoding, names, first, _mapping(names, first, known, forced, kind))
    names = table.names_in(first, table.separator_of(first))
    return Source(path, "table", encoding, names, first, _mapping(names, first, known, forced, kind))


def _mapping(
    names: list[str], line: str, known: Sequence[Mapping], forced: Mapping | None, kind: str | None
) -> Mapping:
    """The mapping to use, once it is sure that the file has every column it needs."""
    fitting = sorted((m for m in known if m.fits(names, line)), key=lambda m: -len(m.match.columns))
    found = kind or mappings.kind_of(names)
    chosen = forced or next(iter(fitting), None) or (mappings.native(found) if found else None)  # type: ignore[arg-type]
    if chosen is None:
        raise UnreadableFile(f"认不出这是什么表(列:{'、'.join(names[:12])});请写一个映射文件,用 --mapping 指明")
    lacks = mappings.missing_columns(names, chosen) if chosen.format.header else []
    if lacks:
        raise UnreadableFile(
            f"缺少列 {'、'.join(lacks)}(现有:{'、'.join(names[:20])});请补上这些列,或用 --mapping 指明"
        )
    if len(set(names)) < len(names) and chosen.format.header:
        raise UnreadableFile(f"表头有重名的列:{'、'.join(sorted({n for n in names if names.count(n) > 1}))};请改名")
    return chosen


def read(source: Source) -> Iterator[table.Chunk]:
    """The file as chunks of native columns as text (with _line, _raw, extra) and of rejected lines."""
    for chunk in _chunks(source):
        yield table.Chunk(mappings.apply(chunk.fields, source.mapping), chunk.bad)


def _chunks(source: Source) -> Iterator[table.Chunk]:
    if source.format == "parquet":
        return parquet.read(source.path)
    blocks = lines.read(source.path, source.encoding)
    if source.format == "jsonl":
        return jsonl.read(blocks, source.names)
    form = source.mapping.format
    separator = form.separator or table.separator_of(source.first_line)
    names = source.names if form.header else form.columns
    header = source.first_line if form.header else None
    return table.read(blocks, table.Layout(separator, form.quoted, names, header))


def newest(frame: pl.DataFrame) -> object:
    """The newest time in a typed frame, or None."""
    times = [frame[c].max() for c, t in frame.schema.items() if isinstance(t, pl.Datetime)]
    return max((t for t in times if t is not None), default=None)
