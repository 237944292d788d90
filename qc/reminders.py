"""催付: orders left unpaid that a human wrote about, and what comparable orders did of which nobody spoke. KPI §4."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from qc import frames, identity
from qc.dialogue import seconds

LEFT_AFTER_S = 600.0  # an order is left unpaid from its tenth minute on; before that the buyer is still paying. Ours
WITHIN_S = 86_400.0  # paid within 24 h of the contact. KPI §4
LATEST_S = 72 * 3_600.0  # a word later than that is about something else; platforms have closed the order by then. Ours
ORDER = ["shop", "order_id"]


def reminders(orders: pl.DataFrame, messages: pl.DataFrame, as_of: datetime | None) -> pl.DataFrame:
    """orders(frames.Order), messages(frames.Message) -> frames.Reminder: each order left unpaid that a human contacted.

    The contact is the first effective message to the buyer from the tenth minute after the order on, while it is unpaid.
    `expected` is what the same moment brought without it: of the shop's orders that nobody contacted and that were still
    unpaid at the same age (`n_comparable`), the share paid within the next 24 h. Orders are compared by age, because who
    pays at once can neither be reminded nor compared. Unsettled where `as_of` comes before the 24 h are over.
    """
    left = orders.filter(pl.col("paid_at").is_null() | (_age(pl.col("paid_at")) > LEFT_AFTER_S))
    contacts = _contacts(left, messages)
    whole = left.join(contacts, on=ORDER, how="left", maintain_order="left").with_columns(
        contact_age=_age(pl.col("contacted_at")), paid_age=_age(pl.col("paid_at")), known_s=_age(pl.lit(as_of, dtype=frames.TIME)),
    )  # fmt: skip
    contacted = whole.filter(pl.col("contacted_at").is_not_null())
    silent = whole.filter(pl.col("contacted_at").is_null() & (pl.col("known_s") >= LATEST_S + WITHIN_S))
    compared = [
        _compare(some, silent.filter(shop=shop)) for (shop,), some in contacted.group_by("shop", maintain_order=True)
    ]
    found = pl.concat([contacted.clear().with_columns(n_comparable=pl.lit(0), expected=pl.lit(0.0)), *compared])
    took = pl.col("paid_age") - pl.col("contact_age")
    judged = found.with_columns(
        day=pl.col("contacted_at").dt.date(),
        is_paid_24h=(took <= WITHIN_S).fill_null(False),
        is_mature=(pl.col("known_s") - pl.col("contact_age") >= WITHIN_S).fill_null(False),
    )
    return frames.of(frames.Reminder, judged).sort(ORDER)


def _age(moment: pl.Expr) -> pl.Expr:
    """Seconds after the order was created."""
    return seconds(moment - pl.col("created_at"))


def _contacts(left: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """The first human word about each order that stands unpaid: (shop, order_id, agent, contacted_at, conversation_id, seq)."""
    said = messages.filter(
        frames.is_effective() & pl.all_horizontal(pl.col("agent", "sent_at", "customer").is_not_null())
    ).select("shop", "customer", "agent", "conversation_id", "seq", contacted_at="sent_at", said_on="channel")
    met = identity.meet(left, messages).select(*ORDER, customer="met")
    near = (
        left.select(*ORDER, "channel", "created_at", "paid_at").join(met, on=ORDER).join(said, on=["shop", "customer"])
    )
    same_place = pl.col("channel").is_null() | pl.col("said_on").is_null() | (pl.col("channel") == pl.col("said_on"))
    unpaid = pl.col("paid_at").is_null() | (pl.col("contacted_at") < pl.col("paid_at"))
    near = near.filter(same_place & unpaid & _age(pl.col("contacted_at")).is_between(LEFT_AFTER_S, LATEST_S))
    first = near.sort(*ORDER, "contacted_at", "conversation_id", "seq").unique(ORDER, keep="first", maintain_order=True)
    return first.select(*ORDER, "agent", "contacted_at", "conversation_id", "seq")


def _compare(contacted: pl.DataFrame, silent: pl.DataFrame) -> pl.DataFrame:
    """Beside each contacted order: how many of `silent` were unpaid at its age, and the share paid 24 h later."""
    ages = contacted["contact_age"].to_numpy()
    paid = np.sort(silent["paid_age"].drop_nulls().to_numpy())
    at_risk = len(silent) - np.searchsorted(paid, ages, side="right")
    came = np.searchsorted(paid, ages + WITHIN_S, side="right") - np.searchsorted(paid, ages, side="right")
    share = np.divide(came, at_risk, out=np.full(len(ages), np.nan), where=at_risk > 0)
    return contacted.with_columns(
        n_comparable=pl.Series(at_risk).cast(pl.Int32), expected=pl.Series(share).fill_nan(None)
    )
