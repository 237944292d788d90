"""Texts → character n-grams of one to four characters, whole columns at a time: how the shop model reads.

A text is folded (`qc.text`), white space is dropped, a run of digits is one 0, and of a character that is repeated two
are kept: 「等了12天！！！！」 and 「等了 3 天!!」 read alike. Beginning and end of a text count as a character too, so that
「好」 alone holds other grams than the 好 in 「好吗」.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from qc.snow import Bools, Ints
from qc.text import fold_text

LONGEST = 4  # characters in a gram
KEY_BITS = 15  # of a character, where grams are counted
EDGE, EDGE_SIGN = "\0", "┃"  # beginning and end of a text, and how a reader sees them
EDGE_CODE = 1
Small = npt.NDArray[np.int32]
Points = npt.NDArray[np.uint32]


Keys = TypeVar("Keys", Small, Ints)  # what stands for a gram: its node, or its characters in one number


class Trie(NamedTuple):
    """Known grams as a double array (Aoe 1989): t = base[s] + code is the child of node s if parent[t] is s.

    The node of a single character is its code. Whatever a known gram begins with is known too.
    """

    alphabet: str  # characters by code, code 1 first: EDGE; code 0 is any other
    base: Small
    parent: Small  # -1: no node; 0: a single character


class Reading(NamedTuple):
    """Texts as codes, an EDGE before each of them and one at the very end."""

    codes: Small
    text: Small  # number of the text that each code belongs to
    n_texts: int


def trie(grams: Sequence[str]) -> Trie:
    """The trie of grams; KeyError names a beginning that is not among them."""
    alphabet = "".join([EDGE, *sorted({*"".join(grams)} - {EDGE})])
    node = {c: n for n, c in enumerate(alphabet, 1)}
    children: dict[str, list[int]] = {}
    for gram in sorted(g for g in grams if len(g) > 1):
        children.setdefault(gram[:-1], []).append(node[gram[-1]])
    base, parent, taken = dict[int, int](), dict.fromkeys(node.values(), 0), (1 << len(alphabet) + 1) - 1
    for gram in sorted(children, key=lambda g: (len(g), -len(children[g]), g)):
        place, taken = _placed(taken, children[gram])
        base[node[gram]] = place
        for c in children[gram]:
            parent[place + c], node[gram + alphabet[c - 1]] = node[gram], place + c
    # Whatever code comes after a node, its slot exists.
    size = max(node.values(), default=0) + len(alphabet) + 1
    return Trie(alphabet, _array(base, size, 0), _array(parent, size, -1))


def _placed(taken: int, codes: Sequence[int]) -> tuple[int, int]:
    """The first base at which all codes find a free slot, and the slots then taken; bit s of `taken` stands for slot s."""
    blocked = 1
    for code in codes:
        blocked |= taken >> code
    place = (~blocked & (blocked + 1)).bit_length() - 1
    return place, taken | sum(1 << place + code for code in codes)


def _array(values: Mapping[int, int], size: int, empty: int) -> Small:
    filled = np.full(size, empty, np.int32)
    filled[list(values)] = list(values.values())
    return filled


def spelt(known: Trie, nodes: Small) -> list[str]:
    """The grams of nodes."""
    above, signs = nodes.copy(), [""] * nodes.size
    for _ in range(LONGEST):
        parent = np.where(above > 0, known.parent[above], 0)
        codes = above - np.where(parent > 0, known.base[parent], 0)
        signs = [known.alphabet[c - 1] + s if c else s for c, s in zip(codes.tolist(), signs, strict=True)]
        above = parent
    return signs


def nodes(grams: Sequence[str], known: Trie) -> Small:
    """The node of each gram, 0 where it is not known."""
    code = {c: n for n, c in enumerate(known.alphabet, 1)}
    found = np.zeros(len(grams), np.int32)
    for n, gram in enumerate(grams):
        node = code.get(gram[0], 0)
        for c in gram[1:]:
            child = known.base[node] + code.get(c, 0)
            node = child if node and known.parent[child] == node else 0
        found[n] = node
    return found


def occurrences(read: Reading, known: Trie) -> Iterator[tuple[Small, Small]]:
    """Every known gram wherever it stands, (text, node) for each length from 1 to LONGEST."""
    codes = read.codes
    at = np.flatnonzero(codes).astype(np.int32)
    nodes = codes[at]
    signs = nodes != EDGE_CODE
    yield read.text[at[signs]], nodes[signs]
    for length in range(1, LONGEST):
        at, nodes = _going_on(codes, at, nodes, length)
        child = known.base[nodes] + codes[at + length]
        hits = np.flatnonzero(known.parent[child] == nodes)
        at, nodes = at[hits], child[hits]
        yield read.text[at], nodes


def frequent(read: Reading, alphabet: str, group: Ints, least: Sequence[int]) -> list[str]:
    """Grams that stand in at least `least[g]` texts of some group g, `group` giving each text's; with all they begin with."""
    grams = set()
    at, keys = np.arange(read.codes.size, dtype=np.int32), read.codes.astype(np.int64)
    for length in range(1, LONGEST + 1):
        kept = _is_frequent(keys, read.text[at], group, least)
        at, keys = at[kept], keys[kept]
        grams |= {_unpacked(key, alphabet) for key in np.unique(keys).tolist()}
        at, keys = _going_on(read.codes, at, keys, length)
        keys = keys << KEY_BITS | read.codes[at + min(length, LONGEST - 1)]
    return sorted(grams)


def _is_frequent(keys: Ints, text: Small, group: Ints, least: Sequence[int]) -> Bools:
    distinct, gram = np.unique(keys, return_inverse=True)
    pairs = np.unique(gram * len(group) + np.minimum(text, len(group) - 1))
    once, where = np.divmod(pairs, len(group))
    counts = [np.bincount(once[group[where] == g], minlength=distinct.size) for g in range(len(least))]
    return np.asarray(np.any([n >= enough for n, enough in zip(counts, least, strict=True)], axis=0)[gram])


def _unpacked(key: int, alphabet: str) -> str:
    codes = [key >> KEY_BITS * n & ((1 << KEY_BITS) - 1) for n in reversed(range(LONGEST))]
    return "".join(alphabet[c - 1] for c in codes if c)


def _going_on(codes: Small, at: Small, grams: Keys, length: int) -> tuple[Small, Keys]:
    """The grams that another character follows: what has come to the end of its text goes no further."""
    on = codes[at + (length - 1)] != EDGE_CODE if length > 1 else at < codes.size - 1
    return at[on], grams[on]


def read(texts: pl.Series, alphabet: str) -> Reading:
    """Texts, none of them NULL, as codes of the alphabet."""
    points = _points(texts)
    code = np.zeros(int(max(points.max(), *map(ord, alphabet))) + 1, np.int32)
    code[[ord(c) for c in alphabet]] = np.arange(1, len(alphabet) + 1)
    codes = code[points]
    return Reading(codes, np.cumsum(codes == EDGE_CODE, dtype=np.int32) - 1, len(texts))


def listed(text: str) -> list[str]:
    """All grams of one text, short ones first, as a reader sees them; the bare EDGE is none."""
    points = _points(pl.Series([text.replace(EDGE_SIGN, "\ufffd")]))
    said = "".join(map(chr, points.tolist())).replace(EDGE, EDGE_SIGN)
    every = (said[at : at + n] for n in range(1, LONGEST + 1) for at in range(len(said) - n + 1))
    return [gram for gram in every if gram != EDGE_SIGN and EDGE_SIGN not in gram[1:-1]]


def characters(texts: pl.Series) -> str:
    """The alphabet of these texts: EDGE, then all that occurs."""
    return EDGE + "".join(map(chr, np.unique(_points(texts)).tolist())).replace(EDGE, "")


def _points(texts: pl.Series) -> Points:
    joined = EDGE + texts.str.replace_all(EDGE, "", literal=True).str.join(EDGE).item() + EDGE
    points = np.frombuffer(joined.encode("utf-32-le"), np.uint32)
    points = _folding(points)[points]
    points = points[points != ord(" ")]
    return np.asarray(points[~_is_repeated(points)])


def _folding(points: Points) -> Points:
    """By code point, for those that occur: the character it is read as; white space is a blank, a digit is 0."""
    seen = np.flatnonzero(np.bincount(points))
    table = np.zeros(int(seen[-1]) + 1, np.uint32)
    table[seen] = [ord(_read_as(c)) for c in fold_text("".join(map(chr, seen.tolist())))]
    return table


def _read_as(character: str) -> str:
    return " " if character.isspace() else "0" if character.isdecimal() else character


def _is_repeated(points: Points) -> Bools:
    """A digit after a digit, and the third and later of the same character."""
    same = points[1:] == points[:-1]
    repeated = np.zeros(points.size, np.bool_)
    repeated[1:] = same & (points[1:] == ord("0"))
    repeated[2:] |= same[1:] & same[:-1] & (points[2:] != ord(EDGE))
    return repeated
