"""Orders + messages → attribution ledger. KPI §4: every paid parent order has exactly one primary row, to the fen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from qc import frames, identity

ORDER = ["shop", "order_id"]


class Rule(BaseModel):
    """One way of giving an order to agents; `data/attribution.yaml` lists them, the first is the one that counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    title_en: str
    pick: Literal["last", "first", "all"]  # of the agents who spoke in time: the last, the first, all in equal parts
    until: Literal["order", "payment"]  # order: talk after the order counts only where there was none before it
    look_back_h: float = Field(gt=0)


DEFAULT = Rule(
    id="last_before_order_72h", title="下单前最后接待", title_en="Last before the order", pick="last", until="order", look_back_h=72
)  # fmt: skip


class LedgerError(Exception):
    """The attribution rows do not add up to the paid amount: nothing may be published."""


def parents(orders: pl.DataFrame) -> pl.DataFrame:
    """Paid parent orders: sub-orders of one parent paid as one, money and items summed.

    orders(frames.Order) -> the same columns, one row a paid parent; created at the first, paid at the last sub-order that
    is paid: what of the parent is unpaid is no sale yet. A parent that has a paid row of its own has said it all.
    """
    key = pl.coalesce("parent_order_id", "order_id")
    paid = orders.filter(pl.col("paid_at").is_not_null())
    itself = paid.filter(pl.col("parent_order_id").is_null() & (pl.col("paid_fen") > 0)).select(
        "shop", parent_order_id="order_id"
    )
    paid = paid.join(itself.unique(), on=["shop", "parent_order_id"], how="anti").with_columns(order_id=key)
    merged = paid.sort("created_at", "source_id", "source_row").group_by("shop", "order_id", maintain_order=True).agg(
        pl.col("channel", "customer", "status", "source_id", "source_row").first(),
        pl.col("created_at", "refund_applied_at").min(),
        pl.col("paid_at", "refund_finished_at").max(),
        pl.col("paid_fen", "refunded_fen").sum(),
        items=pl.when(pl.col("items").is_not_null().any()).then(pl.col("items").sum()),
        parent_order_id=pl.lit(None, dtype=pl.String),
    )  # fmt: skip
    return frames.of(frames.Order, merged)


def attribute(orders: pl.DataFrame, messages: pl.DataFrame, *, rule: Rule = DEFAULT) -> pl.DataFrame:
    """orders(frames.Order), messages(frames.Message) -> frames.Attribution, by a rule that picks one agent.

    The buyer is who `identity.meet` says. Candidates are agents with an effective message to them in
    [created − look_back, created); the latest is `consulted`. If there is none, the latest with one in [created, paid] is
    `reminded`. If there is none: `silent`. Every other candidate gets an `assist` row without money. Raises LedgerError
    when the rows do not add up. KPI §4.
    """
    paid = parents(orders)
    met = identity.meet(paid, messages)
    talks = _each_agent(_in_time(_talk(paid, met, messages, rule.look_back_h), rule), rule)
    lines = paid.join(talks, on=ORDER, how="left", maintain_order="left")
    lines = lines.join(met.drop("met"), on=ORDER, how="left", maintain_order="left")
    has_money = pl.col("is_primary").fill_null(True)
    ledger = frames.of(frames.Attribution, lines.with_columns(
        pl.when(has_money).then("class").otherwise(pl.lit("assist")).fill_null("silent").alias("class"),
        rule=pl.lit(rule.id), is_primary=has_money, paid_fen=pl.when(has_money).then("paid_fen").otherwise(0),
    )).sort(*ORDER, "is_primary", "agent", descending=[False, False, True, False])  # fmt: skip
    _one_primary_each(paid, ledger)
    _must_add_up(paid, ledger)
    return ledger


def shares(orders: pl.DataFrame, messages: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """orders(frames.Order), messages(frames.Message) -> frames.Share: who gets how much of each order under each rule.

    `all` splits an order equally; the fen that do not divide go to those who spoke first. Raises LedgerError when the
    rows of a rule do not add up.
    """
    paid = parents(orders)
    met = identity.meet(paid, messages)
    talk = _talk(paid, met, messages, max((rule.look_back_h for rule in rules), default=0))
    return pl.concat([frames.empty(frames.Share), *(_share(paid, talk, rule) for rule in rules)])


def _share(paid: pl.DataFrame, talk: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    chosen = (
        _each_agent(_in_time(talk, rule), rule).filter("is_primary").sort(*ORDER, "sent_at", "conversation_id", "seq")
    )
    nth, n = pl.int_range(pl.len()).over(ORDER), pl.len().over(ORDER)
    chosen = chosen.with_columns(nth=nth, n=n).select(*ORDER, "agent", "class", "nth", "n")
    lines = paid.select(*ORDER, "paid_fen").join(chosen, on=ORDER, how="left", maintain_order="left")
    n, nth = pl.col("n").fill_null(1).cast(pl.Int64), pl.col("nth").fill_null(0)
    part = pl.col("paid_fen") // n + (nth < pl.col("paid_fen") % n).cast(pl.Int64)
    booked = lines.with_columns(pl.col("class").fill_null("silent"), rule=pl.lit(rule.id), paid_fen=part)
    _must_add_up(paid, booked)
    return frames.of(frames.Share, booked).sort(*ORDER, "agent")


def _talk(paid: pl.DataFrame, met: pl.DataFrame, messages: pl.DataFrame, look_back_h: float) -> pl.DataFrame:
    """Every effective message to a buyer from `look_back_h` before the order to its payment; `is_before` the order."""
    said = messages.filter(
        frames.is_effective() & pl.all_horizontal(pl.col("agent", "sent_at", "customer").is_not_null())
    ).select("shop", "customer", "agent", "conversation_id", "seq", "sent_at", said_on="channel")
    bought = paid.select(*ORDER, "channel", "created_at", "paid_at").join(met.select(*ORDER, customer="met"), on=ORDER)
    near = bought.join(said, on=["shop", "customer"], how="inner")
    same_place = pl.col("channel").is_null() | pl.col("said_on").is_null() | (pl.col("channel") == pl.col("said_on"))
    since = pl.col("created_at") - pl.duration(hours=look_back_h)
    in_time = pl.col("sent_at").is_between(since, pl.max_horizontal("created_at", "paid_at"))
    return near.filter(same_place & in_time).with_columns(is_before=pl.col("sent_at") < pl.col("created_at"))


def _in_time(talk: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """The messages that a rule looks at."""
    near = talk.filter(pl.col("sent_at") >= pl.col("created_at") - pl.duration(hours=rule.look_back_h))
    if rule.until == "payment":
        return near
    return near.filter(pl.col("is_before") | ~pl.col("is_before").any().over(ORDER))


def _each_agent(near: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """One row an order and agent, with the message that speaks for them; `is_primary` is who gets money."""
    backwards = rule.pick != "first"
    near = near.sort(*ORDER, "sent_at", "conversation_id", "seq", descending=[False, False, *([backwards] * 3)])
    each = near.unique([*ORDER, "agent"], keep="first", maintain_order=True)
    is_primary = pl.lit(True) if rule.pick == "all" else pl.int_range(pl.len()).over(ORDER) == 0
    until = pl.when("is_before").then("created_at").otherwise("paid_at")
    return each.with_columns(is_primary=is_primary).select(
        *ORDER, "agent", "is_primary", "sent_at", "conversation_id", "seq",
        pl.when("is_before").then(pl.lit("consulted")).otherwise(pl.lit("reminded")).alias("class"),
        evidence_conversation_id="conversation_id", evidence_seq="seq",
        seconds_before=(until - pl.col("sent_at")).dt.total_microseconds() / 1e6,
    )  # fmt: skip


def _one_primary_each(paid: pl.DataFrame, ledger: pl.DataFrame) -> None:
    primaries = ledger.filter("is_primary").select(ORDER)
    if primaries.is_duplicated().any() or len(primaries) != len(paid):
        raise LedgerError(f"归属账里 {len(paid)} 个付款订单有 {len(primaries)} 行主归属,应当各一行;本次不发布")


def _must_add_up(paid: pl.DataFrame, ledger: pl.DataFrame) -> None:
    owed = paid.group_by("shop").agg(pl.col("paid_fen").sum()).sort("shop")
    booked = ledger.group_by("shop").agg(pl.col("paid_fen").sum()).sort("shop")
    if not owed.equals(booked):
        raise LedgerError(f"归属账与实付总额对不上:应为 {owed.to_dicts()} 分,记为 {booked.to_dicts()} 分;本次不发布")
