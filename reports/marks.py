"""Findings on the text they were found in: spans → pieces, overlaps included."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

REACH = 60  # characters of context on either side of a quotation


class Span(NamedTuple):
    """Characters start..end of a text, and whose they are."""

    start: int
    end: int
    key: int


class Piece(NamedTuple):
    """A stretch of text under the same spans: which cover it, which begin here, which end here."""

    text: str
    keys: tuple[int, ...] = ()
    begins: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()


def pieces(text: str, spans: Sequence[Span]) -> list[Piece]:
    """The text cut where a span begins or ends; put together again it is the text.

    >>> [(p.text, p.keys) for p in pieces("我不能不行", [Span(0, 3, 1), Span(1, 5, 2)])]
    [('我', (1,)), ('不能', (1, 2)), ('不行', (2,))]
    """
    cuts = sorted({0, len(text), *(min(p, len(text)) for s in spans for p in s[:2])})
    return [
        Piece(
            text[a:b], tuple(s.key for s in spans if s.start <= a and b <= s.end),
            tuple(s.key for s in spans if s.start == a), tuple(s.key for s in spans if min(s.end, len(text)) == b),
        )
        for a, b in pairwise(cuts)
    ]  # fmt: skip


def around(text: str, start: int, end: int) -> list[Piece]:
    """One finding with a little of what stands around it."""
    low, high = max(0, start - REACH), min(len(text), end + REACH)
    cut = ("…" if low else "") + text[low:high] + ("…" if high < len(text) else "")
    shift = (1 if low else 0) - low
    return pieces(cut, [Span(start + shift, end + shift, 1)])
