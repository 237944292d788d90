"""Where in a talk a rule looks: at its start or end, around another finding or an event, in talks of some kind."""

from __future__ import annotations

import polars as pl

from qc.places import Talk
from qc.rule import EVENTS, Where

_CASES = {"phase": "phase", "topic": "topic", "customer": "customer_type"}
_AT = ["conversation_id", "seq"]


def within(rows: pl.DataFrame, talk: Talk, where: Where | None) -> pl.DataFrame:
    """The rows of `said` (or a part of it) that stand where the rule looks."""
    if where is None:
        return rows
    if where.first or where.last:
        rows = rows.filter(pl.col("nth") <= where.first if where.first else pl.col("nth_last") <= where.last)
    elif where.anchor:
        rows = _anchored(rows, talk, where)
    for key, wanted in where.filters().items():
        rows = _kind(rows, talk, key, wanted)
    return rows


def _anchored(rows: pl.DataFrame, talk: Talk, where: Where) -> pl.DataFrame:
    """The rows after, before or around the first finding of a rule (or an event): in its turn or the n−1 next ones."""
    anchor = _anchor(talk, str(where.anchor))
    turns = talk.turns.join(anchor, on="conversation_id", how="semi")
    anchor = _with_turn(anchor, turns).select("conversation_id", since="seq", from_turn="turn")
    there = _with_turn(rows.join(anchor, on="conversation_id"), turns)
    turns_on, n = pl.col("turn").cast(pl.Int64) - pl.col("from_turn"), where.turns or 1
    after = (pl.col("seq") > pl.col("since")) & (turns_on < n)
    before = (pl.col("seq") < pl.col("since")) & (turns_on > -n)
    chosen = after if where.after else before if where.before else (turns_on.abs() < n)
    return there.filter(chosen).select(rows.columns).sort("i")


def _anchor(talk: Talk, name: str) -> pl.DataFrame:
    """(conversation_id, seq) of the first finding of a rule, or of the last message before an event."""
    if name not in EVENTS:
        return talk.findings[name].group_by("conversation_id").agg(pl.col("seq").min())
    at = _events(talk, name).group_by("conversation_id").agg(pl.col("at").min())
    before = talk.messages.join(at, on="conversation_id").filter(pl.col("sent_at") <= pl.col("at"))
    return before.group_by("conversation_id").agg(pl.col("seq").max())


def _events(talk: Talk, name: str) -> pl.DataFrame:
    """(conversation_id, at): orders of the customer that fall into the talk."""
    if talk.beside.orders is None:
        return pl.DataFrame(schema={"conversation_id": pl.String, "at": pl.Datetime("us")})
    span = talk.messages.group_by("conversation_id", "shop", "customer").agg(
        begun=pl.col("sent_at").min(), over=pl.col("sent_at").max()
    )
    met = span.join(talk.beside.orders.select("shop", "customer", "created_at", "paid_at"), on=["shop", "customer"])
    at = "paid_at" if name == "ORDER_PAID" else "created_at"
    met = met.filter(pl.col(at).is_between(pl.col("begun"), pl.col("over")))
    if name == "ORDER_UNPAID":
        met = met.filter((pl.col("paid_at") > pl.col("over")).fill_null(True))
    return met.select("conversation_id", at=at)


def _kind(rows: pl.DataFrame, talk: Talk, key: str, wanted: list[str]) -> pl.DataFrame:
    """The rows in talks of a kind; of what is unknown none."""
    if key == "order":
        state = _order_state(rows, talk)
        return rows.join(state.filter(pl.col("state").is_in(wanted)), on=_AT, how="semi")
    if key == "channel":
        kinds = talk.messages.select("conversation_id", kind="channel").unique()
    else:
        cases = talk.beside.cases
        kinds = (
            talk.messages.clear().select("conversation_id", kind="channel")
            if cases is None
            else cases.select("conversation_id", kind=_CASES[key])
        )
    return rows.join(kinds.filter(pl.col("kind").is_in(wanted)), on="conversation_id", how="semi")


def _order_state(rows: pl.DataFrame, talk: Talk) -> pl.DataFrame:
    """(conversation_id, seq, state): how the customer's last order stood when the bubble was sent; no times, no state."""
    asked = talk.messages.join(rows.select(_AT), on=_AT, how="semi").filter(pl.col("sent_at").is_not_null())
    asked = asked.select(*_AT, "shop", "customer", "sent_at").sort("sent_at")
    orders = talk.messages.clear() if talk.beside.orders is None else talk.beside.orders
    if talk.beside.orders is None:
        return asked.clear().select(*_AT, state="shop")
    orders = orders.select("shop", "customer", "created_at", "paid_at", "refund_applied_at", "order_id")
    orders = orders.filter(pl.col("created_at").is_not_null()).sort("created_at", "order_id")
    last = asked.join_asof(
        orders, left_on="sent_at", right_on="created_at", by=["shop", "customer"], check_sortedness=False
    )
    state = (
        pl.when(pl.col("order_id").is_null()).then(pl.lit("none"))
        .when(pl.col("refund_applied_at") <= pl.col("sent_at")).then(pl.lit("refunding"))
        .when(pl.col("paid_at") <= pl.col("sent_at")).then(pl.lit("paid"))
        .otherwise(pl.lit("unpaid"))
    )  # fmt: skip
    return last.select(*_AT, state=state)


def _with_turn(rows: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """Rows with the turn they belong to: the last one asked up to them; 0 before the first."""
    asked = turns.select("conversation_id", "turn", seq="asked_seq").sort("seq")
    joined = rows.sort("seq").join_asof(asked, on="seq", by="conversation_id", check_sortedness=False)
    return joined.with_columns(pl.col("turn").fill_null(0))
