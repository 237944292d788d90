"""What a reply says: an answer, or only a stall, a greeting, sympathy, a courtesy, a face. KPI §2 preliminary_5min, stalling.

A text is no answer when it is put together from nothing but the words of the lexicon; whatever is left over is an answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from qc.text import PUNCTUATION, SMILEY, fold, fold_text

KINDS = ("answer", "stall", "sympathy", "greeting", "courtesy", "face")
_SLOTS = {
    "{n}": r"(?:\d+|\[数字x\]|[一二两三四五六七八九十几半])",
    "{word}": r"[\p{Han}a-z0-9]{0,8}",
    "{any}": r"[^,。!?;…~\s、:]{0,24}",
}
_ENDLESS = {slot: re.sub(r"\{0,\d+\}$", "*", pattern) for slot, pattern in _SLOTS.items()}
_FACE_WORD = r"\[\p{Han}{1,3}\]"  # [微笑]: a face by its name


class Lexicon(BaseModel):
    """data/lexicons/substance.yaml: the words of each kind, and what surrounds them; `examples` are run by the tests."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    stall: list[str] = Field(min_length=1)
    around: list[str]  # stands around a stall; alone it is an answer
    greeting: list[str]
    sympathy: list[str]
    courtesy: list[str]
    ack: list[str]  # alone it accepts, hence answers; beside a stall it does not
    neutral: list[str]  # forms of address and particles
    examples: dict[str, list[str]]

    @model_validator(mode="after")
    def _has_examples(self) -> Self:
        if missing := [k for k in KINDS if k not in self.examples]:
            raise ValueError(f"「examples」缺少 {'、'.join(missing)} 的例句;请补上")
        return self


def kinds(texts: pl.Series, lexicon: Lexicon) -> pl.Series:
    """Distinct texts -> one of KINDS each; an empty text is a face.

    An acknowledgement (好的) answers unless a stall goes with it. Of several kinds the gravest names the text: stall,
    sympathy, greeting, courtesy.
    """
    folded = fold(texts).fill_null("")
    words = lexicon.neutral
    base = [*words, *lexicon.courtesy, *lexicon.greeting, *lexicon.sympathy]
    said = pl.col("t").str.contains
    stalling = [*base, *lexicon.stall, *lexicon.around]
    stalls = said(_only([*stalling, *lexicon.ack])) & ~said(_only([*words, *lexicon.around, *lexicon.ack]))
    tests = {  # the first that holds
        "face": said(_only(words)),
        "courtesy": said(_only([*words, *lexicon.courtesy])),
        "greeting": said(_only([*words, *lexicon.courtesy, *lexicon.greeting])),
        "sympathy": said(_only([*base, *lexicon.around])) & said(_any(lexicon.sympathy)),
        "answer": said(_only([*base, *lexicon.around, *lexicon.ack])) & said(_any(lexicon.ack)),
        "stall": stalls,
    }
    # Nearly every text is told by one expression whose slots have no end: automata count badly, several hundred times slower.
    worth = folded.str.contains(_only([*stalling, *lexicon.ack], _ENDLESS)).arg_true()
    kind = pl.coalesce(*(pl.when(holds).then(pl.lit(name)) for name, holds in tests.items()), pl.lit("answer"))
    found = pl.DataFrame({"t": folded[worth]}).select(kind).to_series()
    return pl.repeat("answer", len(texts), eager=True).scatter(worth, found).alias(texts.name or "kind")


def _only(words: list[str], slots: Mapping[str, str] = _SLOTS) -> str:
    """Nothing but these words, punctuation and faces, from the first character to the last."""
    return rf"^(?:{SMILEY}|{_FACE_WORD}|{PUNCTUATION}|[?❓❔⁉]|{_any(words, slots)})*$"


def _any(words: list[str], slots: Mapping[str, str] = _SLOTS) -> str:
    return "(?:" + "|".join(_pattern(w, slots) for w in sorted(set(words), key=lambda w: (-len(w), w))) + ")"


def _pattern(word: str, slots: Mapping[str, str]) -> str:
    text = fold_text(word)
    for slot, pattern in slots.items():
        text = f"\0{pattern}\0".join(text.split(slot))
    parts = text.split("\0")
    return "".join(p if i % 2 else "".join(rf"\x{{{ord(c):x}}}" for c in p) for i, p in enumerate(parts))
