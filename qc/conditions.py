"""What a rule may ask of a bubble: a tree of a few leaf kinds, as pydantic models whose fields are the keys of the YAML.

A condition gives, for each bubble, the places where it holds. Words have places of their own; what is a property of the
bubble as a whole (`length`, `slow`, `not` …) has the whole bubble. Several keys beside each other must all hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from qc.patterns import regex_problem
from qc.text import fold

# A field's name in Python where the key is a word of the language.
_NAMES = {"any_of": "any", "all_of": "all", "none_of": "not"}


class Strict(BaseModel):
    """A part of a rule file: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _kind(item: Any) -> str:
    return "words" if isinstance(item, list) else "condition" if isinstance(item, dict | BaseModel) else "word"


def distinct(words: list[str]) -> list[str]:
    """The words, or ValueError for a blank or a repeated one."""
    folded = fold(pl.Series(words, dtype=pl.String)).to_list()
    if blank := [w for w in words if not w.strip()]:
        raise ValueError(f"有空白的词 {blank[0]!r};请删去")
    if twice := [w for w, f in zip(words, folded, strict=True) if folded.count(f) > 1]:
        raise ValueError(f"「{twice[-1]}」重复了(大小写、全半角、繁简算同一个);请删去一个")
    return words


# A word, a bracket of words of which one is enough, or a condition.
Item = Annotated[
    Annotated[str, Tag("word")]
    | Annotated[Annotated[list[str], Field(min_length=1)], Tag("words")]
    | Annotated["Part", Tag("condition")],
    Discriminator(_kind),
]


class Some(Strict):
    """At least n of several conditions in one bubble."""

    at_least: int = Field(ge=2, description="至少要有几项")
    of: list[Item] = Field(min_length=2, description="从这些里数")


class Near(Strict):
    """Several words close together in one bubble."""

    within: int = Field(ge=2, le=100, description="从最前一个词的开头到最后一个词的结尾,不超过几个字")
    of: list[Item] = Field(min_length=2, max_length=4, description="都要出现的词;方括号里任选其一")


class Count(Strict):
    """The same thing several times in a talk, by one speaker."""

    at_least: int = Field(ge=2, description="同一人在一个会话里至少几处;命中的是第几处")
    of: Item = Field(description="数什么")


class Length(Strict):
    """How long a bubble is, in characters."""

    at_least: int | None = Field(default=None, ge=1, description="至少几个字")
    at_most: int | None = Field(default=None, ge=0, description="至多几个字")

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("「length」要写 at_least(至少几个字)或 at_most(至多几个字),或两个都写")
        return self


class Sentiment(Strict):
    """The mood of a customer's text bubble, from the sentiment model."""

    negative: float = Field(gt=0, le=1, description="负面的概率至少多少,如 0.8")


class Condition(Strict):
    """One condition; its fields are the keys of the YAML file."""

    any_of: list[Item] | None = Field(default=None, alias="any", min_length=1, description="有一项即可:词,或别的条件")
    all_of: list[Item] | None = Field(default=None, alias="all", min_length=2, description="各项都要在同一条消息里")
    none_of: Item | None = Field(default=None, alias="not", description="这一项不成立")
    some: Some | None = Field(default=None, description="几项里至少有几项")
    near: Near | None = Field(default=None, description="几个词挨得近")
    count: Count | None = Field(default=None, description="同一人在一个会话里说到第几处")
    repeat: int | None = Field(default=None, ge=2, description="同一人把同一句话原样发到第几遍")
    regex: str | None = Field(default=None, min_length=1, description="正则(线性时间;重复要有上限,如 .{0,10})")
    length: Length | None = Field(default=None, description="这条消息的字数")
    sentiment: Sentiment | None = Field(default=None, description="顾客这句话的情绪;只用于 who: customer")
    slow: float | None = Field(default=None, gt=0, description="这条回复让顾客等了超过几秒")
    rule: str | None = Field(default=None, description="另一条规则的命中处")

    @field_validator("any_of", "all_of")
    @classmethod
    def _no_word_twice(cls, items: list[Item] | None) -> list[Item] | None:
        distinct([item for item in items or [] if isinstance(item, str)])
        return items

    @field_validator("regex")
    @classmethod
    def _affordable(cls, pattern: str | None) -> str | None:
        if pattern is not None and (problem := regex_problem(pattern)):
            raise ValueError(f"「regex」{problem}")
        return pattern


class Part(Condition):
    """A condition inside another one: it asks for something."""

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not asked(self):
            raise ValueError("这一项没有写条件;请写 any、all、near、regex 等之一")
        return self


class Sought(Condition):
    """A condition by a name, and how its words are looked for: what a rule of a pack and a cue of a lexicon share."""

    id: str
    by: Literal["phrase", "absent"] = Field(default="phrase", description="phrase 说了就命中(默认);absent 该说而没说")
    unless: list[str] = Field(default=[], description="与这些词重叠的命中不算")
    exact: bool = Field(default=False, description="整条消息就是这个词(标点不论,带表情的不算)")
    disguise: bool = Field(default=False, description="先还原变体再找:插进去的空格、标点、表情,谐音,各种数字")


for _model in (Some, Near, Count, Condition, Sought):  # they contain each other
    _model.model_rebuild()
_KEYS = [(name, _NAMES.get(name, name)) for name in Condition.model_fields]


def asked(condition: Condition) -> list[tuple[str, Any]]:
    """(key of the YAML, what stands there) of the keys that a condition uses, in the order of the models."""
    return [(key, value) for name, key in _KEYS if (value := getattr(condition, name)) is not None]


def inner(key: str, value: Any, path: str) -> list[tuple[str, Any]]:
    """The items that a composite key is made of, each with its path; [] of a leaf. The words of `any` are one item."""
    here = f"{path}.{key}"
    if key == "any":
        words = [item for item in value if isinstance(item, str)]
        if len(words) == len(value):
            return [(here, words)]
        others = [(f"{here}.{n}", item) for n, item in enumerate(value) if not isinstance(item, str)]
        return ([(here, words)] if words else []) + others
    if key in ("not", "count"):
        return [(here, value if key == "not" else value.of)]
    of = value if key == "all" else value.of if key in ("some", "near") else []
    return [(f"{here}.{n}", item) for n, item in enumerate(of)]


def leaves(item: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """(path, key, value) of every leaf below an item; words have the key `words`."""
    if not isinstance(item, Condition):
        yield path, "words", [item] if isinstance(item, str) else item
        return
    for key, value in asked(item):
        within = inner(key, value, path)
        yield from ([(f"{path}.{key}", key, value)] if not within else [])
        for deeper, part in within:
            yield from leaves(part, deeper)


def only_words(condition: Condition) -> bool:
    """Whether a condition asks for words and for nothing else."""
    return all(path == ".any" for path, _, _ in leaves(condition, ""))
