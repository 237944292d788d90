"""Text → time and money, in the forms that exports write."""

from __future__ import annotations

import polars as pl

from qc.frames import TIME

FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y年%m月%d日 %H:%M:%S", "%Y年%m月%d日 %H:%M", "%Y%m%d%H%M%S",
)  # fmt: skip


def parse_time(text: pl.Series) -> pl.Series:
    """Text -> local time; the forms exports use, and Unix seconds or milliseconds (read as Asia/Shanghai, UTC+8).

    A file keeps to one form, so each form is tried only on what the ones before it could not read.
    """
    at = text.str.to_datetime(FORMATS[0], time_unit="us", strict=False)
    for form in (*FORMATS[1:], None):
        unread = (at.is_null() & text.is_not_null()).arg_true()
        if unread.is_empty():
            break
        rest = text.gather(unread)
        read = rest.str.to_datetime(form, time_unit="us", strict=False) if form else _instant(rest)
        at = at.scatter(unread, read)
    return at


def _instant(text: pl.Series) -> pl.Series:
    """Unix time, or a time with its distance from UTC (2026-09-01T02:00:00Z, 2026-09-01 10:00:00 +0800)."""
    split = text.str.extract_groups(r"^(\d{4}-\d\d-\d\d[T ][\d:.]+) ?(?:Z|UTC|([+-]\d\d):?(\d\d))$").struct.unnest()
    if split["1"].is_null().all():
        return _unix(text)
    hours, minutes = split["2"].cast(pl.Int64).fill_null(0), (split["2"].str.slice(0, 1) + split["3"]).cast(pl.Int64)
    ahead = (((8 - hours) * 60 - minutes.fill_null(0)) * 60_000_000).cast(pl.Duration("us"))
    return pl.select(pl.coalesce(parse_time(split["1"]) + ahead, _unix(text))).to_series()


def _unix(text: pl.Series) -> pl.Series:
    number = text.str.extract(r"^(\d{10}|\d{13})$").cast(pl.Int64, strict=False)
    micros = pl.select(pl.when(number >= 10**12).then(number * 1000).otherwise(number * 1_000_000)).to_series()
    return (micros + 8 * 3600 * 1_000_000).cast(TIME)


def parse_fen(text: pl.Expr) -> pl.Expr:
    """Yuan as text (¥, thousands commas, full-width minus allowed; at most two decimals) -> integer fen; else NULL."""
    plain = text.str.replace_all(r"[¥￥,，\s元]", "").str.extract(r"^(-?\d{1,13}(?:\.\d+)?)$")
    yuan = plain.cast(pl.Decimal(22, 6), strict=False)
    return (yuan * 100).round(0).cast(pl.Int64, strict=False)
