"""Messages as the rules hear them: bubbles in order, who says them, and where each word and pattern stands in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import polars as pl

from qc import frames
from qc.phrases import Leaf, hear, sought_by
from qc.places import TURN, Beside, Talk, keys
from qc.quotation import echoes, own
from qc.reading import Ints, stretches
from qc.rule import Rule
from qc.rulebook import Pack, disguises_of, rules_of

# What a person wrote or said; the text of a card or a picture is the platform's.
SPOKEN = ("text", "voice")


class _Side(NamedTuple):
    """What one side wrote and said, and where the words of the rules about it stand."""

    sought: Sequence[Leaf]
    of: Ints  # which of its texts each bubble of the talks is; of the other side's bubbles -1
    folded: pl.Series  # its distinct texts as the rules read them
    long: Ints  # how many characters each has
    claimed: pl.DataFrame  # _STANDS of rules that find what was said: in the speaker's own words
    other: pl.DataFrame  # _STANDS of absent rules, which are content with a quotation


_STANDS = ("leaf", "i", "start", "end")


def listen(messages: pl.DataFrame, turns: pl.DataFrame, packs: Sequence[Pack], beside: Beside = Beside()) -> Talk:
    """The messages in order with their speakers, and all words and patterns from one pass over the distinct texts."""
    said = messages.select(
        "conversation_id", "seq", "agent", "text",
        is_spoken=pl.col("content_kind").is_in(SPOKEN), is_agent=frames.is_effective(), is_asking=frames.is_asking(),
    )  # fmt: skip
    said = _arranged(said.filter(pl.col("is_agent") | pl.col("is_asking")).drop("is_asking")).with_row_index("i")
    begin = np.flatnonzero(np.diff(said["talk"].to_numpy(), prepend=-1))
    rules, disguises = rules_of(packs), disguises_of(packs)
    with ThreadPoolExecutor(2) as threads:  # both sides are heard while the bubbles are numbered
        heard = [threads.submit(_side, said, rules, disguises, who) for who in ("customer", "agent")]
        asked, (number, agents) = _turns(turns, said["conversation_id", "talk"][begin]), _agents(said)
        numbers = [*_numbered(said, begin), number, _speaker(said, number), _asked(said, begin)]
        if any(rule.where and rule.where.anchor for rule in rules.values()):
            numbers.append(_turn_of(said, asked))
        sides = [side.result() for side in heard]
    long = np.sum([np.append(side.long, 0)[side.of] for side in sides], axis=0)
    numbers.append(pl.Series("long", long, dtype=pl.Int32))
    said = said.with_columns(numbers)
    return Talk(said, begin, agents, messages, asked, _heard(said, *sides), rules, beside, {})


def _arranged(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the number of their `talk`, talk by talk, each in the order of `seq` and each `seq` once.

    They mostly come so, and looking is cheaper than sorting.
    """
    talk = rows["conversation_id"].rle_id().cast(pl.Int64)
    is_new, step = talk.diff().fill_null(1) > 0, rows["seq"].diff().fill_null(1)
    if rows["conversation_id"].filter(is_new).n_unique() < is_new.sum() or (~is_new & (step < 0)).any():
        return _arranged(rows.sort("conversation_id", "seq"))
    rows = rows.with_columns(talk=talk)
    return rows if (is_again := ~is_new & (step == 0)).not_().all() else rows.filter(~is_again)


def _turns(turns: pl.DataFrame, talks: pl.DataFrame) -> pl.DataFrame:
    """frames.Turn of these talks(conversation_id, talk), in order, with the number of the talk."""
    rows = turns.select("conversation_id", *TURN).join(talks, on="conversation_id").drop("conversation_id")
    return frames.in_order_of(rows, "talk", "turn")


def _turn_of(said: pl.DataFrame, turns: pl.DataFrame) -> pl.Series:
    """The turn that each bubble belongs to: the last one asked up to it; 0 before the first."""
    turn, of = np.append(turns["turn"].to_numpy(), 0), np.append(turns["talk"].to_numpy(), -1)
    last = np.searchsorted(keys(turns["talk"], turns["asked_seq"]), keys(said["talk"], said["seq"]), side="right") - 1
    return pl.Series("turn", np.where(of[last] == said["talk"].to_numpy(), turn[last], 0))


def _numbered(said: pl.DataFrame, begin: Ints) -> tuple[pl.Series, pl.Series]:
    """(nth, nth_last): which message of its speaker's side in its talk each one is, from the start and from the end."""
    talk, is_agent = said["talk"].to_numpy(), said["is_agent"].to_numpy()
    size = np.diff(begin, append=talk.size)
    agents = np.append(np.int32(0), np.cumsum(is_agent, dtype=np.int32))
    before, of_agents = agents[begin][talk], (agents[begin + size] - agents[begin])[talk]
    nth_of_agents = agents[1:] - before
    nth = np.where(is_agent, nth_of_agents, np.arange(talk.size) - begin[talk] + 1 - nth_of_agents)
    last = np.where(is_agent, of_agents, size[talk] - of_agents) - nth + 1
    return pl.Series("nth", nth, dtype=pl.Int64), pl.Series("nth_last", last, dtype=pl.Int64)


def _agents(said: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """(the number of the agent of each bubble, 0 of the customer's and of nobody's; [NULL, the agents in order of their names])."""
    at = np.flatnonzero((said["is_agent"] & said["agent"].is_not_null()).to_numpy())
    coded = said["agent"][at].cast(pl.Categorical)
    known = pl.DataFrame({"name": coded.unique()}).with_columns(code=pl.col("name").to_physical())
    names = known.with_columns(pl.col("name").cast(pl.String)).sort("name")
    number = np.zeros(int(names["code"].max() or 0) + 1, np.int64)  # type: ignore[arg-type]
    number[names["code"].to_numpy()] = np.arange(1, names.height + 1)
    of = np.zeros(said.height, np.int64)
    of[at] = number[coded.to_physical().to_numpy()]
    return pl.Series("agent", of), pl.concat([pl.Series([None], dtype=pl.String), names["name"]])


def _speaker(said: pl.DataFrame, agent: pl.Series) -> pl.Series:
    """Of the agents' bubbles, where the same agent speaks first in the talk; -1 of the customer's."""
    at = np.flatnonzero(said["is_agent"].to_numpy())
    both = said["talk"].to_numpy()[at] << 32 | agent.to_numpy()[at]
    is_new = np.diff(both, prepend=-1) != 0
    _, first, of = np.unique(both[is_new], return_index=True, return_inverse=True)
    speaker = np.full(said.height, -1)
    speaker[at] = at[np.flatnonzero(is_new)[first[of]]][np.cumsum(is_new) - 1]
    return pl.Series("speaker", speaker)


def _asked(said: pl.DataFrame, begin: Ints) -> pl.Series:
    """The bubble with the words that the customer said last, up to each one; -1 before the first."""
    is_asked = (~said["is_agent"] & said["text"].is_not_null()).to_numpy()
    last = np.maximum.accumulate(np.where(is_asked, np.arange(said.height), -1))
    return pl.Series("asked", np.where(last >= begin[said["talk"].to_numpy()], last, -1), dtype=pl.Int64)


def _side(said: pl.DataFrame, rules: Mapping[str, Rule], disguises: Mapping[str, Sequence[str]], who: str) -> _Side:
    sought = sought_by([rule for rule in rules.values() if rule.who == who])
    theirs = said.select("i", "text", "is_spoken").filter(said["is_agent"] == (who == "agent"))
    i, is_spoken = theirs["i"].to_numpy(), theirs["is_spoken"].to_numpy()
    texts, which, order = _distinct(theirs["text"])
    of = np.full(said.height, -1)
    of[i] = which
    spoken = order[is_spoken[order]]
    size = np.bincount(which[spoken], minlength=len(texts))
    heard = hear(texts, sought, disguises)
    is_claimed = pl.col("leaf").is_in([leaf.leaf for leaf in sought if leaf.rule.by == "phrase"])
    parts = own(heard.spans.filter(is_claimed), heard.folded), heard.spans.filter(~is_claimed)
    claimed, other = (_in_bubbles(part, i[spoken], size) for part in parts)
    return _Side(sought, of, heard.folded, heard.folded.str.len_chars().to_numpy(), claimed, other)


def _heard(said: pl.DataFrame, customer: _Side, agent: _Side) -> dict[tuple[str, str], pl.DataFrame]:
    """(rule_id, leaf) → places of its words; what an agent only repeats of the customer's is not held against them."""
    asked = np.append(customer.of, -1)[said["asked"].to_numpy()[agent.claimed["i"].to_numpy()]]
    echo = _echoes(agent.claimed, agent.folded[agent.of[agent.claimed["i"]]], customer.folded, asked)
    found: dict[tuple[str, str], pl.DataFrame] = {}
    for side, claimed in ((customer, customer.claimed), (agent, agent.claimed.filter(~echo))):
        places = pl.concat([claimed, side.other])
        leaf = places["leaf"].to_numpy().astype(np.uint16 if len(side.sought) < 1 << 16 else np.uint32)
        order = np.argsort(leaf, kind="stable")
        places = places.select("i", "start", "end", is_whole=False)[order]
        edges = np.searchsorted(leaf[order], np.arange(len(side.sought) + 1)).tolist()
        for one, since, until in zip(side.sought, edges, edges[1:], strict=False):
            if since < until:
                found[one.rule.id, one.path] = places[since:until]
    return found


def _distinct(texts: pl.Series) -> tuple[pl.Series, Ints, Ints]:
    """(the distinct texts, which one each is, all of them text by text): by their hashes, unless two texts share one."""
    for names in (texts.hash(), texts):
        rows = pl.DataFrame({"key": names}).with_row_index("row").group_by("key").agg("row")["row"]
        order = rows.explode().to_numpy().astype(np.int64)
        which = np.empty(len(texts), np.int64)
        which[order] = np.repeat(np.arange(len(rows)), rows.list.len().to_numpy())
        distinct = texts[rows.list.first()]
        if distinct[which].eq_missing(texts).all():
            break
    return distinct, which, order


def _in_bubbles(spans: pl.DataFrame, bubbles: Ints, size: Ints) -> pl.DataFrame:
    """Spans in distinct texts -> _STANDS in every bubble of those texts; `bubbles` text by text, of each so many."""
    text = spans["text_id"].to_numpy()
    row = np.repeat(np.arange(text.size), size[text])
    i = bubbles[stretches((np.cumsum(size) - size)[text], size[text])]
    return spans.select("leaf", "start", "end")[row].with_columns(i=pl.Series(i, dtype=pl.UInt32)).select(*_STANDS)


def _echoes(places: pl.DataFrame, folded: pl.Series, asked: pl.Series, last: Ints) -> pl.Series:
    """Which places in texts merely repeat what the customer said last: asked[last], -1 for nothing."""
    row = np.flatnonzero(last >= 0)
    beside = places.select("start", "end")[row].with_columns(folded=folded[row], asked=asked[last[row]])
    return pl.repeat(False, places.height, eager=True).scatter(row, echoes(beside))
