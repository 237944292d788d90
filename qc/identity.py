"""Orders and chats of one person. KPI §4: the customer id of the same platform; else an order number quoted in the chat; else nothing.

Nobody is merged by guess: two nicks that may be one person stay two, and a number that two customers quote tells nothing.
"""

from __future__ import annotations

import polars as pl

from qc.text import fold

CUSTOMER_ID, ORDER_NUMBER = "customer_id", "order_number"
# As order numbers are written: digits, or digits with letters and dashes; shorter ones could be anything. Ours.
_NUMBER = r"[a-z0-9][a-z0-9\-]{6,}[a-z0-9]"


def meet(orders: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """orders(shop, order_id, channel, customer), messages(shop, channel, customer, text) ->
    (shop, order_id, met, identity_tier): whom of the chats an order is of, one row an order that meets any.
    """  # fmt: skip
    talkers = messages.select("shop", "customer", said_on="channel").drop_nulls(["shop", "customer"]).unique()
    by_id = _here(orders.join(talkers, on=["shop", "customer"])).select("shop", "order_id", met="customer")
    rest = orders.join(by_id, on=["shop", "order_id"], how="anti")
    by_number = _here(rest.drop("customer").join(_quoted(rest, messages), on=["shop", "order_id"]))
    sure = (
        by_number.group_by("shop", "order_id")
        .agg(pl.col("customer").unique())
        .filter(pl.col("customer").list.len() == 1)
    )
    return pl.concat(
        [
            by_id.unique().with_columns(identity_tier=pl.lit(CUSTOMER_ID)),
            sure.select("shop", "order_id", met=pl.col("customer").list.first(), identity_tier=pl.lit(ORDER_NUMBER)),
        ]
    ).sort("shop", "order_id")


def apart(messages: pl.DataFrame, orders: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """messages, orders(shop, channel, customer, …) -> the same, an id that two platforms of a shop use being two customers.

    Platforms give their ids independently: 「小雨」 on Taobao and 「小雨」 on JD need not be one person. Such an id gets its
    platform behind it; all others stay as they are, also rows that name no platform.
    """
    key = ["shop", "channel", "customer"]
    seen = pl.concat([rows.select(key).drop_nulls().unique() for rows in (messages, orders)]).unique()
    shared = seen.filter(pl.len().over("shop", "customer") > 1)
    if shared.is_empty():
        return messages, orders
    named = shared.with_columns(_own=pl.format("{}@{}", "customer", "channel"))
    return _renamed(messages, named), _renamed(orders, named)


def _renamed(rows: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    found = rows.join(named, on=["shop", "channel", "customer"], how="left", maintain_order="left")
    return found.with_columns(customer=pl.coalesce("_own", "customer")).drop("_own")


def _here(met: pl.DataFrame) -> pl.DataFrame:
    """An order of one platform meets no chat on another; where either does not say, the shop is enough."""
    return met.filter(
        pl.col("channel").is_null() | pl.col("said_on").is_null() | (pl.col("channel") == pl.col("said_on"))
    )


def _quoted(orders: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """(shop, order_id, customer, said_on): every customer in whose chat the number of one of these orders stands, whole."""
    numbers = orders.select("shop", "order_id").unique()
    numbers = numbers.with_columns(number=fold(numbers["order_id"])).filter(
        pl.col("number").str.contains(f"^{_NUMBER}$")
    )
    texts = messages.filter(pl.col("customer").is_not_null() & pl.col("text").str.contains(r"[0-9０-９]{4}")).select(
        "shop", "customer", "text", said_on="channel"
    )
    said = (
        texts.with_columns(number=fold(texts["text"]).str.extract_all(_NUMBER)).explode("number").drop("text").unique()
    )
    return said.join(numbers, on=["shop", "number"]).select("shop", "order_id", "customer", "said_on").unique()
