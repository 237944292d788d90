"""Texts read as rows of code points, against the same done a character at a time."""

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qc import disguise, reading
from qc.patterns import as_folded, literal
from qc.text import fold, fold_text

# Astral, combining, full width, traditional, gaps, what disguises are made of; and characters that fold to other lengths.
ODD = st.text(st.sampled_from("a bvx微信薇❤️加.Ｖ，。\n我不😊𠀋é\u0301一①零🐧\0ßﷺ點\ufdd0"), max_size=12)
WAYS = {"微信": ["v信", "vx", "薇❤", "微 信", "vv"], "ab": ["a", "ba", "b"], "q": ["❤信", "x"]}


@given(st.lists(ODD, min_size=1), st.lists(st.text("a b微信❤😊\n", min_size=1, max_size=4), min_size=1, unique=True))
def test_words_are_found_where_they_stand_and_not_across_texts(texts: list[str], known: list[str]) -> None:
    read = reading.written(pl.Series(texts))
    at, word = reading.found(read, reading.words(known))
    owner = reading.owners(read)[at]
    found = {(n, a - read.start[n], w) for n, a, w in zip(owner, at, word, strict=True)}
    plain = {
        (n, a, w) for n, t in enumerate(texts) for w, p in enumerate(known) for a in range(len(t)) if t.startswith(p, a)
    }
    assert found == plain
    assert at.size == len(plain)


@given(st.lists(ODD, min_size=1))
def test_the_folded_reading_is_the_fold(texts: list[str]) -> None:
    read = reading.folded(reading.written(pl.Series(texts)))
    assert reading.as_strings(read).to_list() == fold(pl.Series(texts)).to_list()


def _by_hand(text: str, key: disguise.Key) -> list[tuple[str, int, int]]:
    """Of each character as it was meant: itself, and where what it stands for starts and ends."""
    kept = [
        (p, n)
        for n, c in enumerate(text)
        if (p := disguise.undisguise(pl.Series([c]), key._replace(ways=(), words=())).item())
    ]
    spelt, done, meant = "".join(p for p, _ in kept), 0, []
    for way in re.finditer("|".join(map(re.escape, key.ways)) or "(?!)", spelt):
        meant += [(p, n, n + 1) for p, n in kept[done : way.start()]]
        first, last = kept[way.start()][1], kept[way.end() - 1][1] + 1
        meant += [(c, first, last) for c in key.words[key.ways.index(way[0])]]
        done = way.end()
    return meant + [(p, n, n + 1) for p, n in kept[done:]]


@settings(max_examples=50)
@given(st.lists(ODD, min_size=1, max_size=4), st.sampled_from([WAYS, {}]))
def test_what_is_meant_points_at_what_was_written(texts: list[str], ways: dict[str, list[str]]) -> None:
    key = disguise.key(ways)
    spelt, reworded, again = disguise.undisguised(reading.written(pl.Series(texts)), key)
    place = {n: k for k, n in enumerate(again.tolist())}
    for number, text in enumerate(texts):
        read, n = (reworded, place[number]) if number in place else (spelt, number)
        here = slice(read.start[n], read.start[n + 1] - 1)
        since, until = read.since[here] - read.written[n], read.until[here] - read.written[n]
        meant = zip(map(chr, read.alphabet[read.row[here]]), since.tolist(), until.tolist(), strict=True)
        assert list(meant) == _by_hand(text, key)


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
