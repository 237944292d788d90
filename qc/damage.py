"""Texts that were decoded wrongly somewhere on their way: told by what they turn back into, not by how odd they look.

UTF-8 read as GBK (浣犲ソ), as Latin-1 (ä½ å¥½), or GBK read as Latin-1 (ÄãºÃ) turn back into Chinese when they are written out
and read again the right way; a rare character, a French word or a Japanese brand does not. What a decoder leaves where it gave
up (�, 锟斤拷, 烫烫烫) is damage by itself, and so is a C1 control character.
"""

from __future__ import annotations

import re

import polars as pl

from qc import frames
from qc.detectors import Inspection

# 锟斤拷: two U+FFFD written as UTF-8 and read as GBK. 烫 屯: a C compiler's filling of unused memory, read as GBK. 锘: a BOM.
_SURE = r"\x{FFFD}|锟斤拷|ï¿½|烫烫烫|屯屯屯|^锘|[\x{80}-\x{84}\x{86}-\x{9F}]"
# What the first two bytes of a Chinese character in UTF-8 (E3 … E9, EF, then 80 … BF) look like when read as GBK.
_AS_GBK = (
    "["
    + "".join(bytes((a, b)).decode("gbk", "ignore") for a in (*range(0xE3, 0xEA), 0xEF) for b in range(0x80, 0xC0))
    + "]"
)
_AS_LATIN = r"[\x{C0}-\x{FF}][\x{80}-\x{FF}\x{20AC}\x{201A}-\x{2122}\x{152}-\x{192}\x{2C6}\x{2DC} ]"
_ENOUGH = 0.6  # of the bytes beyond ASCII make Chinese when read again; ordinary Chinese stays under 0.2. Ours
_HAN = re.compile(r"[\u4e00-\u9fff\u3000-\u303f\uff01-\uff5e]")


def is_damaged(texts: pl.Series) -> pl.Series:
    """texts -> whether each is mojibake; NULL is not.

    >>> is_damaged(pl.Series(["您好", "鎮ㄥソ锛屽湪鍚�", "ä½\\xa0å¥½", "café", "锟斤拷"])).to_list()
    [False, True, True, False, True]
    """
    odd = texts.filter(texts.str.contains(f"{_SURE}|{_AS_GBK}|{_AS_LATIN}").fill_null(False)).unique()
    if odd.is_empty():
        return pl.repeat(False, len(texts), dtype=pl.Boolean, eager=True)
    turned = odd.filter(odd.str.contains(_SURE) | pl.Series([_turns_back(t) for t in odd], dtype=pl.Boolean))
    return texts.is_in(turned.implode()).fill_null(False)


def _turns_back(text: str) -> bool:
    """Whether the text becomes Chinese when it is encoded as it was wrongly read and decoded as it should have been."""
    if _han_share(text.encode("gb18030", "ignore"), "utf-8") >= _ENOUGH:
        return True
    latin = re.sub(r"(?<=[\xc0-\xff]) | (?=[\x80-\xbf])|(?<=[\xc0-\xff][\x80-\xbf]) (?=[\xc0-\xff])", "\xa0", text)
    as_bytes = b"".join(_as_byte(c) for c in latin)
    if _han_share(as_bytes, "utf-8") >= _ENOUGH:
        return True
    runs = re.findall(r"(?:[\xb0-\xf7][\xa1-\xfe]){2,}", text)
    return any(
        len(set(run)) >= 3 and _han_share(run.encode("latin-1"), "gb2312") == 1 for run in runs
    ) and not _HAN.search(text)


def _as_byte(character: str) -> bytes:
    """The byte that Windows-1252, or where it has none Latin-1, shows as this character; nothing for all others."""
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1", "ignore")


def _han_share(data: bytes, encoding: str) -> float:
    """Share of the bytes beyond ASCII that make Chinese characters, at least two of them, in this encoding."""
    beyond = sum(b >= 0x80 for b in data)
    read = _HAN.findall(data.decode(encoding, "ignore"))
    size = len("".join(read).encode(encoding))
    return size / beyond if beyond and len(read) >= 2 else 0.0


def without_unread(found: Inspection, messages: pl.DataFrame) -> Inspection:
    """What was found, less what cannot be known: messages(…, is_damaged).

    A forbidden word that stands in a damaged text stands there. But where an agent's message cannot be read, nobody can say
    that the greeting is missing.
    """
    unread = messages.filter(pl.col("is_damaged") & frames.is_effective())["conversation_id"].unique().implode()
    known = ~pl.col("conversation_id").is_in(unread)
    return Inspection(found.findings.filter(pl.col("seq").is_not_null() | known), found.moments.filter(known))
