"""SnowNLP's sentiment, the same digits, whole columns at a time: texts and tables in, probabilities out.

SnowNLP cuts every run of Han characters into words by a second-order Viterbi over the tags begin, middle, end and
single, drops stop words and asks a naive Bayes. Here all runs of a batch advance together, a character position a step.
Where this looks odd it keeps an oddity of SnowNLP 0.12.3 on purpose: a figure that an analyst can check with
`SnowNLP(text).sentiments` is worth more than a slightly better cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Entries = tuple[Ints, Ints, Floats]  # run, cell, log

# What SnowNLP takes for Han; later characters of Unicode (U+9FA6…) are no Han to it.
HAN_FIRST, N_HAN = 0x4E00, 0x9FA5 - 0x4E00 + 1
CODE_BITS = 15  # a Han character is 1 … N_HAN; code 0 stands before a run begins and after a word has ended
WORD_STEP = 3  # characters a step through the word trie: a node of 18 bits and 3 codes fill a key
BEGIN, END, SINGLE = 0, 2, 3  # SnowNLP's order: b, m, e, s

# str.split, with which SnowNLP cuts what is not Han, takes U+001C–1F for white space; the regex class does not.
TOKEN = "[\u4e00-\u9fa5]+|[^\u4e00-\u9fa5\\s\u001c-\u001f]+"

# Our decisions, measured on 2 MiB of L2 a core: speed is flat around them, and a batch needs some tens of MB.
BATCH_BYTES = 1 << 24  # texts cut into tokens at a time
BATCH_RUNS = 2048  # Han runs that advance together
BATCH_CELLS = 1 << 20  # … and their padded size; a longer run goes alone
WINDOW_CELLS = 1 << 16  # characters looked up at a time


class Index(NamedTuple):
    """Hash table with linear probing; `find` gives the row of a key, row 0 of any key that is not stored."""

    keys: Ints  # -1 where free; a power of two long
    rows: npt.NDArray[np.int32]


class Grams(NamedTuple):
    """Log P(tag, character | what stands before) of tags seen on two or three neighbours: row → cells and logs."""

    lookup: Index
    start: npt.NDArray[np.int32]  # row r holds the entries start[r] … start[r + 1]; row 0 holds none
    cell: Bytes  # the neighbours' tags as base-4 digits, the last character's lowest
    log: Floats


class Tables(NamedTuple):
    """SnowNLP's models as arrays; `pipelines.snow_tables` makes them."""

    version: str
    tag_log: Floats  # (4, 1 + N_HAN): the same for neighbours never seen together; -inf in all four: never seen at all
    pairs: Grams
    triples: Grams
    words: Index  # trie of Han words: node << 45 | WORD_STEP codes → next node; the root is node 0
    plain: pl.DataFrame  # (token, node) of the words that are not Han
    is_stop: Bools  # by node
    word_log: Floats  # (2, nodes): log P(word | negative), log P(word | positive); node 0 is any unknown word
    prior: Floats  # (2,)


class Position(NamedTuple):
    """What the tables know of the characters at one position of all runs."""

    tag_log: Floats  # (4, runs)
    is_unseen: Bools
    pairs: Entries
    triples: Entries


def probability(texts: pl.Series | Sequence[str | None], tables: Tables) -> Floats:
    """P(positive) of each text, bit for bit `SnowNLP(text).sentiments`; NaN for NULL and for '', where it raises."""
    texts = pl.Series("text", texts, pl.String)
    parts = [_probability(part, tables) for part in _slices(texts)]
    return np.where((texts.fill_null("") == "").to_numpy(), np.nan, np.concatenate(parts))


def explain(text: str, tables: Tables) -> list[tuple[str, float]]:
    """Which word pushed where: (word, log-odds towards positive), the prior first as ''; the sum is the logit of P."""
    odds = tables.word_log[1] - tables.word_log[0]
    pushes = [("", float(tables.prior[1] - tables.prior[0]))]
    for token in pl.Series([text]).str.extract_all(TOKEN).explode().drop_nulls():
        words, nodes = _read(token, tables)
        pushes += [(word, float(odds[n])) for word, n in zip(words, nodes, strict=True) if not tables.is_stop[n]]
    return pushes


def _read(token: str, tables: Tables) -> tuple[list[str], Ints]:
    """The words of one token and their nodes."""
    if not HAN_FIRST <= ord(token[0]) < HAN_FIRST + N_HAN:
        node = tables.plain.filter(pl.col("token") == token)["node"].to_list()
        return [token], np.array(node or [0], np.int64)
    start, nodes = _cut(pl.Series([token]), tables)
    return [token[a:b] for a, b in zip(start, [*start[1:], len(token)], strict=True)], nodes


def _slices(texts: pl.Series) -> Iterator[pl.Series]:
    """Neighbouring texts, about BATCH_BYTES at a time."""
    batch = texts.str.len_bytes().fill_null(0).cast(pl.Int64).cum_sum().to_numpy() // BATCH_BYTES
    edges = [0, *(np.flatnonzero(np.diff(batch)) + 1).tolist(), len(texts)]
    return (texts[a:b] for a, b in pairwise(edges))


def _probability(texts: pl.Series, tables: Tables) -> Floats:
    tokens = texts.str.extract_all(TOKEN)
    n_tokens = tokens.list.len().fill_null(0).to_numpy().astype(np.int64)
    flat = pl.DataFrame({"token": tokens.filter(tokens.list.len() > 0).explode()})
    distinct = flat.unique(maintain_order=True).with_row_index("code")
    code = flat.join(distinct, on="token", how="left", maintain_order="left")["code"].to_numpy()
    start, nodes = _words(distinct, tables)
    token, word = _expand(start, code)
    return _bayes(np.repeat(np.arange(len(texts)), n_tokens)[token], nodes[word], len(texts), tables)


def _words(distinct: pl.DataFrame, tables: Tables) -> tuple[Ints, Ints]:
    """distinct(code, token) -> nodes of the words, stop words left out; token c has start[c] … start[c + 1]."""
    is_han = pl.col("token").str.contains("^[\u4e00-\u9fa5]")
    runs = distinct.filter(is_han).with_columns(n=pl.col("token").str.len_chars()).sort("n", descending=True)
    plain = distinct.filter(~is_han).join(tables.plain, on="token", how="left", maintain_order="left")
    at, han_nodes = _cut(runs["token"], tables)
    run = np.searchsorted(runs["n"].cum_sum().to_numpy(), at, side="right")
    code = np.concatenate([runs["code"].to_numpy()[run], plain["code"].to_numpy()])
    nodes = np.concatenate([han_nodes, plain["node"].fill_null(0).to_numpy()])
    kept = np.flatnonzero(~tables.is_stop[nodes])
    kept = kept[np.argsort(code[kept], kind="stable")]
    n_words = np.bincount(code[kept], minlength=distinct.height)
    return np.concatenate([[0], np.cumsum(n_words)]), nodes[kept]


def _cut(runs: pl.Series, tables: Tables) -> tuple[Ints, Ints]:
    """Han runs, long ones first -> where the words start in the runs' joined characters, and their nodes."""
    joined = np.frombuffer(runs.str.join("").item().encode("utf-32-le"), np.uint32)
    codes = joined.astype(np.int64) - (HAN_FIRST - 1)
    n_chars = runs.str.len_chars().to_numpy().astype(np.int64)
    tags = np.concatenate([np.zeros(0, np.uint8), *_tags(codes, n_chars, tables)])
    # An end closes its word. A single does not: a middle or an end that follows it still joins.
    is_start = (tags == BEGIN) | (tags == SINGLE)
    is_start[1:] |= tags[:-1] == END
    is_start[np.cumsum(n_chars) - n_chars] = True
    start = np.flatnonzero(is_start)
    return start, _nodes(codes, start, tables.words)


def _nodes(codes: Ints, start: Ints, words: Index) -> Ints:
    """Node of each word, 0 where the vocabulary has none."""
    end = np.append(start[1:], codes.size)
    codes = np.append(codes, np.zeros(WORD_STEP, np.int64))
    nodes, live, at = np.zeros(start.size, np.int64), np.arange(start.size), start
    while live.size:
        key = nodes[live]
        for k in range(WORD_STEP):
            key = key << CODE_BITS | np.where(at + k < end[live], codes[at + k], 0)
        nodes[live] = find(words, key)
        more = (nodes[live] > 0) & (at + WORD_STEP < end[live])
        live, at = live[more], at[more] + WORD_STEP
    return nodes


def _bayes(text: Ints, nodes: Ints, n_texts: int, tables: Tables) -> Floats:
    """P(positive) of each text; logs are added word by word as SnowNLP adds them: another order, other last digits."""
    negative, positive = np.repeat(tables.prior[:, None], n_texts, axis=1)
    np.add.at(negative, text, tables.word_log[0, nodes])
    np.add.at(positive, text, tables.word_log[1, nodes])
    # numpy's own exp differs from libm's, which SnowNLP takes, in the last place of one value in 200.
    odds = map(math.exp, (-np.abs(positive - negative)).tolist())
    winner = 1.0 / (1.0 + np.fromiter(odds, np.float64, n_texts))
    return np.where(positive > negative, winner, 1.0 - winner)


def _tags(codes: Ints, n_chars: Ints, tables: Tables) -> Iterator[Bytes]:
    """The tags of all characters, batch by batch; long runs come first, so that a batch is padded little."""
    run, char = 0, 0
    while run < n_chars.size:
        n = n_chars[run : run + max(1, min(BATCH_RUNS, BATCH_CELLS // int(n_chars[run])))]
        yield _viterbi(codes[char : char + int(n.sum())], n, tables)
        run, char = run + n.size, char + int(n.sum())


def _viterbi(codes: Ints, n_chars: Ints, tables: Tables) -> Bytes:
    is_inside = np.arange(n_chars[0]) < n_chars[:, None]
    grid = np.zeros((n_chars.size, int(n_chars[0]) + 2), np.int64)
    grid[:, 2:][is_inside] = codes
    n_active = is_inside.sum(axis=0)
    return _backward(*_forward(np.ascontiguousarray(grid.T), n_active, tables), n_active).T[is_inside]


def _forward(grid: Ints, n_active: Ints, tables: Tables) -> tuple[Bytes, Ints]:
    """Codes by (2 + position, run) -> the best tag two back, by (position, state × run); the state each run ends in.

    A state is two neighbours' tags, 4 × earlier + later. Code 0 with tag 0 stands twice before each run: state 0.
    """
    width = grid.shape[1]
    score = np.full((4, 4, width), -np.inf)
    score[0, 0] = 0.0
    back, final = np.zeros((n_active.size, 16 * width), np.uint8), np.zeros(width, np.int64)
    room = np.empty(64 * width)
    for i, (here, n, n_next) in enumerate(zip(_positions(grid, tables), n_active, [*n_active[1:], 0], strict=True)):
        score, earlier = _step(score, here, room, last=3 if i > 1 else 0)
        back[i, : 16 * n] = earlier.ravel()
        if n_next < n:  # of equal ends SnowNLP takes the first by later tag, then by earlier tag
            best = score[..., n_next:].swapaxes(0, 1).reshape(16, -1).argmax(axis=0)
            final[n_next:n] = best % 4 * 4 + best // 4
            score = score[..., :n_next]
    return back, final


def _step(score: Floats, here: Position, room: Floats, *, last: int) -> tuple[Floats, Bytes]:
    """One character on: score(earlier, later, run) -> score of the next states, and the tag that each drops."""
    n = score.shape[-1]
    logs = np.repeat(here.tag_log[None, :, :n], 4, axis=0)
    run, cell, log = here.pairs
    logs.reshape(-1)[cell * n + run] = log
    ways = np.add(score[:, :, None], logs, out=room[: 64 * n].reshape(4, 4, 4, n))
    run, cell, log = here.triples
    ways.reshape(-1)[cell * n + run] = score.reshape(-1)[(cell >> 2) * n + run] + log
    # Only a strictly better way beats an earlier tag, in pairs as in SnowNLP's loop over b, m, e, s.
    first, second = np.maximum(ways[0], ways[1]), np.maximum(ways[2], ways[3])
    low, high = (ways[1] > ways[0]).view(np.uint8), (ways[3] > ways[2]).view(np.uint8) + np.uint8(2)
    best, dropped = np.maximum(first, second), np.where(second > first, high, low)
    # An unseen character weighs nothing, and SnowNLP lets the last way win, even an impossible one.
    unseen = np.flatnonzero(here.is_unseen[:n])
    best[..., unseen] = score[last][:, None, unseen]
    dropped[..., unseen] = last
    return best, dropped


def _backward(back: Bytes, final: Ints, n_active: Ints) -> Bytes:
    """Tags by (position, run), read from the runs' ends."""
    tags = np.zeros((n_active.size, final.size), np.uint8)
    state, run = final.copy(), np.arange(final.size)
    for i in range(n_active.size - 1, -1, -1):
        n = n_active[i]
        tags[i, :n] = state[:n] & 3
        state[:n] = (state[:n] >> 2) + 4 * back[i, state[:n] * n + run[:n]].astype(np.int64)
    return tags


def _positions(grid: Ints, tables: Tables) -> Iterator[Position]:
    """Looks the characters up, some positions at a time."""
    rows = max(1, WINDOW_CELLS // grid.shape[1])
    for top in range(0, grid.shape[0] - 2, rows):
        window = grid[top : top + rows + 2]
        before, previous, code = window[:-2], window[1:-1], window[2:]
        tag_log = tables.tag_log[:, code].swapaxes(0, 1)
        is_unseen = (tag_log == -np.inf).all(axis=1)
        pair = previous << CODE_BITS | code
        pairs = _entries(tables.pairs, pair)
        triples = _entries(tables.triples, before << 2 * CODE_BITS | pair)
        yield from map(Position, tag_log, is_unseen, pairs, triples)


def _entries(grams: Grams, keys: Ints) -> list[Entries]:
    """What is known of keys(position, run), by position."""
    rows = find(grams.lookup, keys.ravel())
    hits = np.flatnonzero(rows)
    hit, entry = _expand(grams.start, rows[hits])
    position, run = np.divmod(hits[hit], keys.shape[1])
    cell, log = grams.cell[entry].astype(np.int64), grams.log[entry]
    edges = np.searchsorted(position, np.arange(keys.shape[0] + 1))
    return [(run[a:b], cell[a:b], log[a:b]) for a, b in pairwise(edges)]


def _expand(start: npt.NDArray[np.integer], rows: npt.NDArray[np.integer]) -> tuple[Ints, Ints]:
    """Rows of a ragged table -> for each of their entries, the position in `rows` and the entry."""
    first = start[rows].astype(np.int64)
    n = start[rows + 1] - first
    owner = np.repeat(np.arange(rows.size), n)
    return owner, np.arange(owner.size) + np.repeat(first - (np.cumsum(n) - n), n)


def find(index: Index, keys: Ints) -> Ints:
    """Row of each key, 0 where it is not stored."""
    rows = np.zeros(keys.size, np.int64)
    slot, todo = hashed(keys, index.keys.size), np.arange(keys.size)
    while todo.size:
        stored = index.keys[slot]
        hit = stored == keys
        rows[todo[hit]] = index.rows[slot[hit]]
        more = np.flatnonzero(~hit & (stored >= 0))
        todo, keys, slot = todo[more], keys[more], (slot[more] + 1) & (index.keys.size - 1)
    return rows


def hashed(keys: Ints, n_slots: int) -> Ints:
    """The slot where probing begins: the top bits of the key times 2⁶⁴/φ (Knuth, TAOCP 6.4)."""
    shift = np.uint64(65 - n_slots.bit_length())
    return ((keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> shift).astype(np.int64)
