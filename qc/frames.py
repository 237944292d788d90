"""The nouns of the product as typed frames: column → (polars type, what it means).

`of(Noun, frame)` puts a frame into its type and order, and is the only place where a missing column is noticed.
"""

from __future__ import annotations

from math import prod
from typing import Any

import polars as pl

SENDER_KINDS = ("customer", "agent", "assist", "bot", "auto", "system", "internal")
CONTENT_KINDS = ("text", "image", "card", "voice", "file", "recall", "empty")
ASKING_CONTENT = ("text", "image", "card", "voice")
TIME = pl.Datetime("us")

Noun = dict[str, Any]

Message: Noun = {
    "conversation_id": pl.String,  # the source's own id where it has one, else made from shop, channel, customer and time
    "seq": pl.Int32,  # 1, 2, … within the conversation, in order of (sent_at, position in the source)
    "message_id": pl.String,  # nullable
    "shop": pl.String,
    "channel": pl.String,
    "sent_at": TIME,  # local time of the shop; NULL where the source has no times
    "sender_kind": pl.String,  # SENDER_KINDS
    "agent": pl.String,  # nullable; of a system message: the agent the talk was handed to
    "customer": pl.String,  # pseudonym
    "content_kind": pl.String,  # CONTENT_KINDS
    "text": pl.String,  # masked, never NULL ("" when there is none)
    "source_id": pl.String,
    "source_row": pl.Int64,  # physical line (or record) in the source file, from 1
}

Turn: Noun = {
    "conversation_id": pl.String,
    "turn": pl.Int32,  # 1, 2, … within the conversation
    "shop": pl.String,
    "channel": pl.String,
    "customer": pl.String,
    "day": pl.Date,  # service day of asked_at; NULL without times
    "responsible": pl.String,  # who held the chat when the turn opened
    "answered_by": pl.String,
    "asked_seq": pl.Int32,
    "answered_seq": pl.Int32,
    "asked_at": TIME,
    "answered_at": TIME,
    "wait_s": pl.Float64,
    "is_first": pl.Boolean,
    "is_answered": pl.Boolean,
    "is_censored": pl.Boolean,
    "needs_reply": pl.Boolean,
    "is_counted": pl.Boolean,  # the profile counts this turn in its response metrics
    "reason": pl.String,  # why it is not counted or has no wait: no_times, censored, pleasantry; else NULL
}

Pace: Noun = {
    "conversation_id": pl.String,
    "turn": pl.Int32,
    "in_service_s": pl.Float64,  # the part of wait_s within open hours
    "n_open": pl.Int32,  # open turns of the responsible agent when this one opens, itself included
    "n_open_shop": pl.Int32,  # the same of the whole shop
    "substantive_seq": pl.Int32,  # the first reply after the question that says something; NULL: none
    "substantive_s": pl.Float64,  # seconds from the question to it
    "is_stalled": pl.Boolean,  # put off: from the first reply on, nothing said for over 300 s; NULL: too early to tell
}

Promise: Noun = {
    "promise_id": pl.String,  # promise:<promise>:<conversation_id>
    "conversation_id": pl.String,
    "promise": pl.String,  # first_answer, preliminary, solution
    "shop": pl.String,
    "agent": pl.String,  # responsible for the turn of the question or complaint
    "day": pl.Date,
    "asked_seq": pl.Int32,
    "asked_at": TIME,
    "due_at": TIME,
    "kept_at": TIME,  # when it was done, late or not
    "status": pl.String,  # kept, broken, censored, not_due, unknown
    "seconds": pl.Float64,  # from asking to kept_at
    "in_service_s": pl.Float64,  # of the time to kept_at (else to as_of) the part within open hours
    "evidence_conversation_id": pl.String,  # where it was done
    "evidence_seq": pl.Int32,
    "reason": pl.String,  # of what is neither kept nor broken; of broken: late, stalled, never
}

ProfileTurn: Noun = {
    "profile": pl.String,
    **{name: Turn[name] for name in (
        "conversation_id", "turn", "shop", "channel", "customer", "day", "responsible", "asked_seq", "answered_seq", "asked_at",
        "wait_s", "is_first", "is_answered", "is_counted", "reason",
    )},
}  # fmt: skip

Finding: Noun = {
    "finding_id": pl.String,  # conversation_id#seq:rule_id@start
    "conversation_id": pl.String,
    "seq": pl.Int32,  # NULL for what is absent
    "agent": pl.String,
    "rule_id": pl.String,
    "start": pl.Int32,  # characters in the stored text; NULL for what is absent
    "end": pl.Int32,
    "quote": pl.String,  # text[start:end]; NULL for what is absent
}

Moment: Noun = {
    "conversation_id": pl.String,
    "agent": pl.String,
    "rule_id": pl.String,  # an `absent` rule that applies here
    "is_met": pl.Boolean,
}

Entry: Noun = {
    "entry_id": pl.String,
    "conversation_id": pl.String,
    "agent": pl.String,
    "scorecard": pl.String,
    "item": pl.String,
    "rule_id": pl.String,
    "finding_id": pl.String,  # NULL unless cause is finding
    "points": pl.Float64,  # rounded to 4 decimals; a score is 100 + the sum of its entries
    "cause": pl.String,  # finding, cap, veto, review
}

Score: Noun = {
    "conversation_id": pl.String,
    "agent": pl.String,
    "scorecard": pl.String,
    "qa": pl.Float64,
    "final": pl.Float64,
    "is_redline_pending": pl.Boolean,
}

Order: Noun = {
    "order_id": pl.String,
    "parent_order_id": pl.String,
    "shop": pl.String,
    "channel": pl.String,
    "customer": pl.String,
    "created_at": TIME,
    "paid_at": TIME,
    "paid_fen": pl.Int64,
    "refunded_fen": pl.Int64,
    "refund_applied_at": TIME,
    "refund_finished_at": TIME,
    "items": pl.Int64,
    "status": pl.String,
    "source_id": pl.String,
    "source_row": pl.Int64,
}

Attribution: Noun = {
    "order_id": pl.String,
    "rule": pl.String,
    "shop": pl.String,
    "agent": pl.String,  # NULL for silent
    "class": pl.String,  # consulted, reminded, silent; assist carries no money
    "is_primary": pl.Boolean,
    "paid_fen": pl.Int64,
    "evidence_conversation_id": pl.String,
    "evidence_seq": pl.Int32,
    "seconds_before": pl.Float64,  # between the evidence and the order (consulted, assist) or the payment (reminded)
    "identity_tier": pl.String,  # how the buyer was found in the chats: customer_id, order_number; NULL: not at all
}

Share: Noun = {
    "order_id": pl.String,
    "rule": pl.String,
    "shop": pl.String,
    "agent": pl.String,  # NULL for silent
    "class": pl.String,  # consulted, reminded, silent
    "paid_fen": pl.Int64,
}

Reminder: Noun = {
    "order_id": pl.String,
    "shop": pl.String,
    "agent": pl.String,
    "day": pl.Date,  # of the contact
    "created_at": TIME,
    "contacted_at": TIME,
    "paid_at": TIME,
    "conversation_id": pl.String,  # of the contact
    "seq": pl.Int32,
    "is_paid_24h": pl.Boolean,
    "is_mature": pl.Boolean,
    "n_comparable": pl.Int32,  # orders of the shop that nobody contacted and that were unpaid at the same age
    "expected": pl.Float64,  # the share of them paid within 24 h; NULL where there is none
}

Rating: Noun = {
    "shop": pl.String,
    "conversation_id": pl.String,
    "customer": pl.String,
    "agent": pl.String,
    "invited_at": TIME,
    "rated_at": TIME,
    "stars": pl.Int32,
    "source_id": pl.String,
    "source_row": pl.Int64,
}


def of(noun: Noun, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with exactly the noun's columns, in its order and types; ColumnNotFoundError names what is missing."""
    return frame.select([pl.col(name).cast(kind) for name, kind in noun.items()])


def empty(noun: Noun) -> pl.DataFrame:
    """A frame of the noun without rows."""
    return pl.DataFrame(schema=noun)


def in_order_of(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """The frame sorted by columns of integers and strings, NULL first; as one number a row, many times faster."""
    ranks = [_rank(frame[name]) for name in columns]
    sizes = [int(rank.max() or 0) + 2 for rank in ranks]  # type: ignore[arg-type]
    if not frame.height or prod(sizes) >= 2**63:
        return frame.sort(columns)
    key = pl.zeros(frame.height, dtype=pl.Int64, eager=True)
    for rank, size in zip(ranks, sizes, strict=True):
        key = key * size + rank.cast(pl.Int64).fill_null(-1) + 1
    return frame if key.is_sorted() else frame[key.arg_sort()]


def _rank(column: pl.Series) -> pl.Series:
    if column.dtype != pl.String:
        return column
    return column.cast(pl.Enum(column.unique().drop_nulls().sort())).to_physical()


def is_effective(kinds: tuple[str, ...] = ("agent", "assist")) -> pl.Expr:
    """Effective reply (有效回复): of a kind that the profile counts, neither recalled nor empty. KPI §1."""
    return pl.col("sender_kind").is_in(list(kinds)) & ~pl.col("content_kind").is_in(["recall", "empty"])


def is_asking() -> pl.Expr:
    """Asking message: from the customer, of content text, image, card or voice. KPI §1."""
    return (pl.col("sender_kind") == "customer") & pl.col("content_kind").is_in(list(ASKING_CONTENT))
