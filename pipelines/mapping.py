"""Mapping files: how the columns of an export become the native ones. `data/mappings/*.yaml`, or the user's own file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from qc.intake import NATIVE, REQUIRED, Kind

HIDDEN = ("_line", "_raw")


class MappingError(Exception):
    """A mapping file cannot be used; the message says file, key and what to do."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Format(Strict):
    """How the file is written, where it cannot be told from the file itself."""

    separator: str | None = None
    header: bool = True
    quoted: bool = True
    encoding: str | None = None
    columns: list[str] = []  # names of the columns when there is no header line


class Column(Strict):
    """Where a native column comes from: a column, optionally with its values translated or other columns added."""

    column: str
    values: dict[str, str] = {}
    plus: list[str] = []  # amounts to add, e.g. the refund where the paid amount is already net of it


class Rule(Strict):
    """Customer-side rows that the platform wrote: `text` (whole message, linear-time regex) gives the sender kind."""

    text: str
    sender_kind: str
    reason: str


class Match(Strict):
    """A file is of this export when its header has all these columns, or its first line matches."""

    columns: list[str] = []
    line: str | None = None


class Mapping(Strict):
    """One export layout."""

    id: str
    title: str
    kind: Kind
    match: Match = Match()
    format: Format = Format()
    source: str | None = None  # a reader of pipelines.sources by its NAME, where the content does not tell
    columns: dict[str, Annotated[str | Column, Field(union_mode="smart")]] = {}
    constants: dict[str, str] = {}  # for columns that the file does not have, or leaves empty
    senders: dict[str, str] = {}  # speaker's name -> sender_kind, for exports that only name the speakers
    absent: list[Literal["sent_at", "customer", "shop"]] = []  # required columns that this export cannot give
    platform_rows: list[Rule] = []

    def fits(self, names: list[str], line: str) -> bool:
        """Whether a file with this header and first line is of this export."""
        if self.match.line:
            return re.search(self.match.line, line) is not None
        return bool(self.match.columns) and set(self.match.columns) <= set(names)


def load(path: Path) -> Mapping:
    """One mapping file, checked; MappingError names file and key."""
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        mapping = Mapping.model_validate(content)
    except YAMLError as e:
        raise MappingError(f"{path.name}: 不是有效的 YAML:{e}") from e
    except ValidationError as e:
        lines = [f"{path.name}: 「{'.'.join(map(str, x['loc']))}」{x['msg']}" for x in e.errors()]
        raise MappingError("\n".join(lines)) from e
    unknown = set(mapping.columns) | set(mapping.constants)
    if unknown := unknown - set(NATIVE[mapping.kind]):
        names = "、".join(NATIVE[mapping.kind])
        raise MappingError(f"{path.name}: 不认识的目标列 {'、'.join(sorted(unknown))};{mapping.kind} 可用的列:{names}")
    return mapping


def native(kind: Kind) -> Mapping:
    """The mapping of the product's own layout: every column is itself."""
    return Mapping(id=f"native_{kind}", title="标准格式", kind=kind, columns={name: name for name in NATIVE[kind]})


def kind_of(names: list[str]) -> Kind | None:
    """The kind of table whose native columns these are: the one that most required columns speak for, if any do."""
    score = {kind: (len(REQUIRED[kind] & set(names)), len(set(NATIVE[kind]) & set(names))) for kind in NATIVE}
    best = max(score, key=lambda kind: (score[kind][0] / len(REQUIRED[kind]), score[kind][1]))
    return best if score[best][0] * 2 >= len(REQUIRED[best]) else None


def apply(fields: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """Fields of the file -> native columns as text, plus _line, _raw and `extra` (unused columns as JSON)."""
    sources = mapping.columns or native(mapping.kind).columns
    given = {name: column for name, column in sources.items() if _given(column, fields.columns)}
    made = [
        _source(given[name], fields.columns).fill_null(mapping.constants[name]).alias(name)
        if name in mapping.constants
        else _source(given[name], fields.columns).alias(name)
        for name in given
    ]
    constants = [pl.lit(value).alias(name) for name, value in mapping.constants.items() if name not in given]
    have = given.keys() | mapping.constants.keys()
    missing = [pl.lit(None, dtype=pl.String).alias(name) for name in NATIVE[mapping.kind] if name not in have]
    used = {n for c in given.values() for n in _names(c)} | set(HIDDEN)
    spare = [name for name in fields.columns if name not in used]
    extra = pl.struct(spare).struct.json_encode() if spare else pl.lit(None, dtype=pl.String)
    native_rows = fields.select(*HIDDEN, *made, *constants, *missing, extra=extra)
    return _platform_rows(_speakers(native_rows, fields, mapping), mapping)


def _speakers(rows: pl.DataFrame, fields: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """Who the mapping's sender map says a named speaker is; an agent's name becomes the agent."""
    if not mapping.senders or "speaker" not in fields.columns:
        return rows
    told = fields["speaker"].replace_strict(mapping.senders, default=None, return_dtype=pl.String)
    is_agent = told.is_in(["agent", "assist", "bot", "auto"])
    return rows.with_columns(
        sender_kind=pl.coalesce(told, pl.col("sender_kind")),
        agent=pl.when(is_agent).then(fields["speaker"]).otherwise("agent"),
    )


def missing_columns(names: list[str], mapping: Mapping) -> list[str]:
    """Columns that the mapping needs and the file does not have, in the file's own words."""
    lacks = []
    columns = mapping.columns or native(mapping.kind).columns
    for name in REQUIRED[mapping.kind] - set(mapping.constants) - set(mapping.absent):
        source = columns.get(name)
        if source is None or not set(_names(source)) <= set(names):
            lacks.append(name if source is None else "+".join(_names(source)))
    return sorted(lacks)


def _names(column: str | Column) -> list[str]:
    return [column] if isinstance(column, str) else [column.column, *column.plus]


def _given(column: str | Column, names: list[str]) -> bool:
    return set(_names(column)) <= set(names)


def _source(column: str | Column, names: list[str]) -> pl.Expr:
    if isinstance(column, str):
        return pl.col(column)
    value = pl.col(column.column)
    if column.plus:
        amounts = [
            pl.col(n).str.strip_chars().str.replace(r"^$", "0").cast(pl.Float64, strict=False) for n in _names(column)
        ]
        return pl.when(value.str.strip_chars() == "").then(None).otherwise(
            pl.sum_horizontal(amounts, ignore_nulls=False).round(4).cast(pl.String)
        )  # fmt: skip
    return value.str.strip_chars().replace(column.values) if column.values else value


def _platform_rows(native: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    if not mapping.platform_rows or "sender_kind" not in native.columns:
        return native
    kind = pl.col("sender_kind")
    for rule in mapping.platform_rows:
        hit = (kind == "customer") & pl.col("text").str.contains(rule.text)
        kind = pl.when(hit).then(pl.lit(rule.sender_kind)).otherwise(kind)
    return native.with_columns(sender_kind=kind)


def fingerprint(mapping: Mapping) -> dict[str, Any]:
    """What of the mapping decides the stored rows."""
    return mapping.model_dump(mode="json")
