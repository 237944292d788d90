"""Where words and patterns stand: one pass over distinct texts for all rules together, exact to a character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from qc import disguise, frames, reading
from qc.conditions import Sought, leaves
from qc.patterns import as_folded, literal
from qc.reading import Ints, Reading
from qc.text import PUNCTUATION, SMILEY, fold

_BATCH = 3 << 20  # bytes read at a time: ours, the arrays of a batch stay near the cache
_APART = "\U0010ffff"  # no character, so that no text has it


class Leaf(NamedTuple):
    """Words or a pattern of a rule or a cue; rules and leaves go by numbers, since a million hits are joined by them."""

    leaf: int
    rule_no: int
    rule: Sought
    path: str
    kind: str
    value: Any


class _Book(NamedTuple):
    """What is looked for in texts that are read in one way."""

    leaves: Sequence[Leaf]
    words: reading.Words
    long: Ints  # characters of each word
    uses: pl.DataFrame  # word, rule_no, leaf, is_unless: a word may be of many rules
    patterns: Sequence[tuple[Leaf, int]]  # with the number of a word that stands in all that it matches, or -1


_HIT: frames.Noun = {"text_id": pl.Int32, "rule_no": pl.UInt16, "leaf": pl.UInt32, "at": pl.Int64, "until": pl.Int64}
SPAN: frames.Noun = {"text_id": pl.UInt32, "leaf": pl.UInt32, "start": pl.Int32, "end": pl.Int32, "is_once": pl.Boolean}


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
    found = spans(texts, sought, disguises or {}).join(named, on="leaf", maintain_order="left")
    return found.select("text_id", "rule_id", pl.col("path").alias("leaf"), "start", "end")


def sought_by(rules: Sequence[Sought]) -> list[Leaf]:
    """The words and patterns of rules, numbered."""
    found = [(n, r, *leaf) for n, r in enumerate(rules) for leaf in leaves(r, "") if leaf[1] in ("words", "regex")]
    return [Leaf(number, *leaf) for number, leaf in enumerate(found)]


def spans(texts: pl.Series, sought: Sequence[Leaf], disguises: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Distinct texts -> SPAN: where each leaf stands, without what is excused."""
    key = disguise.key(disguises)
    plain, hidden = ([leaf for leaf in sought if leaf.rule.disguise == is_hidden] for is_hidden in (False, True))
    books = [_book(plain, None) if plain else None, _book(hidden, key) if hidden else None]

    def of(batch: tuple[int, pl.Series]) -> pl.DataFrame:
        row = reading.written(batch[1])
        parts = [_spans(reading.folded(row), books[0])] if books[0] else []
        parts += [_spans(disguise.undisguised(row, key), books[1]).unique()] if books[1] else []
        return pl.concat([pl.DataFrame(schema=SPAN), *parts]).with_columns(pl.col("text_id") + batch[0])

    batches = _batches(texts)
    with ThreadPoolExecutor(
        pl.thread_pool_size()
    ) as threads:  # most of the work is arrays', which do not wait for Python
        found = threads.map(of, batches) if len(batches) > 1 else map(of, batches)
        return pl.concat([pl.DataFrame(schema=SPAN), *found])


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
    schema = {"phrase": pl.String, "rule_no": pl.UInt16, "leaf": pl.UInt32, "is_unless": pl.Boolean}
    uses = pl.DataFrame(words, schema=schema, orient="row")
    uses = uses.with_columns(disguise.undisguise(uses["phrase"], key) if key else fold(uses["phrase"]))
    uses = uses.filter(pl.col("phrase") != "").unique()
    patterns = [(leaf, literal(leaf.value)) for leaf in sought if leaf.kind == "regex"]
    every = sorted({*uses["phrase"], *(word for _, word in patterns if word)})
    number = {word: n for n, word in enumerate(every)}
    numbered = pl.DataFrame(
        {"phrase": every, "word": range(len(every))}, schema={"phrase": pl.String, "word": pl.Int32}
    )
    return _Book(
        sought,
        reading.words(every),
        np.array([len(word) for word in every], np.int64),
        uses.join(numbered, on="phrase").drop("phrase"),
        [(leaf, number.get(word, -1)) for leaf, word in patterns],
    )


def _spans(read: Reading, book: _Book) -> pl.DataFrame:
    """SPAN in characters of the texts as written."""
    at, word = reading.found(read, book.words)
    text = reading.owners(read)[at]
    words = pl.DataFrame({"text_id": text, "word": word, "at": at, "until": at + book.long[word]})
    hits = words.join(book.uses, on="word")
    patterns = _matches(read, book, words)
    found = pl.concat([hits.filter(~pl.col("is_unless")).select(*_HIT), patterns])
    found = _excused(_exact(found, book, read), hits.filter("is_unless"))
    once = pl.col("leaf").is_in([leaf.leaf for leaf in book.leaves if _is_once(leaf.rule)])
    first = found.filter(once).unique(["text_id", "leaf"], keep="any").with_columns(start=0, end=0, is_once=True)
    rest = _as_written(found.filter(~once), read).with_columns(is_once=False)
    return pl.concat([frames.of(SPAN, rest), frames.of(SPAN, first)])


def _is_once(rule: Sought) -> bool:
    return rule.by == "absent" and all(path == ".any" for path, _, _ in leaves(rule, ""))


def _matches(read: Reading, book: _Book, words: pl.DataFrame) -> pl.DataFrame:
    """_HIT of the patterns; where a word stands in all that a pattern matches, it is tried only on texts with that word."""
    every = _rows(read, np.arange(read.start.size - 1)) if any(word < 0 for _, word in book.patterns) else None
    found = [pl.DataFrame(schema=_HIT)]
    for leaf, word in book.patterns:
        rows = every
        if word >= 0:
            rows = _rows(read, words.filter(pl.col("word") == word)["text_id"].unique().sort().to_numpy())
        if rows is not None and rows.height:
            found.append(_matched(rows, leaf))
    return pl.concat(found)


def _rows(read: Reading, ids: npt.NDArray[np.integer]) -> pl.DataFrame:
    """(text_id, folded, begins) of some texts: as strings, and where they begin in the reading."""
    texts = pl.Series(reading.as_strings(read, ids) if ids.size else [], dtype=pl.String)
    return pl.DataFrame({"text_id": pl.Series(ids, dtype=pl.Int32), "folded": texts, "begins": read.start[ids]})


def _matched(rows: pl.DataFrame, leaf: Leaf) -> pl.DataFrame:
    """_HIT of a pattern: what lies between its matches and the matches themselves, added up."""
    asked = as_folded(leaf.value)
    clean = pl.col("folded").str.replace_all(_APART, "\ufffd", literal=True)
    rows = rows.filter(pl.col("folded").str.contains(asked)).with_columns(clean)
    between = pl.col("folded").str.replace_all(asked, _APART).str.split(_APART)
    pairs = rows.select(
        "text_id",
        "begins",
        match=pl.col("folded").str.extract_all(asked),
        gap=between.list.head(between.list.len() - 1),
    )
    pairs = pairs.explode("match", "gap").with_columns(long=pl.col("match").str.len_chars())
    until = pl.col("begins") + (pl.col("long") + pl.col("gap").str.len_chars()).cum_sum().over("text_id")
    found = pairs.with_columns(until=until, at=until - pl.col("long")).filter(pl.col("long") > 0)
    return frames.of(_HIT, found.with_columns(rule_no=pl.lit(leaf.rule_no), leaf=pl.lit(leaf.leaf)))


def _excused(found: pl.DataFrame, excuses: pl.DataFrame) -> pl.DataFrame:
    """The hits that overlap no `unless` word of their rule in the same text."""
    near = found.join(excuses.select("text_id", "rule_no", "at", "until"), on=["text_id", "rule_no"])
    overlap = (pl.col("at") < pl.col("until_right")) & (pl.col("at_right") < pl.col("until"))
    excused = near.filter(overlap).select("leaf", "at", "until")
    return found.join(excused, on=["leaf", "at", "until"], how="anti") if excused.height else found


def _exact(found: pl.DataFrame, book: _Book, read: Reading) -> pl.DataFrame:
    """Of `exact` rules the hits that are the whole message; a face beside it makes it warm, so it is more than that."""
    is_exact = found["leaf"].is_in([leaf.leaf for leaf in book.leaves if leaf.rule.exact])
    if not is_exact.any():
        return found
    asked = found.filter(is_exact)
    text, at, until = (asked[name].to_numpy() for name in ("text_id", "at", "until"))
    solid = np.append(0, np.cumsum(_is_solid(read), dtype=np.int32))
    in_text = solid[reading.gaps(read)] - solid[read.start[:-1]]
    asked = asked.filter(pl.Series(solid[until] - solid[at] == in_text[text], dtype=pl.Boolean))
    said = asked["text_id"].unique()
    plain = pl.Series(reading.as_strings(read, said.to_numpy()), dtype=pl.String)
    warm = said.filter(plain.str.contains(SMILEY))
    return pl.concat([found.filter(~is_exact), asked.filter(~pl.col("text_id").is_in(warm.implode()))])


def _is_solid(read: Reading) -> npt.NDArray[np.bool_]:
    """Of each character whether it is more than punctuation (`qc.text.bare`)."""
    characters = pl.Series(list(map(chr, read.alphabet.tolist())), dtype=pl.String)
    return np.asarray((~characters.str.contains(PUNCTUATION)).to_numpy()[read.row])


def _as_written(found: pl.DataFrame, read: Reading) -> pl.DataFrame:
    """Places in a reading → characters of the texts as they were written."""
    text, at, until = (found[name].to_numpy() for name in ("text_id", "at", "until"))
    begins = read.written[text]
    return found.select(
        "text_id", "leaf", start=pl.Series(read.since[at] - begins), end=pl.Series(read.until[until - 1] - begins)
    )
