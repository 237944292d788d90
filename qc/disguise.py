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

from qc import characters, reading
from qc.characters import Alphabet, Reading, Texts
from qc.reading import Trie, Ways
from qc.text import PUNCTUATION, fold_text

_KEPT = frozenset(",。!?;:、[]\n")
_DIGITS = dict(zip("〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖❶❷❸❹❺❻❼❽❾➀➁➂➃➄➅➆➇➈", "00" + "123456789" * 4, strict=True))


class Key(NamedTuple):
    """How disguises are read: `ways[i]` stands for `words[i]`."""

    ways: tuple[str, ...]
    words: tuple[str, ...]
    marks: frozenset[str]  # characters of the ways that are otherwise left out


def key(disguises: Mapping[str, Sequence[str]]) -> Key:
    """The key of word → ways of writing around it."""
    marks = frozenset(fold_text(c) for ways in disguises.values() for way in ways for c in way if not _plain(c))
    pairs = {_spelt(way, marks): _spelt(word, marks) for word, ways in sorted(disguises.items()) for way in ways}
    pairs |= {mark: "" for mark in sorted(marks) if mark not in pairs}
    return Key(tuple(pairs), tuple(pairs.values()), marks)


def undisguise(texts: pl.Series, key: Key) -> pl.Series:
    """The texts as they were meant; shorter or longer than what was written.

    >>> undisguise(pl.Series(["加.Ｖ 信", "我 不 能,好"]), key_of := key({"微信": ["v信"]})).to_list()
    ['加微信', '我不能,好']
    """
    return meant(texts, key)[0].alias(texts.name)


def meant(texts: pl.Series, key: Key) -> tuple[pl.Series, Reading]:
    """The texts as they were meant, and where that is written in them."""
    said, every = characters.as_texts(texts), (0, len(texts))
    known = alphabet(said, key)
    row = characters.written(said, *every, known, characters.places(said, [every]))
    read = reading.meant(row, known.meant, ways(key, known))
    return characters.as_strings(read, known), read


def alphabet(texts: Texts, key: Key) -> Alphabet:
    """What the characters of texts and of the key's words are."""
    return characters.alphabet(texts, "".join(key.words), fold_text, lambda c: _spelt(c, key.marks), _is_solid)


def ways(key: Key, known: Alphabet) -> Ways:
    """The ways of writing as they are looked up."""
    tree, begin = _trie(key.ways), np.cumsum([0, *map(len, key.words)])
    points = np.frombuffer("".join(key.words).encode("utf-32-le"), np.int32)
    most = max((-(-len(word) // len(way)) for way, word in zip(key.ways, key.words, strict=True)), default=1)
    code = reading.codes(known.points, tree)
    return Ways(tree, code, tree.first[code[known.meant]], begin, known.number[points], max(1, most))


@cache
def _trie(ways: tuple[str, ...]) -> Trie:
    return reading.trie(ways)


def _is_solid(characters: pl.Series) -> pl.Series:
    """Whether they are more than punctuation (`qc.text.bare`)."""
    return ~characters.str.contains(PUNCTUATION)


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
