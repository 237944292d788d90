"""Orders and chats of one person: by customer id, by a quoted order number, or not at all."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from qc import attribution, frames, identity

NOON = datetime(2026, 9, 1, 12)
NUMBER = "3309260002895933291"


def order(**more: Any) -> pl.DataFrame:
    row = dict.fromkeys(frames.Order) | {
        "order_id": NUMBER, "shop": "店", "customer": "甲", "created_at": NOON, "paid_at": NOON, "paid_fen": 100, "refunded_fen": 0,
        "source_id": "f", "source_row": 1,
    }  # fmt: skip
    return pl.DataFrame([row | more], schema=frames.Order)


def chats(*said: tuple[str, str, str]) -> pl.DataFrame:
    """(customer, channel, text): the customer's words and an agent's answer, an hour before noon."""
    rows = []
    for n, (customer, channel, text) in enumerate(said, 1):
        blank = dict.fromkeys(frames.Message) | {
            "conversation_id": f"k{n}",
            "shop": "店",
            "channel": channel,
            "customer": customer,
            "content_kind": "text",
        }
        rows.append(blank | {"seq": 1, "sent_at": NOON - timedelta(hours=1), "sender_kind": "customer", "text": text})
        rows.append(
            blank
            | {"seq": 2, "sent_at": NOON - timedelta(minutes=50), "sender_kind": "agent", "agent": "A", "text": "好"}
        )
    return pl.DataFrame(rows, schema=frames.Message)


@pytest.mark.parametrize(
    ("customer", "said", "expected"),
    [
        pytest.param("甲", [("甲", "jd", "在吗")], ("甲", "customer_id"), id="the customer id"),
        pytest.param(None, [("乙", "jd", f"订单{NUMBER}呢")], ("乙", "order_number"), id="a number in the chat"),
        pytest.param(
            None, [("乙", "jd", "订单３３０９２６０００２８９５９３３２９１")], ("乙", "order_number"), id="full-width"
        ),
        pytest.param("甲", [("乙", "jd", NUMBER)], ("乙", "order_number"), id="the id is nowhere, the number is"),
        pytest.param(
            "甲", [("甲", "jd", "在吗"), ("乙", "jd", NUMBER)], ("甲", "customer_id"), id="the id beats the number"
        ),
        pytest.param(None, [("乙", "jd", NUMBER), ("丙", "jd", f"我的{NUMBER}")], None, id="two customers quote it"),
        pytest.param(
            None, [("乙", "jd", NUMBER), ("乙", "jd", NUMBER)], ("乙", "order_number"), id="one customer twice"
        ),
        pytest.param(None, [("乙", "jd", NUMBER + "1")], None, id="a longer number is another"),
        pytest.param(None, [("乙", "jd", NUMBER[:-1])], None, id="a shorter one too"),
        pytest.param("甲", [("甲甲", "jd", "在吗")], None, id="a nick like it is not it"),
        pytest.param(None, [], None, id="no chats"),
    ],
)
def test_tiers(customer: str | None, said: list[tuple[str, str, str]], expected: tuple[str, str] | None) -> None:
    met = identity.meet(order(customer=customer), chats(*said))
    assert met.select("met", "identity_tier").rows() == ([expected] if expected else [])
    row = attribution.attribute(order(customer=customer), chats(*said)).filter("is_primary").row(0, named=True)
    assert (row["class"], row["identity_tier"]) == (("consulted", expected[1]) if expected else ("silent", None))
    assert row["paid_fen"] == 100


def test_another_platform_or_shop_is_another_customer() -> None:
    assert identity.meet(order(channel="taobao"), chats(("甲", "jd", NUMBER))).is_empty()
    assert identity.meet(order(shop="别家"), chats(("甲", "jd", NUMBER))).is_empty()
    assert len(identity.meet(order(channel="jd"), chats(("甲", "jd", "在吗")))) == 1


def test_short_numbers_and_prices_are_no_order_numbers() -> None:
    assert identity.meet(order(order_id="1380000", customer=None), chats(("乙", "jd", "1380000"))).is_empty()


def test_an_agent_s_words_name_the_order_too_and_dashes_belong_to_it() -> None:
    said = chats(("乙", "pdd", "到哪了")).with_columns(
        text=pl.when(pl.col("sender_kind") == "agent")
        .then(pl.lit("您的260901-138123456789012已发出"))
        .otherwise("text")
    )
    assert identity.meet(order(order_id="260901-138123456789012", customer=None), said)["met"].to_list() == ["乙"]
