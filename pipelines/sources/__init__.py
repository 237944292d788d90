"""Where an export's format is told by its content and its kind by its columns; one file per format beside this one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Mapped
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

import polars as pl

from pipelines import mapping as mappings
from pipelines.mapping import Mapping
from pipelines.sources import (
    archive,
    chatwoot,
    dongdong,
    excel,
    json_records,
    jsonl,
    lines,
    parquet,
    pdd,
    qianniu,
    qq,
    table,
    taobao_api,
    vendor,
    wechat,
    zendesk,
)
from pipelines.sources.lines import UnreadableFile
from qc import intake
from qc.intake import NATIVE, Kind


class Part(NamedTuple):
    """One table of a file: the file itself, a member of an archive, a sheet of a workbook."""

    name: str  # as people are told: chats.csv, export.zip!chats.csv, book.xlsx#Sheet1
    path: Path  # where its bytes lie
    source_id: str  # of its content
    sheet: str | None = None
    problem: str | None = None  # why it cannot be read, where that is known already


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


READERS: tuple[Reader, ...] = (taobao_api, dongdong, chatwoot, zendesk, qianniu, pdd, qq, wechat)


class Source(NamedTuple):
    """A part and how it is to be read."""

    part: Part
    format: str  # table, jsonl, parquet, excel, or the NAME of a reader
    encoding: str
    names: list[str]
    first_line: str
    mapping: Mapping
    header: int = 0  # of a sheet: the row that holds the column names, from 0


class Wishes(NamedTuple):
    """What the user insists on."""

    mapping: Mapping | None = None
    encoding: str | None = None
    kind: Kind | None = None
    constants: Mapped[str, str] = MappingProxyType({})  # shop, channel: for files that do not say


def parts(path: Path, folder: Path) -> list[Part]:
    """The tables of a file; members of an archive are unpacked into `folder`. UnreadableFile says why it has none."""
    archive.refuse_others(path)
    if not archive.is_zip(path):
        return _tables(path.name, path)
    found, whole = [], digest(path)
    for member in archive.members(path, folder):
        name = f"{path.name}!{member.name}"
        try:
            if member.problem:
                raise UnreadableFile(member.problem)
            found += _tables(name, member.path)
        except UnreadableFile as e:
            found.append(Part(name, path, _named(whole, member.name), problem=str(e)))
    if not found:
        raise UnreadableFile("压缩包里没有可读的表;请确认打包的是导出的文件")
    return found


def _tables(name: str, path: Path) -> list[Part]:
    """A plain file is one table; a workbook is one a sheet."""
    content = digest(path)
    if not excel.is_workbook(path):
        return [Part(name, path, content[:16])]
    return [Part(f"{name}#{sheet}", path, _named(content, sheet), sheet) for sheet in excel.sheets_in(path)]


def _named(content: str, name: str) -> str:
    """The source_id of a part that shares its bytes with others."""
    return hashlib.sha256(f"{content}#{name}".encode()).hexdigest()[:16]


def digest(path: Path) -> str:
    """SHA-256 of the bytes."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def recognise(part: Part, known: Sequence[Mapping], wishes: Wishes = Wishes()) -> Source:
    """Format by content, mapping by header (or as told); UnreadableFile says why a part is neither."""
    if part.problem:
        raise UnreadableFile(part.problem)
    if part.sheet is not None:
        header, names = excel.header_in(part.path, part.sheet, lambda row: _n_known(row, _all(known, wishes)))
        names = mappings.spelt(names, _all(known, wishes))
        return Source(part, "excel", "", names, "", _mapping(names, "", known, wishes, part.name), header)
    if part.path.stat().st_size == 0:
        raise UnreadableFile("文件是空的;请重新导出")
    if parquet.is_parquet(part.path):
        names = parquet.names_in(part.path)
        return Source(part, "parquet", "", names, "", _mapping(names, "", known, wishes))
    told = wishes.encoding or (wishes.mapping.format.encoding if wishes.mapping else None)
    encoding = told or lines.encoding_of(part.path)
    block = next(lines.read(part.path, encoding), None)
    first = next((raw for raw in block.lines["raw"] if raw.strip()), "") if block else ""
    if block and not first:  # a JSON document in one line has lost no more than the records with the damaged bytes
        first = next((raw for raw in block.bad["raw"] if raw.lstrip().startswith(("{", "["))), "")
        block = block._replace(lines=block.bad.select("line", "raw")) if first else block
    if block is None or not first:
        raise UnreadableFile("文件里没有一行可读的内容;请重新导出")
    head = Head(block.lines["raw"].head(200).to_list(), part.name)
    if reader := _reader(head, wishes.mapping):
        return Source(part, reader.NAME, encoding, [], first, _of_reader(reader, known, wishes))
    if json_records.keys_of(head) and not jsonl.names_in(block):
        raise UnreadableFile(json_records.unknown(head, [r.TITLE for r in READERS if "JSON" in r.TITLE]))
    if first.lstrip().startswith("{"):
        names = jsonl.names_in(block)
        return Source(part, "jsonl", encoding, names, first, _mapping(names, first, known, wishes))
    names = mappings.spelt(table.names_in(first, table.separator_of(first)), _all(known, wishes))
    return Source(part, "table", encoding, names, first, _mapping(names, first, known, wishes, part.name))


def _reader(head: Head, forced: Mapping | None) -> Reader | None:
    if forced:
        return next((r for r in READERS if forced.source == r.NAME), None)
    return next((r for r in READERS if r.fits(head)), None)


def _of_reader(reader: Reader, known: Sequence[Mapping], wishes: Wishes) -> Mapping:
    """The mapping told, else the shop's own for this source (who its agents are), else none but the reader's."""
    plain = Mapping(id=reader.NAME, title=reader.TITLE, kind=reader.KIND, absent=list(reader.ABSENT))  # type: ignore[arg-type]
    own = next((m for m in known if m.source == reader.NAME), plain)
    return _filled(wishes.mapping or own, wishes)


def _filled(mapping: Mapping, wishes: Wishes) -> Mapping:
    """The mapping with the user's shop and channel where neither it nor the file gives one."""
    constants = {**wishes.constants, **mapping.constants}
    return mapping.model_copy(update={"constants": constants})


def _all(known: Sequence[Mapping], wishes: Wishes) -> list[Mapping]:
    return [*known, wishes.mapping] if wishes.mapping else list(known)


def _n_known(row: list[str], known: Sequence[Mapping]) -> int:
    """How many cells of a row are names of columns that some mapping, the native layout or a performance sheet has."""
    words = {c for columns in NATIVE.values() for c in columns} | mappings.words(known)
    spelt = mappings.spelt(row, known)
    return sum(1 for n in spelt if n in words or vendor.figure_of(n)[0] or vendor.plain(n) in vendor.words())


def _mapping(names: list[str], line: str, known: Sequence[Mapping], wishes: Wishes, file: str = "") -> Mapping:
    """The mapping to use, once it is sure that the file has every column it needs."""
    fitting = sorted((m for m in known if m.fits(names, line)), key=lambda m: -len(m.match.columns))
    found = wishes.kind or mappings.kind_of(names)
    known_otherwise = wishes.mapping or (wishes.kind != "vendor" and (fitting or found))
    sheet = None if known_otherwise else vendor.mapping_of(names, file)
    chosen = wishes.mapping or next(iter(fitting), None) or sheet or (mappings.native(found) if found else None)
    if chosen is None:
        raise UnreadableFile(f"认不出这是什么表(列:{'、'.join(names[:12])});请写一个映射文件,用 --mapping 指明")
    chosen = _filled(chosen, wishes)
    lacks = mappings.missing_columns(names, chosen) if chosen.format.header and not sheet else []
    if lacks and not mappings.missing_columns(names, chosen.model_copy(update={"absent": [*chosen.absent, "shop"]})):
        raise UnreadableFile("文件没有写是哪家店;请用 --shop 指明店铺名(要与会话里的店铺名相同)")
    if lacks:
        raise UnreadableFile(
            f"缺少列 {'、'.join(lacks)}(现有:{'、'.join(names[:20])});请补上这些列,或用 --mapping 指明"
        )
    if len(set(names)) < len(names) and chosen.format.header:
        raise UnreadableFile(f"表头有重名的列:{'、'.join(sorted({n for n in names if names.count(n) > 1}))};请改名")
    return chosen


def read(source: Source) -> Iterator[table.Chunk]:
    """The file as chunks of native columns as text (with _line, _raw, extra) and of rejected lines."""
    hide = any(mappings.is_private(n) for n in source.names)
    chunks = (c._replace(bad=_hidden(c.bad)) if hide else c for c in _chunks(source))
    if source.mapping.kind != "vendor":
        for chunk in chunks:
            yield chunk._replace(fields=mappings.apply(chunk.fields, source.mapping))
    elif all_of := list(chunks):  # a performance sheet is judged as a whole
        fields = vendor.apply(pl.concat([c.fields for c in all_of]), source.mapping)
        yield table.Chunk(fields, pl.concat([c.bad for c in all_of]))


def _hidden(bad: pl.DataFrame) -> pl.DataFrame:
    """Lines that cannot be told into columns, of a file with receivers' names and addresses: their number stands for them."""
    return bad.with_columns(
        raw=pl.when(pl.col("code") != intake.ROUNDED).then(pl.lit("(含收货人信息,未存原文)")).otherwise("raw")
    )


def _chunks(source: Source) -> Iterator[table.Chunk]:
    if reader := next((r for r in READERS if source.format == r.NAME), None):
        return reader.read(source.part.path, source.encoding, source.mapping)
    if source.part.sheet is not None:
        return excel.read(source.part.path, source.part.sheet, source.header, source.names, source.mapping)
    if source.format == "parquet":
        return parquet.read(source.part.path)
    blocks = lines.read(source.part.path, source.encoding, lines.TABLE_BLOCK)
    if source.format == "jsonl":
        return jsonl.read(blocks, source.names)
    form = source.mapping.format
    separator = form.separator or table.separator_of(source.first_line)
    names = source.names if form.header else form.columns
    header = source.first_line if form.header else None
    return table.read(blocks, table.Layout(separator, form.quoted, names, header))
