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
Numbers = npt.NDArray[np.unsignedinteger]

_GAP = "\n"  # between two texts; what stands there is in no word
_SLOTS_BITS = 20  # of the table that most pairs of characters fail at: 1 MB, which stays in the cache
_FEWER_BITS = 16  # of the tables for what goes on after two characters
_FIRST, _SECOND = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)  # odd, far apart (xxHash's)


class Reading(NamedTuple):
    """Texts one after another, a gap behind each; `since` and `until` say where in the written row a character stands.

    A text uses few of all characters: tables are made for those that occur, and the row holds their numbers.
    """

    row: Numbers  # a number in the alphabet for each character
    alphabet: Points  # the code points as they are read; several numbers may be read alike
    start: Ints  # where each text begins, and the end of the last one's gap
    since: Small
    until: Small
    written: Ints  # where each text begins in the written row


class Words(NamedTuple):
    """A trie, a level a character: what goes on from which node, and which word ends there."""

    alphabet: Points  # in order; code n + 1 is its character n, code 0 any other
    # keys (node · codes + code) in order; the word that ends there, or -1; by slot, whether a word may go on so:
    # on the second level from one code to the next, since most pairs fail before their node is looked up
    levels: tuple[tuple[Ints, Small, Bools], ...]


def written(texts: pl.Series) -> Reading:
    """Texts, none of them NULL, as they were written."""
    joined = texts.str.join(_GAP).item() + _GAP
    points = np.frombuffer(joined.encode("utf-32-le"), np.uint32)
    seen = np.zeros(int(points.max()) + 1, np.bool_)
    seen[points] = True
    alphabet = np.flatnonzero(seen).astype(np.uint32)
    number = np.zeros(seen.size, np.min_scalar_type(alphabet.size))
    number[alphabet] = np.arange(alphabet.size)
    start = np.append(0, np.cumsum(texts.str.len_chars().to_numpy().astype(np.int64) + 1))
    at = np.arange(points.size + 1, dtype=np.int32)
    return Reading(number[points], alphabet, start, at[:-1], at[1:], start)


def gaps(read: Reading) -> Ints:
    """Where the gaps stand, one behind each text."""
    return read.start[1:] - 1


def owners(read: Reading) -> Small:
    """The number of the text that each place belongs to."""
    return np.repeat(np.arange(read.start.size - 1, dtype=np.int32), np.diff(read.start))


def as_strings(read: Reading, texts: npt.NDArray[np.integer] | None = None) -> list[str]:
    """The texts, or some of them by number, as they are read."""
    begin, gap = read.start[:-1], gaps(read)
    if texts is not None and texts.size < begin.size // 2:
        some = zip(begin[texts].tolist(), gap[texts].tolist(), strict=True)
        return [read.alphabet[read.row[a:z]].tobytes().decode("utf-32-le") for a, z in some]
    said = read.alphabet[read.row].tobytes().decode("utf-32-le")
    every = [said[a:z] for a, z in zip(begin.tolist(), gap.tolist(), strict=True)]
    return every if texts is None else [every[n] for n in texts.tolist()]


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
    codes = _codes(read, known)
    n_codes = known.alphabet.size + 1
    keys, ends, _ = known.levels[0]
    first = np.full(n_codes, -1, np.int64)
    first[keys] = np.arange(keys.size)
    single = np.zeros(n_codes, np.bool_)
    single[keys[ends >= 0]] = True
    at = np.flatnonzero(single[codes])
    hits = [(at, ends[first[codes[at]]])]
    at, node = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for depth, (keys, ends, maybe) in enumerate(known.levels[1:], start=1):
        if depth == 1:
            at = np.flatnonzero(maybe[_slot(codes[:-1], codes[1:], maybe.size)])
            node = first[codes[at]]
            at, node = at[node >= 0], node[node >= 0]
        else:
            is_hopeful = maybe[_slot(node, codes[at + depth], maybe.size)]
            at, node = at[is_hopeful], node[is_hopeful]
        wanted = node * n_codes + codes[at + depth]
        node = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        is_on = keys[node] == wanted
        at, node = at[is_on], node[is_on]
        is_over = ends[node] >= 0
        hits.append((at[is_over], ends[node[is_over]]))
    places, numbers = zip(*hits, strict=True)
    return np.concatenate(places), np.concatenate(numbers)


def _codes(read: Reading, known: Words) -> Numbers:
    """The reading in the codes of the words, with one more 0 at its end."""
    nearest = np.minimum(np.searchsorted(known.alphabet, read.alphabet), known.alphabet.size - 1)
    code = np.where(known.alphabet[nearest] == read.alphabet, nearest + 1, 0).astype(np.uint32)
    codes = np.zeros(read.row.size + 1, np.uint32)
    codes[:-1] = code[read.row]
    codes[gaps(read)] = 0
    return codes


def _slot(first: npt.NDArray[np.integer], second: npt.NDArray[np.integer], n_slots: int) -> Numbers:
    mixed = first.astype(np.uint32) * _FIRST + second.astype(np.uint32) * _SECOND
    return mixed >> np.uint32(33 - n_slots.bit_length())
