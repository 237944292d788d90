"""Orders + messages → attribution ledger. KPI §4: every paid parent order has exactly one primary row, to the fen."""

from __future__ import annotations

import polars as pl

from qc import frames, identity

LOOK_BACK_H = 72
RULE = "last_before_order_72h"


class LedgerError(Exception):
    """The attribution rows do not add up to the paid amount: nothing may be published."""


def parents(orders: pl.DataFrame) -> pl.DataFrame:
    """Paid parent orders: sub-orders of one parent paid as one, money and items summed.

    orders(frames.Order) -> the same columns, one row a paid parent; created at the first, paid at the last sub-order.
    """
    key = pl.coalesce("parent_order_id", "order_id")
    paid = orders.filter(pl.col("paid_at").is_not_null()).with_columns(order_id=key)
    merged = paid.sort("created_at", "source_id", "source_row").group_by("shop", "order_id", maintain_order=True).agg(
        pl.col("channel", "customer", "status", "source_id", "source_row").first(),
        pl.col("created_at", "refund_applied_at").min(),
        pl.col("paid_at", "refund_finished_at").max(),
        pl.col("paid_fen", "refunded_fen").sum(),
        items=pl.when(pl.col("items").is_not_null().any()).then(pl.col("items").sum()),
        parent_order_id=pl.lit(None, dtype=pl.String),
    )  # fmt: skip
    return frames.of(frames.Order, merged)


def attribute(orders: pl.DataFrame, messages: pl.DataFrame, *, look_back_h: float = LOOK_BACK_H) -> pl.DataFrame:
    """orders(frames.Order), messages(frames.Message) -> frames.Attribution.

    The buyer is who `identity.meet` says. Candidates are agents with an effective message to them in [created − look_back, created); the latest is
    `consulted`. If there is none, the latest with one in [created, paid] is `reminded`. If there is none: `silent`. Every
    other candidate gets an `assist` row without money. Raises LedgerError when the rows do not add up.
    """
    paid = parents(orders)
    met = identity.meet(paid, messages)
    talks = _last_words(paid.drop("customer").join(met.rename({"met": "customer"}), on=["shop", "order_id"]), messages, look_back_h)
    lines = paid.join(talks, on=["shop", "order_id"], how="left", maintain_order="left")
    lines = lines.join(met.drop("met"), on=["shop", "order_id"], how="left", maintain_order="left")
    silent = pl.col("class").is_null()
    ledger = lines.with_columns(
        pl.col("class").fill_null("silent"),
        rule=pl.lit(RULE if look_back_h == LOOK_BACK_H else f"last_before_order_{look_back_h:g}h"),
        is_primary=pl.col("is_primary").fill_null(True),
        paid_fen=pl.when(pl.col("is_primary").fill_null(True) | silent).then("paid_fen").otherwise(0),
    )
    ledger = frames.of(frames.Attribution, ledger).sort(
        "shop", "order_id", "is_primary", "agent", descending=[False, False, True, False]
    )
    _must_add_up(paid, ledger)
    return ledger


def _last_words(paid: pl.DataFrame, messages: pl.DataFrame, look_back_h: float) -> pl.DataFrame:
    """The last effective message of each agent to each buyer around the order, and which of them is primary."""
    said = messages.filter(
        frames.is_effective() & pl.all_horizontal(pl.col("agent", "sent_at", "customer").is_not_null())
    ).select("shop", "customer", "agent", "conversation_id", "seq", "sent_at", said_on="channel")
    near = paid.select("shop", "order_id", "channel", "customer", "created_at", "paid_at").join(
        said, on=["shop", "customer"], how="inner"
    )
    same_place = pl.col("channel").is_null() | pl.col("said_on").is_null() | (pl.col("channel") == pl.col("said_on"))
    before = (pl.col("sent_at") < pl.col("created_at")) & (
        pl.col("sent_at") >= pl.col("created_at") - pl.duration(hours=look_back_h)
    )
    after = pl.col("sent_at").is_between("created_at", "paid_at")
    near = near.filter(same_place & (before | after)).with_columns(before=before)
    # Talk before the order decides; only where there was none does talk between order and payment count.
    near = near.filter(pl.col("before") | ~pl.col("before").any().over("shop", "order_id"))
    near = near.sort(
        "shop", "order_id", "sent_at", "conversation_id", "seq", descending=[False, False, True, True, True]
    )
    last = near.unique(["shop", "order_id", "agent"], keep="first", maintain_order=True)
    primary = pl.int_range(pl.len()).over("shop", "order_id") == 0
    until = pl.when("before").then("created_at").otherwise("paid_at")
    role = pl.when("before").then(pl.lit("consulted")).otherwise(pl.lit("reminded"))
    return last.with_columns(is_primary=primary).select(
        "shop", "order_id", "agent", "is_primary",
        pl.when("is_primary").then(role).otherwise(pl.lit("assist")).alias("class"),
        evidence_conversation_id="conversation_id", evidence_seq="seq",
        seconds_before=(until - pl.col("sent_at")).dt.total_microseconds() / 1e6,
    )  # fmt: skip


def _must_add_up(paid: pl.DataFrame, ledger: pl.DataFrame) -> None:
    owed = paid.group_by("shop").agg(pl.col("paid_fen").sum()).sort("shop")
    booked = ledger.group_by("shop").agg(pl.col("paid_fen").sum()).sort("shop")
    primaries = ledger.filter("is_primary").select("shop", "order_id")
    if not owed.equals(booked) or primaries.is_duplicated().any() or len(primaries) != len(paid):
        raise LedgerError(f"归属账与实付总额对不上:应为 {owed.to_dicts()} 分,记为 {booked.to_dicts()} 分;本次不发布")
