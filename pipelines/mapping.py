"""Mapping files: how the columns of an export become the native ones. `data/mappings/*.yaml`, or the user's own file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from ruamel.yaml.error import YAMLError

from pipelines import units
from pipelines.private_columns import is_private, plain
from pipelines.resources import read_yaml
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
    time_formats: list[str] = []  # how times are written (strptime), before the usual forms are tried
    decimal: Literal[".", ","] = "."  # what amounts write before their cents; 1.234,50 has a comma
    written_in: str | None = None  # the zone (IANA) of times that name none; else they are the shop's local time

    @field_validator("separator")
    @classmethod
    def _one_byte(cls, separator: str | None) -> str | None:
        if separator is not None and (len(separator) != 1 or not separator.isascii()):
            raise ValueError(f"分隔符只能是一个半角字符(例:, ; | 或 \\t),不能是「{separator}」")
        return separator

    @field_validator("written_in")
    @classmethod
    def _zone(cls, name: str | None) -> str | None:
        return _known_zone(name)


class Column(Strict):
    """Where a native column comes from: a column, optionally with its values translated or other columns added."""

    column: str
    values: dict[str, str] = {}
    default: str | None = None  # for what is not in `values`; "" means that it says nothing
    plus: list[str] = []  # amounts to add, e.g. the refund where the paid amount is already net of it
    minus: list[str] = []  # amounts to subtract
    times: str | None = None  # a count to multiply by, e.g. the pieces where the price is of one
    prefix: str = ""  # put before the value, where two files number their rows alike
    when: dict[str, str] = {}  # column -> pattern: the value counts only in rows where each of them is found
    unless: dict[str, str] = {}  # column -> pattern: nor does it count in rows where one of these is
    otherwise: str | None = None  # the column that counts in its stead


Origin = Annotated[str | Column, Field(union_mode="smart")]


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
    time_zone: str = units.SHOP_ZONE  # the shop's: times that name their zone, and Unix times, become local ones
    money: Literal["yuan", "fen"] = "yuan"
    source: str | None = None  # a reader of pipelines.sources by its NAME, where the content does not tell
    columns: dict[str, Origin | list[Origin]] = {}  # of a list the first whose columns the file has
    constants: dict[str, str] = {}  # for columns that the file does not have, or leaves empty
    senders: dict[str, str] = {}  # speaker's name -> sender_kind, for exports that only name the speakers
    absent: list[
        Literal["sent_at", "customer", "shop", "created_at", "paid"]
    ] = []  # required columns that this export cannot give
    platform_rows: list[Rule] = []

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str | None:
        return _known_zone(name)

    def fits(self, names: list[str], line: str) -> bool:
        """Whether a file with this header and first line is of this export."""
        if self.match.line:
            return re.search(self.match.line, line) is not None
        return bool(self.match.columns) and set(self.match.columns) <= set(names)


def _known_zone(name: str | None) -> str | None:
    if name is not None and not units.is_zone(name):
        raise ValueError(f"没有叫「{name}」的时区(例:Asia/Shanghai、UTC、America/New_York)")
    return name


def load(path: Path) -> Mapping:
    """One mapping file, checked; MappingError names file and key."""
    try:
        content = read_yaml(path)
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
    given = {name: c for name, o in sources.items() if (c := _chosen(o, fields.columns)) is not None}
    if mapping.format.decimal == ",":
        amounts = {n for name in units.AMOUNTS if name in given for n in _amounts(given[name])}
        fields = fields.with_columns(units.with_point(name) for name in sorted(amounts))
    made = [
        _source(given[name], fields.columns).fill_null(mapping.constants[name]).alias(name)
        if name in mapping.constants
        else _source(given[name], fields.columns).alias(name)
        for name in given
    ]
    constants = [pl.lit(value).alias(name) for name, value in mapping.constants.items() if name not in given]
    have = given.keys() | mapping.constants.keys()
    missing = [pl.lit(None, dtype=pl.String).alias(name) for name in NATIVE[mapping.kind] if name not in have]
    # A speaker's name has said all it has to say when it became customer or agent: a customer's is kept nowhere else.
    used = {n for c in given.values() for n in _names(c)} | {*HIDDEN, "speaker"}
    used |= {n for c in _options(sources.get("customer", [])) for n in _names(c)}  # nor are other names of the same one
    spare = [name for name in fields.columns if name not in used and not is_private(name)]
    fields = _without_private(fields, used)
    extra = pl.struct(spare).struct.json_encode() if spare else pl.lit(None, dtype=pl.String)
    native_rows = fields.select(*HIDDEN, *made, *constants, *missing, extra=extra)
    native_rows = units.settle(native_rows, mapping)
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
        if source is None or _chosen(source, names) is None:
            lacks.append(name if source is None else "|".join("+".join(_names(o)) for o in _options(source)))
    return sorted(lacks)


def words(known: Iterable[Mapping]) -> set[str]:
    """Every column name that these mappings know."""
    return {
        n
        for m in known
        for n in (*m.match.columns, *(n for o in m.columns.values() for c in _options(o) for n in _names(c)))
    }


def spelt(names: Iterable[str], known: Sequence[Mapping]) -> list[str]:
    """Column names as the mappings spell them: 「客单价（元)」 and 「客单价(元)」 are one, whatever the brackets' width."""
    own = {column for columns in NATIVE.values() for column in columns}
    known_words = words(known) | own
    spelling = {plain(word): word for word in sorted(known_words - own)}
    return [n if n in known_words else spelling.get(plain(n), n) for n in names]


def _without_private(fields: pl.DataFrame, used: set[str]) -> pl.DataFrame:
    """A row that is rejected is kept as it stood, less the columns that nobody may keep."""
    kept = [n for n in fields.columns if n not in HIDDEN and (n in used or not is_private(n))]
    if len(kept) + len(HIDDEN) >= len(fields.columns):
        return fields
    return fields.with_columns(_raw=pl.concat_str([pl.col(n).fill_null("") for n in kept], separator=","))


def _options(origin: Origin | list[Origin]) -> list[Origin]:
    return origin if isinstance(origin, list) else [origin]


def _chosen(origin: Origin | list[Origin], names: Sequence[str]) -> Origin | None:
    """The first way to this native column that the file has every column for."""
    return next((o for o in _options(origin) if set(_names(o)) <= set(names)), None)


def _names(column: Origin) -> list[str]:
    if isinstance(column, str):
        return [column]
    others = [*column.plus, *column.minus, *column.when, *column.unless]
    return [column.column, *others, *(n for n in (column.times, column.otherwise) if n)]


def _amounts(column: Origin) -> list[str]:
    """The columns of amounts in it; `times` is a count."""
    if isinstance(column, str):
        return [column]
    return [column.column, *column.plus, *column.minus, *([column.otherwise] if column.otherwise else [])]


def _source(column: Origin, names: list[str]) -> pl.Expr:
    if isinstance(column, str):
        return pl.col(column)
    value = pl.col(column.column)
    if column.plus or column.minus or column.times:
        value = pl.when(value.str.strip_chars() == "").then(None).otherwise(_total(column))
    if column.values:
        value = _translated(value.str.strip_chars(), column)
    if column.prefix:
        value = pl.lit(column.prefix) + value
    counts = [pl.col(n).str.contains(p).fill_null(False) for n, p in column.when.items()]
    counts += [~pl.col(n).str.contains(p).fill_null(False) for n, p in column.unless.items()]
    if not counts:
        return value
    return (
        pl.when(pl.all_horizontal(counts)).then(value).otherwise(pl.col(column.otherwise) if column.otherwise else None)
    )


def _translated(value: pl.Expr, column: Column) -> pl.Expr:
    if column.default is None:
        return value.replace(column.values)
    told = value.replace_strict(column.values, default=pl.lit(column.default), return_dtype=pl.String)
    return pl.when(value.fill_null("") != "").then(told)


def _total(column: Column) -> pl.Expr:
    amounts = [_amount(n) for n in (column.column, *column.plus)] + [-_amount(n) for n in column.minus]
    total = pl.sum_horizontal(amounts, ignore_nulls=False)
    return (total * _amount(column.times) if column.times else total).round(4).cast(pl.String)


def _amount(name: str) -> pl.Expr:
    plain = pl.col(name).str.replace_all(r"[¥￥,，\s元]", "").str.replace(r"^(?:|-|--|null|NULL|无.*|没有.*)$", "0")
    return plain.cast(pl.Float64, strict=False)


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
