"""Times and money as a mapping says they are written → native text: the shop's local time, yuan.

What cannot be read stays as it stands, so that its rejection can quote it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from qc.frames import TIME
from qc.intake import TIMES
from qc.values import parse_time

if TYPE_CHECKING:
    from pipelines.mapping import Mapping

SHOP_ZONE = "Asia/Shanghai"
AMOUNTS = ("paid", "refunded", "line_paid", "line_price")
# Unix seconds or milliseconds, or a time that ends in its distance from UTC: it says by itself which instant it is.
INSTANT = r"^(?:\d{10}|\d{13})$|[:.]\d+ ?(?:Z|UTC|[+-]\d\d:?\d\d)$"
TEXT = "%Y-%m-%d %H:%M:%S%.f"


def settle(rows: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """Native columns as text -> the same, with times and amounts as the native layout writes them."""
    form = mapping.format
    if form.time_formats or form.written_in or mapping.time_zone != SHOP_ZONE:
        rows = rows.with_columns(_local(rows[name], mapping) for name in TIMES if name in rows.columns)
    if mapping.money == "fen":
        rows = rows.with_columns(_yuan(name) for name in AMOUNTS if name in rows.columns)
    return rows


def with_point(name: str) -> pl.Expr:
    """Amounts with a decimal comma (1.234,50) -> with a decimal point (1234.50)."""
    return pl.col(name).str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)


def is_zone(name: str) -> bool:
    """Whether this is the name of a time zone (IANA)."""
    try:
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(name)
    except (pl.exceptions.PolarsError, ValueError):
        return False
    return True


def _local(text: pl.Series, mapping: Mapping) -> pl.Series:
    """Times as text -> the shop's local time as text; a time that names no zone is of `written_in`, else of the shop."""
    plain = text.cast(pl.String).str.strip_chars()
    at = pl.Series(text.name, [None] * len(text), dtype=TIME)
    is_instant = plain.str.contains(INSTANT).fill_null(False)
    for form in mapping.format.time_formats:
        rest = at.is_null().arg_true()
        read = plain.gather(rest).str.to_datetime(form, time_unit="us", strict=False)
        if "%z" in form:  # as parse_time gives instants
            is_instant = is_instant.scatter(rest.filter(read.is_not_null()), True)
            read = read.dt.convert_time_zone("Etc/GMT-8").dt.replace_time_zone(None)
        at = at.scatter(rest, read)
    at = at.zip_with(at.is_not_null(), parse_time(plain))
    instant = at.dt.offset_by("-8h").dt.replace_time_zone("UTC")  # parse_time reads instants as UTC+8
    local = instant.dt.convert_time_zone(mapping.time_zone).dt.replace_time_zone(None)
    if mapping.format.written_in:
        there = at.dt.replace_time_zone(mapping.format.written_in, ambiguous="earliest", non_existent="null")
        at = there.dt.convert_time_zone(mapping.time_zone).dt.replace_time_zone(None)
    told = local.zip_with(is_instant, at).dt.strftime(TEXT)
    return told.zip_with(told.is_not_null(), text)


def _yuan(name: str) -> pl.Expr:
    fen = pl.col(name).str.replace_all(r"[,，\s]", "").cast(pl.Int64, strict=False)
    return pl.coalesce((fen.cast(pl.Decimal(22, 2)) / 100).cast(pl.String), pl.col(name)).alias(name)
