"""Texts as rows of characters: taken from polars and given back, decoded, folded.

Characters go by numbers of an alphabet of those that occur, so that the tables about them stay in the cache.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from qc.compiled import Bools, Bytes, Ints, Small, compiled


class Texts(NamedTuple):
    """Texts as UTF-8, one behind another: text n is data[begin[n]:begin[n + 1]]."""

    data: Bytes
    begin: Ints


class Alphabet(NamedTuple):
    """The characters that occur, numbered from 1 in order of their code points, and what each is."""

    number: Small  # by code point; 0 of what does not occur
    points: Small  # by number
    folded: Small  # by number, the code point it is read as
    utf8: Bytes  # by number, four bytes each: that in UTF-8
    size: Bytes  # by number, how many bytes of them
    meant: Small  # by number, the number of what it is meant as; 0 of what only stands between
    is_solid: Bools  # by number, whether it is more than punctuation


class Reading(NamedTuple):
    """Texts one after another, a 0 behind each."""

    row: Small  # numbers of the alphabet
    begin: Ints  # where each text begins, and the end
    since: Small  # where in the row as it was written each character stands, and until where
    until: Small
    written: Ints  # where each text begins in that row


def as_texts(texts: pl.Series) -> Texts:
    """Texts, none of them NULL, side by side."""
    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, begin, data = array.buffers()
    begins = np.frombuffer(begin, np.int64)[array.offset : array.offset + len(array) + 1]
    return Texts(np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8), begins)


def joined(parts: Sequence[Texts]) -> Texts:
    """All texts of several rows."""
    over = np.cumsum([0, *(part.begin[-1] for part in parts)])
    begin = [np.zeros(1, np.int64), *(part.begin[1:] + since for part, since in zip(parts, over, strict=False))]
    return Texts(np.concatenate([np.zeros(0, np.uint8), *(part.data for part in parts)]), np.concatenate(begin))


def as_series(texts: Texts) -> pl.Series:
    """The texts as polars has them."""
    buffers = pa.py_buffer(texts.begin), pa.py_buffer(texts.data)
    return pl.Series(pl.from_arrow(pa.LargeStringArray.from_buffers(texts.begin.size - 1, *buffers)))


def as_strings(read: Reading, alphabet: Alphabet) -> pl.Series:
    """The texts as they are read."""
    said = alphabet.points[read.row].tobytes().decode("utf-32-le")
    ends = zip(read.begin[:-1].tolist(), (read.begin[1:] - 1).tolist(), strict=True)
    return pl.Series([said[a:z] for a, z in ends], dtype=pl.String)


@compiled
def strung(table: Texts, parts: Small) -> Texts:
    """Texts made of others: a row of their numbers each, one behind another."""
    size, begin = 0, np.zeros(parts.shape[0] + 1, np.int64)
    for row in range(parts.shape[0]):
        for part in parts[row]:
            size += table.begin[part + 1] - table.begin[part]
        begin[row + 1] = size
    data, k = np.empty(size, np.uint8), 0
    for row in range(parts.shape[0]):
        for part in parts[row]:
            for at in range(table.begin[part], table.begin[part + 1]):
                data[k] = table.data[at]
                k += 1
    return Texts(data, begin)


def alphabet(
    texts: Texts,
    more: str,
    fold: Callable[[str], str],
    mean: Callable[[str], str],
    solid: Callable[[pl.Series], pl.Series],
) -> Alphabet:
    """The characters of texts and some more; `fold` and `mean` give one character for one, `mean` also none.

    `solid` tells of folded characters whether they are more than punctuation.
    """
    occurring = set(map(chr, np.flatnonzero(_seen(texts)).tolist())) | set(more)
    characters = sorted(occurring | {meant for c in occurring if (meant := mean(c))})
    number = np.zeros(sys.maxunicode + 1, np.int32)
    points = np.array([0, *map(ord, characters)], np.int32)
    number[points[1:]] = np.arange(1, points.size)
    folded = list(map(fold, characters))
    encoded = [c.encode() for c in folded]
    return Alphabet(
        number,
        points,
        np.array([0, *map(ord, folded)], np.int32),
        np.frombuffer(b"".join(c.ljust(4, b"\0") for c in [b"", *encoded]), np.uint8),
        np.array([0, *map(len, encoded)], np.uint8),
        np.array([0, *(number[ord(meant)] if (meant := mean(c)) else 0 for c in characters)], np.int32),
        np.append(False, solid(pl.Series(folded, dtype=pl.String)).to_numpy()),
    )


def places(texts: Texts, pieces: Sequence[tuple[int, int]]) -> Small:
    """0, 1, 2 … as far as the row of any piece of texts goes."""
    rooms = (texts.begin[until] - texts.begin[since] + until - since for since, until in pieces)
    return np.arange(max(rooms, default=0) + 1, dtype=np.int32)


def written(texts: Texts, since: int, until: int, alphabet: Alphabet, places: Small) -> Reading:
    """The texts from `since` to `until` as they were written; `places` are 0, 1, 2 … as far as any row goes."""
    row, begin = _decoded(texts, since, until, alphabet.number)
    return Reading(row, begin, places[: row.size], places[1 : row.size + 1], begin)


@compiled
def _decoded(texts: Texts, since: int, until: int, number: Small) -> tuple[Small, Ints]:
    """(numbers of the characters, a 0 behind each text; where each text begins, and the end)."""
    row = np.empty(texts.begin[until] - texts.begin[since] + until - since, np.int32)
    begin, k = np.zeros(until - since + 1, np.int64), 0
    for text in range(since, until):
        at = texts.begin[text]
        while at < texts.begin[text + 1]:
            point, at = _point(texts.data, at)
            row[k] = number[point]
            k += 1
        row[k] = 0
        k += 1
        begin[text - since + 1] = k
    return row[:k], begin


@compiled
def in_utf8(read: Reading, alphabet: Alphabet) -> Texts:
    """A written reading folded."""
    data, begin = np.empty(4 * read.row.size, np.uint8), np.zeros(read.begin.size, np.int64)
    text = k = 0
    for one in read.row:
        for byte in range(4):
            data[k + byte] = alphabet.utf8[4 * one + byte]
        k += alphabet.size[one]
        if one == 0:
            text += 1
            begin[text] = k
    return Texts(data[:k], begin)


@compiled
def _seen(texts: Texts) -> Bools:
    """Which code points occur."""
    seen = np.zeros(sys.maxunicode + 1, np.bool_)
    at = texts.begin[0]
    while at < texts.begin[-1]:
        point, at = _point(texts.data, at)
        seen[point] = True
    return seen


@compiled
def _point(data: Bytes, at: int) -> tuple[int, int]:
    """(the code point of the character at a byte, where the next one is)."""
    lead = int(data[at])
    if lead < 0x80:
        return lead, at + 1
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | data[at + 1] & 0x3F, at + 2
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | (data[at + 1] & 0x3F) << 6 | data[at + 2] & 0x3F, at + 3
    upper = (lead & 0x07) << 18 | (data[at + 1] & 0x3F) << 12
    return upper | (data[at + 2] & 0x3F) << 6 | data[at + 3] & 0x3F, at + 4
