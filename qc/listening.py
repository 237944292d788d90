"""Messages as the rules hear them: bubbles in order, who says them, and where each word and pattern stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import polars as pl

from qc import frames
from qc.characters import Texts
from qc.compiled import Bools, Ints, Small, compiled
from qc.needs import askable
from qc.phrases import Leaf, Shelf, hear, shelf
from qc.places import TURN, Beside, Talk
from qc.quotation import SIGNS, echoes, own
from qc.rows import edges, in_order, marked, numbered, spread
from qc.rulebook import Pack, disguises_of, rules_of

# What a person wrote or said; the text of a card or a picture is the platform's.
SPOKEN = ("text", "voice")


class _Side(NamedTuple):
    """What one side wrote and said, and where the words of the rules about it stand."""

    sought: Sequence[Leaf]
    of: Small  # which of its texts each bubble of the talks is; of the other side's bubbles -1
    folded: Texts  # its distinct texts as the rules read them
    places: pl.DataFrame  # text_id, leaf, start, end, i: what is claimed to be said, if in the speaker's own words


def listen(messages: pl.DataFrame, turns: pl.DataFrame, packs: Sequence[Pack], beside: Beside = Beside()) -> Talk:
    """The messages in order with their speakers, and all words and patterns from one pass over the distinct texts."""
    rules, disguises = rules_of(packs), disguises_of(packs)
    with ThreadPoolExecutor(4) as threads:  # both sides are heard while the bubbles are numbered
        asked_of = {
            who: threads.submit(shelf, [rule for rule in rules.values() if rule.who == who], disguises, SIGNS)
            for who in ("customer", "agent")
        }
        said = _arranged(_spoken(messages)).with_row_index("i")
        heard = [threads.submit(_side, said, who, sought) for who, sought in asked_of.items()]
        begin = np.flatnonzero(np.diff(said["talk"].to_numpy(), prepend=-1))
        turned, (number, agents) = _turns(turns, said["conversation_id", "talk"][begin]), _agents(said)
        said = said.with_columns(number, said["text"].str.len_chars().cast(pl.Int32).alias("long"))
        said = said.with_columns(_numbers(said, begin, len(agents), turned))
        can_be_asked = askable(rules, messages, beside)
        sides = [side.result() for side in heard]
    is_agent, is_spoken = (said[name].to_numpy() for name in ("is_agent", "is_spoken"))
    words = _heard(said, *sides)
    return Talk(said, is_agent, is_spoken, begin, agents, messages, turned, words, rules, can_be_asked, beside, {})


def _spoken(messages: pl.DataFrame) -> pl.DataFrame:
    """The effective messages and those that ask."""
    said = messages.select(
        "conversation_id", "seq", "agent", "text",
        is_spoken=pl.col("content_kind").is_in(SPOKEN), is_agent=frames.is_effective(), is_asking=frames.is_asking(),
    )  # fmt: skip
    return said.filter(pl.col("is_agent") | pl.col("is_asking")).drop("is_asking")


def _arranged(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the number of their `talk`, talk by talk, each in the order of `seq` and each `seq` once.

    They mostly come so, and looking is cheaper than sorting.
    """
    talk = rows["conversation_id"].rle_id().cast(pl.Int64)
    is_new, step = talk.diff().fill_null(1) > 0, rows["seq"].diff().fill_null(1)
    names = rows["conversation_id"].filter(is_new)
    if (~is_new & (step < 0)).any() or (not names.is_sorted() and names.n_unique() < len(names)):
        return _arranged(rows.sort("conversation_id", "seq"))
    rows = rows.with_columns(talk=talk)
    return rows if (is_again := ~is_new & (step == 0)).not_().all() else rows.filter(~is_again)


def _turns(turns: pl.DataFrame, talks: pl.DataFrame) -> pl.DataFrame:
    """frames.Turn of these talks(conversation_id, talk), in order, with the number of the talk."""
    runs = turns["conversation_id"].rle().struct.unnest()  # turns of a talk mostly stand together
    talk = runs.join(talks, left_on="value", right_on="conversation_id", how="left", maintain_order="left")["talk"]
    row = np.repeat(np.arange(runs.height), runs["len"].to_numpy())
    rows = turns.select(*TURN).with_columns(talk=talk[row]).filter(pl.col("talk").is_not_null())
    return frames.in_order_of(rows, "talk", "turn")


def _agents(said: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """(the number of the agent of each bubble, 0 of the customer's and of nobody's; [NULL, the agents in order of their names])."""
    at = np.flatnonzero((said["is_agent"] & said["agent"].is_not_null()).to_numpy())
    coded = said["agent"][at].cast(pl.Categorical)
    known = pl.DataFrame({"name": coded.unique()}).with_columns(code=pl.col("name").to_physical())
    names = known.with_columns(pl.col("name").cast(pl.String)).sort("name")
    number = np.zeros(int(names["code"].max() or 0) + 1, np.int32)  # type: ignore[arg-type]
    number[names["code"].to_numpy()] = np.arange(1, names.height + 1)
    of = np.zeros(said.height, np.int32)
    of[at] = number[coded.to_physical().to_numpy()]
    return pl.Series("agent", of), pl.concat([pl.Series([None], dtype=pl.String), names["name"]])


def _numbers(said: pl.DataFrame, begin: Ints, n_agents: int, turns: pl.DataFrame) -> list[pl.Series]:
    """The columns nth, nth_last, speaker, asked and turn (see Talk)."""
    seq, is_agent, agent = (said[name].to_numpy() for name in ("seq", "is_agent", "agent"))
    talk, asked_seq, turn = (turns[name].to_numpy() for name in ("talk", "asked_seq", "turn"))
    has_text = said["text"].is_not_null().to_numpy()
    found = _counted(np.append(begin, said.height), seq, is_agent, agent, has_text, n_agents, talk, asked_seq, turn)
    names = ("nth", "nth_last", "speaker", "asked", "turn")
    return [pl.Series(name, column) for name, column in zip(names, found, strict=True)]


@compiled
def _counted(
    begin: Ints, seq: Small, is_agent: Bools, agent: Small, has_text: Bools, n_agents: int,
    talk_of_turn: Ints, asked_seq: Small, turn_of_turn: Small,
) -> Small:  # fmt: skip
    """By bubble: which message of its side it is, from the start and from the end; where its agent spoke first (-1 of the
    customer's); what the customer said last up to it (-1 before that); the turn asked last up to it (0 before that)."""
    counted, first, turn = np.full((5, seq.size), -1, np.int32), np.full(n_agents, -1), 0
    nth, nth_last, speaker, asked, turns = counted
    for talk in range(begin.size - 1):
        since, until = begin[talk], begin[talk + 1]
        n_agent = n_customer = number = 0
        last = -1
        while turn < talk_of_turn.size and talk_of_turn[turn] < talk:
            turn += 1
        for i in range(since, until):
            while turn < talk_of_turn.size and talk_of_turn[turn] == talk and asked_seq[turn] <= seq[i]:
                number = turn_of_turn[turn]
                turn += 1
            if is_agent[i]:
                n_agent += 1
                nth[i] = n_agent
                if first[agent[i]] < since:
                    first[agent[i]] = i
                speaker[i] = first[agent[i]]
            else:
                n_customer += 1
                nth[i] = n_customer
                if has_text[i]:
                    last = i
            asked[i], turns[i] = last, number
        for i in range(since, until):
            nth_last[i] = (n_agent if is_agent[i] else n_customer) + 1 - nth[i]
    return counted


def _side(said: pl.DataFrame, who: str, sought: Future[Shelf]) -> _Side:
    theirs = said.select("i", "text").filter(said["is_agent"] == (who == "agent"))
    which, first = numbered(theirs["text"])
    of = np.full(said.height, -1, np.int32)
    of[theirs["i"].to_numpy()] = which
    asked = sought.result()
    heard = hear(theirs["text"][first], asked)
    is_claimed = pl.col("leaf").is_in([leaf.leaf for leaf in asked.sought if leaf.rule.by == "phrase"])
    own_words = own(heard.spans.filter(is_claimed), heard.folded, heard.signed)
    spans = pl.concat([own_words, heard.spans.filter(~is_claimed)])  # an absent rule is content with a quotation
    text = spans["text_id"].to_numpy()
    i, span = spread(of, said["is_spoken"].to_numpy(), in_order(text, first.size), edges(text, first.size))
    return _Side(asked.sought, of, heard.folded, spans[span].with_columns(i=pl.Series(i, dtype=pl.UInt32)))


def _heard(said: pl.DataFrame, customer: _Side, agent: _Side) -> dict[tuple[str, str], pl.DataFrame]:
    """(rule_id, leaf) → places of its words; what an agent only repeats of the customer's is not held against them."""
    places, asked = agent.places, said["asked"].to_numpy()
    is_claimed = np.array([leaf.rule.by == "phrase" for leaf in agent.sought], np.bool_)[places["leaf"]]
    last = np.where(is_claimed, np.append(customer.of, -1)[asked[places["i"]]], -1)
    echo = marked(echoes(places.with_columns(last=last), agent.folded, customer.folded), places.height)
    found: dict[tuple[str, str], pl.DataFrame] = {}
    for sought, held in ((customer.sought, customer.places), (agent.sought, places.filter(pl.Series(~echo)))):
        leaf = held["leaf"].to_numpy()
        rows = held.select("i", "start", "end", is_whole=False)[in_order(leaf, len(sought))]
        parts = edges(leaf, len(sought)).tolist()
        for one, since, until in zip(sought, parts, parts[1:], strict=False):
            if since < until:
                found[one.rule.id, one.path] = rows[since:until]
    return found
