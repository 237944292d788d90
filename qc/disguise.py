"""Words that somebody wrote so as not to be found: 加.V.信, 薇❤, 一八八 … read as what they stand for, spans kept.

What stands between the characters (spaces, marks, faces) is left out, digits become 0–9, and the ways of writing around
a word that the packs list become the word. Marks that end a clause stay, or 好我不。能 would join what is apart; so do
brackets, which hold masks and codes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import polars as pl

from qc.text import characters, fold_text

_KEPT = frozenset(",。!?;:、[]\n")
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
    """The texts as they were meant; shorter or longer than what was written, see `in_raw`.

    >>> undisguise(pl.Series(["加.Ｖ 信", "我 不 能,好"]), key_of := key({"微信": ["v信"]})).to_list()
    ['加微信', '我不能,好']
    """
    table = {c: plain for c in characters(texts) if (plain := _spelt(c, key.marks)) != c}
    spelt = texts.str.replace_many(list(table), list(table.values())) if table else texts
    return spelt.str.replace_many(list(key.ways), list(key.words), leftmost=True) if key.ways else spelt


def in_raw(text: str, key: Key) -> tuple[list[int], list[int]]:
    """For each character of the undisguised text, where what it stands for starts and ends in the text as written."""
    spelt_as = [_spelt(c, key.marks) for c in text]
    at = [n for n, c in enumerate(spelt_as) if c]
    spelt = "".join(spelt_as)
    starts, ends, done = [], [], 0
    for found in _finder(key).finditer(spelt) if key.ways else ():
        starts += at[done : found.start()]
        ends += [n + 1 for n in at[done : found.start()]]
        word = key.words[key.ways.index(found[0])]
        starts += [at[found.start()]] * len(word)
        ends += [at[found.end() - 1] + 1] * len(word)
        done = found.end()
    return starts + at[done:], ends + [n + 1 for n in at[done:]]


@cache
def _finder(key: Key) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, key.ways)))


@cache
def _plain(character: str) -> str:
    """One character for one, or none for what only stands between."""
    folded = fold_text(character)
    if folded in _KEPT:
        return folded
    return "" if unicodedata.category(folded)[0] in "PSZCM" else _DIGITS.get(folded, folded)


def _spelt(text: str, marks: frozenset[str]) -> str:
    return "".join(mark if (mark := fold_text(c)) in marks else _plain(c) for c in text)
