"""Where in a talk a rule looks: at its start or end, around another finding or an event, in talks of some kind."""

from __future__ import annotations

import numpy as np
import polars as pl

from qc.compiled import Bools, Ints, compiled
from qc.places import Talk, keys
from qc.rows import marked
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
    first, last = _anchors(talk, str(where.anchor))
    side = -1 if where.before else 1 if where.after else 0
    edges = np.append(talk.begin, talk.said.height)
    return _beside(edges, talk.said["turn"].to_numpy(), first, last, where.turns or 1, side)


@compiled
def _beside(begin: Ints, turn: Ints, first: Ints, last: Ints, n: int, side: int) -> Bools:
    """The bubbles of talks with an anchor that are less than n turns from it: behind it (1), ahead of it (−1) or either (0).

    By talk, the anchor lies behind the bubbles before `first` and ahead of those after `last`; -1 where there is none.
    """
    is_near = np.zeros(turn.size, np.bool_)
    for talk in range(begin.size - 1):
        if first[talk] < 0:
            continue
        of = turn[last[talk]] if last[talk] >= begin[talk] else 0
        for i in range(begin[talk], begin[talk + 1]):
            on = turn[i] - of
            is_near[i] = (side <= 0 or i > last[talk]) and (side >= 0 or i < first[talk]) and -n < on < n
    return is_near


def _anchors(talk: Talk, name: str) -> tuple[Ints, Ints]:
    """By talk, the first finding of a rule, as its bubble twice; of an event the bubbles behind it and ahead of it."""
    first, last = np.full((2, talk.begin.size), -1)
    of = talk.said["talk"].to_numpy()
    if name not in EVENTS:
        i = np.sort(talk.findings[name]["i"].to_numpy())[::-1]
        first[of[i]] = last[of[i]] = i  # the first one is written last
        return first, last
    at = _events(talk, name).group_by("conversation_id").agg(pl.col("at").min())
    before = talk.messages.join(at, on="conversation_id").filter(pl.col("sent_at") <= pl.col("at"))
    ahead = before.group_by("conversation_id").agg(pl.col("seq").max())
    ahead = ahead.join(talk.said["conversation_id", "talk"][talk.begin], on="conversation_id")
    here, there = keys(talk.said["talk"], talk.said["seq"]), keys(ahead["talk"], ahead["seq"])
    first[ahead["talk"]] = np.searchsorted(here, there, side="left")
    last[ahead["talk"]] = np.searchsorted(here, there, side="right") - 1
    return first, last


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
        return marked(rows.join(state, on=_AT, how="semi")["i"], talk.said.height)
    kinds = talk.beside.cases if key in _CASES else talk.messages
    if kinds is None:
        return np.zeros(talk.said.height, np.bool_)
    such = kinds.filter(pl.col(_CASES.get(key, key)).is_in(wanted))
    talks = talk.said["conversation_id", "talk"][talk.begin]
    those = talks.join(such, on="conversation_id", how="semi")["talk"]
    return np.asarray(marked(those, talks.height)[talk.said["talk"]])


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
