"""Texts as the rules read them: folded one character to one character, so a span in the fold is a span in the message.

What changes the length of a text (masks, removed codes) is not done here: a quote points at the bubble as it was sent.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
import polars as pl

from qc.han import SIMPLIFIED, TRADITIONAL

_SIMPLE = dict(zip(TRADITIONAL, SIMPLIFIED, strict=True))

# Marks that stand for a face, in folded form: 咚咚 #E-s57 (masked: #E-s[数字x]), 旺旺's codes (/:^_^, /:066, /:girl),
# O(∩_∩)O, (*^__^*), :-) and emoji. ❓❔⁉ are left out: they ask.
SMILEY = (
    r"#e-[a-z](?:\[数字x\]|\d+)"
    r"|/:(?:\d{3}|[\^>][^\s\p{Han}]{1,2}[\^<]|girl|man|lip|qp|clock|plane|o=o|u\*u|8\*8|\*&\*|\((?:ok|&|zz\.*)\)|\)-\(|-[fw]|~b"
    r"|[a-z!\"'$%@])"
    r"|o\([^()\p{Han}]{1,7}\)o|\([^()\p{L}\p{N}]{2,8}\)|\^[_.o\-]{0,2}\^|[:;]-?[)dp]"
    r"|[\p{Extended_Pictographic}\p{Regional_Indicator}--[❓❔⁉#*0-9©®™]][\x{FE0F}\x{200D}\x{1F3FB}-\x{1F3FF}]*"
)
PUNCTUATION = r"[\s\p{P}\p{S}\p{C}\x{FE0F}\x{200D}--[?❓❔⁉]]"
_SOFTENER = r"[啦哦喔噢呀啊哈呢哒滴嘞呐咯的]{0,3}"


@cache
def _folded(character: str) -> str:
    """One character for one; a step that would give several (ß, ㎏, ﷺ) is left out."""
    width = unicodedata.normalize("NFKC", character)
    character = width if len(width) == 1 else character
    lower = character.lower()
    character = lower if len(lower) == 1 else character
    return _SIMPLE.get(character, character)


def fold(texts: pl.Series) -> pl.Series:
    """Lower case, half width, NFKC where it is one character, traditional → simplified; every length stays.

    >>> fold(pl.Series(["加ＶＸ領紅包", "您好，在嗎？"])).to_list()
    ['加vx领红包', '您好,在吗?']
    """
    table = {c: _folded(c) for c in characters(texts) if _folded(c) != c}
    if not table:
        return texts
    return texts.str.replace_many(list(table), list(table.values()))


def characters(texts: pl.Series) -> list[str]:
    """The characters that occur, in order: a shop's chat uses a few thousand, so tables are made for these only."""
    said = texts.str.join("").item()
    seen = np.zeros(sys.maxunicode + 1, dtype=bool)
    seen[np.frombuffer(said.encode("utf-32-le"), dtype=np.uint32)] = True
    return [chr(code) for code in np.flatnonzero(seen)]


def fold_text(text: str) -> str:
    """`fold` of one text, without a frame's overhead."""
    return "".join(map(_folded, text))


def bare(texts: pl.Series) -> pl.Series:
    """What is left of folded texts without punctuation, faces and spaces; a question mark stays, since it asks."""
    return texts.str.replace_all(SMILEY, "").str.replace_all(PUNCTUATION, "")


def is_pleasantry(texts: pl.Series, words: Sequence[str]) -> pl.Series:
    """Terminal pleasantry (KPI §1): nothing but thanks, acknowledgement or faces; not a question, not an empty text.

    >>> is_pleasantry(pl.Series(["好的,谢谢啦~", "嗯?", "[微笑]", ""]), ["好的", "谢谢", "嗯", "[微笑]"]).to_list()
    [True, False, True, False]
    """
    folded = fold(pl.Series(sorted(words, key=len, reverse=True), dtype=pl.String))
    word = "|".join(map(_escaped, folded))
    said = rf"(?:{SMILEY}|(?:{word}){_SOFTENER})" if word else f"(?:{SMILEY})"
    worth = _may_begin(texts, {w[0] for w in folded})
    found = fold(texts.filter(worth)).str.contains(rf"^{PUNCTUATION}*{said}(?:{said}|{PUNCTUATION})*$").fill_null(False)
    return pl.repeat(False, len(texts), eager=True).scatter(worth.arg_true(), found).alias(texts.name)


def _may_begin(texts: pl.Series, firsts: set[str]) -> pl.Series:
    """Texts whose first character is no Han, or a Han that one of the words begins with: most questions are out at once."""
    heads = texts.str.slice(0, 1)
    distinct = heads.unique().drop_nulls()
    folded = fold(distinct)
    hopeless = distinct.filter(folded.str.contains(r"^\p{Han}") & ~folded.is_in(list(firsts)))
    return (~heads.is_in(hopeless.implode())).fill_null(False)


def _escaped(literal: str) -> str:
    return "".join(rf"\x{{{ord(c):x}}}" for c in literal)
