"""Rules on talks: messages in, findings and moments out. `phrase` finds what was said, `absent` what was not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

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


class Inspection(NamedTuple):
    """What was found, and which required moments applied."""

    findings: pl.DataFrame  # frames.Finding
    moments: pl.DataFrame  # frames.Moment


def inspect(
    messages: pl.DataFrame, turns: pl.DataFrame, packs: Sequence[Pack], beside: Beside = Beside()
) -> Inspection:
    """frames.Message, frames.Turn, packs -> Inspection(frames.Finding, frames.Moment), in a fixed order.

    Effective messages are inspected for rules of the agent, the customer's for rules of the customer. A rule that asks
    for what is not there finds nothing; `unasked` says which and why.
    """
    talk = listen(messages, turns, packs, beside)
    found = run(talk)
    findings = pl.concat([frames.empty(frames.Finding), *(one.findings for one in found.values())])
    moments = pl.concat([frames.empty(frames.Moment), *(one.moments for one in found.values())])
    return Inspection(
        _settled(findings, talk.rules).sort("conversation_id", "seq", "start", "rule_id", "finding_id"),
        moments.sort("conversation_id", "rule_id", "agent"),
    )


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
        looked_to = [reasons[at] for _, at in references(rule) if at in reasons]
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
        return Inspection(frames.empty(frames.Finding), frames.empty(frames.Moment))
    hits = spoken_at(talk, found).filter(pl.col("who") == rule.who)
    findings = within(hits, talk, rule.where).with_columns(
        finding_id=pl.format("{}#{}:{}@{}", "conversation_id", "seq", pl.lit(rule.id), "start"),
        rule_id=pl.lit(rule.id),
        quote=pl.col("text").str.slice("start", pl.col("end") - pl.col("start")),
    )
    return Inspection(frames.of(frames.Finding, findings), frames.empty(frames.Moment))


def absent(talk: Talk, rule: Rule) -> Inspection:
    """The moments at which something is due, and a finding without a place where it was not said.

    Due of: each agent over their own messages (anywhere), who opened (first), who closed (last), or who spoke first
    near the other rule's finding (after, before, around).
    """
    said_it = places(talk, rule, rule)["i"].unique()
    due = within(talk.said.filter(pl.col("who") == "agent"), talk, rule.where)
    if rule.applies.unless_left_mid_turn:
        due = due.join(_left_mid_turn(talk.turns), on="conversation_id", how="anti")
    is_one = rule.where is not None and bool(rule.where.first or rule.where.last or rule.where.anchor)
    unit = ["conversation_id"] if is_one else ["conversation_id", "agent"]
    owner = pl.col("agent").last() if rule.where and rule.where.last else pl.col("agent").first()
    moments = (
        due.sort("i")
        .with_columns(is_met=pl.col("i").is_in(said_it.implode()))
        .group_by(unit, maintain_order=True)
        .agg(*([owner] if is_one else []), pl.col("is_met").any())
        .with_columns(rule_id=pl.lit(rule.id))
    )
    missing = moments.filter(~pl.col("is_met")).with_columns(
        finding_id=pl.format("{}#:{}@{}", "conversation_id", "rule_id", pl.col("agent").fill_null("")),
        **{name: pl.lit(None) for name in ("seq", "start", "end", "quote")},
    )
    return Inspection(frames.of(frames.Finding, missing), frames.of(frames.Moment, moments))


DETECTORS: dict[str, Callable[[Talk, Rule], Inspection]] = {"phrase": phrase, "absent": absent}


def listen(messages: pl.DataFrame, turns: pl.DataFrame, packs: Sequence[Pack], beside: Beside = Beside()) -> Talk:
    """The messages in order with their speakers, and all words and patterns from one pass over the distinct texts."""
    who = pl.when(frames.is_effective()).then(pl.lit("agent")).when(frames.is_asking()).then(pl.lit("customer"))
    is_spoken = pl.col("content_kind").is_in(SPOKEN)
    said = (
        messages.select("conversation_id", "seq", "agent", "text", is_spoken=is_spoken, who=who)
        .filter(pl.col("who").is_not_null())
        .sort("conversation_id", "seq")
        .with_columns(agent=pl.when(pl.col("who") == "agent").then("agent"), talk=pl.col("conversation_id").rle_id())
        .filter(~(pl.struct("talk", "seq") == pl.struct("talk", "seq").shift()).fill_null(False))
        .with_row_index("i")
    )
    nth = pl.int_range(1, pl.len() + 1).over("talk", "who")
    asked = pl.when(pl.col("who") == "customer").then("text").forward_fill().over("talk")
    said = said.with_columns(nth=nth, nth_last=pl.len().over("talk", "who") - nth + 1, asked=asked)
    rules = rules_of(packs)
    return Talk(said, messages, turns, _heard(said, rules, disguises_of(packs)), rules, beside, {})


def _heard(
    said: pl.DataFrame, rules: Mapping[str, Rule], disguises: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str], pl.DataFrame]:
    """(rule_id, leaf) → places of its words: the speaker's own ones; an absent rule is content with a quotation."""
    found: dict[tuple[str, str], pl.DataFrame] = {}
    for who in ("agent", "customer"):
        sought = sought_by([rule for rule in rules.values() if rule.who == who])
        spoken = said.filter(pl.col("is_spoken") & (pl.col("who") == who))
        for leaf, part in _places_of(spoken, sought, disguises, is_claimed=who == "agent").items():
            found[sought[leaf].rule.id, sought[leaf].path] = part
    return found


def _places_of(
    spoken: pl.DataFrame, sought: Sequence[Leaf], disguises: Mapping[str, Sequence[str]], *, is_claimed: bool
) -> dict[int, pl.DataFrame]:
    """leaf → PLACE in the bubbles of one speaker; what is claimed is held against them, so it is no echo either."""
    texts = spoken.group_by("text").agg("i")
    places = spans(texts["text"], sought, disguises)
    absent = pl.col("leaf").is_in([leaf.leaf for leaf in sought if leaf.rule.by == "absent"])
    claimed = own(places.filter(~absent), texts["text"])
    hits = [_said_at(claimed, texts), _said_at(places.filter(absent), texts)]
    if is_claimed:
        by_row = pl.DataFrame({"row": spoken["i"]}).with_row_index("n")
        at = hits[0].select(row="i").join(by_row, on="row", how="left", maintain_order="left")["n"]
        hits[0] = hits[0].filter(~echoes(pl.concat([hits[0], spoken.select("text", "asked")[at]], how="horizontal")))
    every = pl.concat(hits).select("leaf", *PLACE)
    return {int(leaf): part.drop("leaf") for (leaf,), part in every.partition_by("leaf", as_dict=True).items()}


def _said_at(places: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Places in distinct texts → places in every bubble with that text."""
    bubbles = texts["i"][places["text_id"]]
    rows = places.select("leaf", "start", "end", is_whole=pl.lit(False)).with_columns(i=bubbles)
    return rows.explode("i").cast({"i": PLACE["i"]})


def _left_mid_turn(turns: pl.DataFrame) -> pl.DataFrame:
    """Conversations whose last turn stands unanswered, though it asked for a reply (thanks at the end do not)."""
    last = turns.sort("turn").group_by("conversation_id").last()
    return last.filter(~pl.col("is_answered") & pl.col("needs_reply").fill_null(True)).select("conversation_id")


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
