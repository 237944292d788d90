"""What rows of characters say: as they are meant, and the words of the rules in them.

Loops go over the rows and walk a tree of all words from every character. No text waits for another: rows are shared out
among threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from qc.characters import Reading
from qc.compiled import Bools, Bytes, Ints, Small, compiled

FOUND = ("text_id", "rule_no", "leaf", "start", "end", "kind")  # the columns of what is found
CLAIM, UNLESS, MUST = 0, 1, 2  # what a word is looked for by
_MOST_PAIRS = 20  # bits that number the slots of the table that most pairs fail at; 128 kB, which stay in the cache


class Trie(NamedTuple):
    """Words as a tree of characters; node 0 is its root."""

    alphabet: Small  # the code points of the words, in order; code n + 1 is its character n, code 0 any other
    first: Small  # by code, the node that is a word's first character; 0 where none begins so
    is_word: Bytes  # by code, 1 where a character is a word by itself
    pair: Bytes  # a bit a slot: whether two characters may begin a word; most places fail here
    ends: Small  # by node, the word that ends there, or -1
    edge: Ints  # by slot, a node and the code of a character that goes on from it, as one number; 0 where none does
    child: Small  # by slot, the node that it leads to
    depth: int  # characters of the longest word


class Ways(NamedTuple):
    """What is written in other ways, and what it means: word n of the trie stands for meant[begin[n]:begin[n + 1]]."""

    trie: Trie
    code: Small  # by number of the alphabet
    first: Small  # by number as it is written, the node that a way begins with; 0 where none does
    begin: Ints
    meant: Small  # numbers of the alphabet
    most: int  # characters that one character may stand for


class Uses(NamedTuple):
    """What each word is looked for by, as one row a use; of word w those from begin[w] to begin[w + 1]."""

    begin: Ints
    kind: npt.NDArray[np.int8]  # CLAIM, UNLESS of a rule, MUST be there for a pattern to match
    rule: Small
    leaf: Small


class Book(NamedTuple):
    """What is looked for in texts that are read in one way."""

    trie: Trie
    uses: Uses
    is_exact: Bools  # by leaf, whether it must be the whole message
    is_once: Bools  # by leaf, whether one place a text is enough
    has_pattern: Bools  # by rule


def trie(words: Sequence[str]) -> Trie:
    """The tree of distinct words, none of them empty; a word's number is its place in the list."""
    long = np.array([len(word) for word in words], np.int64)
    points = np.frombuffer("".join(words).encode("utf-32-le"), np.int32)
    alphabet, coded = np.unique(points, return_inverse=True)
    begin, coded = np.cumsum(long) - long, coded + 1
    edges, ends = [np.zeros(1, np.int64)], [np.full(1, -1)]
    node, n_nodes = np.zeros(long.size, np.int64), 1
    for level in range(int(long.max(initial=0))):
        on = np.flatnonzero(long > level)
        keys, child = np.unique(node[on] << 32 | coded[begin[on] + level], return_inverse=True)
        node[on] = n_nodes + child
        over = on[long[on] == level + 1]
        ends.append(np.full(keys.size, -1))
        ends[-1][node[over] - n_nodes] = over
        edges.append(keys)
        n_nodes += keys.size
    edge = np.concatenate(edges)
    first, is_word = np.zeros(alphabet.size + 1, np.int32), np.zeros(alphabet.size + 1, np.uint8)
    two = begin[long > 1]
    pair = np.zeros(1 << min(_MOST_PAIRS, 6 + int(two.size).bit_length()), np.uint8)
    n_first = np.searchsorted(edge, 1 << 32)
    first[edge[1:n_first]] = np.arange(1, n_first)
    is_word[coded[begin[long == 1]]] = 1
    pair[_mixed(coded[two], coded[two + 1], pair.size)] = 1
    bits = np.packbits(pair, bitorder="little")
    by_slot, children = _hashed(edge)
    over_at = np.concatenate(ends).astype(np.int32)
    return Trie(alphabet, first, is_word, bits, over_at, by_slot, children, len(edges) - 1)


def codes(points: Small, known: Trie) -> Small:
    """The codes of code points in a trie; 0 of what is in no word."""
    if not known.alphabet.size:
        return np.zeros(points.size, np.int32)
    nearest = np.minimum(np.searchsorted(known.alphabet, points), known.alphabet.size - 1)
    return np.where(known.alphabet[nearest] == points, nearest + 1, 0).astype(np.int32)


@compiled
def meant(read: Reading, means: Small, ways: Ways) -> Reading:
    """A written reading as it is meant, words in place of the longest ways of writing around them."""
    room = read.row.size * ways.most + 1
    row, since, until = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    begin, text, here, k = np.zeros(read.begin.size, np.int64), 0, 0, 0
    while here < read.row.size:
        one = means[read.row[here]]
        node = ways.first[read.row[here]]
        row[k], since[k], until[k] = one, here, here + 1
        k += one > 0
        here += 1
        if read.row[here - 1] == 0:
            text, k = text + 1, k + 1
            begin[text] = k
        elif node > 0:
            way, over = _way(read.row, means, here, node, ways)
            if way >= 0:
                k -= 1
                for other in ways.meant[ways.begin[way] : ways.begin[way + 1]]:
                    row[k], since[k], until[k] = other, here - 1, over
                    k += 1
                here = over
    return Reading(row[:k], begin, since[:k], until[:k], read.begin)


@compiled
def _way(row: Small, means: Small, end: int, node: int, ways: Ways) -> tuple[int, int]:
    """(the longest way that goes on from a node before `end`, or -1; where it is over)."""
    way, over = -1, end
    while node > 0:
        if ways.trie.ends[node] >= 0:
            way, over = ways.trie.ends[node], end
        while row[end] > 0 and means[row[end]] == 0:
            end += 1
        node = _child(ways.trie, node, ways.code[means[row[end]]])
        end += 1
    return way, over


@compiled
def words(read: Reading, code: Small, trie: Trie) -> Small:
    """(word, at, until) of the words in a reading, in order of where they stand."""
    row, maybe, n = read.row.view(np.uint32), np.empty(read.row.size, np.int32), 0  # unsigned: none counts from the end
    after = np.int64(code[row[0]]) if row.size else 0
    for here in range(row.size - 1):
        now, after = after, np.int64(code[row[here + 1]])
        slot = np.uint32(_slot(now, after, 8 * trie.pair.size))
        maybe[n] = here
        n += trie.is_word[np.uint32(now)] | trie.pair[slot >> np.uint32(3)] >> (slot & np.uint32(7)) & 1
    hits, k = np.empty((n + 1, 3), np.int32), 0
    for here in maybe[:n]:
        node, until = trie.first[code[row[here]]], here + 1
        while node > 0:  # behind each text stands what is in no word
            if trie.ends[node] >= 0:
                if k == hits.shape[0]:
                    hits = _more(hits)
                hits[k, 0], hits[k, 1], hits[k, 2] = trie.ends[node], here, until
                k += 1
            node = _child(trie, node, code[row[until]])
            until += 1
    return hits[:k]


@compiled
def found(hits: Small, read: Reading, row: Small, book: Book, is_solid: Bools) -> Small:
    """FOUND by the uses of words that stand somewhere in a reading of a written row."""
    uses, excuses = book.uses, _excuses(hits, book.uses)
    rows, k = np.empty((_n_uses(hits, uses), 6), np.int32), 0
    said = np.full(book.is_exact.size + 1, -1, np.int32)  # by leaf, the text in which it was found last
    text, excuse, solid_of, first, last = 0, 0, -1, 0, 0
    for word, at, over in hits:
        while read.begin[text + 1] <= at:
            text += 1
        while excuse < excuses.shape[0] and excuses[excuse, 1] + book.trie.depth <= at:
            excuse += 1
        for use in range(uses.begin[word], uses.begin[word + 1]):
            kind, rule, leaf = uses.kind[use], uses.rule[use], uses.leaf[use]
            is_again = kind != UNLESS and said[leaf] == text
            if (kind == UNLESS and not book.has_pattern[rule]) or (is_again and (kind == MUST or book.is_once[leaf])):
                continue
            start, end = at - read.begin[text], over - read.begin[text]
            if kind == CLAIM:
                if _is_excused(excuses, excuse, rule, at, over):
                    continue
                if book.is_exact[leaf]:
                    if solid_of != text:
                        first, last = _solid(row, read.written[text], read.written[text + 1] - 1, is_solid)
                        solid_of = text
                    if first < read.since[at] or read.until[over - 1] <= last:
                        continue
                start, end = read.since[at] - read.written[text], read.until[over - 1] - read.written[text]
                if is_again and _is_told(rows, k, text, leaf, start, end):
                    continue
            if kind != UNLESS:
                said[leaf] = text
            rows[k, 0], rows[k, 1], rows[k, 2] = text, rule, leaf
            rows[k, 3], rows[k, 4], rows[k, 5] = start, end, kind
            k += 1
    return rows[:k]


@compiled
def _n_uses(hits: Small, uses: Uses) -> int:
    n = 0
    for hit in range(hits.shape[0]):
        n += uses.begin[hits[hit, 0] + 1] - uses.begin[hits[hit, 0]]
    return n


@compiled
def _excuses(hits: Small, uses: Uses) -> Small:
    """(rule, at, until) of words that may excuse others, in order of where they stand."""
    excuses, k = np.empty((_n_uses(hits, uses), 3), np.int32), 0
    for word, at, over in hits:
        for use in range(uses.begin[word], uses.begin[word + 1]):
            if uses.kind[use] == UNLESS:
                excuses[k, 0], excuses[k, 1], excuses[k, 2] = uses.rule[use], at, over
                k += 1
    return excuses[:k]


@compiled
def _is_excused(excuses: Small, since: int, rule: int, at: int, until: int) -> bool:
    """Whether a stretch overlaps a word that excuses its rule."""
    while since < excuses.shape[0] and excuses[since, 1] < until:
        if excuses[since, 0] == rule and excuses[since, 2] > at:
            return True
        since += 1
    return False


@compiled
def _is_told(rows: Small, k: int, text: int, leaf: int, start: int, end: int) -> bool:
    """Whether a place is among the k rows already: several characters of a word may be one way of writing it."""
    row = k - 1
    while row >= 0 and rows[row, 0] == text and (rows[row, 5] != CLAIM or rows[row, 3] == start):
        if rows[row, 2] == leaf and rows[row, 4] == end and rows[row, 5] == CLAIM:
            return True
        row -= 1
    return False


@compiled
def _child(trie: Trie, node: int, code: int) -> int:
    """The node that a character leads to, or 0."""
    edge = np.int64(node) << 32 | code
    slot = _slot(node, code, trie.edge.size)
    while trie.edge[slot] != edge:
        if trie.edge[slot] == 0:
            return 0
        slot = slot + 1 & trie.edge.size - 1
    return int(trie.child[slot])


@compiled
def _hashed(edges: Ints) -> tuple[Ints, Small]:
    """(edge, child) by slot, at most every other one taken; the n-th edge leads to node n."""
    size = 4
    while size < 2 * edges.size:
        size *= 2
    edge, child = np.zeros(size, np.int64), np.zeros(size, np.int32)
    for node in range(1, edges.size):
        slot = _slot(edges[node] >> 32, edges[node] & 0xFFFFFFFF, size)
        while edge[slot] > 0:
            slot = slot + 1 & size - 1
        edge[slot], child[slot] = edges[node], node
    return edge, child


@compiled
def _solid(row: Small, begin: int, end: int, is_solid: Bools) -> tuple[int, int]:
    """(the first, the last) character of a stretch that is more than punctuation; beyond its ends where none is."""
    first, last = begin, end - 1
    while first < end and not is_solid[row[first]]:
        first += 1
    while last >= begin and not is_solid[row[last]]:
        last -= 1
    return first, last


def _mixed(first: Any, second: Any, n_slots: int) -> Any:
    return first * 0x9E3779B1 + second * 0x85EBCA77 >> 13 & n_slots - 1


_slot = compiled(_mixed)


@compiled
def _more(rows: Small) -> Small:
    """The table with room for twice as many rows."""
    more = np.empty((rows.shape[0] * 2, rows.shape[1]), np.int32)
    for row in range(rows.shape[0]):
        for column in range(rows.shape[1]):
            more[row, column] = rows[row, column]
    return more
