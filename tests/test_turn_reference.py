"""Turns by the fast path = turns by a reference that walks from message to message, under every profile."""

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from turn_talks import messages

from pipelines.resources import data_dir
from pipelines.settings import profiles
from qc import dialogue
from qc.profiles import OnTime, Profile, ServiceHours

ODD = Profile(
    id="odd", title="古怪", title_en="Odd", status="ours", valid_from=date(2026, 1, 1), source="test", effective_kinds=("assist", "bot"),
    service_hours=ServiceHours(opens=time(22, 30), closes=time(9), tested_at="session_start"), exempt_days=(date(2026, 9, 2),),
    censor_s=1800, owner="replier", on_time=OnTime(unit="session", within_s=5),
)  # fmt: skip
ALL = (*profiles(data_dir()), ODD)
POLITE = ("好的", "谢谢")
STARTS = [datetime(2026, 9, 1, *at) for at in ((9, 0), (7, 55), (22, 50), (23, 59, 30))]
KINDS = ["customer", "customer", "customer", "agent", "agent", "assist", "bot", "auto", "system"]
SAID = st.tuples(
    st.sampled_from(KINDS), st.sampled_from(["A", "B", None]), st.sampled_from(["text", "text", "text", "recall", "empty", "image"]),
    st.sampled_from([0, 0, 1, 30, 599, 600, 1801, 5000, 90_000]), st.sampled_from(["甲", "乙"]), st.sampled_from(["在吗", "好的", "谢谢"]),
)  # fmt: skip
TALK = st.lists(SAID, max_size=30)


def rows_of(talk: list[tuple[Any, ...]], at: datetime) -> list[dict[str, Any]]:
    rows = []
    for n, (kind, agent, content, gap, customer, text) in enumerate(talk, 1):
        at += timedelta(seconds=gap)
        rows.append({
            "sent_at": at, "sender_kind": kind, "agent": agent if kind != "customer" else None, "content_kind": content,
            "customer": customer, "text": text, "source_row": n,
        })  # fmt: skip
    return rows


def replies(m: dict[str, Any], kinds: tuple[str, ...]) -> bool:
    return m["sender_kind"] in kinds and m["content_kind"] not in ("recall", "empty")


def talks(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """KPI §1: cut after 30 min of silence, but a late answer stays with its question and a late notice with what follows."""
    found: list[list[dict[str, Any]]] = []
    for customer in ("甲", "乙"):
        talk: list[dict[str, Any]] = []
        waiting, asked, last = [], None, None
        for m in (r for r in rows if r["customer"] == customer):
            late = last is not None and (m["sent_at"] - last).total_seconds() > 1800
            if m["sender_kind"] == "system":
                (waiting if late or not talk else talk).append(m)
                continue
            answers = replies(m, ("agent", "assist"))
            if late and not (answers and asked and (m["sent_at"] - asked).total_seconds() <= 86400):
                found, talk, asked = [*found, talk], [], None
            talk, waiting, last = [*talk, *waiting, m], [], m["sent_at"]
            asked = None if answers else asked or (m["sent_at"] if replies(m, ("customer",)) else None)
        found += [talk + waiting] if talk else []
    return found


def turns(talk: list[dict[str, Any]], p: Profile) -> list[dict[str, Any]]:
    """KPI §2, message by message."""
    found, asked, holder, replied = [], None, None, False
    for m in talk:
        if replies(m, ("customer",)):
            asked = asked or {"at": m["sent_at"], "holder": holder, "polite": replied, "end": None, "by": None}
            asked["polite"] &= m["content_kind"] == "text" and m["text"] in POLITE
        elif replies(m, p.effective_kinds):
            found += [asked | {"end": m["sent_at"], "by": m["agent"]}] if asked else []
            asked, replied = None, True
        if replies(m, p.effective_kinds) or m["sender_kind"] == "system":
            holder = m["agent"] or holder
    return found + ([asked] if asked else [])


def reference(rows: list[dict[str, Any]], p: Profile, as_of: datetime) -> list[tuple[Any, ...]]:
    """(customer, asked_at, answered_at, answered_by, responsible, reason) of every turn."""
    told = []
    for talk in talks(rows):
        human = next((m["agent"] for m in talk if m["sender_kind"] == "agent"), None)
        found = turns(talk, p)
        for t in found:
            owners = (t["holder"], t["by"]) if p.owner == "holder" else (t["by"], t["holder"])
            owner = owners[0] or owners[1] or (human if t["end"] is None else None)
            hours = p.service_hours
            by_session = hours is not None and hours.tested_at == "session_start"
            clock = (found[0] if by_session else t)["at"].time()
            inside = hours is None or (
                hours.opens <= clock < hours.closes
                if hours.opens < hours.closes
                else not hours.closes <= clock < hours.opens
            )
            young = t["end"] is None and (as_of - t["at"]).total_seconds() < p.censor_s
            polite = t["end"] is None and t["polite"] and p.drops_unanswered_pleasantry
            reason = (
                "exempt_day" if t["at"].date() in p.exempt_days
                else ("session_outside_hours" if by_session else "outside_hours") if not inside
                else "censored" if young else "pleasantry" if polite else None
            )  # fmt: skip
            told.append((talk[0]["customer"], t["at"], t["end"], t["by"], owner, reason))
    return sorted(told, key=str)


@pytest.mark.parametrize("p", ALL, ids=[p.id for p in ALL])
@settings(max_examples=150, deadline=None)
@given(TALK, st.sampled_from(STARTS), st.sampled_from([0, 5, 599, 600, 5000]), st.randoms())
def test_the_fast_path_equals_the_reference(
    p: Profile, talk: list[Any], start: datetime, rest: int, random: Any
) -> None:
    rows = rows_of(talk, start)
    as_of = (rows[-1]["sent_at"] if rows else start) + timedelta(seconds=rest)  # the export ends in the middle of it
    shuffled = random.sample(rows, len(rows))
    fast = dialogue.turns(dialogue.arrange(messages(shuffled)), p, as_of=as_of, pleasantries=POLITE)
    columns = ("customer", "asked_at", "answered_at", "answered_by", "responsible", "reason")
    assert sorted(fast.select(columns).rows(), key=str) == reference(rows, p, as_of)
    assert fast["is_counted"].equals(fast["reason"].is_null())
    waits = fast.filter(fast["is_answered"])
    assert waits["wait_s"].to_list() == [t.total_seconds() for t in waits["answered_at"] - waits["asked_at"]]


@settings(max_examples=100, deadline=None)
@given(TALK, st.randoms())
def test_profiles_that_share_their_replies_share_their_turns(talk: list[Any], random: Any) -> None:
    arranged = dialogue.arrange(messages(rows_of(talk, STARTS[0])))
    order = random.sample(ALL, len(ALL))
    together = {p.id: t for p, t in dialogue.under_profiles(arranged, order, as_of=None, pleasantries=POLITE)}
    assert all(together[p.id].equals(dialogue.turns(arranged, p, as_of=None, pleasantries=POLITE)) for p in ALL)
