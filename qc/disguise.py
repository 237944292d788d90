"""Words that somebody wrote so as not to be found: 加.V.信, 薇❤, 一八八 … read as what they stand for, spans kept.

What stands between the characters (spaces, marks, faces) is left out, digits become 0–9, and the ways of writing around
a word that the packs list become the word. Marks that end a clause stay, or 好我不。能 would join what is apart; so do
brackets, which hold masks and codes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from qc.reading import GAP, Ints, Reading, Words, as_strings, found, gaps, read_as, some, stretches, words, written
from qc.text import fold_text

_KEPT = frozenset(",。!?;:、[]\n" + GAP)
_DIGITS = dict(zip("〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖❶❷❸❹❺❻❼❽❾➀➁➂➃➄➅➆➇➈", "00" + "123456789" * 4, strict=True))


class Key(NamedTuple):
    """How disguises are read: `ways[i]` stands for `words[i]`, the longest way first."""

    ways: tuple[str, ...]
    words: tuple[str, ...]
    marks: frozenset[str]  # characters of the ways that are otherwise left out


def key(disguises: Mapping[str, Sequence[str]]) -> Key:
    """The key of word → ways of writing around it."""
    marks = frozenset(fold_text(c) for ways in disguises.values() for way in ways for c in way if not _plain(c))
    pairs = {_spelt(way, marks): _spelt(word, marks) for word, ways in sorted(disguises.items()) for way in ways}
    pairs |= {mark: "" for mark in sorted(marks) if mark not in pairs}
    ways = sorted(pairs, key=lambda way: (-len(way), way))
    return Key(tuple(ways), tuple(pairs[way] for way in ways), marks)


def undisguise(texts: pl.Series, key: Key) -> pl.Series:
    """The texts as they were meant; shorter or longer than what was written, see `undisguised`.

    >>> undisguise(pl.Series(["加.Ｖ 信", "我 不 能,好"]), key_of := key({"微信": ["v信"]})).to_list()
    ['加微信', '我不能,好']
    """
    meant = undisguised(written(texts), key)
    return as_strings(meant.spelt).scatter(meant.texts, as_strings(meant.reworded)).alias(texts.name)


class Meant(NamedTuple):
    """Texts as they were meant: what replaces a way of writing stands where the whole of that way stood."""

    spelt: Reading  # of all texts, without what only stands between
    reworded: Reading  # of those with ways of writing around a word, with the words in their place
    texts: Ints  # the numbers of those


def undisguised(read: Reading, key: Key) -> Meant:
    """A written reading as it was meant."""
    spelt = read_as(read, lambda c: _spelt(c, key.marks))
    at = np.flatnonzero((spelt.alphabet > 0)[read.row])
    start = np.append(0, np.searchsorted(at, gaps(read)) + 1)
    spelt = spelt._replace(row=read.row[at], start=start, since=at, until=at + 1)
    begin, _ = found(spelt, _ways(key))
    texts = np.unique(np.searchsorted(spelt.start, begin, side="right") - 1)
    return Meant(spelt, _reworded(some(spelt, texts), key), texts)


def _reworded(read: Reading, key: Key) -> Reading:
    """With the words in place of the ways of writing around them."""
    begin, which = _leftmost(read, key)
    if not begin.size:
        return read
    n_from, n_to = (np.array([len(w) for w in of], np.int64)[which] for of in (key.ways, key.words))
    is_left = np.ones(read.row.size, np.bool_)
    is_left[stretches(begin, n_from)] = False
    left = np.flatnonzero(is_left)
    into = np.repeat(np.searchsorted(left, begin), n_to)
    taken = np.insert(left, into, np.repeat(begin, n_to))  # of the reading before, place by place
    new = into + np.arange(into.size)
    alphabet = np.append(read.alphabet, np.array([ord(c) for word in key.words for c in word], np.uint32))
    first = read.alphabet.size + np.cumsum([0, *map(len, key.words)])[which]  # of the word's characters in it
    row, until = read.row[taken], read.until[taken]
    row[new], until[new] = stretches(first, n_to), np.repeat(read.until[begin + n_from - 1], n_to)
    moved = np.append(0, np.cumsum(n_to))[np.searchsorted(begin, gaps(read))]
    start = np.append(0, np.searchsorted(left, gaps(read)) + moved + 1)
    return Reading(row, alphabet, start, read.since[taken], until, read.written)


def _leftmost(read: Reading, key: Key) -> tuple[Ints, Ints]:
    """(where it begins, which way) of the ways of writing, the leftmost and longest first, none over another."""
    at, which = found(read, _ways(key))
    chosen, done = [], 0
    order = np.lexsort((which, at))
    for begin, n in zip(at[order].tolist(), which[order].tolist(), strict=True):
        if begin >= done:
            chosen.append((begin, n))
            done = begin + len(key.ways[n])
    begins, ways = np.array(chosen, np.int64).reshape(-1, 2).T
    return begins, ways


@cache
def _ways(key: Key) -> Words:
    return words(key.ways)


@cache
def _plain(character: str) -> str:
    """One character for one, or none for what only stands between."""
    folded = fold_text(character)
    if folded in _KEPT:
        return folded
    return "" if unicodedata.category(folded)[0] in "PSZCM" else _DIGITS.get(folded, folded)


@cache
def _spelt(text: str, marks: frozenset[str]) -> str:
    return "".join(mark if (mark := fold_text(c)) in marks else _plain(c) for c in text)
