"""Rules on talks: messages in, findings and moments out. `phrase` finds what was said, `absent` what was not.

Bubbles, talks, agents and rules go by their numbers until everything is found and in order; names and quotes come last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from qc import frames
from qc.conditions import leaves, only_words
from qc.listening import listen
from qc.places import Beside, Talk, places
from qc.rule import EVENTS, SEVERITIES, Rule
from qc.rulebook import Pack, in_order, references
from qc.where import looked_at

# Where a rule found something: characters of a bubble.
FOUND: frames.Noun = {"i": pl.UInt32, "start": pl.Int32, "end": pl.Int32}
# When an absent rule applies: a bubble that names the talk and the agent it is asked of, and whether it was said.
DUE: frames.Noun = {"i": pl.UInt32, "is_met": pl.Boolean}


class Inspection(NamedTuple):
    """What was found, and which required moments applied."""

    findings: pl.DataFrame  # frames.Finding
    moments: pl.DataFrame  # frames.Moment


class Found(NamedTuple):
    """What one rule finds."""

    said: pl.DataFrame  # FOUND
    due: pl.DataFrame  # DUE


NOTHING = Found(frames.empty(FOUND), frames.empty(DUE))


def inspect(
    messages: pl.DataFrame, turns: pl.DataFrame, packs: Sequence[Pack], beside: Beside = Beside()
) -> Inspection:
    """frames.Message, frames.Turn, packs -> Inspection(frames.Finding, frames.Moment), in a fixed order.

    Effective messages are inspected for rules of the agent, the customer's for rules of the customer. A rule that asks
    for what is not there finds nothing; `unasked` says which and why.
    """
    talk = listen(messages, turns, packs, beside)
    found, rules = run(talk), [talk.rules[rule_id] for rule_id in sorted(talk.rules)]
    numbered = [(n, found[rule.id]) for n, rule in enumerate(rules) if rule.id in found]
    said = pl.concat([_by(0, NOTHING.said), *(_by(n, one.said) for n, one in numbered if one.said.height)])
    due = pl.concat([_by(0, NOTHING.due), *(_by(n, one.due) for n, one in numbered if one.due.height)])
    names, here = pl.Series([rule.id for rule in rules], dtype=pl.String), _in_order_of_names(talk)
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        moments = threads.submit(_moments, talk, names, here, due)
        findings = _findings(talk, names, here, _settled(said, rules), due.filter(~pl.col("is_met")))
        return Inspection(findings, moments.result())


def _by(rule: int, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(rule=pl.lit(rule, pl.UInt16))


def run(talk: Talk) -> dict[str, Found]:
    """What each rule that can be asked finds by itself; a rule comes after those that it looks to."""
    found: dict[str, Found] = {}
    silent = unasked(talk.rules, talk.messages, talk.beside)
    for rule in in_order(talk.rules):
        if rule.id not in silent:
            found[rule.id] = DETECTORS[rule.by](talk, rule)
            talk.findings[rule.id] = found[rule.id].said
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


def phrase(talk: Talk, rule: Rule) -> Found:
    """Each place where the rule's condition holds, where the rule looks."""
    found = places(talk, rule, rule)
    if found.is_empty():
        return NOTHING
    found = found.select(*FOUND)
    if rule.where is None and only_words(rule):  # they stand where its speaker said them
        return Found(found, NOTHING.due)
    i = found["i"].to_numpy()
    is_there = talk.said["is_agent"].to_numpy()[i] == (rule.who == "agent")
    if rule.where:
        is_there &= looked_at(talk, rule.where)[i]
    return Found(found if is_there.all() else found.filter(pl.Series(is_there)), NOTHING.due)


def absent(talk: Talk, rule: Rule) -> Found:
    """The moments at which something is due, and whether it was said.

    Due of: each agent over their own messages (anywhere), who opened (first), who closed (last), or who spoke first
    near the other rule's finding (after, before, around).
    """
    is_said = np.zeros(talk.said.height, np.bool_)
    is_said[places(talk, rule, rule)["i"].to_numpy()] = True
    is_due = talk.said["is_agent"].to_numpy() & looked_at(talk, rule.where)
    if rule.applies.unless_left_mid_turn:
        is_due &= ~_is_left(talk)
    at = np.flatnonzero(is_due)
    where = rule.where
    if where and (where.first or where.last or where.anchor):
        begin = np.flatnonzero(np.diff(talk.said["talk"].to_numpy()[at], prepend=-1))
        owner = at[np.append(begin[1:], at.size)[: begin.size] - 1 if where.last else begin]
        is_met = np.logical_or.reduceat(is_said[at], begin) if begin.size else is_said[at]
    else:
        speaker = talk.said["speaker"].to_numpy()[at]
        is_owner, has_said = np.zeros((2, talk.said.height), np.bool_)
        is_owner[speaker], has_said[speaker[is_said[at]]] = True, True
        owner = np.flatnonzero(is_owner)
        is_met = has_said[owner]
    return Found(NOTHING.said, pl.DataFrame({"i": owner, "is_met": is_met}, schema=DUE))


DETECTORS: dict[str, Callable[[Talk, Rule], Found]] = {"phrase": phrase, "absent": absent}


def _is_left(talk: Talk) -> npt.NDArray[np.bool_]:
    """By bubble, whether the last turn of its talk stands unanswered though it asked for a reply (thanks at the end do not)."""
    last = talk.turns.filter(talk.turns["talk"].diff(null_behavior="ignore").shift(-1).fill_null(1) > 0)
    is_left = np.zeros(talk.begin.size, np.bool_)
    is_left[last.filter(~pl.col("is_answered") & pl.col("needs_reply").fill_null(True))["talk"].to_numpy()] = True
    return np.asarray(is_left[talk.said["talk"].to_numpy()])


def _settled(found: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """(i, start, end, rule) -> one a spot and category: of overlapping ones the most severe stays, then the longest, then the first."""
    rows = frames.in_order_of(found, "i", "start", "rule").with_row_index("row")
    categories = {category: n for n, category in enumerate(sorted({rule.category for rule in rules}))}
    is_near = rows["i"].is_duplicated()
    near = rows.filter(is_near)
    of = near["rule"].to_numpy()
    near = near.with_columns(
        spot=near["i"].cast(pl.Int64) * len(categories)
        + pl.Series([categories[rule.category] for rule in rules], dtype=pl.Int64)[of],
        severity=pl.Series([SEVERITIES.index(rule.severity) for rule in rules], dtype=pl.Int32)[of],
    )
    near = frames.in_order_of(near, "spot", "start")
    is_over = (near["spot"] == near["spot"].shift()) & (near["start"] < near["end"].shift())
    contested = near.filter(near["spot"].is_in(near["spot"].filter(is_over.fill_null(False)).unique().implode()))
    lost = _lost(contested.sort(
        "spot", "severity", pl.col("end") - pl.col("start"), "start", "rule", descending=[False, True, True, False, False]
    ))  # fmt: skip
    return rows.filter(pl.repeat(True, rows.height, eager=True).scatter(lost, False)).drop("row")


def _lost(rows: pl.DataFrame) -> pl.Series:
    """Of rows in order of preference, spot by spot, the `row` of those that overlap a preferred one that stays."""
    lost = [rows["row"].clear()]
    while rows.height:
        is_best = (pl.col("spot") != pl.col("spot").shift()).fill_null(True)
        best = [pl.when(is_best).then(name).forward_fill().alias(f"best_{name}") for name in ("start", "end")]
        rows = rows.select("row", "spot", "start", "end").with_columns(*best, is_best=is_best)
        is_over = (pl.col("start") < pl.col("best_end")) & (pl.col("best_start") < pl.col("end"))
        lost.append(rows.filter(is_over & ~pl.col("is_best"))["row"])
        rows = rows.filter(~is_over & ~pl.col("is_best"))
    return pl.concat(lost)


def _moments(talk: Talk, names: pl.Series, here: pl.Series, due: pl.DataFrame) -> pl.DataFrame:
    """DUE with its rule -> frames.Moment, in order of (conversation, rule, agent); `here`: the bubbles' places in that order."""
    rows = talk.said["talk", "agent"][due["i"]].with_columns(due["is_met"], due["rule"])
    rows = rows.with_columns(here=here[talk.begin[rows["talk"]]])
    rows = frames.in_order_of(rows, "here", "rule", "agent")
    named = _called(talk, names, rows).with_columns(rows["is_met"])
    return frames.of(frames.Moment, named)


def _findings(talk: Talk, names: pl.Series, here: pl.Series, said: pl.DataFrame, missing: pl.DataFrame) -> pl.DataFrame:
    """FOUND and DUE that was not met, with their rules -> frames.Finding, in order of (conversation, seq, start, rule, agent).

    What is absent has no place in its talk and comes first.
    """
    numbers = talk.said.select("talk", "agent", "seq")
    found = numbers[said["i"]].with_columns(said, here=here[said["i"]])
    lacking = numbers[missing["i"]].with_columns(missing.select("i", "rule"), seq=None, start=None, end=None)
    lacking = lacking.with_columns(here=here[talk.begin[lacking["talk"]]])
    rows = pl.concat([found, frames.of(dict(found.schema), lacking)])
    rows = frames.in_order_of(rows, "here", "start", "rule", "agent")
    findings = _called(talk, names, rows).with_columns(
        rows.select("seq", "start", "end"), text=talk.said["text"][rows["i"]]
    )
    place = pl.coalesce(pl.col("start").cast(pl.String), "agent", pl.lit(""))
    seq = pl.col("seq").cast(pl.String).fill_null("")
    findings = findings.with_columns(
        quote=pl.col("text").str.slice("start", pl.col("end") - pl.col("start")),
        finding_id=pl.format("{}#{}:{}@{}", "conversation_id", seq, "rule_id", place),
    )
    return frames.of(frames.Finding, findings)


def _called(talk: Talk, names: pl.Series, rows: pl.DataFrame) -> pl.DataFrame:
    """The names of (talk, agent, rule)."""
    talks = talk.said["conversation_id"][talk.begin]
    return pl.DataFrame({
        "conversation_id": talks[rows["talk"]], "agent": talk.agents[rows["agent"]], "rule_id": names[rows["rule"]]
    })  # fmt: skip


def _in_order_of_names(talk: Talk) -> pl.Series:
    """The place of each bubble when the talks are ordered by their names."""
    size = np.diff(talk.begin, append=talk.said.height)
    order = talk.said["conversation_id"][talk.begin].arg_sort().to_numpy()
    since = np.empty_like(talk.begin)
    since[order] = np.cumsum(size[order]) - size[order]
    return pl.Series(np.arange(talk.said.height) + (since - talk.begin)[talk.said["talk"].to_numpy()])
