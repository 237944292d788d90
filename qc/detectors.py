"""Rules on talks: messages in, findings and moments out. `phrase` finds what was said, `absent` what was not.

Bubbles, talks, agents and rules go by their numbers until everything is found and in order; names and quotes come last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import polars as pl

from qc import frames
from qc.characters import as_series, as_texts, strung
from qc.compiled import Bools, Integers, Ints, Small, compiled
from qc.conditions import only_words
from qc.listening import listen
from qc.places import PLACE, Beside, Talk, places
from qc.rows import marked
from qc.rule import SEVERITIES, Rule
from qc.rulebook import Pack
from qc.where import looked_at

# When an absent rule applies: a bubble that names the talk and the agent it is asked of, and whether it was said.
DUE: frames.Noun = {"i": pl.UInt32, "is_met": pl.Boolean}


class Inspection(NamedTuple):
    """What was found, and which required moments applied."""

    findings: pl.DataFrame  # frames.Finding
    moments: pl.DataFrame  # frames.Moment


def inspect(
    messages: pl.DataFrame, turns: pl.DataFrame, packs: Sequence[Pack], beside: Beside = Beside()
) -> Inspection:
    """frames.Message, frames.Turn, packs -> Inspection(frames.Finding, frames.Moment), in a fixed order.

    Effective messages are inspected for rules of the agent, the customer's for rules of the customer. A rule that asks
    for what is not there finds nothing; `needs.unasked` says which and why.
    """
    talk = listen(messages, turns, packs, beside)
    rules = [talk.rules[rule_id] for rule_id in sorted(talk.rules)]
    names, rank = pl.Series([rule.id for rule in rules], dtype=pl.String), _rank_of_names(talk)
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        said = _by_number(told(talk), rules, PLACE).drop("is_whole")
        due = threads.submit(lambda: _by_number(missed(talk), rules, DUE))
        moments = threads.submit(lambda: _moments(talk, names, rank, due.result()))
        rows = _in_order(talk, rank, _settled(said, rules), due.result().filter(~pl.col("is_met")))
        ids = threads.submit(_ids, talk, names, rows)
        findings = _called(talk, names, rows).with_columns(*rows["seq", "start", "end"], _quotes(talk, rows))
        findings = frames.of(frames.Finding, findings.with_columns(finding_id=ids.result()))
        return Inspection(findings, moments.result())


def _by_number(found: Mapping[str, pl.DataFrame], rules: Sequence[Rule], noun: frames.Noun) -> pl.DataFrame:
    """All that was found, with the number of its `rule`."""
    held = [(n, found[rule.id]) for n, rule in enumerate(rules) if rule.id in found and found[rule.id].height]
    numbered = [rows.with_columns(rule=pl.lit(n, pl.UInt16)) for n, rows in held]
    return pl.concat([frames.empty(noun | {"rule": pl.UInt16}), *numbered])


def told(talk: Talk) -> dict[str, pl.DataFrame]:
    """rule_id → PLACE of what was said, of each rule by itself; a rule comes after those that it looks to."""
    for rule in talk.askable:
        if rule.by == "phrase":
            talk.findings[rule.id] = phrase(talk, rule)
    return talk.findings


def missed(talk: Talk) -> dict[str, pl.DataFrame]:
    """rule_id → DUE of what should have been said; asked after what was said."""
    return {rule.id: absent(talk, rule) for rule in talk.askable if rule.by == "absent"}


def phrase(talk: Talk, rule: Rule) -> pl.DataFrame:
    """PLACE wherever the rule's condition holds, where the rule looks."""
    found = places(talk, rule, rule)
    if found.is_empty() or (rule.where is None and only_words(rule)):  # they stand where its speaker said them
        return found
    i = found["i"].to_numpy()
    is_there = (talk.is_agent[i] == (rule.who == "agent")) & looked_at(talk, rule.where)[i]
    return found if is_there.all() else found.filter(pl.Series(is_there))


def absent(talk: Talk, rule: Rule) -> pl.DataFrame:
    """DUE: the moments at which something is due, and whether it was said.

    Due of: each agent over their own messages (anywhere), who opened (first), who closed (last), or who spoke first
    near the other rule's finding (after, before, around).
    """
    owner: Integers
    where, n = rule.where, talk.said.height
    said, is_due = places(talk, rule, rule)["i"].to_numpy(), talk.is_agent & looked_at(talk, where)
    if where and (where.first or where.last or where.anchor):
        owner, is_met = _of_one(np.append(talk.begin, n), is_due, marked(said, n), bool(where.last))
    else:
        speaker = talk.said["speaker"].to_numpy()
        owner = np.flatnonzero(marked(speaker[is_due], n) if where else speaker == np.arange(n))
        is_met = marked(speaker[said[is_due[said]]], n)[owner]
    if rule.applies.unless_left_mid_turn:
        stays = ~_is_left(talk)[talk.said["talk"].to_numpy()[owner]]
        owner, is_met = owner[stays], is_met[stays]
    return pl.DataFrame({"i": owner, "is_met": is_met}, schema=DUE)


@compiled
def _of_one(begin: Ints, is_due: Bools, is_said: Bools, is_last: bool) -> tuple[Small, Bools]:
    """(the first or the last bubble of each talk of which it is due, whether it was said in any of those)."""
    owner, is_met, n = np.empty(begin.size, np.int32), np.zeros(begin.size, np.bool_), 0
    for talk in range(begin.size - 1):
        one = -1
        for i in range(begin[talk], begin[talk + 1]):
            if is_due[i]:
                one = i if one < 0 or is_last else one
                is_met[n] |= is_said[i]
        if one >= 0:
            owner[n] = one
            n += 1
    return owner[:n], is_met[:n]


def _is_left(talk: Talk) -> Bools:
    """By talk, whether its last turn stands unanswered though it asked for a reply (thanks at the end do not)."""
    last = talk.turns.filter(talk.turns["talk"].diff(null_behavior="ignore").shift(-1).fill_null(1) > 0)
    left = last.filter(~pl.col("is_answered") & pl.col("needs_reply").fill_null(True))
    return marked(left["talk"], talk.begin.size)


def _settled(found: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """(i, start, end, rule) -> one a spot and category: of overlapping ones the most severe stays, then the longest, then the first."""
    rows = frames.in_order_of(found, "i", "start", "rule").with_row_index("row")
    categories = {category: n for n, category in enumerate(sorted({rule.category for rule in rules}))}
    is_again = (rows["i"] == rows["i"].shift()).fill_null(False)
    near = rows.filter(is_again | is_again.shift(-1).fill_null(False))
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


def _moments(talk: Talk, names: pl.Series, rank: pl.Series, due: pl.DataFrame) -> pl.DataFrame:
    """DUE with its rule -> frames.Moment, in order of (conversation, rule, agent); `rank`: the talks' places by their names."""
    rows = talk.said["talk", "agent"][due["i"]].with_columns(due["is_met"], due["rule"])
    rows = frames.in_order_of(rows.with_columns(rank=rank[rows["talk"]]), "rank", "rule", "agent")
    named = _called(talk, names, rows).with_columns(rows["is_met"])
    return frames.of(frames.Moment, named)


def _in_order(talk: Talk, rank: pl.Series, said: pl.DataFrame, missing: pl.DataFrame) -> pl.DataFrame:
    """PLACE and DUE that was not met, with their rules -> both in order of (conversation, seq, start, rule, agent).

    What is absent has no place in its talk and comes first.
    """
    numbers = talk.said.select("talk", "agent", "seq")
    found = numbers[said["i"]].with_columns(said)
    lacking = numbers[missing["i"]].with_columns(missing.select("i", "rule"), seq=None, start=None, end=None)
    rows = pl.concat([found, frames.of(dict(found.schema), lacking)])
    return frames.in_order_of(rows.with_columns(rank=rank[rows["talk"]]), "rank", "seq", "start", "rule", "agent")


def _quotes(talk: Talk, rows: pl.DataFrame) -> pl.Series:
    """What was said at the places of rows."""
    return talk.said["text"][rows["i"]].str.slice(rows["start"], rows["end"] - rows["start"]).alias("quote")


def _ids(talk: Talk, names: pl.Series, rows: pl.DataFrame) -> pl.Series:
    """conversation#message:rule@place; of what is absent conversation#:rule@agent."""
    seq, start = (rows[name].fill_null(-1).to_numpy() + 1 for name in ("seq", "start"))
    n_seq, n_start = (int(numbers.max(initial=0)) for numbers in (seq, start))
    tables = [
        talk.said["conversation_id"][talk.begin],
        pl.Series(["#:", *(f"#{n}:" for n in range(n_seq))]),
        names + "@",
        talk.agents.fill_null(""),
        pl.Series(map(str, range(n_start)), dtype=pl.String),
    ]
    seqs, rules, agents, starts = np.cumsum([len(table) for table in tables[:-1]])
    talk_of, rule, agent = (rows[name].to_numpy() for name in ("talk", "rule", "agent"))
    place = np.where(start > 0, starts + start - 1, agents + agent)
    parts = np.empty((rows.height, 4), np.int32)
    for n, part in enumerate((talk_of, seqs + seq, rules + rule, place)):
        parts[:, n] = part
    return as_series(strung(as_texts(pl.concat(tables)), parts))


def _called(talk: Talk, names: pl.Series, rows: pl.DataFrame) -> pl.DataFrame:
    """The names of (talk, agent, rule)."""
    talks = talk.said["conversation_id"][talk.begin]
    return pl.DataFrame({
        "conversation_id": talks[rows["talk"]], "agent": talk.agents[rows["agent"]], "rule_id": names[rows["rule"]]
    })  # fmt: skip


def _rank_of_names(talk: Talk) -> pl.Series:
    """The place of each talk when they are ordered by their names."""
    return talk.said["conversation_id"][talk.begin].arg_sort().arg_sort()
