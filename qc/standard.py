"""GB/T 27922—2011 self-assessment of a shop: 100 × points won ÷ points applicable, every point with its ground. KPI §5.

The standard is a file; an item is measured by a KPI of the shop or declared by somebody in it. A shop, never a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import NamedTuple, Self

import polars as pl
from pydantic import Field, model_validator

from qc.conditions import Strict
from qc.metrics import BY_ID
from qc.rulefile import Place, RulebookError, closest, line_of, read, validated

SHOWN_DECIMALS = 4


class Step(Strict):
    """A threshold and what reaching it is worth."""

    at_least: float | None = None
    at_most: float | None = None
    points: float = Field(gt=0)

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("一档写 at_least 或 at_most 之一,例如 {at_least: 0.9, points: 4}")
        return self

    def is_reached(self, value: float) -> bool:
        """Whether a value is on the good side; the threshold itself is."""
        return value <= self.threshold if self.at_least is None else value >= self.threshold

    @property
    def threshold(self) -> float:
        """The value that is just good enough."""
        return float(self.at_most or 0) if self.at_least is None else self.at_least


class Measured(Strict):
    """By which KPI an item is judged."""

    metric: str
    least: int = Field(ge=1, description="至少几个单位,少了不判")
    steps: list[Step] = Field(min_length=1, description="从好到差")


class Item(Strict):
    """One line of the standard."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    points: float = Field(gt=0)
    measured: Measured | None = None


class Section(Strict):
    """Items whose points add up to the section's."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    points: float = Field(gt=0)
    items: list[Item] = Field(min_length=1)


class Level(Strict):
    """A grade and the score from which on it is reached."""

    id: str
    title: str
    title_en: str
    at_least: float


class Standard(Strict):
    """A standard as its file says it."""

    standard: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    title_en: str
    status: str = Field(pattern="^(official|secondary|ours)$")
    source: str = Field(min_length=1)
    levels: list[Level] = Field(min_length=1)
    sections: list[Section] = Field(min_length=1)

    def items(self) -> Iterator[tuple[Section, Item]]:
        """Every item with its section, in order."""
        return ((section, item) for section in self.sections for item in section.items)


class Answer(Strict):
    """What a shop declares of an item: points of those the item has, when, on what evidence."""

    item: str
    shop: str | None = Field(default=None, description="哪家店铺;不写就是工作目录里的每一家")
    points: float = Field(ge=0, description="给自己几分,不超过这一项的分")
    day: date = Field(strict=False, description="哪天自评的")
    by: str = Field(min_length=1, description="谁答的(职务即可)")
    evidence: str = Field(min_length=1, description="凭什么:文件、记录在哪里")


class Answers(Strict):
    """standard.yaml of a workspace."""

    standard: str
    answers: list[Answer] = Field(default=[])


class Assessed(NamedTuple):
    """What a shop won."""

    items: pl.DataFrame  # shop, standard, nth, section, item, points, ground, metric, value, n, threshold, is_at_least, won, reason, declared_on, declared_by, evidence
    scores: pl.DataFrame  # shop, standard, won, applicable, possible, score, level, n_undeclared, reason


def load_standard(text: str, name: str) -> Standard:
    """The standard from its YAML text; RulebookError says with its line what does not add up or is not known."""
    raw = read(text, name)
    standard = validated(Standard, raw, name)
    _refuse([(line_of(raw, place), what) for place, what in _problems(standard)], name)
    return standard


def load_answers(text: str, name: str, standard: Standard) -> tuple[Answer, ...]:
    """A shop's answers; RulebookError for an item that is not there, is measured, is answered twice, or gets too much."""
    raw = read(text, name)
    file = validated(Answers, raw, name)
    if file.standard != standard.standard:
        raise RulebookError(
            f"{name}:{line_of(raw, ('standard',))} 自评的是「{file.standard}」,用的标准是「{standard.standard}」;请改正"
        )
    known = {item.id: item for _, item in standard.items()}
    seen, problems = set[tuple[str, str | None]](), []
    for n, answer in enumerate(file.answers):
        if what := _answer_problem(answer, known, seen):
            problems.append((line_of(raw, ("answers", n, "item")), what))
        seen.add((answer.item, answer.shop))
    _refuse(problems, name)
    return tuple(file.answers)


def _refuse(problems: Sequence[tuple[int, str]], name: str) -> None:
    if problems:
        raise RulebookError("\n".join(f"{name}:{line} {what}" for line, what in sorted(problems)))


def _answer_problem(answer: Answer, known: Mapping[str, Item], seen: set[tuple[str, str | None]]) -> str:
    item = known.get(answer.item)
    if item is None:
        return f"没有「{answer.item}」这一项{closest(answer.item, known)}"
    if item.measured:
        return f"「{item.id}」由数据算({item.measured.metric}),不能自己答;请删去"
    if (answer.item, answer.shop) in seen:
        return f"「{item.id}」答了两次;请删去一次"
    return (
        f"「{item.id}」最多 {item.points:g} 分,现在是 {answer.points:g};请改正" if answer.points > item.points else ""
    )


def _problems(standard: Standard) -> Iterator[tuple[Place, str]]:
    if (total := sum(Fraction(str(s.points)) for s in standard.sections)) != 100:
        yield ("sections",), f"各部分的 points 加起来是 {float(total):g},要正好 100;请改正"
    if (bounds := [level.at_least for level in standard.levels]) != sorted(set(bounds), reverse=True):
        yield ("levels",), "levels 要从高到低写,at_least 各不相同;请改正"
    ids = [item.id for _, item in standard.items()]
    for i, section in enumerate(standard.sections):
        if (total := sum(Fraction(str(item.points)) for item in section.items)) != Fraction(str(section.points)):
            yield (
                ("sections", i, "items"),
                f"「{section.title}」各项的 points 加起来是 {float(total):g},要等于这部分的 {section.points:g};请改正",
            )
        for j, item in enumerate(section.items):
            if ids.count(item.id) > 1:
                yield ("sections", i, "items", j, "id"), f"「{item.id}」这一项重复了;请改名"
            yield from (((*("sections", i, "items", j), "measured"), what) for what in _measured_problems(item))


def _measured_problems(item: Item) -> Iterator[str]:
    if item.measured is None:
        return
    if item.measured.metric not in BY_ID:
        yield f"没有指标「{item.measured.metric}」{closest(item.measured.metric, BY_ID)}"
    worth = [step.points for step in item.measured.steps]
    if worth != sorted(set(worth), reverse=True) or worth[0] != item.points:
        yield f"「{item.title}」的 steps 要从好到差写,第一档给满 {item.points:g} 分;请改正"


def assess(standard: Standard, answers: Iterable[Answer], figures: pl.DataFrame, shops: Sequence[str]) -> Assessed:
    """figures(metric, shop, value, n, reason) of whole shops, answers -> Assessed, an item a shop and a score a shop.

    An item without data, with fewer than `least` units, or without an answer does not apply: won is NULL and `reason` says
    why. A shop to which nothing applies has no score. Sums are exact (fractions of the written points); the score is rounded
    to 4 decimals only after its level was found.
    """
    known = {(str(m), str(s)): (v, int(n), why) for m, s, v, n, why in figures.select(*FIGURES).rows()}
    told = list(answers)
    rows = [
        _row(standard, nth, part, item, shop, known, told)
        for shop in sorted(shops)
        for nth, (part, item) in enumerate(standard.items(), 1)
    ]
    items = pl.DataFrame(rows, schema=_ITEMS, orient="row")
    return Assessed(
        items,
        pl.DataFrame([_score(standard, items.filter(shop=s), s) for s in sorted(shops)], schema=_SCORES, orient="row"),
    )


_ITEMS = {
    "shop": pl.String, "standard": pl.String, "nth": pl.Int32, "section": pl.String, "section_title": pl.String, "section_title_en": pl.String,
    "item": pl.String, "title": pl.String, "title_en": pl.String, "points": pl.Float64, "ground": pl.String, "metric": pl.String,
    "value": pl.Float64, "n": pl.Int64, "threshold": pl.Float64, "is_at_least": pl.Boolean, "won": pl.Float64, "reason": pl.String, "declared_on": pl.Date,
    "declared_by": pl.String, "evidence": pl.String,
}  # fmt: skip
_SCORES = {
    "shop": pl.String, "standard": pl.String, "title": pl.String, "title_en": pl.String, "status": pl.String, "source": pl.String,
    "won": pl.Float64, "applicable": pl.Float64, "possible": pl.Float64, "score": pl.Float64, "level": pl.String, "level_title": pl.String,
    "level_title_en": pl.String, "n_undeclared": pl.Int64, "reason": pl.String,
}  # fmt: skip
FIGURES: dict[str, type[pl.DataType]] = {
    "metric": pl.String,
    "shop": pl.String,
    "value": pl.Float64,
    "n": pl.Int64,
    "reason": pl.String,
}
Figures = Mapping[tuple[str, str], tuple[float | None, int, str | None]]


def _row(
    standard: Standard, nth: int, part: Section, item: Item, shop: str, known: Figures, answers: Sequence[Answer]
) -> tuple[object, ...]:  # fmt: skip
    head = (
        shop,
        standard.standard,
        nth,
        part.id,
        part.title,
        part.title_en,
        item.id,
        item.title,
        item.title_en,
        item.points,
    )
    if item.measured:
        value, n, why = known.get((item.measured.metric, shop), (None, 0, None))
        return (
            *head,
            "measured",
            item.measured.metric,
            value,
            n,
            *_reached(item.measured, value, n, why),
            None,
            None,
            None,
        )
    mine = [a for a in answers if a.item == item.id and a.shop in (shop, None)]
    if not mine:
        return (*head, "declared", None, None, None, None, None, None, "not_declared", None, None, None)
    own = max(mine, key=lambda a: a.shop is not None)  # the shop's own answer before one for every shop
    return (*head, "declared", None, None, None, None, None, own.points, None, own.day, own.by, own.evidence)


def _reached(
    measured: Measured, value: float | None, n: int, why: str | None
) -> tuple[float | None, bool | None, float | None, str | None]:
    """(threshold, is_at_least, points, reason): the first step that is reached; where none is, the last one and 0 points."""
    if value is None or n < measured.least:
        return None, None, None, (why or "no_observation") if value is None else "too_few"
    step = next((s for s in measured.steps if s.is_reached(value)), None)
    shown = step or measured.steps[-1]
    return shown.threshold, shown.at_least is not None, step.points if step else 0.0, None


def _score(standard: Standard, items: pl.DataFrame, shop: str) -> tuple[object, ...]:
    held = items.filter(pl.col("won").is_not_null())
    won, applicable = (_exactly(held[column]) for column in ("won", "points"))
    undeclared = items.filter(reason="not_declared").height
    head = (shop, standard.standard, standard.title, standard.title_en, standard.status, standard.source)
    sums = (float(won), float(applicable), float(_exactly(items["points"])))
    if not applicable:
        return (*head, *sums, None, None, None, None, undeclared, "not_assessed")
    score = 100 * won / applicable
    level = next((lv for lv in standard.levels if score >= Fraction(str(lv.at_least))), None)
    named = (level.id, level.title, level.title_en) if level else ("below", "未达标", "Below the standard")
    return (*head, *sums, round(float(score), SHOWN_DECIMALS), *named, undeclared, None)


def _exactly(points: pl.Series) -> Fraction:
    return sum((Fraction(str(p)) for p in points), Fraction(0))
