"""The three promises on small talks, stalling, and the load of an agent against a reference."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from talk import pleasantries, shipped

from pipelines import settings
from pipelines.resources import data_dir
from qc import frames, load, promises
from qc.detectors import inspect
from qc.dialogue import turns as turns_of
from qc.rulecheck import talk

FAIR = settings.profile(data_dir(), "fair")
LEXICON = settings.substance(data_dir())
DAY = datetime(2026, 1, 5)  # of the written dialogues


def made(*dialogues: str, as_of: str = "2026-01-09") -> tuple[pl.DataFrame, pl.DataFrame]:
    """frames.Pace and frames.Promise of dialogues c1, c2, … of one customer."""
    now = datetime.fromisoformat(as_of)
    messages = talk([(f"c{i}", text) for i, text in enumerate(dialogues, 1)], pleasantries()).messages
    messages = messages.with_columns(shop=pl.lit("店"))
    turns = turns_of(messages, FAIR, as_of=now, pleasantries=pleasantries())
    findings = inspect(messages, turns, shipped()).findings
    made = promises.measure(turns, messages, findings, FAIR, LEXICON, pleasantries(), as_of=now)
    return made.pace, made.promises


def standing(promise: str, *dialogues: str, **more: str) -> list[tuple[str, str | None, float | None]]:
    """(status, reason, seconds) of each conversation that has this promise."""
    found = made(*dialogues, **more)[1].filter(pl.col("promise") == promise)
    return found.select("status", "reason", "seconds").rows()


GREETED = """
    10:00:00 客: 这件有黑色吗
    10:00:05 服: 您好
    10:00:20 服: 我看一下,稍等
    10:06:00 服: 有黑色的
"""


@pytest.mark.parametrize(
    ("text", "first", "preliminary"),
    [
        pytest.param(GREETED, ("kept", None, 5), ("broken", "late", 360), id="a greeting and a stall are no answer"),
        pytest.param("10:00:00 客: 在吗\n10:00:30 服: 在的\n10:09:00 客: 有货吗\n10:09:40 服: 有的", ("kept", None, 30),
                     ("kept", None, 40), id="the clock starts with the first real question"),
        pytest.param("10:00:00 客: 在吗\n10:00:31 服: 在的", ("broken", "late", 31), ("kept", None, 31), id="nothing asked: any reply will do"),
        pytest.param("10:00:00 客: 有货吗\n10:00:10 服: 稍等", ("kept", None, 10), ("broken", "stalled", None), id="only a stall"),
        pytest.param("10:00:00 客: 有货吗", ("broken", "never", None), ("broken", "never", None), id="nobody"),
        pytest.param("10:00:00 客: 有货吗\n10:00:10 服: [卡片]\n10:05:00 服: [图片]", ("kept", None, 10), ("kept", None, 300),
                     id="a card says nothing, a picture may"),
        pytest.param("10:00:00 客: [卡片]\n10:00:10 服: 您好\n10:20:00 客: 有货吗\n10:20:05 服: 稍等,有的", ("kept", None, 10),
                     ("kept", None, 5), id="a customer's card alone asks nothing; a stall that answers answers"),
        pytest.param("10:00:00 客: 有货吗\n10:00:01 机: 您好,有货\n10:00:02 自: 欢迎光临", ("broken", "never", None),
                     ("broken", "never", None), id="machines keep no promise"),
        pytest.param("客: 有货吗\n服: 有", ("unknown", "no_times", None), ("unknown", "no_times", None), id="no times"),
    ],
)  # fmt: skip
def test_first_answer_and_preliminary(text: str, first: tuple[object, ...], preliminary: tuple[object, ...]) -> None:
    assert standing("first_answer", text) == [first]
    assert standing("preliminary", text) == [preliminary]


def test_what_is_too_young_is_censored() -> None:
    unanswered, stalled = "10:00:00 客: 有货吗", "10:00:00 客: 有货吗\n10:00:10 服: 稍等"
    assert standing("first_answer", unanswered, as_of="2026-01-05T10:09:59") == [("censored", "not_yet", None)]
    assert standing("first_answer", unanswered, as_of="2026-01-05T10:10:00") == [("broken", "never", None)]
    assert standing("preliminary", stalled, as_of="2026-01-05T10:04:59") == [("censored", "not_yet", None)]
    assert standing("preliminary", stalled, as_of="2026-01-05T10:05:00") == [("broken", "stalled", None)]


COMPLAINT = "10:00:00 客: 收到就是坏的\n10:00:30 服: 非常抱歉,请您拍张照片"


def test_a_solution_may_come_in_a_later_talk_within_a_day() -> None:
    assert standing("solution", "10:00:00 客: 有货吗") == []
    assert standing("solution", COMPLAINT + "\n10:02:00 服: 马上给您补发一个") == [("kept", None, 120)]
    assert standing("solution", COMPLAINT) == [("broken", "never", None)]
    assert standing("solution", COMPLAINT, as_of="2026-01-06T09:59:59") == [("censored", "not_yet", None)]
    assert standing("solution", COMPLAINT + "\n10:02:00 服: 拆封了不能退") == [("broken", "never", None)]
    assert standing("solution", COMPLAINT, "15:00:00 服: 您好,上午的问题给您全额退款") == [("kept", None, 18000)]
    # What was offered before the complaint does not count.
    assert standing("solution", "09:59:00 服: 可以退货\n" + COMPLAINT) == [("broken", "never", None)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("10:00:00 客: 有货吗\n10:00:10 服: 稍等", [True], id="put off for good"),
        pytest.param("10:00:00 客: 有货吗\n10:00:10 服: 稍等\n10:05:10 服: 有", [False], id="put off for 300 s"),
        pytest.param("10:00:00 客: 有货吗\n10:00:10 服: 稍等\n10:05:11 服: 有", [True], id="a second too long"),
        pytest.param("10:00:00 客: 有货吗\n10:07:00 服: 您好\n10:07:05 服: 有", [False], id="slow, but no staller"),
        pytest.param("10:00:00 客: 在吗\n10:00:10 服: 在的", [False], id="nothing was asked"),
        pytest.param("10:00:00 客: 有货吗\n10:00:10 服: 有\n10:01:00 客: 我再看看吧\n10:01:10 服: 感谢您的光临", [False, False],
                     id="a goodbye is no stall"),
        pytest.param("10:00:00 客: 有货吗", [False], id="unanswered is another number"),
    ],
)  # fmt: skip
def test_stalling(text: str, expected: list[bool]) -> None:
    assert made(text)[0]["is_stalled"].to_list() == expected


def test_a_stall_of_two_minutes_cannot_be_judged_yet() -> None:
    text = "10:00:00 客: 有货吗\n10:00:10 服: 稍等"
    assert made(text, as_of="2026-01-05T10:02:00")[0]["is_stalled"].to_list() == [None]


TURN = st.tuples(st.sampled_from(["甲", "乙", None]), st.integers(0, 1500), st.none() | st.integers(0, 900))


@given(st.lists(TURN, max_size=25))
def test_open_turns_are_counted_as_one_would(drawn: list[tuple[str | None, int, int | None]]) -> None:
    start = [DAY + timedelta(seconds=at) for _, at, _ in drawn]
    end = [None if wait is None else a + timedelta(seconds=wait) for a, (_, _, wait) in zip(start, drawn, strict=True)]
    blank = dict.fromkeys(frames.Turn)
    rows = [
        blank | {"shop": "店", "responsible": who, "asked_at": a, "answered_at": z}
        for (who, *_), a, z in zip(drawn, start, end, strict=True)
    ]
    found = load.n_open(pl.DataFrame(rows, schema=frames.Turn), FAIR).to_list()

    def until(j: int) -> datetime:
        return min(end[j] or datetime.max, start[j] + timedelta(seconds=FAIR.unanswered_s))

    expected = [
        None if drawn[i][0] is None
        else sum(drawn[j][0] == drawn[i][0] and (start[j] <= start[i] < until(j) or start[j] == start[i]) for j in range(len(drawn)))
        for i in range(len(drawn))
    ]  # fmt: skip
    assert found == expected
