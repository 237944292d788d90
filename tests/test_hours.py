"""Opening hours: the fast clock against a minute-by-minute reference, night shifts, holidays, and what a bad file says."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from conftest import night
from hypothesis import given
from hypothesis import strategies as st

from pipelines import settings, store
from qc.hours import Calendar, HoursError, Shift, in_service, load, open_spans

WEEK = "date,open,close,note\n每天,09:00,18:00,\n周六,10:00,16:00,\n周日,,,休息\n"
HOLIDAY = WEEK + "2026-10-01,,,国庆\n2026-10-10,09:00,12:00,补班\n2026-10-10,13:00,18:00,补班\n"
NIGHT = "date,open,close,note\n每天,20:00,04:00,夜班\n"


def seconds(text: str, start: str, end: str) -> float:
    times = [pl.Series([datetime.fromisoformat(t)]) for t in (start, end)]
    return float(in_service(*times, load(text, "营业时间.csv"))[0])


@pytest.mark.parametrize(
    ("text", "start", "end", "expected"),
    [
        pytest.param(WEEK, "2026-09-01 17:59:00", "2026-09-02 09:02:00", 180, id="the night between does not count"),
        pytest.param(WEEK, "2026-09-05 15:59:00", "2026-09-07 09:01:00", 120, id="nor does Sunday"),
        pytest.param(WEEK, "2026-09-06 10:00:00", "2026-09-06 12:00:00", 0, id="closed all day"),
        pytest.param(HOLIDAY, "2026-10-01 10:00:00", "2026-10-02 09:30:00", 1800, id="a holiday is closed"),
        pytest.param(HOLIDAY, "2026-10-10 11:59:00", "2026-10-10 13:01:00", 120, id="a make-up workday with a break"),
        pytest.param(NIGHT, "2026-09-01 23:00:00", "2026-09-02 05:00:00", 5 * 3600, id="a night shift runs past midnight"),
        pytest.param(NIGHT, "2026-09-01 03:59:00", "2026-09-01 20:01:00", 120, id="the shift of the day before"),
        pytest.param("date,open,close\n2026-09-02,,\n", "2026-09-01 00:00:00", "2026-09-04 00:00:00", 2 * 86400, id="only holidays named: else open"),
    ],
)  # fmt: skip
def test_only_open_hours_count(text: str, start: str, end: str, expected: float) -> None:
    assert seconds(text, start, end) == expected


def reference(calendar: Calendar, start: datetime, end: datetime) -> float:
    """Minute by minute: is it within a shift of this day, or of the day before?"""

    def shifts(day: date) -> list[Shift]:
        for key in (day.isoformat(), str(day.isoweekday()), "*"):
            if found := [s for s in calendar if s.day == key]:
                return found
        return [] if any(len(s.day) == 1 for s in calendar) else [Shift("", 0, 86400)]

    def is_open(at: datetime) -> bool:
        since = [(at.hour * 60 + at.minute) * 60 + 86400 * back for back in (0, 1)]
        days = [at.date() - timedelta(days=back) for back in (0, 1)]
        return any(
            s.opens_s is not None and s.opens_s <= t < s.closes_s
            for d, t in zip(days, since, strict=True)
            for s in shifts(d)
        )

    return 60.0 * sum(is_open(start + timedelta(minutes=m)) for m in range(int((end - start).total_seconds()) // 60))


MINUTES = st.integers(0, 1439)
DAYS = st.sampled_from(["*", "1", "3", "6", "7", "2026-09-02", "2026-09-05", "2026-08-31"])


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    shifts = []
    for day in draw(st.lists(DAYS, unique=True, min_size=1, max_size=5)):
        opens = draw(st.lists(MINUTES, unique=True, max_size=2))
        spans = [(m, draw(MINUTES.filter(lambda z, m=m: z != m))) for m in opens]
        shifts += [Shift(day, a * 60, (z if z > a else z + 1440) * 60) for a, z in spans] or [Shift(day, None, None)]
    return tuple(shifts)


MOMENTS = st.integers(0, 7 * 1440).map(lambda m: datetime(2026, 8, 31) + timedelta(minutes=m))


@given(calendars(), st.lists(st.tuples(MOMENTS, MOMENTS).map(sorted), min_size=1, max_size=3))
def test_two_lookups_are_the_minutes_counted(calendar: Calendar, waits: list[list[datetime]]) -> None:
    start, end = (pl.Series(column, dtype=pl.Datetime("us")) for column in zip(*waits, strict=True))
    assert in_service(start, end, calendar).to_list() == [reference(calendar, a, z) for a, z in waits]


def test_spans_are_apart_and_what_is_unknown_stays_unknown() -> None:
    overlapping = load("date,open,close\n每天,09:00,13:00\n每天,12:00,18:00\n每天,22:00,10:00\n", "x")
    spans = open_spans(overlapping, date(2026, 9, 1), date(2026, 9, 5))
    assert (spans["start"][1:] > spans["end"][:-1]).all()
    nothing = pl.Series([None], dtype=pl.Datetime("us"))
    for calendar in (overlapping, ()):
        assert in_service(nothing, pl.Series([datetime(2026, 9, 1)]), calendar).to_list() == [None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,open\n", "营业时间.csv:1 缺少列 close"),
        (WEEK + "昨天,09:00,18:00,\n", "营业时间.csv:5 「昨天」不是日期"),
        (WEEK + "2026-02-30,09:00,18:00,\n", "营业时间.csv:5 「2026-02-30」不是日期"),
        (WEEK + "周一,9点,18:00,\n", "营业时间.csv:5 「9点」不是 00:00 到 24:00 之间的时刻"),
        (WEEK + "周一,09:00,,\n", "营业时间.csv:5 open 和 close 要么都写"),
        (WEEK + "周一,09:00,09:00,\n", "营业时间.csv:5 从 09:00 到 09:00 没有时间"),
        (WEEK + "周一,,,\n周一,09:00,10:00,\n", "「1」既写了关门又写了营业时间"),
    ],
)
def test_a_bad_calendar_says_where(text: str, said: str) -> None:
    with pytest.raises(HoursError) as error:
        load(text, "营业时间.csv")
    assert said in str(error.value)


def test_two_clocks_through_the_night(home: Path, tmp_path: Path) -> None:
    chats = tmp_path / "chats.csv"
    chats.write_text(
        "shop,channel,conversation_id,sent_at,sender_kind,agent,customer,text\n"
        "店,web,c1,2026-09-01 17:59:50,customer,,甲,有货吗\n店,web,c1,2026-09-02 09:00:10,agent,小满,甲,有的\n",
        encoding="utf-8",
    )
    (home / "qc.toml").write_text('hours = "hours.csv"\n', encoding="utf-8")
    with pytest.raises(settings.SettingsError, match=r"没有营业时间文件 hours\.csv"):
        night(home, chats)
    (home / "hours.csv").write_text(WEEK, encoding="utf-8")
    night(home, chats)
    with store.open_mart(home) as con:
        assert con.execute("SELECT wait_s, in_service_s FROM turns").fetchall() == [(15 * 3600 + 20, 20)]
        told = con.execute("SELECT promise, status, in_service_s FROM promises ORDER BY promise").fetchall()
    # Broken by the calendar, and told apart: within the open hours it took 20 seconds.
    assert told == [("first_answer", "broken", 20), ("preliminary", "broken", 20)]
