"""Messages → conversations → turns. KPI §1 (conversation) and §2 (turns); the profile says what counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl
from pydantic import BaseModel, ConfigDict

from qc import frames
from qc.text import is_pleasantry


class Profile(BaseModel):
    """A definition profile (口径): which replies count, how long, and what happens to the unanswered. Units: seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    title: str
    title_en: str
    status: str
    valid_from: date
    source: str
    effective_kinds: tuple[str, ...] = ("agent", "assist")
    session_gap_s: int = 1800
    late_reply_s: int = 86400
    censor_s: int = 600
    cap_s: int = 600
    unanswered_s: int = 600
    drops_unanswered_pleasantry: bool = True


IN_ORDER = ["conversation_id", "sent_at", "source_id", "source_row"]


def arrange(messages: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Messages as ingested (conversation_id may be NULL, no seq) -> frames.Message: every message in its conversation.

    The platform's conversation id stands; an id that two shops or channels share is told apart by naming them in front.
    Messages without an id are cut into sessions (see `sessions`).
    """
    has_id = pl.col("conversation_id").is_not_null()
    named = messages.filter(has_id)
    owners = named.group_by("conversation_id").agg(n=pl.struct("shop", "channel").n_unique()).filter(pl.col("n") > 1)
    shared = pl.col("conversation_id").is_in(owners["conversation_id"].implode())
    place = pl.concat_str("shop", "channel", "conversation_id", separator="/")
    named = named.with_columns(conversation_id=pl.when(shared).then(place).otherwise("conversation_id"))
    placed = pl.concat([named, sessions(messages.filter(~has_id), profile)])
    placed = placed.sort(IN_ORDER, nulls_last=False)
    numbered = placed.with_columns(seq=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("conversation_id"))
    return frames.of(frames.Message, numbered)


STREAM = ["shop", "channel", "customer"]


def sessions(messages: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Messages without a conversation id -> the same with one: `shop/channel/customer@start`.

    A conversation is cut before a message that comes more than `session_gap_s` after the previous non-system one, unless
    it is an effective reply to a turn still open, asked at most `late_reply_s` before. KPI §1. A system notice never cuts:
    one that comes that late belongs to what follows it (「顾客通过…进入」, a transfer), an earlier one to what it follows.
    """
    talk = _cut(messages.filter(pl.col("sender_kind") != "system"), profile)
    start = pl.col("sent_at").min().over([*STREAM, "n_cut"]).dt.strftime("%Y-%m-%dT%H:%M:%S").fill_null("?")
    spoken = talk.with_columns(own=pl.concat_str(pl.concat_str(*STREAM, separator="/"), start, separator="@"))
    rows = messages.join(spoken.select("source_id", "source_row", "own"), on=["source_id", "source_row"], how="left")
    rows = rows.sort([*STREAM, "sent_at", "source_id", "source_row"])
    said_at = pl.when(pl.col("own").is_not_null()).then("sent_at")
    before, after = pl.col("own").forward_fill().over(STREAM), pl.col("own").backward_fill().over(STREAM)
    is_late = seconds(pl.col("sent_at") - said_at.forward_fill().over(STREAM)) > profile.session_gap_s
    alone = pl.concat_str(pl.concat_str(*STREAM, separator="/"), pl.lit("@notices"))
    placed = pl.when(is_late.fill_null(False)).then(pl.coalesce("own", after, before, alone))
    return rows.with_columns(conversation_id=placed.otherwise(pl.coalesce("own", before, after, alone))).select(
        messages.columns
    )


def _cut(talk: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Non-system messages in their order, with `n_cut`: how many cuts lie before them in their stream.

    Between two effective replies every possible cut lies before a message that is no reply, hence is certain; so whether
    a turn is open before a late reply is known without walking through the messages one by one.
    """
    at, i = pl.col("sent_at"), pl.col("i")
    rows = talk.sort([*STREAM, "sent_at", "source_id", "source_row"]).with_row_index("i")
    rows = rows.with_columns(
        effective=frames.is_effective(profile.effective_kinds),
        asking=frames.is_asking(),
        is_late=(seconds(at.diff()).over(STREAM) > profile.session_gap_s).fill_null(False),
    )
    rows = rows.with_columns(sure_cut=(i == i.min().over(STREAM)) | (pl.col("is_late") & ~pl.col("effective")))
    cut_at = pl.when("sure_cut").then(i).forward_fill().over(STREAM)
    replied_at = pl.when("effective").then(i + 1).forward_fill().shift(1).over(STREAM)
    rows = rows.with_columns(since=pl.max_horizontal(cut_at, replied_at))
    asked_at = pl.when("asking").then(at).min().over([*STREAM, "since"])
    is_open = seconds(at - asked_at).is_between(0, profile.late_reply_s).fill_null(False)
    rows = rows.with_columns(cut=pl.col("sure_cut") | (pl.col("is_late") & pl.col("effective") & ~is_open))
    return rows.with_columns(n_cut=pl.col("cut").cum_sum().over(STREAM))


def seconds(duration: pl.Expr) -> pl.Expr:
    """A duration in seconds, to the microsecond."""
    return duration.dt.total_microseconds() / 1e6


def turns(
    messages: pl.DataFrame, profile: Profile, *, as_of: datetime | None, pleasantries: Sequence[str] = ()
) -> pl.DataFrame:
    """frames.Message -> frames.Turn. KPI §2.

    A turn is the asking messages that have the same number of effective replies before them in their conversation; the
    next effective reply, if any, is its answer. `wait_s` in seconds, NULL where there is no answer or no time.
    """
    key = ["conversation_id", "n_replied"]
    rows = _annotated(messages, profile)
    questions = rows.filter("asking")
    texts = pl.DataFrame({"text": questions["text"].unique()})
    texts = texts.with_columns(pleasantry=is_pleasantry(texts["text"], pleasantries))
    questions = questions.join(texts, on="text", how="left", maintain_order="left")
    opened = questions.group_by(key, maintain_order=True).agg(
        pl.col("shop", "channel", "customer", "holder", "first_human").first(),
        asked_seq=pl.col("seq").first(),
        asked_at=pl.col("sent_at").first(),
        pleasantry=(pl.col("pleasantry") & (pl.col("content_kind") == "text")).all()
        & (pl.col("n_replied").first() > 0),
    )
    answers = rows.filter("effective").select(
        *key, answered_by="agent", answered_seq="seq", answered_at="sent_at", is_answered=pl.lit(True)
    )
    joined = opened.join(answers, on=key, how="left", maintain_order="left").with_columns(
        pl.col("is_answered").fill_null(False)
    )
    return frames.of(frames.Turn, _judged(joined, profile, as_of))


def _annotated(messages: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Each message with what a turn needs to know of it: replies so far, who holds the talk, the first human to speak."""
    effective = frames.is_effective(profile.effective_kinds)
    handed_over = (pl.col("sender_kind") == "system") & pl.col("agent").is_not_null()
    human = pl.col("agent").filter(pl.col("sender_kind") == "agent").first()
    return messages.with_columns(effective=effective, asking=frames.is_asking()).with_columns(
        n_replied=(pl.col("effective").cast(pl.Int32).cum_sum() - pl.col("effective").cast(pl.Int32)).over(
            "conversation_id"
        ),
        holder=pl.when(effective | handed_over).then("agent").forward_fill().over("conversation_id"),
        first_human=human.over("conversation_id"),
    )


def _judged(turns: pl.DataFrame, profile: Profile, as_of: datetime | None) -> pl.DataFrame:
    """Owner, wait and standing of each turn."""
    end = pl.lit(as_of, dtype=frames.TIME)
    timed = pl.col("asked_at").is_not_null() & (pl.col("answered_at").is_not_null() | ~pl.col("is_answered"))
    young = seconds(end - pl.col("asked_at")) < profile.censor_s
    judged = turns.with_columns(
        turn=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("conversation_id"),
        day=pl.col("asked_at").dt.date(),
        responsible=pl.coalesce("holder", "answered_by", pl.when(~pl.col("is_answered")).then("first_human")),
        wait_s=seconds(pl.col("answered_at") - pl.col("asked_at")),
        is_censored=(~pl.col("is_answered") & young).fill_null(False),
        needs_reply=~pl.col("pleasantry"),
    ).with_columns(is_first=pl.col("turn") == 1)
    polite_end = ~pl.col("is_answered") & pl.col("pleasantry") & profile.drops_unanswered_pleasantry
    reason = (
        pl.when(~timed).then(pl.lit("no_times"))
        .when("is_censored").then(pl.lit("censored"))
        .when(polite_end).then(pl.lit("pleasantry"))
    )  # fmt: skip
    return judged.with_columns(reason=reason).with_columns(is_counted=pl.col("reason").is_null())
