"""Where words and patterns stand: one pass over distinct texts for all rules together, exact to a character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from qc import characters, disguise, frames, reading
from qc.characters import Texts
from qc.compiled import Small
from qc.conditions import Sought, leaves, only_words
from qc.patterns import as_folded, literal
from qc.reading import CLAIM, FOUND, MUST, UNLESS, Book, Uses
from qc.rows import marked
from qc.text import PUNCTUATION, SMILEY, fold

_GAP = "\ufdd0"  # between two matches: no character by Unicode, so that hardly a text has it
_PIECE = 1 << 18  # bytes that a thread reads at a time


class Leaf(NamedTuple):
    """Words or a pattern of a rule or a cue; rules and leaves go by numbers, since a million hits are joined by them."""

    leaf: int
    rule_no: int
    rule: Sought
    path: str
    kind: str
    value: Any


class Shelf(NamedTuple):
    """All that is looked for."""

    sought: Sequence[Leaf]
    key: disguise.Key
    plain: Book  # in texts as they are written, folded
    hidden: Book  # in texts as they are meant


class Heard(NamedTuple):
    """What was read in distinct texts."""

    spans: pl.DataFrame  # SPAN
    folded: Texts  # the texts as the rules read them
    signed: pl.Series  # the numbers of those that have one of the signs asked for


SPAN: frames.Noun = {"text_id": pl.UInt32, "leaf": pl.UInt32, "start": pl.Int32, "end": pl.Int32}


def occurrences(
    texts: pl.Series, rules: Sequence[Sought], disguises: Mapping[str, Sequence[str]] | None = None
) -> pl.DataFrame:
    """Distinct texts -> (text_id, rule_id, leaf, start, end); start and end in characters of the text.

    `leaf` is the path of the words or the pattern in its rule. Of an absent rule that is nothing but words one occurrence
    a text is kept: only its presence matters.
    """
    asked = shelf(rules, disguises or {})
    names = [(leaf.leaf, leaf.rule.id, leaf.path) for leaf in asked.sought]
    named = pl.DataFrame(names, schema={"leaf": pl.UInt32, "rule_id": pl.String, "path": pl.String}, orient="row")
    found = hear(texts, asked).spans.join(named, on="leaf", maintain_order="left")
    return found.select("text_id", "rule_id", pl.col("path").alias("leaf"), "start", "end")


def shelf(rules: Sequence[Sought], disguises: Mapping[str, Sequence[str]], signs: Sequence[str] = ()) -> Shelf:
    """The words and patterns of rules, and signs to know texts by."""
    found = [(n, r, *leaf) for n, r in enumerate(rules) for leaf in leaves(r, "") if leaf[1] in ("words", "regex")]
    sought = [Leaf(number, *leaf) for number, leaf in enumerate(found)]
    plain, hidden = ([leaf for leaf in sought if leaf.rule.disguise == is_hidden] for is_hidden in (False, True))
    key = disguise.key(disguises)
    return Shelf(sought, key, _book(plain, sought, signs), _book(hidden, sought, key=key))


class _Hits(NamedTuple):
    """What was read for those who look further: text_id, rule_no, leaf, start and end in characters of the reading."""

    excuses: pl.DataFrame  # `unless` words of rules with patterns
    musts: pl.DataFrame  # words that stand in whatever a pattern matches, once a text


def hear(texts: pl.Series, asked: Shelf) -> Heard:
    """Distinct texts -> where each leaf stands, without what is excused; the texts folded, and which have any of the signs."""
    texts = texts.fill_null("")
    said = characters.as_texts(texts)
    known = disguise.alphabet(said, asked.key)
    ways = disguise.ways(asked.key, known)
    plain, hidden = (
        reading.codes(points, book.trie) for points, book in ((known.folded, asked.plain), (known.points, asked.hidden))
    )

    pieces = _pieces(said)
    places = characters.places(said, pieces)

    def of(piece: tuple[int, int]) -> tuple[list[Small], Texts]:
        row = characters.written(said, *piece, known, places)
        hits = reading.words(row, plain, asked.plain.trie)
        found = [reading.found(hits, row, row.row, asked.plain, known.is_solid)]
        if asked.hidden.uses.kind.size:
            meant = reading.meant(row, known.meant, ways)
            hits = reading.words(meant, hidden, asked.hidden.trie)
            found.append(reading.found(hits, meant, row.row, asked.hidden, known.is_solid))
        for rows in found:
            rows[:, 0] += piece[0]
        return found, characters.in_utf8(row, known)

    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        read = list(threads.map(of, pieces))
    folded = characters.joined([part for _, part in read])
    found = np.concatenate([np.zeros((0, len(FOUND)), np.int32), *(rows for parts, _ in read for rows in parts)])
    claims, *others = (pl.from_numpy(found[found[:, -1] == kind], FOUND) for kind in (CLAIM, UNLESS, MUST))
    hits, as_read = _Hits(*others), characters.as_series(folded)
    spans = [frames.of(SPAN, _cold(claims, as_read, asked.sought))]
    for leaf in asked.sought:
        if leaf.kind == "regex":
            spans.append(_matches(leaf, texts, as_read, hits, asked.key))
    signed = hits.musts["text_id"].filter(hits.musts["leaf"] == len(asked.sought))
    return Heard(pl.concat(spans), folded, signed)


def _pieces(texts: Texts) -> list[tuple[int, int]]:
    """Neighbouring texts, about _PIECE bytes at a time."""
    edges = np.searchsorted(texts.begin, np.arange(texts.begin[0], texts.begin[-1], _PIECE))
    return list(pairwise(np.unique([0, *edges, texts.begin.size - 1]).tolist()))


def _book(
    leaves: Sequence[Leaf], sought: Sequence[Leaf], signs: Sequence[str] = (), key: disguise.Key | None = None
) -> Book:
    """The words of some of the leaves sought, and signs."""
    rules = {leaf.rule_no: leaf.rule for leaf in leaves}
    patterns = [leaf for leaf in leaves if leaf.kind == "regex"]
    uses = _uses([
        *((leaf.value, CLAIM, leaf.rule_no, leaf.leaf) for leaf in leaves if leaf.kind == "words"),
        *((rule.unless, UNLESS, number, 0) for number, rule in rules.items()),
    ])  # fmt: skip
    uses = uses.with_columns(disguise.undisguise(uses["word"], key) if key else fold(uses["word"]))
    musts = _uses([
        *(([literal(leaf.value)], MUST, leaf.rule_no, leaf.leaf) for leaf in patterns),
        (signs, MUST, 0, len(sought)),
    ])  # fmt: skip
    uses = pl.concat([uses, musts]).filter(pl.col("word") != "").unique().sort("word")
    of = uses["word"].rle().struct
    return Book(
        reading.trie(of["value"].to_list()),
        Uses(np.cumsum([0, *of["len"]]), *(uses[name].to_numpy() for name in ("kind", "rule", "leaf"))),
        np.array([leaf.rule.exact for leaf in sought], np.bool_),
        # Of an absent rule that is nothing but words only its presence matters.
        np.array([leaf.rule.by == "absent" and only_words(leaf.rule) for leaf in sought], np.bool_),
        marked([leaf.rule_no for leaf in patterns], max((leaf.rule_no for leaf in sought), default=0) + 1),
    )


def _uses(lists: Sequence[tuple[Sequence[str], int, int, int]]) -> pl.DataFrame:
    """(words, kind, rule, leaf) each -> a row a word."""
    words = [word for some, *_ in lists for word in some]
    many = [len(some) for some, *_ in lists]
    kind, rule, leaf = (np.repeat([one[k] for one in lists], many) for k in (1, 2, 3))
    schema = {"word": pl.String, "kind": pl.Int8, "rule": pl.Int32, "leaf": pl.Int32}
    return pl.DataFrame({"word": words, "kind": kind, "rule": rule, "leaf": leaf}, schema)


def _cold(found: pl.DataFrame, folded: pl.Series, sought: Sequence[Leaf]) -> pl.DataFrame:
    """The places without those of `exact` rules in texts with a face: it makes them warm, so they are more than that."""
    is_exact = pl.Series([leaf.rule.exact for leaf in sought], dtype=pl.Boolean)
    if not is_exact.any():
        return found
    row = np.flatnonzero(is_exact[found["leaf"]])
    warm = row[folded[found["text_id"][row]].str.contains(SMILEY).to_numpy()]
    return found.filter(pl.Series(~marked(warm, found.height))) if warm.size else found


def _matches(leaf: Leaf, texts: pl.Series, folded: pl.Series, hits: _Hits, key: disguise.Key) -> pl.DataFrame:
    """SPAN of a pattern; if a word stands in all that it matches, only texts with that word are tried."""
    ids = hits.musts["text_id"].filter(hits.musts["leaf"] == leaf.leaf)
    if not literal(leaf.value):
        ids = pl.int_range(len(texts), dtype=pl.Int32, eager=True)
    if ids.is_empty():
        return frames.empty(SPAN)
    said, meant = disguise.meant(texts[ids], key) if leaf.rule.disguise else (folded[ids], None)
    found = _matched(pl.DataFrame({"text_id": ids, "said": said}).with_row_index("nth"), leaf.value)
    if leaf.rule.exact:
        ahead, behind = pl.col("said").str.slice(0, "start"), pl.col("said").str.slice("end")
        found = found.filter(pl.concat_str(ahead, behind).str.replace_all(PUNCTUATION, "") == "")
    excuses = hits.excuses.filter(hits.excuses["rule_no"] == leaf.rule_no)
    over = found.join(excuses, on="text_id", suffix="_of").filter(
        (pl.col("start") < pl.col("end_of")) & (pl.col("start_of") < pl.col("end"))
    )
    found = found.join(over, on=["nth", "start", "end"], how="anti")
    if meant:
        begin, since = meant.begin[found["nth"]], meant.written[found["nth"]]
        start = meant.since[begin + found["start"].to_numpy()] - since
        end = meant.until[begin + found["end"].to_numpy() - 1] - since
        found = found.with_columns(start=start, end=end).unique(["text_id", "start", "end"], maintain_order=True)
    return frames.of(SPAN, found.with_columns(leaf=leaf.leaf))


def _matched(rows: pl.DataFrame, pattern: str) -> pl.DataFrame:
    """rows(said, …) -> with start and end, one a match: what lies between the matches and the matches, added up."""
    asked = as_folded(pattern)
    rows = rows.filter(pl.col("said").str.contains(asked))
    clean = pl.col("said").str.replace_all(_GAP, "\ufffd", literal=True)
    between = clean.str.replace_all(asked, _GAP).str.split(_GAP)
    pairs = rows.with_columns(match=clean.str.extract_all(asked), gap=between.list.head(between.list.len() - 1))
    pairs = pairs.explode("match", "gap").with_columns(long=pl.col("match").str.len_chars().cast(pl.Int32))
    end = (pl.col("long") + pl.col("gap").str.len_chars().cast(pl.Int32)).cum_sum().over("nth")
    pairs = pairs.with_columns(start=end - pl.col("long"), end=end)
    return pairs.filter(pl.col("long") > 0)
