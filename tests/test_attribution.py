"""The attribution ledger: to the fen, against a walk through the talks order by order."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qc import attribution, frames

NOON = datetime(2026, 9, 1, 12)


def orders(*rows: dict[str, Any]) -> pl.DataFrame:
    blank = dict.fromkeys(frames.Order) | {"shop": "店", "customer": "甲", "refunded_fen": 0, "source_id": "f"}
    return pl.DataFrame(
        [blank | {"order_id": str(n), "source_row": n} | r for n, r in enumerate(rows, 1)], schema=frames.Order
    )


def said(*rows: tuple[float, str]) -> pl.DataFrame:
    """(hours after noon, agent) of the agents' words to 甲."""
    blank = dict.fromkeys(frames.Message) | {
        "conversation_id": "k", "shop": "店", "channel": "jd", "customer": "甲", "sender_kind": "agent", "content_kind": "text", "text": "好",
    }  # fmt: skip
    made = [blank | {"seq": n, "sent_at": NOON + timedelta(hours=h), "agent": a} for n, (h, a) in enumerate(rows, 1)]
    return pl.DataFrame(made, schema=frames.Message)


def paid(hours: float = 1, fen: int = 100, **more: Any) -> dict[str, Any]:
    return {"created_at": NOON, "paid_at": NOON + timedelta(hours=hours), "paid_fen": fen} | more


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        pytest.param([(-1, "A")], [("A", "consulted", 100)], id="talk before the order"),
        pytest.param([(-5, "A"), (-1, "B")], [("B", "consulted", 100), ("A", "assist", 0)], id="the latest wins, the other assists"),
        pytest.param([(-72, "A")], [("A", "consulted", 100)], id="exactly 72 hours is within"),
        pytest.param([(-72.01, "A")], [(None, "silent", 100)], id="longer ago is not"),
        pytest.param([(0, "A")], [("A", "reminded", 100)], id="the very second of the order is after it"),
        pytest.param([(1, "A")], [("A", "reminded", 100)], id="until the very second of the payment"),
        pytest.param([(1.01, "A")], [(None, "silent", 100)], id="after the payment is too late"),
        pytest.param([(-1, "A"), (0.5, "B")], [("A", "consulted", 100)], id="talk before the order beats talk after it"),
        pytest.param([], [(None, "silent", 100)], id="no talk at all"),
    ],
)  # fmt: skip
def test_classes(talk: list[tuple[float, str]], expected: list[tuple[str | None, str, int]]) -> None:
    ledger = attribution.attribute(orders(paid()), said(*talk))
    assert ledger.select("agent", "class", "paid_fen").rows() == expected


def test_evidence_points_at_the_message_and_says_how_long_before() -> None:
    row = attribution.attribute(orders(paid()), said((-2, "A"), (-1, "A"))).row(0, named=True)
    assert (row["evidence_conversation_id"], row["evidence_seq"], row["seconds_before"]) == ("k", 2, 3600)


def test_unpaid_orders_are_not_in_the_ledger_and_sub_orders_are_one() -> None:
    rows = [
        paid(fen=60, parent_order_id="P", items=1),
        paid(2, 40, parent_order_id="P", items=2),
        {"created_at": NOON, "paid_fen": 0},
    ]
    ledger = attribution.attribute(orders(*rows), said((-1, "A")))
    assert ledger.select("order_id", "class", "paid_fen").rows() == [("P", "consulted", 100)]
    assert attribution.parents(orders(*rows))["items"].to_list() == [3]


def test_a_talk_on_another_platform_is_no_talk_with_this_buyer() -> None:
    assert attribution.attribute(orders(paid(channel="taobao")), said((-1, "A")))["class"].to_list() == ["silent"]
    assert attribution.attribute(orders(paid(channel=None)), said((-1, "A")))["class"].to_list() == ["consulted"]


def test_bots_auto_replies_and_recalled_words_earn_nothing() -> None:
    words = said((-1, "A"), (-1, "B"), (-1, "C")).with_columns(
        sender_kind=pl.Series(["bot", "auto", "agent"]), content_kind=pl.Series(["text", "text", "recall"])
    )
    assert attribution.attribute(orders(paid()), words)["class"].to_list() == ["silent"]


def test_a_missing_fen_stops_the_night() -> None:
    real = attribution.parents(orders(paid()))
    ledger = attribution.attribute(orders(paid()), said())
    with pytest.raises(attribution.LedgerError, match="不发布"):
        attribution._must_add_up(real, ledger.with_columns(paid_fen=pl.col("paid_fen") - 1))
    with pytest.raises(attribution.LedgerError, match="不发布"):
        attribution._one_primary_each(
            real, pl.concat([ledger, ledger.with_columns(paid_fen=pl.lit(0, dtype=pl.Int64))])
        )


HOURS = st.sampled_from([-80, -72, -71, -1, -0.5, 0, 0.5, 1, 2])
MANY = st.lists(st.tuples(st.sampled_from("甲乙"), st.sampled_from("ABC"), HOURS), max_size=12)
PAID = st.lists(
    st.tuples(st.sampled_from(["甲", "乙", None]), st.integers(0, 10**6), st.sampled_from([0, 1, 5])), max_size=6
)


@settings(max_examples=200, deadline=None)
@given(PAID, MANY)
def test_the_ledger_equals_a_walk_and_adds_up(sold: list, talk: list) -> None:
    rows = orders(*(paid(h, fen, customer=c) for c, fen, h in sold)) if sold else frames.empty(frames.Order)
    words = said(*((h, a) for _, a, h in talk)).with_columns(
        customer=pl.Series([c for c, _, _ in talk], dtype=pl.String)
    )
    primary = (
        attribution.attribute(rows, words).filter("is_primary").select("order_id", "agent", "class", "paid_fen").rows()
    )
    walked = []
    for n, (customer, fen, until) in enumerate(sold, 1):
        own = [(h, k, a) for k, (c, a, h) in enumerate(talk) if c == customer]
        before, after = [x for x in own if -72 <= x[0] < 0], [x for x in own if 0 <= x[0] <= until]
        chosen = max(before or after, default=None)
        kind = "consulted" if before else "reminded" if after else "silent"
        walked.append((str(n), chosen and chosen[2], kind, fen))
    assert sorted(primary) == sorted(walked)
    assert sum(r[3] for r in primary) == sum(fen for _, fen, _ in sold)


RULES = [
    attribution.DEFAULT,
    *(attribution.Rule(id=f"{pick}_{until}_{hours}", title="", title_en="", pick=pick, until=until, look_back_h=hours)
      for pick in ("last", "first", "all") for until in ("order", "payment") for hours in (24, 80)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("pick", "until", "expected"),
    [
        ("last", "order", [("B", "consulted", 100)]),
        ("last", "payment", [("C", "reminded", 100)]),
        ("first", "payment", [("A", "consulted", 100)]),
        ("all", "payment", [("A", "consulted", 34), ("B", "consulted", 33), ("C", "reminded", 33)]),
        ("all", "order", [("A", "consulted", 50), ("B", "consulted", 50)]),
    ],
)
def test_each_rule_gives_the_order_to_whom_it_says(pick: Any, until: Any, expected: list) -> None:
    rule = attribution.Rule(id="r", title="", title_en="", pick=pick, until=until, look_back_h=72)
    talk = said((-5, "A"), (-3, "B"), (-4, "B"), (0.5, "C"))
    assert attribution.shares(orders(paid()), talk, [rule]).select("agent", "class", "paid_fen").rows() == expected


@settings(max_examples=100)
@given(PAID, MANY)
def test_under_every_rule_the_shares_are_the_shop_s_sales(sold: list, talk: list) -> None:
    rows = orders(*(paid(h, fen, customer=c) for c, fen, h in sold)) if sold else frames.empty(frames.Order)
    words = said(*((h, a) for _, a, h in talk)).with_columns(
        customer=pl.Series([c for c, _, _ in talk], dtype=pl.String)
    )
    booked = attribution.shares(rows, words, RULES)
    for rule in RULES if sold else []:
        assert booked.filter(rule=rule.id)["paid_fen"].sum() == sum(fen for _, fen, _ in sold)
    primary = attribution.attribute(rows, words).filter("is_primary").select("order_id", "agent", "class", "paid_fen")
    assert booked.filter(rule=attribution.DEFAULT.id).select(primary.columns).rows() == primary.rows()
