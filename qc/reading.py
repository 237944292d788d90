"""Texts as rows of code points, read as they are meant, with the way back to what was written; words found in them.

A word list is a trie looked up a character further at a time for all places of all texts together: a place leaves as
soon as no word goes on there, so the cost is one look at every character and a little for what looks like a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from qc.text import fold_text

Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]
Points = npt.NDArray[np.uint32]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer]

GAP = "\ufdd0"  # between two texts: no character by Unicode, so that hardly a text has it; what stands there is in no word
_SLOTS_BITS = 20  # of the table that most pairs of characters fail at: 1 MB, which stays in the cache
_FEWER_BITS = 16  # of the tables for what goes on after two characters
_PIECE = 1 << 16  # characters looked at together
_FIRST, _SECOND = 0x9E3779B1, 0x85EBCA77  # odd, far apart (xxHash's)


class Reading(NamedTuple):
    """Texts one after another, a gap behind each; `since` and `until` say where in the written row a character stands.

    A text uses few of all characters: tables are made for those that occur, and the row holds their numbers.
    """

    row: Ints  # a number in the alphabet for each character; what is looked up by it is looked up fastest by 64 bits
    alphabet: Points  # the code points as they are read; several numbers may be read alike
    start: Ints  # where each text begins, and the end of the last one's gap
    since: Integers
    until: Integers
    written: Ints  # where each text begins in the written row


class Words(NamedTuple):
    """A trie, a level a character: what goes on from which node, and which word ends there."""

    alphabet: Points  # in order; code n + 1 is its character n, code 0 any other
    # keys (node · codes + code) in order; the word that ends there, or -1; by slot, whether a word may go on so:
    # on the second level from one code to the next, since most pairs fail before their node is looked up
    levels: tuple[tuple[Ints, Small, Bools], ...]


def written(texts: pl.Series) -> Reading:
    """Texts, none of them NULL, as they were written."""
    joined = texts.str.join(GAP).item() + GAP
    points = np.frombuffer(joined.encode("utf-32-le"), np.uint32).astype(np.int64)
    seen = np.zeros(int(points.max()) + 1, np.bool_)
    seen[points] = True
    alphabet = np.flatnonzero(seen)
    number = np.zeros(seen.size, np.int64)
    number[alphabet] = np.arange(alphabet.size)
    start = np.append(0, np.cumsum(texts.str.len_chars().to_numpy().astype(np.int64) + 1))
    at = np.arange(points.size + 1, dtype=np.int32)
    return Reading(number[points], alphabet.astype(np.uint32), start, at[:-1], at[1:], start)


def gaps(read: Reading) -> Ints:
    """Where the gaps stand, one behind each text."""
    return read.start[1:] - 1


def owners(read: Reading) -> Small:
    """The number of the text that each place belongs to."""
    return np.repeat(np.arange(read.start.size - 1, dtype=np.int32), np.diff(read.start))


def stretches(begin: Integers, long: Integers) -> Ints:
    """Every place of stretches that begin somewhere and are so long."""
    places: Ints = np.arange(int(long.sum()), dtype=np.int64) + np.repeat(begin - (np.cumsum(long) - long), long)
    return places


def as_strings(read: Reading) -> pl.Series:
    """The texts as they are read."""
    said = read.alphabet[read.row].tobytes().decode("utf-32-le")
    if said.count(GAP) < read.start.size:
        return pl.Series([said[:-1]] if said else [], dtype=pl.String).str.split(GAP).explode()
    ends = zip(read.start[:-1].tolist(), gaps(read).tolist(), strict=True)
    return pl.Series([said[a:z] for a, z in ends], dtype=pl.String)


def some(read: Reading, texts: Integers) -> Reading:
    """A reading of some of its texts, by their numbers."""
    long = np.diff(read.start)[texts]
    at = stretches(read.start[texts], long)
    start = np.append(0, np.cumsum(long))
    return Reading(
        read.row[at], read.alphabet, start, read.since[at], read.until[at], np.append(read.written[texts], 0)
    )


def folded(read: Reading) -> Reading:
    """One character for one (`qc.text.fold`)."""
    return read_as(read, fold_text)


def read_as(read: Reading, of: Callable[[str], str]) -> Reading:
    """Each character read as another one, or as "\\0" where that is none."""
    alphabet = [ord(of(chr(point)) or "\0") for point in read.alphabet.tolist()]
    return read._replace(alphabet=np.array(alphabet, np.uint32))


def words(known: Sequence[str]) -> Words:
    """The trie of distinct words, none of them empty; a word's number is its place in the list."""
    read = written(pl.Series(known, dtype=pl.String))
    long = np.diff(read.start) - 1
    alphabet = read.alphabet[np.unique(np.delete(read.row, gaps(read)))]
    n_codes = alphabet.size + 1
    code = np.searchsorted(alphabet, read.alphabet[read.row]) + 1
    node, levels = np.zeros(len(known), np.int64), []
    for depth in range(int(long.max(initial=0))):
        on = np.flatnonzero(long > depth)
        here, above = code[read.start[on] + depth], node[on]
        maybe = np.zeros(1 << _SLOTS_BITS if depth == 1 else 1 << _FEWER_BITS, np.bool_)
        if depth:
            maybe[_slot(code[read.start[on]] if depth == 1 else above, here, maybe.size)] = True
        keys, node[on] = np.unique(above * n_codes + here, return_inverse=True)
        ends, over = np.full(keys.size, -1, np.int32), on[long[on] == depth + 1]
        ends[node[over]] = over
        levels.append((keys, ends, maybe))
    return Words(alphabet, tuple(levels))


def found(read: Reading, known: Words) -> tuple[Ints, Small]:
    """(where in the reading, which word) of every word wherever it stands."""
    if not known.levels:
        return np.zeros(0, np.int64), np.zeros(0, np.int32)
    code, n_codes = _codes(read, known), known.alphabet.size + 1
    keys, ends, _ = known.levels[0]
    first, single = np.full(n_codes, -1, np.int64), np.zeros(n_codes, np.bool_)
    first[keys] = np.arange(keys.size)
    single[keys[ends >= 0]] = True
    is_single = single[code]
    at = _where(read.row, lambda piece: is_single[piece[:-1]]) if single.any() else np.zeros(0, np.int64)
    hits = [(at, ends[first[code[read.row[at]]]])]
    at, node = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for depth, (keys, ends, maybe) in enumerate(known.levels[1:], start=1):
        if depth == 1:
            at = _pairs(read.row, code, maybe)
            node = first[code[read.row[at]]]
            at, node = at[node >= 0], node[node >= 0]
        here = code[read.row[at + depth]]
        if depth > 1:
            is_hopeful = maybe[_slot(node, here, maybe.size)]
            at, node, here = at[is_hopeful], node[is_hopeful], here[is_hopeful]
        wanted = node * n_codes + here
        node = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        is_on = keys[node] == wanted
        at, node = at[is_on], node[is_on]
        is_over = ends[node] >= 0
        hits.append((at[is_over], ends[node[is_over]]))
    places, numbers = zip(*hits, strict=True)
    return np.concatenate(places), np.concatenate(numbers)


def _pairs(row: Ints, code: Ints, maybe: Bools) -> Ints:
    """Where the first two characters of a word may stand: what is mixed are the tables of codes, not the row."""
    first, second = _mixed(code, _FIRST), _mixed(code, _SECOND)
    return _where(row, lambda piece: maybe[first[piece[:-1]] + second[piece[1:]] & maybe.size - 1])


def _codes(read: Reading, known: Words) -> Ints:
    """By number in the reading's alphabet, the code of the words; of a gap 0, so that no word goes over it."""
    nearest = np.minimum(np.searchsorted(known.alphabet, read.alphabet), known.alphabet.size - 1)
    is_known = (known.alphabet[nearest] == read.alphabet) & (read.alphabet != ord(GAP))
    return np.where(is_known, nearest + 1, 0)


def _where(row: Ints, is_so: Callable[[Ints], Bools]) -> Ints:
    """Where something is so, asked of pieces that stay in the cache; a piece has one character more than answers."""
    pieces = [np.flatnonzero(is_so(row[a : a + _PIECE + 1])) + a for a in range(0, row.size - 1, _PIECE)]
    return np.concatenate([np.zeros(0, np.int64), *pieces])


def _slot(first: Ints, second: Ints, n_slots: int) -> Ints:
    return _mixed(first, _FIRST) + _mixed(second, _SECOND) & n_slots - 1


def _mixed(numbers: Ints, by: int) -> Ints:
    """Small numbers far apart: the upper bits of a product, where all bits below have had their say."""
    return (numbers * by & 0xFFFFFFFF) >> 32 - _SLOTS_BITS
