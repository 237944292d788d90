"""Patterns of rules: regular expressions whose time is bounded by the length of the text."""

from __future__ import annotations

import re

import polars as pl

from qc.text import fold_text

LONGEST_PATTERN = 300
MOST_REPEATS = 200  # the upper bounds of a pattern's repeats, added up

_ASIDE = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]")  # escapes and classes: what is in them repeats nothing
_OPEN = re.compile(r"[*+]|\{\d+,\}")
_BOUND = re.compile(r"\{(?:\d+,)?(\d+)\}")
_OF_GROUP = re.compile(r"\)\{(?:\d+,)?(\d+)\}")

_INVOLVED = re.compile(r"\\|\(\?[^:]|\[\^?\]|\[[^\]]*\[")  # escapes, flags, brackets within brackets: not read further
_PART = re.compile(rf"{_ASIDE.pattern}|.", re.DOTALL)
_BREAK = "\0"  # in the place of what may be several things
_OPTIONAL = re.compile(r".(?:[*?]|\{[^}]*\})", re.DOTALL)  # a character that a repeat stands behind
_PLAIN = re.compile(r"[a-z0-9\u4e00-\u9fff]+", re.IGNORECASE | re.ASCII)  # no other case than these two


def as_folded(pattern: str) -> str:
    """The pattern as it meets folded texts: any case, half width, simplified; its own syntax untouched."""
    folded = (
        c if c.isascii() else f if not (f := fold_text(c)).isascii() or f.isalnum() else f"\\{f}" for c in pattern
    )
    return "(?i)" + "".join(folded)


def literal(pattern: str) -> str:
    """The longest word that stands, folded, in every match of a pattern; "" where the pattern does not say.

    >>> literal("(^|[^a-z])QQ[0-9]{5,11}"), literal("加微?信|vx")
    ('qq', '')
    """
    if _INVOLVED.search(pattern):
        return ""
    outside, depth = "", 0
    for part in _PART.findall(pattern):
        depth += (part == "(") - (part == ")")
        outside += part if depth == 0 and len(part) == 1 and part != ")" else _BREAK
    if "|" in outside:
        return ""
    words = _PLAIN.findall(_OPTIONAL.sub(_BREAK, outside))
    return max((fold_text(word) for word in words), key=len, default="")


def regex_problem(pattern: str) -> str:
    """Why this pattern is refused, in Chinese; "" when it may be used."""
    if len(pattern) > LONGEST_PATTERN:
        return f"有 {len(pattern)} 个字符,最多 {LONGEST_PATTERN};请拆成几条"
    plain = _ASIDE.sub("字", pattern)
    if found := _OPEN.search(plain):
        return f"里的「{found[0]}」没有上限,长消息会拖慢整晚;请写成 {{0,20}} 这样的次数"
    if (total := sum(int(n) for n in _BOUND.findall(plain))) > MOST_REPEATS:
        return f"的重复次数加起来是 {total},最多 {MOST_REPEATS};请改小"
    if any(int(n) > 10 for n in _OF_GROUP.findall(plain)):
        return "里括号的重复最多 10 次;请改小"
    try:
        is_empty = pl.Series([""]).str.contains(as_folded(pattern))[0]
    except pl.exceptions.ComputeError as error:
        why = next((line for line in str(error).splitlines() if line.startswith("error: ")), "error: ?")
        return f"不是能用的正则(没有环视和反向引用):{why.removeprefix('error: ')};请改正"
    return "能匹配空文字,等于处处命中;请至少要求一个字" if is_empty else ""
