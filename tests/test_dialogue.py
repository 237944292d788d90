"""Conversations and turns under the fair profile; what the other profiles make of them is in test_profiles.py."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from turn_talks import messages

from pipelines.resources import data_dir
from pipelines.settings import profile
from qc import dialogue

FAIR = profile(data_dir(), "fair")

def say(at: str, kind: str, agent: str | None = None, text: str = "有货吗", **more: Any) -> dict[str, Any]:
    day, _, clock = at.rpartition(" ")
    return {
        "sent_at": datetime.fromisoformat(f"{day or '2026-09-01'} {clock.zfill(8)}"),
        "sender_kind": kind,
        "agent": agent,
        "text": text,
        **more,
    }


GOLDEN = [
    say("22:58:30", "customer"), say("22:58:31", "auto"), say("22:58:50", "customer"),
    say("22:59:40", "agent", "A"), say("22:59:45", "agent", "A"), say("23:00:10", "customer"),
    say("23:00:20", "system", "B", "会话由 A 转接给 B"), say("23:06:10", "agent", "B"),
    say("2026-09-02 08:30:00", "customer"), say("2026-09-02 08:30:20", "assist", "B"), say("2026-09-02 08:45:00", "customer"),
]  # fmt: skip


def turns(
    rows: list[dict[str, Any]], as_of: datetime | None = None, words: tuple[str, ...] = ("好的", "谢谢")
) -> pl.DataFrame:
    return dialogue.turns(dialogue.arrange(messages(rows)), FAIR, as_of=as_of, pleasantries=words)


def test_the_golden_transcript_under_fair() -> None:
    found = turns(GOLDEN, datetime(2026, 9, 2, 12))
    assert found["wait_s"].to_list() == [70, 360, 20, None]
    assert found["is_counted"].all()
    capped = found["wait_s"].fill_null(FAIR.unanswered_s).clip(upper_bound=FAIR.cap_s)
    assert capped.mean() == 262.5
    assert found["is_answered"].sum() == 3
    # The turn that B answered was opened while A held the chat.
    assert found["responsible"].to_list() == ["A", "A", "B", "B"]
    assert found["answered_by"].to_list() == ["A", "B", "B", None]
    assert found["conversation_id"].n_unique() == 2


def test_a_young_question_is_censored_and_an_old_one_is_not() -> None:
    rows = [say("10:00:00", "customer")]
    asked = datetime(2026, 9, 1, 10)
    assert turns(rows, asked + timedelta(seconds=599))["reason"].to_list() == ["censored"]
    assert turns(rows, asked + timedelta(seconds=600))["is_counted"].to_list() == [True]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([say("9:00:00", "agent", "A"), say("9:00:05", "customer"), say("9:00:09", "agent", "A")], [4], id="the agent writes first"),
        pytest.param([say("9:00:00", "customer")], [None], id="never answered"),
        pytest.param([say(f"9:00:{n:02d}", "customer") for n in range(10)], [None], id="ten questions are one turn"),
        pytest.param([say("9:00:00", "customer"), say("9:00:05", "agent", "A", "", content_kind="recall")], [None], id="a recalled reply is none"),
        pytest.param([say("9:00:00", "customer"), say("9:00:01", "bot"), say("9:05:00", "agent", "A")], [300], id="a bot is no reply"),
        pytest.param([say("9:00:00", "customer"), say("9:50:00", "agent", "A")], [3000], id="a late answer stays with its question"),
    ],
)  # fmt: skip
def test_turns_of_small_talks(rows: list[dict[str, Any]], expected: list[float | None]) -> None:
    assert turns(rows, datetime(2026, 9, 9))["wait_s"].to_list() == expected


def test_thanks_at_the_end_need_no_reply_but_thanks_at_the_start_do() -> None:
    polite = [say("9:00:00", "customer"), say("9:00:05", "agent", "A"), say("9:00:09", "customer", text="好的谢谢")]
    last = turns(polite, datetime(2026, 9, 9)).row(-1, named=True)
    assert (last["needs_reply"], last["is_counted"], last["reason"]) == (False, False, "pleasantry")
    assert turns(polite[2:], datetime(2026, 9, 9))["is_counted"].to_list() == [True]


def test_transfer_before_the_reply_makes_the_new_holder_responsible_from_the_next_turn() -> None:
    rows = [
        say("9:00:00", "customer"),
        say("9:00:10", "system", "B"),
        say("9:00:30", "agent", "B"),
        say("9:01:00", "customer"),
    ]
    assert turns(rows, datetime(2026, 9, 9))["responsible"].to_list() == ["B", "B"]


def test_two_shops_with_the_same_customer_are_two_conversations_even_under_one_id() -> None:
    rows = [say("9:00:00", "customer", shop=s, conversation_id="7") for s in ("甲店", "乙店")]
    assert dialogue.arrange(messages(rows))["conversation_id"].n_unique() == 2


def test_without_times_the_wait_is_unknown_and_says_why() -> None:
    rows = [{"sender_kind": k, "agent": None, "conversation_id": "1"} for k in ("customer", "agent", "customer")]
    found = turns(rows)
    assert found["wait_s"].null_count() == 2 and found["reason"].unique().to_list() == ["no_times"]
    assert found["is_answered"].to_list() == [True, False]


def test_a_late_notice_belongs_to_what_follows_it() -> None:
    rows = [
        say("9:00:00", "customer"),
        say("9:00:05", "agent", "A"),
        say("11:00:00", "system"),
        say("11:00:01", "customer"),
    ]
    placed = dialogue.arrange(messages(rows))
    assert placed.group_by("conversation_id", maintain_order=True).len()["len"].to_list() == [2, 2]
