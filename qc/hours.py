"""Opening hours: a calendar file → open spans → the part of a wait that fell into them. Pure, and without a loop over rows.

The file is CSV: `date, open, close, note`. `date` is a day (2026-10-01), a weekday (周一 … 周日) or 每天; the more exact one
wins. Several rows of one day are several shifts; a close at or before its open is past midnight; both empty is closed.
"""

from __future__ import annotations

import csv
import re
from datetime import date, datetime, timedelta
from typing import NamedTuple

import polars as pl

DAY_S = 86_400
WEEKDAYS = {name: n for n, names in enumerate(
    ("周一 星期一 mon", "周二 星期二 tue", "周三 星期三 wed", "周四 星期四 thu", "周五 星期五 fri", "周六 星期六 sat",
     "周日 星期日 周天 星期天 sun"), start=1) for name in names.split()}  # fmt: skip
EVERY_DAY = ("每天", "daily")
COLUMNS = ("date", "open", "close")
ORIGIN = date(2000, 1, 3)  # any day: nothing is asked of it


class HoursError(ValueError):
    """A calendar that cannot be used: `file:line what; what to do`."""


class Shift(NamedTuple):
    """From when to when, in seconds after the day's midnight; past midnight closes_s is over 86 400. Of a closed day: None."""

    day: str  # 2026-10-01, 1 … 7 (Monday is 1), or * for every day
    opens_s: int | None
    closes_s: int | None


Calendar = tuple[Shift, ...]  # empty: all hours are open


def load(text: str, name: str) -> Calendar:
    """The calendar of a file's text; HoursError names every line that cannot be read."""
    rows = csv.reader(text.lstrip("\ufeff").splitlines())
    head = [cell.strip().lower() for cell in next(rows, [])]
    if missing := [c for c in COLUMNS if c not in head]:
        raise HoursError(f"{name}:1 缺少列 {'、'.join(missing)};第一行要写 date,open,close,note")
    places = [head.index(c) for c in COLUMNS]
    shifts, problems = [], []
    for cells in rows:
        if not any(c.strip() for c in cells) or cells[0].lstrip().startswith("#"):
            continue
        try:
            shifts.append(_shift(*(cells[p].strip() if p < len(cells) else "" for p in places)))
        except ValueError as error:
            problems.append(f"{name}:{rows.line_num} {error}")
    days = {s.day for s in shifts if s.opens_s is None} & {s.day for s in shifts if s.opens_s is not None}
    problems += [f"{name}:1 「{day}」既写了关门又写了营业时间;请删去一种" for day in sorted(days)]
    if problems:
        raise HoursError("\n".join(problems))
    return tuple(shifts)


def _shift(day: str, opens: str, closes: str) -> Shift:
    key = _day(day)
    if not opens and not closes:
        return Shift(key, None, None)
    if not opens or not closes:
        raise ValueError("open 和 close 要么都写,要么都空(当天关门)")
    a, z = _clock(opens), _clock(closes)
    if a == z or a >= DAY_S:
        raise ValueError(f"从 {opens} 到 {closes} 没有时间;整天营业写 00:00 和 24:00")
    return Shift(key, a, z if z > a else z + DAY_S)


def _day(text: str) -> str:
    if text.lower() in EVERY_DAY:
        return "*"
    if text.lower() in WEEKDAYS:
        return str(WEEKDAYS[text.lower()])
    try:
        year, month, day = map(int, re.split(r"[-/.]", text))
        return date(year, month, day).isoformat()
    except ValueError:
        raise ValueError(f"「{text}」不是日期(2026-10-01)、星期(周一)或「每天」;请改正") from None


def _clock(text: str) -> int:
    found = re.fullmatch(r"(\d{1,2})[::](\d{2})", text)
    if not found or (seconds := int(found[1]) * 3600 + int(found[2]) * 60) > DAY_S or int(found[2]) > 59:
        raise ValueError(f"「{text}」不是 00:00 到 24:00 之间的时刻(如 09:00);请改正")
    return seconds


def open_spans(calendar: Calendar, first: date, last: date) -> pl.DataFrame:
    """(start, end) of every open stretch of the days first..last, in order and apart; a night shift runs into the next day.

    A day that no row names is closed when some row names weekdays or every day, else open: a list of holidays is enough.
    """
    rows = [(s.day, s.opens_s, s.closes_s) for s in calendar]
    shifts = pl.DataFrame(rows, schema={"key": pl.String, "opens": pl.Int64, "closes": pl.Int64}, orient="row")
    has_week = any(len(s.day) == 1 for s in calendar)
    days = pl.DataFrame({"day": pl.date_range(first, last, eager=True)})
    named = [pl.col("day").dt.to_string("%Y-%m-%d"), pl.col("day").dt.weekday().cast(pl.String), pl.lit("*")]
    known = shifts["key"].unique().implode()
    key = pl.coalesce(*(pl.when(k.is_in(known)).then(k) for k in named))
    days = days.with_columns(key=key).join(shifts, on="key", how="left")
    unnamed = pl.col("key").is_null() & pl.lit(not has_week)
    days = days.with_columns(
        opens=pl.when(unnamed).then(0).otherwise("opens"), closes=pl.when(unnamed).then(DAY_S).otherwise("closes")
    ).drop_nulls("opens")
    midnight = pl.col("day").cast(pl.Datetime("us"))
    spans = days.select(start=midnight + pl.duration(seconds="opens"), end=midnight + pl.duration(seconds="closes"))
    spans = spans.sort("start", "end").with_columns(reach=pl.col("end").cum_max().shift(1))
    spans = spans.with_columns(n=(pl.col("start") > pl.col("reach")).fill_null(True).cum_sum())
    return spans.group_by("n", maintain_order=True).agg(pl.col("start").min(), pl.col("end").max()).drop("n")


def in_service(start: pl.Series, end: pl.Series, calendar: Calendar) -> pl.Series:
    """Seconds of start..end within open hours; NULL where one of them is. With an empty calendar: end − start."""
    if not calendar:
        return (end - start).dt.total_microseconds() / 1e6
    known = [t for t in (start.min(), start.max(), end.min(), end.max()) if isinstance(t, datetime)]
    low, high = (min(known).date(), max(known).date()) if known else (ORIGIN, ORIGIN)
    spans = open_spans(calendar, low - timedelta(days=1), high)
    length = (pl.col("end") - pl.col("start")).dt.total_microseconds()
    spans = spans.with_columns(before=length.cum_sum() - length)
    return (_open_until(end, spans) - _open_until(start, spans)) / 1e6


def _open_until(at: pl.Series, spans: pl.DataFrame) -> pl.Series:
    """Open microseconds before each moment: the spans behind it, and the part of the one it stands in."""
    rows = pl.DataFrame({"at": at.cast(pl.Datetime("us"))}).with_row_index("i").sort("at", nulls_last=False)
    found = rows.join_asof(spans, left_on="at", right_on="start", check_sortedness=False).sort("i")
    inside = (pl.min_horizontal("at", "end") - pl.col("start")).dt.total_microseconds()
    passed = (pl.col("before") + inside).fill_null(0)
    return found.select(pl.when(pl.col("at").is_not_null()).then(passed)).to_series()
