"""Where in a talk a rule looks: at its start or end, around another finding or an event, in talks of some kind."""

from __future__ import annotations

import numpy as np
import polars as pl

from qc.places import Talk, keys
from qc.reading import Bools
from qc.rule import EVENTS, Where

_CASES = {"phase": "phase", "topic": "topic", "customer": "customer_type"}
_AT = ["conversation_id", "seq"]


def looked_at(talk: Talk, where: Where | None) -> Bools:
    """By bubble of the talk, whether a rule that looks there looks at it."""
    is_there = np.ones(talk.said.height, np.bool_)
    if where is None:
        return is_there
    if where.first:
        is_there = (talk.said["nth"] <= where.first).to_numpy()
    elif where.last:
        is_there = (talk.said["nth_last"] <= where.last).to_numpy()
    elif where.anchor:
        is_there = _near(talk, where)
    for key, wanted in where.filters().items():
        is_there = is_there & _of_kind(talk, key, wanted, is_there)
    return is_there


def _near(talk: Talk, where: Where) -> Bools:
    """The bubbles after, before or around the first finding of a rule (or an event): in its turn or the n−1 next ones."""
    anchors = _anchors(talk, str(where.anchor))
    at, of = keys(anchors["talk"], anchors["seq"]), anchors["talk"].to_numpy()
    here = keys(talk.said["talk"], talk.said["seq"])
    talk_of, i, turn_of = (talk.said[name].to_numpy() for name in ("talk", "i", "turn"))
    first, last, from_turn = np.full((3, talk.begin.size), -1)
    first[of], last[of] = np.searchsorted(here, at, side="left"), np.searchsorted(here, at, side="right") - 1
    at_last = np.maximum(last[of], 0)
    from_turn[of] = np.where(talk_of[at_last] == of, turn_of[at_last], 0) if of.size else 0
    turns_on, n = turn_of - from_turn[talk_of], where.turns or 1
    is_near = np.abs(turns_on) < n
    if where.after:
        is_near = (i > last[talk_of]) & (turns_on < n)
    elif where.before:
        is_near = (i < first[talk_of]) & (turns_on > -n)
    is_anchored = np.zeros(from_turn.size, np.bool_)
    is_anchored[of] = True
    return np.asarray(is_near & is_anchored[talk_of])


def _anchors(talk: Talk, name: str) -> pl.DataFrame:
    """(talk, seq) of the first finding of a rule, or of the last message before an event, in order."""
    if name not in EVENTS:
        found = talk.said["talk", "seq"][talk.findings[name]["i"]]
        return found.group_by("talk").agg(pl.col("seq").min()).sort("talk")
    at = _events(talk, name).group_by("conversation_id").agg(pl.col("at").min())
    before = talk.messages.join(at, on="conversation_id").filter(pl.col("sent_at") <= pl.col("at"))
    last = before.group_by("conversation_id").agg(pl.col("seq").max())
    return (
        last.join(talk.said["conversation_id", "talk"][talk.begin], on="conversation_id")
        .select("talk", "seq")
        .sort("talk")
    )


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


def _of_kind(talk: Talk, key: str, wanted: list[str], asked: Bools) -> Bools:
    """The bubbles in talks of a kind, of those asked about; of what is unknown none."""
    if key == "order":
        rows = talk.said.select("i", *_AT).filter(pl.Series(asked))
        state = _order_state(rows, talk).filter(pl.col("state").is_in(wanted))
        return _marked(rows.join(state, on=_AT, how="semi")["i"], talk.said.height)
    kinds = talk.beside.cases if key in _CASES else talk.messages
    if kinds is None:
        return np.zeros(talk.said.height, np.bool_)
    such = kinds.filter(pl.col(_CASES.get(key, key)).is_in(wanted))
    talks = talk.said["conversation_id", "talk"][talk.begin]
    return _marked(talks.join(such, on="conversation_id", how="semi")["talk"], talks.height)[talk.said["talk"]]


def _marked(numbers: pl.Series, n: int) -> Bools:
    is_marked = np.zeros(n, np.bool_)
    is_marked[numbers.to_numpy()] = True
    return is_marked


def _order_state(rows: pl.DataFrame, talk: Talk) -> pl.DataFrame:
    """(conversation_id, seq, state): how the customer's last order stood when the bubble was sent; no times, no state."""
    asked = talk.messages.join(rows.select(_AT), on=_AT, how="semi").filter(pl.col("sent_at").is_not_null())
    asked = asked.select(*_AT, "shop", "customer", "sent_at").sort("sent_at")
    if talk.beside.orders is None:
        return asked.clear().select(*_AT, state="shop")
    orders = talk.beside.orders.select("shop", "customer", "created_at", "paid_at", "refund_applied_at", "order_id")
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
