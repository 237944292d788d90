"""Scorecards: which rules cost how much, of what, in which conversations; from YAML text to models. KPI §3 qa_score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field, ValidationInfo, field_validator

from qc.casewords import ASPECTS
from qc.conditions import Strict
from qc.rule import Rule
from qc.rulebook import Pack, rules_of
from qc.rulefile import Place, RulebookError, closest, line_of, read, validated

_ASPECT_OF = {"phase": "phase", "topic": "topic", "customer": "customer_type"}


class Talks(Strict):
    """Which conversations are meant; every key that is written must hold, and what is not known holds nothing."""

    phase: list[str] | None = Field(default=None, min_length=1, description="会话的阶段:pre 售前、mid 售中、after 售后")
    topic: list[str] | None = Field(default=None, min_length=1, description="会话的话题,如 价格、物流")
    customer: list[str] | None = Field(default=None, min_length=1, description="顾客的类型,如 agitated 激动型")

    @field_validator("phase", "topic", "customer")
    @classmethod
    def _known(cls, values: list[str] | None, info: ValidationInfo) -> list[str] | None:
        known = ASPECTS[_ASPECT_OF[str(info.field_name)]]
        for value in values or []:
            if value not in known:
                what = f"「{info.field_name}」没有「{value}」{closest(value, known)}(可用的有 {'、'.join(known)})"
                raise ValueError(what)
        return values

    def aspects(self) -> dict[str, list[str]]:
        """Aspect of the case mix -> the values that are meant; an aspect that is not asked for is left out."""
        return {column: list(values) for key, column in _ASPECT_OF.items() if (values := getattr(self, key))}


class Applies(Talks):
    """In which conversations an item is judged at all; elsewhere it leaves both sums."""

    found: list[str] = Field(default=[], description="这些规则里有一条在会话里找到过什么(谁说的都算),这一项才适用")


class Item(Strict):
    """One line of the scorecard; it can lose its weight, or its cap, never more."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="编号:小写英文")
    title: str = Field(min_length=1, description="名称")
    title_en: str = Field(min_length=1, description="英文名称")
    weight: float = Field(gt=0, description="占几分")
    rules: list[str] = Field(min_length=1, description="哪些规则命中就在这一项扣分")
    applies: Applies = Field(default=Applies(), description="哪些会话才看这一项;不写就是都看")
    deduction: float | None = Field(default=None, gt=0, description="每处扣几分;不写就照规则自己的 deduction")
    cap: float | None = Field(default=None, gt=0, description="这一项在一个会话里最多扣几分;不写就是扣完 weight")

    @property
    def most(self) -> float:
        """What the item can lose in one conversation."""
        return self.weight if self.cap is None else self.cap


class Section(Strict):
    """Items whose weights add up to the section's."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    weight: float = Field(gt=0)
    items: list[Item] = Field(min_length=1)


class Scorecard(Strict):
    """Sections whose weights add up to 100."""

    scorecard: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    meant_for: Talks = Field(default=Talks(), alias="for", description="几张卡一起用时,哪些会话用这一张")
    sections: list[Section] = Field(min_length=1)

    def items(self) -> list[Item]:
        """Every item, in the order of the card."""
        return [item for section in self.sections for item in section.items]


def load_scorecard(text: str, name: str, packs: Sequence[Pack]) -> Scorecard:
    """A scorecard from its YAML text, checked against the packs. Raises RulebookError."""
    raw = read(text, name)
    card = validated(Scorecard, raw, name)
    problems = [(line_of(raw, loc), what) for loc, what in _weights(card) + _placements(card, rules_of(packs))]
    if problems:
        raise RulebookError("\n".join(f"{name}:{line} {what}" for line, what in sorted(problems)))
    return card


def _weights(card: Scorecard) -> list[tuple[Place, str]]:
    problems: list[tuple[Place, str]] = []
    if (total := round(sum(s.weight for s in card.sections), 6)) != 100:
        problems.append((("sections",), f"各部分的 weight 加起来是 {total:g},要正好 100;请改正"))
    for i, section in enumerate(card.sections):
        if (total := round(sum(item.weight for item in section.items), 6)) != section.weight:
            what = f"「{section.title}」各项的 weight 加起来是 {total:g},要等于这部分的 {section.weight:g};请改正"
            problems.append((("sections", i, "items"), what))
        for j, item in enumerate(section.items):
            if item.most > item.weight:
                what = f"「{item.title}」的 cap 是 {item.most:g},不能超过它的 weight {item.weight:g};请改正"
                problems.append((("sections", i, "items", j, "cap"), what))
    return problems


def _placements(card: Scorecard, rules: Mapping[str, Rule]) -> list[tuple[Place, str]]:
    """Every item is named once; every rule exists, may deduct, and is in one item only: a finding costs once."""
    problems: list[tuple[Place, str]] = []
    items, placed = set[str](), set[str]()
    for i, section in enumerate(card.sections):
        for j, item in enumerate(section.items):
            loc = ("sections", i, "items", j)
            if item.id in items:
                problems.append(((*loc, "id"), f"「{item.id}」这一项重复了;请改名"))
            items.add(item.id)
            for k, rule_id in enumerate(item.rules):
                if what := _placement_problem(rule_id, rules, placed, is_dear=item.deduction is not None):
                    problems.append(((*loc, "rules", k), what))
                placed.add(rule_id)
            unknown = [(k, rule_id) for k, rule_id in enumerate(item.applies.found) if rule_id not in rules]
            problems += [((*loc, "applies", "found", k), f"规则「{r}」不存在{closest(r, rules)}") for k, r in unknown]
    return problems


def _placement_problem(rule_id: str, rules: Mapping[str, Rule], placed: set[str], *, is_dear: bool) -> str:
    if rule_id not in rules:
        return f"规则「{rule_id}」不存在{closest(rule_id, rules)}"
    if rules[rule_id].who == "customer":
        return f"规则「{rule_id}」看的是顾客的话,不能算客服的分;请删去(要它作条件,写在 applies: {{found: […]}})"
    if is_dear and rules[rule_id].severity == "info":
        return f"规则「{rule_id}」只提示(info),不能扣分;请删去,或在规则里改 severity"
    return f"规则「{rule_id}」已经在别的项里;请删去一处" if rule_id in placed else ""
