"""Rules on talks: messages in, findings and moments out. `phrase` finds what was said, `absent` what was not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from qc import frames
from qc.conditions import leaves
from qc.phrases import Leaf, sought_by, spans
from qc.places import PLACE, Beside, Talk, places, spoken_at
from qc.quotation import echoes, own
from qc.rule import EVENTS, SEVERITIES, Rule
from qc.rulebook import Pack, disguises_of, in_order, references, rules_of
from qc.where import within

# What a person wrote or said; the text of a card or a picture is the platform's.
SPOKEN = ("text", "voice")


# What a rule finds, with the number of the talk (and of the bubble: `Talk.said`), by which rows are joined and sorted.
FOUND: frames.Noun = frames.Finding | {"talk": pl.UInt32, "i": pl.UInt32}
DUE: frames.Noun = frames.Moment | {"talk": pl.UInt32}


class Inspection(NamedTuple):
    """What was found, and which required moments applied."""

    findings: pl.DataFrame  # frames.Finding
    moments: pl.DataFrame  # frames.Moment


NOTHING = Inspection(frames.empty(FOUND), frames.empty(DUE))


def inspect(
    messages: pl.DataFrame, turns: pl.DataFrame, packs: Sequence[Pack], beside: Beside = Beside()
) -> Inspection:
    """frames.Message, frames.Turn, packs -> Inspection(frames.Finding, frames.Moment), in a fixed order.

    Effective messages are inspected for rules of the agent, the customer's for rules of the customer. A rule that asks
    for what is not there finds nothing; `unasked` says which and why.
    """
    talk = listen(messages, turns, packs, beside)
    found = run(talk)
    findings = pl.concat([NOTHING.findings, *(f for one in found.values() if (f := one.findings).height)])
    moments = pl.concat([NOTHING.moments, *(m for one in found.values() if (m := one.moments).height)])
    names = talk.said["conversation_id"].filter(talk.said["talk"].diff().fill_null(1) > 0)
    findings, moments = (rows.with_columns(talk=names.rank("dense")[rows["talk"]]) for rows in (findings, moments))
    findings = _settled(frames.in_order_of(findings, "talk", "seq", "start", "rule_id", "agent"), talk.rules)
    moments = frames.in_order_of(moments, "talk", "rule_id", "agent")
    return Inspection(frames.of(frames.Finding, findings), frames.of(frames.Moment, moments))


def run(talk: Talk) -> dict[str, Inspection]:
    """What each rule that can be asked finds by itself; a rule comes after those that it looks to."""
    found: dict[str, Inspection] = {}
    silent = unasked(talk.rules, talk.messages, talk.beside)
    for rule in in_order(talk.rules):
        if rule.id not in silent:
            found[rule.id] = DETECTORS[rule.by](talk, rule)
            talk.findings[rule.id] = found[rule.id].findings
    return found


def unasked(rules: Mapping[str, Rule], messages: pl.DataFrame, beside: Beside) -> dict[str, str]:
    """rule_id → why it does not apply: it asks for what is not there, or looks to a rule that does."""
    is_timed = messages["sent_at"].is_not_null().any()
    lacking = {
        "no_orders": beside.orders is None,
        "no_cases": beside.cases is None,
        "no_sentiment": beside.sentiment is None,
        "no_times": not is_timed,
    }
    reasons: dict[str, str] = {}
    for rule in in_order(rules):
        looked_to = [reasons[at] for _, at in references(rule) if at in reasons] if reasons else []
        if why := [need for need in needs(rule) if lacking[need]] + looked_to:
            reasons[rule.id] = why[0]
    return reasons


def needs(rule: Rule) -> list[str]:
    """What a rule asks for besides the chat, as the reason codes of its lack."""
    kinds = {key for _, key, _ in leaves(rule, "")}
    filters = rule.where.filters() if rule.where else {}
    is_ordered = "order" in filters or any(at in EVENTS for _, at in references(rule))
    wanted = {
        "no_orders": is_ordered, "no_cases": bool({"phase", "topic", "customer"} & set(filters)),
        "no_sentiment": "sentiment" in kinds, "no_times": "slow" in kinds or is_ordered,
    }  # fmt: skip
    return [reason for reason, is_wanted in wanted.items() if is_wanted]


def phrase(talk: Talk, rule: Rule) -> Inspection:
    """Each place where the rule's condition holds, where the rule looks."""
    found = places(talk, rule, rule)
    if found.is_empty():
        return NOTHING
    hits = spoken_at(talk, found).filter(pl.col("who") == rule.who)
    findings = within(hits, talk, rule.where).with_columns(
        finding_id=pl.format("{}#{}:{}@{}", "conversation_id", "seq", pl.lit(rule.id), "start"),
        rule_id=pl.lit(rule.id),
        quote=pl.col("text").str.slice("start", pl.col("end") - pl.col("start")),
    )
    return Inspection(frames.of(FOUND, findings), NOTHING.moments)


def absent(talk: Talk, rule: Rule) -> Inspection:
    """The moments at which something is due, and a finding without a place where it was not said.

    Due of: each agent over their own messages (anywhere), who opened (first), who closed (last), or who spoke first
    near the other rule's finding (after, before, around).
    """
    is_said = np.zeros(talk.said.height, np.bool_)
    is_said[places(talk, rule, rule)["i"].to_numpy()] = True
    due = within(talk.said.drop("text", "asked").filter(pl.col("who") == "agent"), talk, rule.where)
    if rule.applies.unless_left_mid_turn:
        due = due.join(_left_mid_turn(talk.turns), on="conversation_id", how="anti", maintain_order="left")
    is_one = rule.where is not None and bool(rule.where.first or rule.where.last or rule.where.anchor)
    owner = pl.col("agent").last() if rule.where and rule.where.last else pl.col("agent").first()
    moments = (
        _stretches(due.select("conversation_id", "agent", "talk", is_met=pl.Series(is_said[due["i"].to_numpy()])))
        .group_by(["talk"] if is_one else ["talk", "agent"])
        .agg(pl.col("conversation_id").first(), *([owner] if is_one else []), pl.col("is_met").any())
        .with_columns(rule_id=pl.lit(rule.id))
    )
    missing = moments.filter(~pl.col("is_met")).with_columns(
        finding_id=pl.format("{}#:{}@{}", "conversation_id", "rule_id", pl.col("agent").fill_null("")),
        **{name: pl.lit(None) for name in ("seq", "start", "end", "quote", "i")},
    )
    return Inspection(frames.of(FOUND, missing), frames.of(DUE, moments))


def _stretches(due: pl.DataFrame) -> pl.DataFrame:
    """Messages in their order -> one row for as long as one agent speaks: few enough to be grouped by name."""
    is_new = (pl.col("talk") != pl.col("talk").shift()) | pl.col("agent").ne_missing(pl.col("agent").shift())
    begin = np.flatnonzero(due.select(is_new.fill_null(True)).to_series().to_numpy())
    is_met = np.logical_or.reduceat(due["is_met"].to_numpy(), begin) if begin.size else np.zeros(0, np.bool_)
    return due[begin].with_columns(is_met=pl.Series(is_met, dtype=pl.Boolean))


DETECTORS: dict[str, Callable[[Talk, Rule], Inspection]] = {"phrase": phrase, "absent": absent}


def listen(messages: pl.DataFrame, turns: pl.DataFrame, packs: Sequence[Pack], beside: Beside = Beside()) -> Talk:
    """The messages in order with their speakers, and all words and patterns from one pass over the distinct texts."""
    who = pl.when(frames.is_effective()).then(pl.lit("agent")).when(frames.is_asking()).then(pl.lit("customer"))
    is_spoken = pl.col("content_kind").is_in(SPOKEN)
    said = _arranged(
        messages.select("conversation_id", "seq", "agent", "text", is_spoken=is_spoken, who=who).filter(
            pl.col("who").is_not_null()
        )
    )
    said = (
        said.with_columns(
            agent=pl.when(pl.col("who") == "agent").then("agent"), talk=pl.col("conversation_id").rle_id()
        )
        .filter(~(pl.struct("talk", "seq") == pl.struct("talk", "seq").shift()).fill_null(False))
        .with_row_index("i")
    )
    asked = pl.when(pl.col("who") == "customer").then("text").forward_fill().over("talk")
    said = said.with_columns(*_numbered(said), asked=asked, long=pl.col("text").str.len_chars().cast(pl.Int32))
    rules = rules_of(packs)
    return Talk(said, messages, turns, _heard(said, rules, disguises_of(packs)), rules, beside, {})


def _arranged(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows talk by talk, each in the order of `seq`; they mostly come so, and looking is cheaper than sorting."""
    talk, seq = pl.col("conversation_id"), pl.col("seq")
    is_first = (talk != talk.shift()).fill_null(True)
    begins = rows.select(talk.filter(is_first)).to_series()
    is_rising = rows.select((is_first | (seq >= seq.shift())).all()).item()
    return rows if is_rising and begins.n_unique() == len(begins) else rows.sort("conversation_id", "seq")


def _numbered(said: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """(nth, nth_last): which message of its speaker's side in its talk each one is, from the start and from the end."""
    talk, is_agent = said["talk"].to_numpy().astype(np.int32), (said["who"] == "agent").to_numpy()
    begin = np.flatnonzero(np.diff(talk, prepend=-1))
    size = np.diff(begin, append=talk.size)
    agents = np.append(np.int32(0), np.cumsum(is_agent, dtype=np.int32))
    before, of_agents = agents[begin][talk], (agents[begin + size] - agents[begin])[talk]
    nth_of_agents = agents[1:] - before
    nth = np.where(is_agent, nth_of_agents, np.arange(talk.size) - begin[talk] + 1 - nth_of_agents)
    last = np.where(is_agent, of_agents, size[talk] - of_agents) - nth + 1
    return pl.Series("nth", nth, dtype=pl.Int64), pl.Series("nth_last", last, dtype=pl.Int64)


def _heard(
    said: pl.DataFrame, rules: Mapping[str, Rule], disguises: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str], pl.DataFrame]:
    """(rule_id, leaf) → places of its words: the speaker's own ones; an absent rule is content with a quotation."""
    found: dict[tuple[str, str], pl.DataFrame] = {}
    for who in ("agent", "customer"):
        if not (sought := sought_by([rule for rule in rules.values() if rule.who == who])):
            continue
        spoken = said.filter(pl.col("is_spoken") & (pl.col("who") == who))
        for leaf, part in _places_of(spoken, sought, disguises, is_claimed=who == "agent").items():
            found[sought[leaf].rule.id, sought[leaf].path] = part
    return found


def _places_of(
    spoken: pl.DataFrame, sought: Sequence[Leaf], disguises: Mapping[str, Sequence[str]], *, is_claimed: bool
) -> dict[int, pl.DataFrame]:
    """leaf → PLACE in the bubbles of one speaker; what is claimed is held against them, so it is no echo either."""
    texts = spoken.group_by("text").agg("i", "asked")
    places = spans(texts["text"], sought, disguises)
    absent = pl.col("leaf").is_in([leaf.leaf for leaf in sought if leaf.rule.by == "absent"])
    said = own(places.filter(~absent), texts["text"])
    at = said["text_id"]
    said = said.with_columns(texts["i"][at], texts["asked"][at]).explode("i", "asked")
    if is_claimed:
        said = said.filter(~echoes(said))
    any_said = places.filter(absent).select("leaf", "start", "end", i=texts["i"][places.filter(absent)["text_id"]])
    every = pl.concat([said.select("leaf", "start", "end", "i"), any_said.explode("i")]).with_columns(is_whole=False)
    every = every.select("leaf", *PLACE)
    return {int(leaf): part.drop("leaf") for (leaf,), part in every.partition_by("leaf", as_dict=True).items()}


def _left_mid_turn(turns: pl.DataFrame) -> pl.DataFrame:
    """Conversations whose last turn stands unanswered, though it asked for a reply (thanks at the end do not)."""
    last = turns.sort("turn").group_by("conversation_id").last()
    return last.filter(~pl.col("is_answered") & pl.col("needs_reply").fill_null(True)).select("conversation_id")


def _settled(findings: pl.DataFrame, rules: Mapping[str, Rule]) -> pl.DataFrame:
    """Of findings in order, one a spot and category: of overlapping ones the most severe stays, then the longest, then the first."""
    ranks = [(r.id, r.category, SEVERITIES.index(r.severity)) for r in rules.values()]
    schema = {"rule_id": pl.String, "category": pl.String, "severity": pl.Int32}
    spot = ["talk", "seq", "category"]
    here = pl.struct("talk", "seq")
    near = ((here == here.shift()) | (here == here.shift(-1))).fill_null(False) & pl.col("seq").is_not_null()
    rows = findings.select("talk", "seq", "start", "end", "rule_id").with_row_index("row").filter(near)
    rows = rows.join(pl.DataFrame(ranks, schema=schema, orient="row"), on="rule_id").sort(*spot, "start")
    is_over = (pl.col("start") < pl.col("end").shift()).any().over(spot)
    length = pl.col("end") - pl.col("start")
    contested = rows.filter(is_over).sort(
        *spot, "severity", length, "start", "rule_id", descending=[False] * 3 + [True] * 2 + [False] * 2
    )
    lost = contested.filter(~_free(contested, spot))["row"]
    return findings.filter(pl.repeat(True, findings.height, eager=True).scatter(lost, False))


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
