"""Conditions on bubbles: one short function a key of the language, each from the places of its parts to its own places.

A place is a row (i, start, end, is_whole): bubble `i` of the talk, characters start..end of it; `is_whole` where the
condition is about the bubble as a whole and has no words to point at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from qc import frames
from qc.compiled import Bools, Integers, Ints, Small, compiled
from qc.conditions import Condition, asked, inner
from qc.rows import marked
from qc.rule import Rule
from qc.text import fold

PLACE: frames.Noun = {"i": pl.UInt32, "start": pl.Int32, "end": pl.Int32, "is_whole": pl.Boolean}
TURN = ("turn", "asked_seq", "answered_seq", "wait_s", "is_answered", "needs_reply")  # what is asked of frames.Turn
NOWHERE = frames.empty(PLACE)  # of most rules in most talks: whatever is empty is passed on as it is
_NEVER = 2**31 - 1


class Beside(NamedTuple):
    """What is known besides the chat; a rule that asks for what is None does not run."""

    orders: pl.DataFrame | None = None  # frames.Order
    cases: pl.DataFrame | None = None  # (conversation_id, phase, topic, customer_type), NULL where unknown
    sentiment: pl.DataFrame | None = None  # (text, p_negative, …)


class Talk(NamedTuple):
    """The messages as the rules see them."""

    # Effective and asking messages: i, conversation_id, seq, talk, is_agent, agent (its number, 0 for nobody), text, long
    # (characters), is_spoken; nth and nth_last of their side; asked: the bubble the customer said last; speaker: the bubble the
    # agent spoke first; turn, where a rule asks.
    said: pl.DataFrame
    is_agent: Bools  # by bubble, as in `said`
    is_spoken: Bools
    begin: Ints  # the bubble that each talk begins with
    agents: pl.Series  # NULL and their names, in order
    messages: pl.DataFrame  # frames.Message
    turns: pl.DataFrame  # talk and TURN, in order
    words: Mapping[tuple[str, str], pl.DataFrame]  # (rule_id, leaf) → places of words and patterns
    rules: Mapping[str, Rule]
    askable: Sequence[Rule]  # those that apply, each after those that it looks to
    beside: Beside
    findings: dict[str, pl.DataFrame]  # (i, start, end) of the rules that have been run, for those that look to them


def keys(talk: pl.Series, seq: pl.Series) -> Ints:
    """(talk, seq) as one number, in the order of the two."""
    return np.asarray(talk.to_numpy() << 32 | seq.to_numpy())


class Asked(NamedTuple):
    """One key of a condition, with the places of what is inside it."""

    talk: Talk
    rule: Rule
    value: Any
    path: str
    parts: list[pl.DataFrame]


def places(talk: Talk, rule: Rule, item: Any, path: str = "") -> pl.DataFrame:
    """Where a condition holds among the bubbles of the rule's speaker -> (i, start, end, is_whole)."""
    if not isinstance(item, Condition):
        return _found(talk, rule, path)
    held = []
    for key, value in asked(item):
        parts = [places(talk, rule, part, at) for at, part in inner(key, value, path)]
        held.append(KEYS[key](Asked(talk, rule, value, f"{path}.{key}", parts)))
    return held[0] if len(held) == 1 else together(held, len(held))


def any_of(asked: Asked) -> pl.DataFrame:
    """Every place of every part."""
    held = [part for part in asked.parts if part.height]
    return pl.concat(held).unique() if held and len(asked.parts) > 1 else (held or [NOWHERE])[0]


def all_of(asked: Asked) -> pl.DataFrame:
    """Bubbles in which every part holds."""
    return together(asked.parts, len(asked.parts))


def some(asked: Asked) -> pl.DataFrame:
    """Bubbles in which so many parts hold."""
    return together(asked.parts, asked.value.at_least)


def none_of(asked: Asked) -> pl.DataFrame:
    """Bubbles in which the part does not hold."""
    holds = marked(asked.parts[0]["i"], asked.talk.said.height)
    return whole(asked.talk, np.flatnonzero(_spoken(asked.talk, asked.rule) & ~holds))


def near(asked: Asked) -> pl.DataFrame:
    """The first stretch of each bubble, not longer than allowed, that has a place of every part.

    A stretch that starts with a place needs, of each part, a place from there on: the one that ends first.
    """
    enough = _in_enough([part["i"].to_numpy() for part in asked.parts], len(asked.parts))
    if not enough.any():
        return NOWHERE
    rows = [part.filter(~pl.col("is_whole") & pl.Series(enough[part["i"].to_numpy()])) for part in asked.parts]
    every = pl.concat([part.with_columns(part=pl.lit(n)) for n, part in enumerate(rows)]).sort("i", "start", "end")
    i, start, end, part = (every[name].to_numpy() for name in ("i", "start", "end", "part"))
    is_first, until = _nearest(i, start, end, part, len(rows), asked.value.within)
    return every.with_columns(end=until).filter(pl.Series(is_first)).select(*PLACE)


@compiled
def _nearest(i: Integers, start: Small, end: Small, part: Small, n_parts: int, within: int) -> tuple[Bools, Small]:
    """(whether the first stretch of its bubble begins with a place, where it ends); places in order."""
    is_first, until = np.zeros(i.size, np.bool_), end.copy()
    soonest, here = np.empty(n_parts, np.int32), i.size  # by part, the place from here on that ends first
    while here > 0:
        bubble, best = i[here - 1], -1
        soonest[:] = _NEVER
        while here > 0 and i[here - 1] == bubble:
            at, begin = here, start[here - 1]
            while here > 0 and i[here - 1] == bubble and start[here - 1] == begin:
                here -= 1
                soonest[part[here]] = min(soonest[part[here]], end[here])
            for one in range(at - 1, here - 1, -1):
                until[one] = max(end[one], soonest.max())
                if until[one] - begin <= within:
                    best = one
        if best >= 0:
            is_first[best] = True
    return is_first, until


def count(asked: Asked) -> pl.DataFrame:
    """The n-th place of a speaker in a talk."""
    if asked.parts[0].is_empty():
        return NOWHERE
    rows = spoken_at(asked.talk, asked.parts[0]).sort("i", "start", "end")
    nth = pl.int_range(1, pl.len() + 1).over("talk", "agent")
    return rows.filter(nth == asked.value.at_least).select(*PLACE)


def repeat(asked: Asked) -> pl.DataFrame:
    """The bubble in which a speaker says the same for the n-th time."""
    rows = asked.talk.said.select("i", "talk", "agent", "text").filter(pl.Series(_spoken(asked.talk, asked.rule)))
    nth = pl.int_range(1, pl.len() + 1).over("talk", "agent", "text")
    return whole(asked.talk, rows.with_columns(fold(rows["text"])).filter(nth == asked.value)["i"].to_numpy())


def length(asked: Asked) -> pl.DataFrame:
    """Bubbles of so many characters."""
    bounds, long = asked.value, asked.talk.said["long"].to_numpy()
    fits = (long >= (bounds.at_least or 0)) & (long <= (bounds.at_most if bounds.at_most is not None else _NEVER))
    return whole(asked.talk, np.flatnonzero(_spoken(asked.talk, asked.rule) & fits))


def sentiment(asked: Asked) -> pl.DataFrame:
    """The customer's bubbles whose probability of being negative is at least so much."""
    scored = asked.talk.beside.sentiment
    if scored is None:
        return NOWHERE
    negative = scored.filter(pl.col("p_negative") >= asked.value.negative)
    rows = asked.talk.said.select("i", "text").filter(pl.Series(_spoken(asked.talk, asked.rule)))
    return whole(asked.talk, rows.join(negative, on="text", how="semi")["i"].to_numpy())


def slow(asked: Asked) -> pl.DataFrame:
    """The answers for which the customer waited longer than so many seconds."""
    late = asked.talk.turns.filter(pl.col("wait_s") > asked.value)
    late = late.select("talk", seq="answered_seq")
    return whole(asked.talk, asked.talk.said.join(late, on=["talk", "seq"], how="semi")["i"].to_numpy())


def finding_of(asked: Asked) -> pl.DataFrame:
    """Where another rule was found."""
    return asked.talk.findings[asked.value].select("i", "start", "end", is_whole=pl.lit(False))


def pattern(asked: Asked) -> pl.DataFrame:
    """Where a regular expression matches."""
    return _found(asked.talk, asked.rule, asked.path)


KEYS: dict[str, Callable[[Asked], pl.DataFrame]] = {
    "any": any_of, "all": all_of, "not": none_of, "some": some, "near": near, "count": count, "repeat": repeat,
    "regex": pattern, "length": length, "sentiment": sentiment, "slow": slow, "rule": finding_of,
}  # fmt: skip


def together(parts: list[pl.DataFrame], at_least: int) -> pl.DataFrame:
    """Bubbles in which so many parts hold; the place goes from the first to the last of their first words."""
    enough = _in_enough([part["i"].to_numpy() for part in parts], at_least)
    if not enough.any():
        return NOWHERE
    rows = pl.concat(
        [
            part.filter(pl.Series(enough[part["i"].to_numpy()])).with_columns(part=pl.lit(n))
            for n, part in enumerate(parts)
        ]
    )
    first = rows.sort("i", "part", "is_whole", "start", "end").unique(["i", "part"], keep="first", maintain_order=True)
    worded = first.filter(~pl.col("is_whole") | pl.col("is_whole").all().over("i"))
    return worded.group_by("i").agg(pl.col("start").min(), pl.col("end").max(), pl.col("is_whole").all()).select(*PLACE)


def _in_enough(parts: list[npt.NDArray[np.uint32]], at_least: int) -> npt.NDArray[np.bool_]:
    """By bubble, whether it is in so many parts: most are not, and what is not need not be put in order."""
    held = [part for part in parts if part.size]
    if len(held) < at_least:
        return np.zeros(0, np.bool_)
    n_parts = np.zeros(max(int(part.max()) for part in held) + 1, np.int16)
    for part in held:
        n_parts += marked(part, n_parts.size)
    return np.asarray(n_parts >= at_least)


def _spoken(talk: Talk, rule: Rule) -> Bools:
    """By bubble, whether the rule's speaker wrote or said it."""
    return np.asarray(talk.is_spoken & (talk.is_agent == (rule.who == "agent")))


def spoken_at(talk: Talk, rows: pl.DataFrame) -> pl.DataFrame:
    """Places with the bubble that each stands in: `i` is the row of `said`."""
    return pl.concat([rows, talk.said[rows["i"]].drop("i")], how="horizontal")


def whole(talk: Talk, i: Integers) -> pl.DataFrame:
    """Bubbles as places."""
    end = talk.said["long"].to_numpy()[i]
    rows = {"i": i, "start": np.zeros(i.size, np.int32), "end": end, "is_whole": np.ones(i.size, np.bool_)}
    return pl.DataFrame(rows, schema=PLACE)


def _found(talk: Talk, rule: Rule, leaf: str) -> pl.DataFrame:
    return talk.words.get((rule.id, leaf), NOWHERE)
