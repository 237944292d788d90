"""Messages → conversations → turns. KPI §1 (conversation) and §2 (turns); a profile says what of them counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import polars as pl

from qc import frames
from qc.profiles import Profile, judge
from qc.text import is_pleasantry

# A conversation is the same under every profile, so these are no part of one. KPI §1
SESSION_GAP_S = 1800
LATE_REPLY_S = 86400

IN_ORDER = ["conversation_id", "sent_at", "source_id", "source_row"]


def arrange(messages: pl.DataFrame) -> pl.DataFrame:
    """Messages as ingested (conversation_id may be NULL, no seq) -> frames.Message: every message in its conversation.

    The platform's conversation id stands; an id that two shops or channels share is told apart by naming them in front.
    Messages without an id are cut into sessions (see `sessions`).
    """
    has_id = pl.col("conversation_id").is_not_null()
    named = messages.filter(has_id)
    owners = named.select("conversation_id", "shop", "channel").unique()["conversation_id"]
    shared = pl.col("conversation_id").is_in(owners.filter(owners.is_duplicated()).unique().implode())
    place = pl.concat_str("shop", "channel", "conversation_id", separator="/")
    named = named.with_columns(conversation_id=pl.when(shared).then(place).otherwise("conversation_id"))
    placed = pl.concat([named, sessions(messages.filter(~has_id))]).sort(IN_ORDER, nulls_last=False)
    return frames.of(frames.Message, placed.with_columns(seq=_within("conversation_id")))


def _within(key: str) -> pl.Expr:
    """1, 2, … within each run of equal neighbours; where rows are in order already, runs are groups without hashing."""
    i = pl.int_range(1, pl.len() + 1, dtype=pl.UInt32)
    return i - pl.when(_begins(key)).then(i).forward_fill() + 1


def _begins(key: str) -> pl.Expr:
    return pl.col(key).ne_missing(pl.col(key).shift())


STREAM = ["shop", "channel", "customer"]


def sessions(messages: pl.DataFrame) -> pl.DataFrame:
    """Messages without a conversation id -> the same with one: `shop/channel/customer@start`.

    A conversation is cut before a message that comes more than 30 min after the previous non-system one, unless
    it is an effective reply to a turn still open, asked at most 24 h before. KPI §1. A system notice never cuts:
    one that comes that late belongs to what follows it (「顾客通过…进入」, a transfer), an earlier one to what it follows.
    """
    talk = _cut(messages.filter(pl.col("sender_kind") != "system"))
    start = pl.col("sent_at").min().over([*STREAM, "n_cut"]).dt.strftime("%Y-%m-%dT%H:%M:%S").fill_null("?")
    spoken = talk.with_columns(own=pl.concat_str(pl.concat_str(*STREAM, separator="/"), start, separator="@"))
    rows = messages.join(spoken.select("source_id", "source_row", "own"), on=["source_id", "source_row"], how="left")
    rows = rows.sort([*STREAM, "sent_at", "source_id", "source_row"])
    said_at = pl.when(pl.col("own").is_not_null()).then("sent_at")
    before, after = pl.col("own").forward_fill().over(STREAM), pl.col("own").backward_fill().over(STREAM)
    is_late = seconds(pl.col("sent_at") - said_at.forward_fill().over(STREAM)) > SESSION_GAP_S
    alone = pl.concat_str(pl.concat_str(*STREAM, separator="/"), pl.lit("@notices"))
    placed = pl.when(is_late.fill_null(False)).then(pl.coalesce("own", after, before, alone))
    return rows.with_columns(conversation_id=placed.otherwise(pl.coalesce("own", before, after, alone))).select(
        messages.columns
    )


def _cut(talk: pl.DataFrame) -> pl.DataFrame:
    """Non-system messages in their order, with `n_cut`: how many cuts lie before them in their stream.

    Between two effective replies every possible cut lies before a message that is no reply, hence is certain; so whether
    a turn is open before a late reply is known without walking through the messages one by one.
    """
    at, i = pl.col("sent_at"), pl.col("i")
    rows = talk.sort([*STREAM, "sent_at", "source_id", "source_row"]).with_row_index("i")
    rows = rows.with_columns(
        effective=frames.is_effective(),
        asking=frames.is_asking(),
        is_late=(seconds(at.diff()).over(STREAM) > SESSION_GAP_S).fill_null(False),
    )
    rows = rows.with_columns(sure_cut=(i == i.min().over(STREAM)) | (pl.col("is_late") & ~pl.col("effective")))
    cut_at = pl.when("sure_cut").then(i).forward_fill().over(STREAM)
    replied_at = pl.when("effective").then(i + 1).forward_fill().shift(1).over(STREAM)
    rows = rows.with_columns(since=pl.max_horizontal(cut_at, replied_at))
    asked_at = pl.when("asking").then(at).min().over([*STREAM, "since"])
    is_open = seconds(at - asked_at).is_between(0, LATE_REPLY_S).fill_null(False)
    rows = rows.with_columns(cut=pl.col("sure_cut") | (pl.col("is_late") & pl.col("effective") & ~is_open))
    return rows.with_columns(n_cut=pl.col("cut").cum_sum().over(STREAM))


def seconds(duration: pl.Expr) -> pl.Expr:
    """A duration in seconds, to the microsecond."""
    return duration.dt.total_microseconds() / 1e6


def turns(
    messages: pl.DataFrame, profile: Profile, *, as_of: datetime | None, pleasantries: Sequence[str] = ()
) -> pl.DataFrame:
    """frames.Message, conversation by conversation in order of seq -> frames.Turn under one profile. KPI §2.

    `wait_s` in seconds, NULL where there is no answer or no time.
    """
    return judge(spans(messages, profile.effective_kinds, pleasantries), profile, as_of)


def under_profiles(
    messages: pl.DataFrame, profiles: Sequence[Profile], *, as_of: datetime | None, pleasantries: Sequence[str] = ()
) -> Iterator[tuple[Profile, pl.DataFrame]]:
    """Each profile with its frames.Turn; profiles of the same effective kinds share the work."""
    known: dict[tuple[str, ...], pl.DataFrame] = {}
    for profile in profiles:
        kinds = tuple(sorted(profile.effective_kinds))
        if kinds not in known:
            known[kinds] = spans(messages, kinds, pleasantries)
        yield profile, judge(known[kinds], profile, as_of)


def spans(messages: pl.DataFrame, kinds: Sequence[str], pleasantries: Sequence[str] = ()) -> pl.DataFrame:
    """frames.Message in order -> one row a turn, not judged yet: what was asked and answered when, and who held the talk.

    A turn is the asking messages that have the same number of effective replies before them in their conversation; the
    next effective reply, if any, is its answer. Whole columns are counted through once and only the rows that matter are
    looked up: nothing is grouped by hash.
    """
    rows = _numbered(messages, kinds)
    asked = rows.filter("asking").with_columns(opens=_begins("talk") | _begins("n_replied"))
    said = messages.select("text", "content_kind")[asked["i"]]
    polite = is_pleasantry(said["text"], pleasantries) & (said["content_kind"] == "text")
    opened = asked.filter("opens").with_columns(polite=_whole_turns(asked["opens"], polite))
    replies = rows["i"].filter(rows["effective"]).extend_constant(None, 1)
    opened = opened.with_columns(answer=replies.gather(opened["n_replied"]))
    opened = opened.with_columns(answer=pl.when(rows["talk"].gather(opened["answer"]) == pl.col("talk")).then("answer"))
    humans = rows.select("talk", human="i").filter(messages["sender_kind"] == "agent").filter(_begins("talk"))
    return _told(opened.join(humans, on="talk", how="left", maintain_order="left"), messages)


def _numbered(messages: pl.DataFrame, kinds: Sequence[str]) -> pl.DataFrame:
    """Of each message its row `i` and `talk` (1, 2, …), effective replies so far, here and in all talks, and its holder's row."""
    effective = frames.is_effective(tuple(kinds))
    holds = (effective | (pl.col("sender_kind") == "system")) & pl.col("agent").is_not_null()
    rows = messages.select(
        asking=frames.is_asking(), effective=effective, holds=holds, begins=_begins("conversation_id")
    )
    rows = rows.with_row_index("i").with_columns(
        talk=pl.col("begins").cum_sum(),
        n_replied=pl.col("effective").cum_sum() - pl.col("effective"),
        holder=pl.when("holds").then("i").forward_fill(),
    )
    start, replied = (pl.when("begins").then(c).forward_fill() for c in ("i", "n_replied"))
    return rows.select(
        "i", "talk", "asking", "effective", "n_replied",
        is_replied=pl.col("n_replied") > replied, holder=pl.when(pl.col("holder") >= start).then("holder"),
    )  # fmt: skip


def _whole_turns(opens: pl.Series, polite: pl.Series) -> pl.Series:
    """Of each turn whether all its questions are polite: none of them is not, counted from its first to its last."""
    asks = (~polite).cast(pl.UInt32)
    so_far = asks.cum_sum()
    last = opens.shift(-1).fill_null(True)
    return so_far.filter(last) - so_far.filter(opens) + asks.filter(opens) == 0


def _told(opened: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """Rows of messages -> what stands there."""
    asked = messages.select("conversation_id", "shop", "channel", "customer", asked_seq="seq", asked_at="sent_at")
    answer = messages.select(answered_seq="seq", answered_at="sent_at", answered_by="agent")
    rows, agents = opened["i"], messages["agent"]
    told = pl.concat([asked[rows], _at(answer, opened["answer"])], how="horizontal").with_columns(
        turn=opened.select(_within("talk")).to_series(),
        holder=agents.gather(opened["holder"]),
        first_human=agents.gather(opened["human"]),
        is_answered=opened["answer"].is_not_null(),
        needs_reply=~(opened["polite"] & opened["is_replied"]),
    )
    return told.with_columns(begun_at=pl.col("asked_at").gather(pl.int_range(pl.len()) - pl.col("turn") + 1))


def _at(frame: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """The rows of a frame, NULLs where there is none."""
    return frame.select(pl.all().gather(rows))
