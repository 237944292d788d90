"""Python patterns as patterns that polars can run on a whole column: linear-time, hence without look-around."""

from __future__ import annotations

import re
from functools import cache

_PIECE = re.compile(r"\\\d|\\.|\[\^?\]?|\(\?<?[=!]|\(\?P<\w+>|[()\]]|.", re.DOTALL)
# Python takes these for white space, the other engine does not.
_SPACE = r"\s\x1c-\x1f"


@cache
def loosened(pattern: str) -> str:
    r"""A pattern that matches in every text in which the Python pattern does, and in some more: look-around is left out.

    What the two engines mean by `\s`, `\W` and `\d` differs in rare characters; classes are widened accordingly.

    >>> loosened(r"(?<![0-9])1[3-9](?:\s?[0-9]){9}(?![0-9])")
    '(?:^|[^0-9])1[3-9](?:[\\s\\x1c-\\x1f]?[0-9]){9}(?:$|[^0-9])'
    """
    # What must not stand right before or right after a whole match may as well be asked as a character of the match.
    pattern = re.sub(r"^\(\?<!\[(?!\^)([^\]]*)\]\)", r"(?:^|[^\1])", pattern)
    pattern = re.sub(r"\(\?!\[(?!\^)([^\]]*)\]\)$", r"(?:$|[^\1])", pattern)
    made: list[str] = []
    skipped, class_ = 0, ""  # depth inside a look-around; the class we are in: [ or [^
    for piece in _PIECE.findall(pattern):
        if class_:
            class_ = "" if piece == "]" else class_
            kept = _in_class(piece, class_ == "[^")
        elif piece.startswith("["):
            class_, kept = piece[:2].rstrip("]"), piece
        elif skipped:
            skipped += piece.startswith("(") - (piece == ")")
            continue
        elif re.fullmatch(r"\(\?<?[=!]", piece):
            skipped = 1
            continue
        else:
            kept = rf"[{_SPACE}]" if piece == r"\s" else ".?" if re.fullmatch(r"\\\d", piece) else piece
        if not skipped:
            made.append("(?:" if kept.startswith("(?P<") else kept)
    return "".join(made)


def _in_class(piece: str, is_negated: bool) -> str:
    if piece in (r"\s", r"\W", r"\d") and is_negated:
        return ""
    return _SPACE if piece == r"\s" else r"\[" if piece.startswith("[") else piece
