"""One short function per way of finding, and `inspect`, which runs the rules: messages in, findings and moments out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from qc import frames
from qc.phrases import occurrences
from qc.rulebook import SEVERITIES, Pack, Rule, Where, rules_of
from qc.text import fold

# What a person wrote or said; the text of a card or a picture is the platform's.
SPOKEN = ("text", "voice")
_ECHO = 4  # characters of a clause that repeats the customer's last bubble, from which on it is a quotation: ours


class Inspection(NamedTuple):
    """What was found, and which required moments applied."""

    findings: pl.DataFrame  # frames.Finding
    moments: pl.DataFrame  # frames.Moment


class Talk(NamedTuple):
    """The messages as the detectors see them."""

    said: pl.DataFrame  # effective and asking messages in order: i, who, nth and nth_last of who, asked (last question)
    turns: pl.DataFrame  # frames.Turn
    spoken: pl.DataFrame  # `said` × where a rule's phrase stands in it: rule_id, start, end, clause, is_quoted
    rules: Mapping[str, Rule]


def inspect(messages: pl.DataFrame, turns: pl.DataFrame, packs: Sequence[Pack]) -> Inspection:
    """frames.Message, frames.Turn, packs -> Inspection(frames.Finding, frames.Moment), in a fixed order.

    Effective messages are inspected for rules of the agent, the customer's for rules of the customer.
    """
    talk = listen(messages, turns, rules_of(packs))
    found = [DETECTORS[rule.by](talk, rule) for rule in talk.rules.values()]
    findings = pl.concat([frames.empty(frames.Finding), *(one.findings for one in found)])
    moments = pl.concat([frames.empty(frames.Moment), *(one.moments for one in found)])
    return Inspection(
        _settled(findings, talk.rules).sort("conversation_id", "seq", "start", "rule_id", "finding_id"),
        moments.sort("conversation_id", "rule_id", "agent"),
    )


def phrase(talk: Talk, rule: Rule) -> Inspection:
    """Each place where one of the rule's phrases stands in the speaker's own words."""
    hits = talk.spoken.filter((pl.col("rule_id") == rule.id) & (pl.col("who") == rule.who) & ~pl.col("is_quoted"))
    hits = _within(hits, talk, rule.where)
    findings = (hits if rule.who == "customer" else _own_words(hits)).with_columns(
        finding_id=pl.format("{}#{}:{}@{}", "conversation_id", "seq", "rule_id", "start"),
        quote=pl.col("text").str.slice("start", pl.col("end") - pl.col("start")),
    )
    return Inspection(frames.of(frames.Finding, findings), frames.empty(frames.Moment))


def absent(talk: Talk, rule: Rule) -> Inspection:
    """The moments at which something is due, and a finding without a place where it was not said.

    Due of: each agent over their own messages (anywhere), who opened (first), who closed (last), or who spoke first
    after the other rule's finding (after).
    """
    said_it = talk.spoken.filter(pl.col("rule_id") == rule.id)["i"].unique()
    due = _within(talk.said.filter(pl.col("who") == "agent"), talk, rule.where)
    if rule.applies.unless_left_mid_turn:
        due = due.join(_left_mid_turn(talk.turns), on="conversation_id", how="anti")
    unit = ["conversation_id"] if rule.where else ["conversation_id", "agent"]
    owner = pl.col("agent").last() if rule.where and rule.where.last else pl.col("agent").first()
    moments = (
        due.sort("i")
        .with_columns(is_met=pl.col("i").is_in(said_it.implode()))
        .group_by(unit, maintain_order=True)
        .agg(*([owner] if rule.where else []), pl.col("is_met").any())
        .with_columns(rule_id=pl.lit(rule.id))
    )
    missing = moments.filter(~pl.col("is_met")).with_columns(
        finding_id=pl.format("{}#:{}@{}", "conversation_id", "rule_id", pl.col("agent").fill_null("")),
        **{name: pl.lit(None) for name in ("seq", "start", "end", "quote")},
    )
    return Inspection(frames.of(frames.Finding, missing), frames.of(frames.Moment, moments))


DETECTORS: dict[str, Callable[[Talk, Rule], Inspection]] = {"phrase": phrase, "absent": absent}


def listen(messages: pl.DataFrame, turns: pl.DataFrame, rules: Mapping[str, Rule]) -> Talk:
    """The messages in order with their speakers, and all phrase occurrences from one pass over the distinct texts."""
    who = pl.when(frames.is_effective()).then(pl.lit("agent")).when(frames.is_asking()).then(pl.lit("customer"))
    said = (
        messages.select("conversation_id", "seq", "agent", "text", "content_kind", who=who)
        .filter(pl.col("who").is_not_null())
        .sort("conversation_id", "seq")
        .with_columns(agent=pl.when(pl.col("who") == "agent").then("agent"), talk=pl.col("conversation_id").rle_id())
        .filter(~(pl.struct("talk", "seq") == pl.struct("talk", "seq").shift()).fill_null(False))
        .with_row_index("i")
    )
    nth = pl.int_range(1, pl.len() + 1).over("talk", "who")
    asked = pl.when(pl.col("who") == "customer").then("text").forward_fill().over("talk")
    said = said.with_columns(nth=nth, nth_last=pl.len().over("talk", "who") - nth + 1, asked=asked)
    texts = said.filter(pl.col("content_kind").is_in(SPOKEN)).select("text").unique().with_row_index("text_id")
    places = occurrences(texts["text"], list(rules.values()))
    spoken = places.join(texts, on="text_id").join(
        said.filter(pl.col("content_kind").is_in(SPOKEN)).drop("content_kind"), on="text"
    )
    return Talk(said, turns, spoken, rules)


def _within(rows: pl.DataFrame, talk: Talk, where: Where | None) -> pl.DataFrame:
    """The rows of `said` or `spoken` that stand where the rule looks."""
    if where is None:
        return rows
    if where.after is not None:
        return _after(rows, talk, talk.rules[where.after], where.turns or 1)
    return rows.filter(pl.col("nth") <= where.first if where.first else pl.col("nth_last") <= where.last)


def _after(rows: pl.DataFrame, talk: Talk, trigger: Rule, n_turns: int) -> pl.DataFrame:
    """The rows after the first finding of `trigger` in their conversation, in its turn or the n−1 next ones."""
    first = phrase(talk, trigger).findings.group_by("conversation_id").agg(pl.col("seq").min())
    first = _with_turn(first.sort("seq"), talk.turns)
    later = rows.join(first.select("conversation_id", since="seq", from_turn="turn"), on="conversation_id")
    later = _with_turn(later.filter(pl.col("seq") > pl.col("since")).sort("seq"), talk.turns)
    near = pl.col("turn") < pl.col("from_turn") + n_turns
    return later.filter(near).select(rows.columns).sort("i")


def _with_turn(rows: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """Rows in order of seq, with the turn they belong to: the last one asked up to them; 0 before the first."""
    asked = turns.select("conversation_id", "turn", seq="asked_seq").sort("seq")
    joined = rows.join_asof(asked, on="seq", by="conversation_id", check_sortedness=False)
    return joined.with_columns(pl.col("turn").fill_null(0))


def _left_mid_turn(turns: pl.DataFrame) -> pl.DataFrame:
    """Conversations whose last turn stands unanswered, though it asked for a reply (thanks at the end do not)."""
    last = turns.sort("turn").group_by("conversation_id").last()
    return last.filter(~pl.col("is_answered") & pl.col("needs_reply").fill_null(True)).select("conversation_id")


def _own_words(hits: pl.DataFrame) -> pl.DataFrame:
    """The hits whose clause does not merely repeat the customer's last bubble before it."""
    hits = hits.with_columns(fold(hits["asked"]))
    echo = pl.col("asked").str.contains(pl.col("clause"), literal=True) & (pl.col("clause").str.len_chars() >= _ECHO)
    return hits.filter(~echo.fill_null(False))


def _settled(findings: pl.DataFrame, rules: Mapping[str, Rule]) -> pl.DataFrame:
    """One finding a spot and category: of overlapping ones the most severe stays, then the longest, then the first."""
    ranks = [(r.id, r.category, SEVERITIES.index(r.severity)) for r in rules.values()]
    schema = {"rule_id": pl.String, "category": pl.String, "severity": pl.Int32}
    spot = ["conversation_id", "seq", "category"]
    ranked = findings.join(pl.DataFrame(ranks, schema=schema, orient="row"), on="rule_id")
    crowded = (pl.len().over(spot) > 1) & pl.col("seq").is_not_null()
    length = pl.col("end") - pl.col("start")
    contested = ranked.filter(crowded).sort(
        *spot, "severity", length, "start", "rule_id", descending=[False] * 3 + [True] * 2 + [False] * 2
    )
    kept = ranked.filter(~crowded).select(findings.columns)
    return pl.concat([kept, contested.filter(_free(contested, spot)).select(findings.columns)])


def _free(rows: pl.DataFrame, spot: list[str]) -> pl.Series:
    """Of rows in order of preference, those that overlap no preferred one of their group."""
    taken: dict[tuple[object, ...], list[tuple[int, int]]] = {}
    free = []
    for *group, start, end in rows.select(*spot, "start", "end").iter_rows():
        spans = taken.setdefault(tuple(group), [])
        free.append(all(end <= a or z <= start for a, z in spans))
        if free[-1]:
            spans.append((start, end))
    return pl.Series(free, dtype=pl.Boolean)
