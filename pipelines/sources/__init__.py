"""Where an export's format is told by its content and its kind by its columns; one file per format beside this one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Mapped
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from pipelines import mapping as mappings
from pipelines.mapping import Mapping
from pipelines.sources import jsonl, lines, parquet, table
from pipelines.sources.lines import UnreadableFile
from qc.intake import Kind


class Part(NamedTuple):
    """One table of a file: the file itself, a member of an archive, a sheet of a workbook."""

    name: str  # as people are told: chats.csv, export.zip!chats.csv, book.xlsx#Sheet1
    path: Path  # where its bytes lie
    source_id: str  # of its content
    sheet: str | None = None


class Head(NamedTuple):
    """The beginning of a text file, for telling what it is."""

    lines: list[str]  # the first 200 lines as they stand
    file: str  # the part's name: some exports carry their date only there


class Reader(Protocol):
    """A module of this folder that reads one export which is no table with a header; see READERS."""

    NAME: str  # in mapping files: `source: NAME`
    TITLE: str
    KIND: Kind
    ABSENT: tuple[str, ...]  # required native columns that this export cannot give

    def fits(self, head: Head) -> bool:
        """Whether the file is of this export, told by its content."""

    def read(self, path: Path, encoding: str, mapping: Mapping) -> Iterator[table.Chunk]:
        """Chunks whose fields are `_line`, `_raw` and native columns as text (any of them), `speaker`, and extra ones."""


READERS: tuple[Reader, ...] = ()


class Source(NamedTuple):
    """A part and how it is to be read."""

    part: Part
    format: str  # table, jsonl, parquet, or the NAME of a reader
    encoding: str
    names: list[str]
    first_line: str
    mapping: Mapping


class Wishes(NamedTuple):
    """What the user insists on."""

    mapping: Mapping | None = None
    encoding: str | None = None
    kind: Kind | None = None
    constants: Mapped[str, str] = MappingProxyType({})  # shop, channel: for files that do not say


def parts(path: Path, folder: Path) -> list[Part]:
    """The tables of a file; members of an archive are unpacked into `folder`. UnreadableFile says why it has none."""
    return [Part(path.name, path, digest(path)[:16])]


def digest(path: Path) -> str:
    """SHA-256 of the bytes."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def recognise(part: Part, known: Sequence[Mapping], wishes: Wishes = Wishes()) -> Source:
    """Format by content, mapping by header (or as told); UnreadableFile says why a part is neither."""
    if part.path.stat().st_size == 0:
        raise UnreadableFile("文件是空的;请重新导出")
    if parquet.is_parquet(part.path):
        names = parquet.names_in(part.path)
        return Source(part, "parquet", "", names, "", _mapping(names, "", known, wishes))
    told = wishes.encoding or (wishes.mapping.format.encoding if wishes.mapping else None)
    encoding = told or lines.encoding_of(part.path)
    block = next((b for b in islice(lines.read(part.path, encoding), 1) if len(b.lines)), None)
    first = next((raw for raw in block.lines["raw"] if raw.strip()), "") if block else ""
    if block is None or not first:
        raise UnreadableFile("文件里没有一行可读的内容;请重新导出")
    if reader := _reader(Head(block.lines["raw"].head(200).to_list(), part.name), wishes.mapping):
        return Source(part, reader.NAME, encoding, [], first, _of_reader(reader, wishes))
    if first.lstrip().startswith("{"):
        names = jsonl.names_in(block)
        return Source(part, "jsonl", encoding, names, first, _mapping(names, first, known, wishes))
    names = table.names_in(first, table.separator_of(first))
    return Source(part, "table", encoding, names, first, _mapping(names, first, known, wishes))


def _reader(head: Head, forced: Mapping | None) -> Reader | None:
    if forced:
        return next((r for r in READERS if forced.source == r.NAME), None)
    return next((r for r in READERS if r.fits(head)), None)


def _of_reader(reader: Reader, wishes: Wishes) -> Mapping:
    plain = Mapping(id=reader.NAME, title=reader.TITLE, kind=reader.KIND, absent=list(reader.ABSENT))  # type: ignore[arg-type]
    return _filled(wishes.mapping or plain, wishes)


def _filled(mapping: Mapping, wishes: Wishes) -> Mapping:
    """The mapping with the user's shop and channel where neither it nor the file gives one."""
    constants = {**wishes.constants, **mapping.constants}
    return mapping.model_copy(update={"constants": constants})


def _mapping(names: list[str], line: str, known: Sequence[Mapping], wishes: Wishes) -> Mapping:
    """The mapping to use, once it is sure that the file has every column it needs."""
    fitting = sorted((m for m in known if m.fits(names, line)), key=lambda m: -len(m.match.columns))
    found = wishes.kind or mappings.kind_of(names)
    chosen = wishes.mapping or next(iter(fitting), None) or (mappings.native(found) if found else None)
    if chosen is None:
        raise UnreadableFile(f"认不出这是什么表(列:{'、'.join(names[:12])});请写一个映射文件,用 --mapping 指明")
    chosen = _filled(chosen, wishes)
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
    if reader := next((r for r in READERS if source.format == r.NAME), None):
        return reader.read(source.part.path, source.encoding, source.mapping)
    if source.format == "parquet":
        return parquet.read(source.part.path)
    blocks = lines.read(source.part.path, source.encoding)
    if source.format == "jsonl":
        return jsonl.read(blocks, source.names)
    form = source.mapping.format
    separator = form.separator or table.separator_of(source.first_line)
    names = source.names if form.header else form.columns
    header = source.first_line if form.header else None
    return table.read(blocks, table.Layout(separator, form.quoted, names, header))
