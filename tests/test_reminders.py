"""催付 with its control group: who counts as contacted, and what the same moment brought without a word."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from qc import frames
from qc.reminders import reminders

NOON = datetime(2026, 9, 1, 12)
LATE = NOON + timedelta(days=9)


def orders(*paid_after_h: float | None) -> pl.DataFrame:
    """An order of each of 买家1, 买家2 …, created at noon and paid so many hours later (None: never)."""
    blank: dict[str, Any] = dict.fromkeys(frames.Order) | {
        "shop": "店",
        "created_at": NOON,
        "paid_fen": 100,
        "refunded_fen": 0,
    }
    paid = [None if h is None else NOON + timedelta(hours=h) for h in paid_after_h]
    rows = [blank | {"order_id": str(n), "customer": f"买家{n}", "paid_at": at} for n, at in enumerate(paid, 1)]
    return pl.DataFrame(rows, schema=frames.Order)


def said(*words: tuple[int, float]) -> pl.DataFrame:
    """(buyer, hours after the order) of what agent A says."""
    blank: dict[str, Any] = dict.fromkeys(frames.Message) | {
        "conversation_id": "k", "shop": "店", "customer": "?", "agent": "A", "sender_kind": "agent", "content_kind": "text", "text": "亲",
    }  # fmt: skip
    rows = [
        blank | {"seq": n, "customer": f"买家{who}", "sent_at": NOON + timedelta(hours=h)}
        for n, (who, h) in enumerate(words, 1)
    ]
    return pl.DataFrame(rows, schema=frames.Message)


def test_who_is_reminded_and_what_comes_of_it() -> None:
    # 1: reminded after an hour, pays two hours later · 2: paid within ten minutes, so there was nothing to remind of ·
    # 3: reminded, never pays · 4 and 5: nobody wrote; 4 pays after three hours, 5 never does · 6: pays too late
    found = reminders(orders(3, 0.1, None, 3, None, 40), said((1, 1), (2, 0.05), (3, 1), (6, 2)), LATE)
    told = found.select("order_id", "agent", "is_paid_24h", "n_comparable", "expected", "is_mature").rows()
    assert told == [("1", "A", True, 2, 0.5, True), ("3", "A", False, 2, 0.5, True), ("6", "A", False, 2, 0.5, True)]


def test_a_word_in_the_first_ten_minutes_is_service_and_no_reminder() -> None:
    assert reminders(orders(5), said((1, 0.1)), LATE).is_empty()
    assert reminders(orders(5), said((1, 5.5)), LATE).is_empty()  # it was paid by then
    assert reminders(orders(None), said((1, 73)), LATE).is_empty()


def test_what_is_not_over_is_not_mature_and_nobody_to_compare_with_is_said() -> None:
    row = reminders(orders(None), said((1, 1)), NOON + timedelta(hours=20)).row(0, named=True)
    assert (row["is_mature"], row["n_comparable"], row["expected"]) == (False, 0, None)


HOURS = st.one_of(st.none(), st.integers(0, 60).map(lambda h: h + 0.25))


@settings(max_examples=150)
@given(st.lists(st.tuples(HOURS, st.one_of(st.none(), st.integers(0, 60))), min_size=1, max_size=10))
def test_the_comparison_equals_a_walk_through_the_orders(some: list) -> None:
    found = reminders(
        orders(*(paid for paid, _ in some)), said(*((n, h) for n, (_, h) in enumerate(some, 1) if h is not None)), LATE
    )
    contacted = {n: (paid, h) for n, (paid, h) in enumerate(some, 1) if h and (paid is None or h < paid)}
    silent = [paid for n, (paid, _) in enumerate(some, 1) if n not in contacted]
    assert sorted(map(int, found["order_id"])) == sorted(contacted)
    for row in found.iter_rows(named=True):
        paid, at = contacted[int(row["order_id"])]
        unpaid = [p for p in silent if p is None or p > at]
        assert row["is_paid_24h"] == (paid is not None and paid <= at + 24)
        assert row["n_comparable"] == len(unpaid)
        if unpaid:
            assert abs(row["expected"] - sum(p is not None and p <= at + 24 for p in unpaid) / len(unpaid)) < 1e-12
