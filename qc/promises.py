"""The three promises of FIELD.md as measured objects: 30 s first answer, 5 min substantive answer, 24 h complaint solution.

A promise is kept or broken by the calendar clock; `in_service_s` tells how much of the time the shop was open.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import polars as pl

from qc import frames, hours, load, substance
from qc.dialogue import seconds
from qc.profiles import Profile
from qc.text import is_pleasantry

# FIELD.md: answer within 30 s, a preliminary answer within 5 min, a solution of a complaint within 24 h.
LIMITS_S = {"first_answer": 30, "preliminary": 300, "solution": 86_400}
COMPLAINT = "CUSTOMER_COMPLAINS"  # the rules that find them
SOLUTIONS = ["SOLUTION_PROPOSED", "COMPLAINT_SOLUTION"]
_SILENT = (
    "card",
)  # what an agent sends without saying anything; a picture may be the answer: the doubt is the agent's


class Measured(NamedTuple):
    """What is known of the time of each turn, and the promises."""

    pace: pl.DataFrame  # frames.Pace
    promises: pl.DataFrame  # frames.Promise


def measure(
    turns: pl.DataFrame, messages: pl.DataFrame, findings: pl.DataFrame, profile: Profile, lexicon: substance.Lexicon,
    pleasantries: Sequence[str] = (), *, as_of: datetime | None, calendar: hours.Calendar = (),
) -> Measured:  # fmt: skip
    """frames.Turn, frames.Message, frames.Finding -> Measured, in a fixed order."""
    said, asked = replies(messages, profile, lexicon), questions(messages, lexicon, pleasantries)
    made = [_first_answer(turns), _preliminary(turns, said, asked), _solution(turns, findings, messages)]
    rows = pl.concat([m.select(_MADE) for m in made]).sort("conversation_id", "promise")
    return Measured(
        pace(turns, said, asked, profile, as_of=as_of, calendar=calendar),
        frames.of(frames.Promise, _settled(rows, as_of, calendar)),
    )


def replies(messages: pl.DataFrame, profile: Profile, lexicon: substance.Lexicon) -> pl.DataFrame:
    """frames.Message -> (conversation_id, seq, sent_at, kind) of every effective reply; kind as in substance.KINDS."""
    rows = messages.filter(frames.is_effective(profile.effective_kinds))
    rows = _with_kind(rows, lexicon)
    kind = pl.when(pl.col("content_kind").is_in(_SILENT)).then(pl.lit("face")).when(pl.col("content_kind") != "text")
    return rows.select("conversation_id", "seq", "sent_at", kind=kind.then(pl.lit("answer")).otherwise("kind"))


def questions(messages: pl.DataFrame, lexicon: substance.Lexicon, pleasantries: Sequence[str]) -> pl.DataFrame:
    """frames.Message -> (conversation_id, seq, is_real) of every asking message.

    Real is what can be answered: not 在吗, 你好, 好的谢谢, a face, or a card that only shows the product.
    """
    rows = _with_kind(messages.filter(frames.is_asking()), lexicon, pleasantries)
    says = (pl.col("kind") == "answer") & ~pl.col("is_thanks")
    is_real = pl.when(pl.col("content_kind") == "text").then(says).otherwise(pl.col("content_kind") != "card")
    return rows.select("conversation_id", "seq", "sent_at", is_real=is_real)


def _with_kind(rows: pl.DataFrame, lexicon: substance.Lexicon, pleasantries: Sequence[str] = ()) -> pl.DataFrame:
    texts = rows["text"].unique()
    known = pl.DataFrame(
        {"text": texts, "kind": substance.kinds(texts, lexicon), "is_thanks": is_pleasantry(texts, pleasantries)}
    )
    return rows.join(known, on="text", how="left", maintain_order="left")


def pace(
    turns: pl.DataFrame, said: pl.DataFrame, asked: pl.DataFrame, profile: Profile, *, as_of: datetime | None,
    calendar: hours.Calendar = (),
) -> pl.DataFrame:  # fmt: skip
    """frames.Turn, `replies`, `questions` -> frames.Pace. KPI §2 stalling, concurrency.

    Stalled: a real question whose first reply says nothing (a mere thanks aside), and for 300 s from that reply none
    says anything. The clock starts with the stall: who comes late, and then answers, is slow and no staller.
    """
    key = ["conversation_id", "turn"]
    answer = said.filter(pl.col("kind") == "answer").select("conversation_id", substantive_seq="seq", said_at="sent_at")
    first = said.select("conversation_id", answered_seq="seq", first_kind="kind")
    real = _in_turn(asked.filter("is_real"), turns).select(*key, has_question=pl.lit(True)).unique()
    rows = turns.with_columns(
        in_service_s=hours.in_service(turns["asked_at"], turns["answered_at"], calendar),
        n_open=load.n_open(turns, profile), n_open_shop=load.n_open(turns, profile, load.SHOP),
    )  # fmt: skip
    rows = _next(rows, answer, "asked_seq", "substantive_seq")
    rows = rows.join(first, on=["conversation_id", "answered_seq"], how="left").join(real, on=key, how="left")
    put_off = seconds(pl.coalesce("said_at", pl.lit(as_of, dtype=frames.TIME)) - pl.col("answered_at"))
    empty = (
        pl.col("is_answered")
        & pl.col("has_question").fill_null(False)
        & ~pl.col("first_kind").is_in(["answer", "courtesy"])
    )
    limit = LIMITS_S["preliminary"]
    stalled = (
        pl.when(~empty.fill_null(False)).then(False)
        .when(put_off > limit).then(True).when(pl.col("said_at").is_not_null()).then(False)
    )  # fmt: skip
    return frames.of(
        frames.Pace,
        rows.with_columns(substantive_s=seconds(pl.col("said_at") - pl.col("asked_at")), is_stalled=stalled).sort(key),
    )


_MADE = [
    "conversation_id", "promise", "shop", "agent", "asked_seq", "asked_at", "kept_at", "evidence_conversation_id",
    "evidence_seq", "is_answered", "is_spoken", "turn_reason",
]  # fmt: skip


def _first_answer(turns: pl.DataFrame) -> pl.DataFrame:
    """The first turn's own reply, whatever it says: KPI §2 first_response_30s."""
    return turns.filter("is_first").select(
        "conversation_id", "shop", "asked_seq", "asked_at", "is_answered", promise=pl.lit("first_answer"),
        agent="responsible", kept_at="answered_at", is_spoken="is_answered", evidence_conversation_id="conversation_id",
        evidence_seq="answered_seq", turn_reason="reason",
    )  # fmt: skip


def _preliminary(turns: pl.DataFrame, said: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """From the first real question to the first reply that says something; where nothing is asked, any reply will do."""
    real = (
        asked.filter("is_real").sort("conversation_id", "seq").group_by("conversation_id", maintain_order=True).first()
    )
    rows = turns.filter("is_first").select("conversation_id", first_seq="asked_seq")
    rows = rows.join(real.select("conversation_id", real_seq="seq"), on="conversation_id", how="left")
    rows = rows.with_columns(seq=pl.coalesce("real_seq", "first_seq"))
    rows = _in_turn(rows, turns).join(
        asked.select("conversation_id", "seq", "sent_at"), on=["conversation_id", "seq"], how="left"
    )
    of_turn = turns.select(
        "conversation_id", "turn", "shop", agent="responsible", is_spoken="is_answered", turn_reason="reason"
    )
    rows = rows.join(of_turn, on=["conversation_id", "turn"], how="left")
    some = said.select("conversation_id", evidence_seq="seq", kept_at="sent_at")
    answer = some.filter(said["kind"] == "answer")
    kept = pl.concat(
        _next(rows.filter(pl.col("real_seq").is_null() == is_idle), found, "seq", "evidence_seq")
        for is_idle, found in ((True, some), (False, answer))
    )
    return kept.with_columns(
        promise=pl.lit("preliminary"), evidence_conversation_id="conversation_id", asked_seq="seq", asked_at="sent_at",
        is_answered=pl.col("evidence_seq").is_not_null(),
        turn_reason=pl.when(pl.col("evidence_seq").is_not_null() & (pl.col("turn_reason") != "no_times")).then(None).otherwise("turn_reason"),
    )  # fmt: skip


def _solution(turns: pl.DataFrame, findings: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """From the first complaint of a conversation to the first solution offered after it, there or in a later talk of the
    same customer with the shop: who is called back the next morning has been helped."""
    at = messages.select("conversation_id", "seq", "sent_at", "shop", "channel", "customer")
    found = (
        findings.filter(pl.col("rule_id").is_in([COMPLAINT, *SOLUTIONS]))
        .select("rule_id", "conversation_id", "seq")
        .unique()
    )
    found = found.join(at, on=["conversation_id", "seq"]).sort("sent_at", "conversation_id", "seq")
    first = (
        found.filter(pl.col("rule_id") == COMPLAINT)
        .sort("conversation_id", "seq")
        .group_by("conversation_id", maintain_order=True)
        .first()
    )
    rows = _in_turn(first, turns).join(
        turns.select("conversation_id", "turn", agent="responsible"), on=["conversation_id", "turn"], how="left"
    )
    offer = found.filter(pl.col("rule_id").is_in(SOLUTIONS)).select(
        "shop", "channel", "customer", evidence_conversation_id="conversation_id", evidence_seq="seq", kept_at="sent_at"
    )
    here = rows.join(
        offer.drop("shop", "channel", "customer"), left_on="conversation_id", right_on="evidence_conversation_id"
    )
    here = here.filter(pl.col("evidence_seq") > pl.col("seq")).with_columns(evidence_conversation_id="conversation_id")
    # An export that names no channel has one: its NULL is a place, while a customer who is not known is nobody's.
    known = offer.filter(pl.col("customer").is_not_null())
    later = rows.join(known, on=["shop", "channel", "customer"], nulls_equal=True).filter(
        (pl.col("kept_at") > pl.col("sent_at")) & (pl.col("evidence_conversation_id") != pl.col("conversation_id"))
    )
    columns = ["conversation_id", "kept_at", "evidence_conversation_id", "evidence_seq"]
    kept = pl.concat([here.select(columns), later.select(columns)]).sort(columns, nulls_last=True)
    kept = kept.group_by("conversation_id", maintain_order=True).first()
    return rows.join(kept, on="conversation_id", how="left").with_columns(
        promise=pl.lit("solution"), asked_seq="seq", asked_at="sent_at", is_answered=pl.col("evidence_seq").is_not_null(),
        is_spoken=pl.lit(False), turn_reason=pl.lit(None, dtype=pl.String),
    )  # fmt: skip


def _settled(rows: pl.DataFrame, as_of: datetime | None, calendar: hours.Calendar) -> pl.DataFrame:
    """What became of each promise: kept, broken, or why that cannot be said."""
    now = pl.lit(as_of, dtype=frames.TIME)
    limit = pl.col("promise").replace_strict(LIMITS_S, return_dtype=pl.Int64)
    rows = rows.with_columns(
        promise_id=pl.format("promise:{}:{}", "promise", "conversation_id"), day=pl.col("asked_at").dt.date(),
        due_at=pl.col("asked_at") + pl.duration(seconds=limit), seconds=seconds(pl.col("kept_at") - pl.col("asked_at")),
        until=pl.coalesce("kept_at", now),
    )  # fmt: skip
    timed = pl.col("asked_at").is_not_null() & (~pl.col("is_answered") | pl.col("kept_at").is_not_null())
    status = (
        pl.when(~timed).then(pl.lit("unknown:no_times"))
        .when(pl.col("turn_reason") == "pleasantry").then(pl.lit("not_due:pleasantry"))
        .when(pl.col("kept_at") <= pl.col("due_at")).then(pl.lit("kept:"))
        .when(pl.col("is_answered")).then(pl.lit("broken:late"))
        .when((pl.col("turn_reason") == "censored") | (now < pl.col("due_at"))).then(pl.lit("censored:not_yet"))
        .when("is_spoken").then(pl.lit("broken:stalled"))
        .otherwise(pl.lit("broken:never"))
    )  # fmt: skip
    told = status.str.split_exact(":", 1)
    return rows.with_columns(
        status=told.struct.field("field_0"), reason=told.struct.field("field_1").replace("", None),
        in_service_s=hours.in_service(rows["asked_at"], rows["until"], calendar),
    )  # fmt: skip


def _in_turn(rows: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """Rows (conversation_id, seq, …) with the turn that their message belongs to: the last one asked up to it."""
    starts = turns.select("conversation_id", "turn", seq="asked_seq").sort("seq")
    return rows.sort("seq").join_asof(starts, on="seq", by="conversation_id", check_sortedness=False)


def _next(rows: pl.DataFrame, events: pl.DataFrame, after: str, seq: str) -> pl.DataFrame:
    """Rows with the first event of their conversation that comes after their own seq."""
    return rows.sort(after).join_asof(
        events.sort(seq), left_on=after, right_on=seq, by="conversation_id", strategy="forward",
        allow_exact_matches=False, check_sortedness=False, coalesce=False,
    )  # fmt: skip
