"""Where words and patterns stand: one pass over distinct texts for all rules together, exact to a character."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from qc import disguise, frames, reading
from qc.conditions import Sought, leaves, only_words
from qc.patterns import as_folded, literal
from qc.reading import GAP, Bools, Integers, Ints, Reading, stretches
from qc.text import PUNCTUATION, SMILEY, fold

_BATCH = 2 << 20  # bytes read at a time: ours, the arrays of a batch stay near the cache

Said = Callable[[Integers], pl.Series]  # of texts by their numbers, how they are read


class Leaf(NamedTuple):
    """Words or a pattern of a rule or a cue; rules and leaves go by numbers, since a million hits are joined by them."""

    leaf: int
    rule_no: int
    rule: Sought
    path: str
    kind: str
    value: Any


class Uses(NamedTuple):
    """What each word is looked for by, as one row a use; of word w those from begin[w] to begin[w + 1]."""

    begin: Ints
    rule_no: Integers
    leaf: Integers
    is_unless: Bools


class _Book(NamedTuple):
    """What is looked for in texts that are read in one way."""

    leaves: Sequence[Leaf]
    words: reading.Words
    long: Ints  # characters of each word
    uses: Uses  # a word may be of many rules
    patterns: Sequence[tuple[Leaf, int]]  # with the number of a word that stands in all that it matches, or -1


class Hits(NamedTuple):
    """Where something stands in a reading, one row a hit."""

    text: Integers
    rule_no: Integers
    leaf: Integers
    at: Integers
    until: Integers

    def where(self, is_kept: Bools) -> Hits:
        """Some of them."""
        return Hits(*(column[is_kept] for column in self))


class Heard(NamedTuple):
    """What was read in distinct texts."""

    spans: pl.DataFrame  # SPAN
    folded: pl.Series  # the texts as the rules read them


SPAN: frames.Noun = {"text_id": pl.UInt32, "leaf": pl.UInt32, "start": pl.Int32, "end": pl.Int32}
_NO_SPANS = frames.empty(SPAN)


def occurrences(
    texts: pl.Series, rules: Sequence[Sought], disguises: Mapping[str, Sequence[str]] | None = None
) -> pl.DataFrame:
    """Distinct texts -> (text_id, rule_id, leaf, start, end); start and end in characters of the text.

    `leaf` is the path of the words or the pattern in its rule. Of an absent rule that is nothing but words one occurrence
    a text is kept: only its presence matters.
    """
    sought = sought_by(rules)
    names = [(leaf.leaf, leaf.rule.id, leaf.path) for leaf in sought]
    named = pl.DataFrame(names, schema={"leaf": pl.UInt32, "rule_id": pl.String, "path": pl.String}, orient="row")
    found = hear(texts, sought, disguises or {}).spans.join(named, on="leaf", maintain_order="left")
    return found.select("text_id", "rule_id", pl.col("path").alias("leaf"), "start", "end")


def sought_by(rules: Sequence[Sought]) -> list[Leaf]:
    """The words and patterns of rules, numbered."""
    found = [(n, r, *leaf) for n, r in enumerate(rules) for leaf in leaves(r, "") if leaf[1] in ("words", "regex")]
    return [Leaf(number, *leaf) for number, leaf in enumerate(found)]


def hear(texts: pl.Series, sought: Sequence[Leaf], disguises: Mapping[str, Sequence[str]]) -> Heard:
    """Distinct texts -> where each leaf stands, without what is excused, and the texts folded."""
    key = disguise.key(disguises)
    plain, hidden = ([leaf for leaf in sought if leaf.rule.disguise == is_hidden] for is_hidden in (False, True))
    books = [_book(plain, None) if plain else None, _book(hidden, key) if hidden else None]

    def of(batch: tuple[int, pl.Series]) -> Heard:
        row = reading.written(batch[1])
        folded = reading.folded(row)
        said = reading.as_strings(folded)
        parts = [_spans(folded, lambda some: said[some], books[0])] if books[0] else []
        if books[1]:
            meant = disguise.undisguised(row, key)
            as_spelt, reworded = (_spans(read, _strings(read), books[1]).unique() for read in meant[:2])
            parts.append(as_spelt.filter(~pl.col("text_id").is_in(meant.texts)))
            parts.append(reworded.with_columns(text_id=pl.Series(meant.texts, dtype=pl.UInt32)[reworded["text_id"]]))
        return Heard(pl.concat([_NO_SPANS, *parts]).with_columns(pl.col("text_id") + batch[0]), said)

    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:  # most of the work is arrays', which wait for no Python
        found = [Heard(_NO_SPANS, pl.Series(dtype=pl.String)), *threads.map(of, _batches(texts))]
    return Heard(*(pl.concat(parts) for parts in zip(*found, strict=True)))


def _strings(read: Reading) -> Said:
    return lambda texts: reading.as_strings(reading.some(read, texts))


def _batches(texts: pl.Series) -> list[tuple[int, pl.Series]]:
    """Neighbouring texts, about _BATCH bytes at a time, with the number of their first one."""
    texts = texts.fill_null("")
    nth = texts.str.len_bytes().cast(pl.Int64).cum_sum().to_numpy() // _BATCH
    edges = [0, *(np.flatnonzero(np.diff(nth)) + 1).tolist(), len(texts)]
    return [(a, texts[a:z]) for a, z in pairwise(edges) if a < z]


def _book(sought: Sequence[Leaf], key: disguise.Key | None) -> _Book:
    words = [(w, leaf.rule_no, leaf.leaf, False) for leaf in sought if leaf.kind == "words" for w in leaf.value]
    rules = {leaf.rule_no: leaf.rule for leaf in sought}
    words += [(w, number, 0, True) for number, rule in rules.items() for w in rule.unless]
    schema = {"phrase": pl.String, "rule_no": pl.Int32, "leaf": pl.Int32, "is_unless": pl.Boolean}
    uses = pl.DataFrame(words, schema=schema, orient="row")
    uses = uses.with_columns(disguise.undisguise(uses["phrase"], key) if key else fold(uses["phrase"]))
    uses = uses.filter(pl.col("phrase") != "").unique()
    patterns = [(leaf, literal(leaf.value)) for leaf in sought if leaf.kind == "regex"]
    every = sorted({*uses["phrase"], *(word for _, word in patterns if word)})
    number = {word: n for n, word in enumerate(every)}
    uses = uses.with_columns(word=uses["phrase"].replace_strict(number, return_dtype=pl.Int64)).sort("word")
    return _Book(
        sought,
        reading.words(every),
        np.array([len(word) for word in every], np.int64),
        Uses(
            np.searchsorted(uses["word"], np.arange(len(every) + 1)),
            *(uses[name].to_numpy() for name in Uses._fields[1:]),
        ),
        [(leaf, number.get(word, -1)) for leaf, word in patterns],
    )


def _spans(read: Reading, said: Said, book: _Book) -> pl.DataFrame:
    """SPAN in characters of the texts as written; `said` gives the texts as they are read."""
    at, word = reading.found(read, book.words)
    text = reading.owners(read)[at]
    many = np.diff(book.uses.begin)[word]
    use, of = stretches(book.uses.begin[word], many), np.repeat(np.arange(at.size), many)
    begin = at[of]
    hits = Hits(text[of], book.uses.rule_no[use], book.uses.leaf[use], begin, begin + book.long[word[of]])
    is_unless = book.uses.is_unless[use]
    patterns = _matches(read, said, book, text, word)
    found = Hits(*map(np.concatenate, zip(hits.where(~is_unless), *patterns, strict=True)))
    found = _excused(_exact(found, book, read, said), hits.where(is_unless))
    # Of an absent rule that is nothing but words only its presence matters.
    once = _marked(
        [leaf.leaf for leaf in book.leaves if leaf.rule.by == "absent" and only_words(leaf.rule)], found.leaf
    )
    return pl.concat([_as_written(found.where(~once), read), _first(found.where(once))])


def _first(found: Hits) -> pl.DataFrame:
    """SPAN of the texts in which something is, for those who ask for no more."""
    n_leaves = int(found.leaf.max(initial=0)) + 1
    is_there = np.zeros((int(found.text.max(initial=-1)) + 1) * n_leaves, np.bool_)
    is_there[found.text.astype(np.int64) * n_leaves + found.leaf] = True
    both = np.flatnonzero(is_there)
    return frames.of(SPAN, pl.DataFrame({"text_id": both // n_leaves, "leaf": both % n_leaves, "start": 0, "end": 0}))


def _marked(wanted: npt.ArrayLike, among: Integers) -> Bools:
    """Which of small numbers are wanted."""
    is_wanted = np.zeros(int(among.max(initial=-1)) + 1, np.bool_)
    wanted = np.asarray(wanted, np.int64)
    is_wanted[wanted[wanted < is_wanted.size]] = True
    return np.asarray(is_wanted[among])


def _matches(read: Reading, said: Said, book: _Book, text: Integers, word: Integers) -> list[Hits]:
    """The patterns' hits; where a word stands in all that a pattern matches, it is tried only on texts with that word."""
    if not book.patterns:
        return []
    begin, order = read.start, np.argsort(word, kind="stable")
    within = np.searchsorted(word[order], np.arange(len(book.long) + 1))
    found = []
    for leaf, must in book.patterns:
        ids = np.arange(begin.size - 1) if must < 0 else np.unique(text[order[within[must] : within[must + 1]]])
        if ids.size:
            found.append(_matched(pl.DataFrame({"text_id": ids, "folded": said(ids), "begins": begin[ids]}), leaf))
    return found


def _matched(rows: pl.DataFrame, leaf: Leaf) -> Hits:
    """The hits of a pattern: what lies between its matches and the matches themselves, added up."""
    asked = as_folded(leaf.value)
    clean = pl.col("folded").str.replace_all(GAP, "\ufffd", literal=True)
    rows = rows.filter(pl.col("folded").str.contains(asked)).with_columns(clean)
    between = pl.col("folded").str.replace_all(asked, GAP).str.split(GAP)
    pairs = rows.select(
        "text_id",
        "begins",
        match=pl.col("folded").str.extract_all(asked),
        gap=between.list.head(between.list.len() - 1),
    )
    pairs = pairs.explode("match", "gap").with_columns(long=pl.col("match").str.len_chars().cast(pl.Int64))
    until = pl.col("begins") + (pl.col("long") + pl.col("gap").str.len_chars()).cum_sum().over("text_id")
    found = pairs.with_columns(until=until.cast(pl.Int64), text_id=pl.col("text_id").cast(pl.Int32)).filter(
        pl.col("long") > 0
    )
    text, until_, long = (found[name].to_numpy() for name in ("text_id", "until", "long"))
    rule_no, number = (np.full(text.size, n, np.int32) for n in (leaf.rule_no, leaf.leaf))
    return Hits(text, rule_no, number, until_ - long, until_)


def _excused(found: Hits, excuses: Hits) -> Hits:
    """The hits that overlap no `unless` word of their rule in the same text."""
    is_near = _marked(excuses.rule_no, found.rule_no) & _marked(excuses.text, found.text)
    near = found.where(is_near)
    rows = pl.DataFrame({**near._asdict(), "hit": np.flatnonzero(is_near)})
    over = rows.join(pl.DataFrame(excuses._asdict()), on=["text", "rule_no"]).filter(
        (pl.col("at") < pl.col("until_right")) & (pl.col("at_right") < pl.col("until"))
    )
    is_kept = np.ones(is_near.size, np.bool_)
    is_kept[over["hit"].to_numpy()] = False
    return found.where(is_kept)


def _exact(found: Hits, book: _Book, read: Reading, said: Said) -> Hits:
    """Of `exact` rules the hits that are the whole message; a face beside it makes it warm, so it is more than that."""
    is_exact = _marked([leaf.leaf for leaf in book.leaves if leaf.rule.exact], found.leaf)
    if not is_exact.any():
        return found
    solid = _is_solid(read)[read.row]
    begin, end = read.start[found.text], reading.gaps(read)[found.text]
    # Most are not even at the edges of their texts: whoever is has only marks beside it there.
    is_edged = ((found.at == begin) | ~solid[begin]) & ((found.until == end) | ~solid[end - 1])
    edged = np.flatnonzero(is_exact & is_edged)
    n_solid, n_found = (
        _summed(solid, *ends) for ends in ((begin[edged], end[edged]), (found.at[edged], found.until[edged]))
    )
    whole = edged[n_solid == n_found]
    whole = whole[~said(found.text[whole]).str.contains(SMILEY).to_numpy()]
    is_kept = ~is_exact
    is_kept[whole] = True
    return found.where(is_kept)


def _summed(marks: Bools, begin: Integers, end: Integers) -> Ints:
    """How many are marked in each stretch."""
    marked = np.append(0, np.cumsum(marks[stretches(begin, end - begin)]))
    over = np.append(0, np.cumsum(end - begin))
    return np.asarray(marked[over[1:]] - marked[over[:-1]])


def _is_solid(read: Reading) -> Bools:
    """Of each character of the alphabet whether it is more than punctuation (`qc.text.bare`)."""
    characters = pl.Series(list(map(chr, read.alphabet.tolist())), dtype=pl.String)
    return np.asarray(~characters.str.contains(PUNCTUATION).to_numpy() & (read.alphabet != ord(GAP)))


def _as_written(found: Hits, read: Reading) -> pl.DataFrame:
    """Places in a reading → characters of the texts as they were written."""
    begins = read.written[found.text]
    start, end = read.since[found.at] - begins, read.until[found.until - 1] - begins
    return frames.of(SPAN, pl.DataFrame({"text_id": found.text, "leaf": found.leaf, "start": start, "end": end}))
