"""Texts read as rows of characters, against the same done in plain Python."""

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qc import characters, disguise, reading
from qc.patterns import as_folded, literal
from qc.quotation import echoes
from qc.text import fold, fold_text

# Astral, combining, full width, traditional, gaps, what disguises are made of; and characters that fold to other lengths.
ODD = st.text(st.sampled_from("a bvx微信薇❤️加.Ｖ，。\n我不😊𠀋é\u0301一①零🐧\0ßﷺ點\ufdd0"), max_size=12)
WAYS = {"微信": ["v信", "vx", "薇❤", "微 信", "vv"], "ab": ["a", "ba", "b"], "q": ["❤信", "x"]}


def _read(texts: list[str], ways: dict[str, list[str]]) -> tuple[characters.Reading, characters.Alphabet]:
    said, every = characters.as_texts(pl.Series(texts)), (0, len(texts))
    known = disguise.alphabet(said, disguise.key(ways))
    return characters.written(said, *every, known, characters.places(said, [every])), known


@given(st.lists(ODD, min_size=1), st.lists(st.text("a b微信❤😊\n", min_size=1, max_size=4), min_size=1, unique=True))
def test_words_are_found_where_they_stand_and_not_across_texts(texts: list[str], known: list[str]) -> None:
    read, alphabet = _read(texts, {})
    tree = reading.trie(known)
    hits = reading.words(read, reading.codes(alphabet.points, tree), tree)
    found = []
    for word, at, until in hits.tolist():
        n = int(np.searchsorted(read.begin, at, side="right")) - 1
        found.append((n, at - read.begin[n], until - read.begin[n], word))
    plain = [
        (n, a, a + len(p), w)
        for n, t in enumerate(texts)
        for w, p in enumerate(known)
        for a in range(len(t))
        if t.startswith(p, a)
    ]
    assert sorted(found) == sorted(plain)
    assert (np.diff(hits[:, 1]) >= 0).all()  # excuses are looked for beside a hit, in this order


@given(st.lists(ODD, min_size=1), st.integers(0, 3))
def test_what_is_read_again_are_the_folded_texts(texts: list[str], skipped: int) -> None:
    series = pl.Series([""] * skipped + texts)[skipped:]  # offsets that do not begin at 0
    said = characters.as_texts(series)
    known = disguise.alphabet(said, disguise.key({}))
    half = len(texts) // 2
    pieces = [(0, half), (half, len(texts))]
    rows = [characters.written(said, *piece, known, characters.places(said, pieces)) for piece in pieces]
    read = characters.joined([characters.in_utf8(row, known) for row in rows])
    assert characters.as_series(read).to_list() == fold(series).to_list()


def _by_hand(text: str, key: disguise.Key) -> list[tuple[str, int, int]]:
    """Of each character as it was meant: itself, and where what it stands for starts and ends."""
    kept = [
        (p, n)
        for n, c in enumerate(text)
        if (p := disguise.undisguise(pl.Series([c]), key._replace(ways=(), words=())).item())
    ]
    spelt, done, meant = "".join(p for p, _ in kept), 0, []
    longest_first = sorted(key.ways, key=len, reverse=True)
    for way in re.finditer("|".join(map(re.escape, longest_first)) or "(?!)", spelt):
        meant += [(p, n, n + 1) for p, n in kept[done : way.start()]]
        first, last = kept[way.start()][1], kept[way.end() - 1][1] + 1
        meant += [(c, first, last) for c in key.words[key.ways.index(way[0])]]
        done = way.end()
    return meant + [(p, n, n + 1) for p, n in kept[done:]]


@settings(max_examples=50)
@given(st.lists(ODD, min_size=1, max_size=4), st.sampled_from([WAYS, {}]))
def test_what_is_meant_points_at_what_was_written(texts: list[str], ways: dict[str, list[str]]) -> None:
    key = disguise.key(ways)
    said, read = disguise.meant(pl.Series(texts), key)
    for n, text in enumerate(texts):
        here = slice(read.begin[n], read.begin[n + 1] - 1)
        since, until = read.since[here] - read.written[n], read.until[here] - read.written[n]
        assert list(zip(said[n], since.tolist(), until.tolist(), strict=True)) == _by_hand(text, key)


@given(st.text("ab微。", min_size=1, max_size=14), st.text("ab微。", max_size=14), st.data())
def test_a_clause_that_was_asked_before_is_an_echo(text: str, asked: str, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.tuples(*[st.integers(0, len(text))] * 2).filter(lambda p: p[0] < p[1]), max_size=8))
    rows = pl.DataFrame(places, {"start": pl.Int32, "end": pl.Int32}, orient="row")
    rows = rows.with_columns(text_id=pl.lit(0, pl.UInt32), last=pl.lit(0, pl.Int32))
    folded, last = (characters.as_texts(pl.Series([t], dtype=pl.String)) for t in (text, asked))
    clauses = [text[text.rfind("。", 0, a) + 1 : z + len(text[z:].split("。", maxsplit=1)[0])] for a, z in places]
    echo = [n for n, clause in enumerate(clauses) if len(clause) >= 4 and clause in asked]
    assert echoes(rows, folded, last).tolist() == echo


@given(st.lists(st.text("ab微", max_size=3), min_size=1), st.data())
def test_texts_are_strung_of_others(table: list[str], data: st.DataObject) -> None:
    numbers = st.integers(0, len(table) - 1)
    parts = data.draw(st.lists(st.tuples(numbers, numbers), max_size=5))
    made = characters.strung(characters.as_texts(pl.Series(table)), np.array(parts, np.int32).reshape(-1, 2))
    assert characters.as_series(made).to_list() == [table[a] + table[b] for a, b in parts]


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        *[("qq[0-9]{5}", "qq"), ("(^|[^a-z])SB($|[^a-z])", "sb"), ("加微?信", "加"), ("說話.{0,3}[一二]", "说话")],
        *[("a|b", ""), ("(?i)abc", ""), (r"\d米", ""), ("[]a]b", ""), ("[[:alpha:]]b", ""), ("b{0,2}", ""), ("(微信)?", "")],
    ],
)  # fmt: skip
def test_the_word_that_every_match_of_a_pattern_has(pattern: str, word: str) -> None:
    assert literal(pattern) == word


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(["a", "b", "微信", "(a|信)", "[b加]", "b?", "信{0,2}", ".{0,3}", "^", "$", "(?:ab)", "Ｖ"]),
        min_size=1,
    ),
    st.text("ab微信加vV ", max_size=10),
)
def test_no_match_is_without_it(parts: list[str], text: str) -> None:
    pattern, folded = "".join(parts), fold_text(text)
    is_matched = pl.Series([folded]).str.contains(as_folded(pattern)).item()
    assert literal(pattern) in folded or not is_matched
