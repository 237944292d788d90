"""The rulebook: rule packs and scorecards, from YAML text to models; whatever is wrong is said with file and line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from qc.rulefile import Place, RulebookError, closest, line_of, read, validated
from qc.text import fold

SEVERITIES = ("info", "minor", "major", "redline")  # from the mildest; redline = 致命项
LEAST_EXAMPLES = 5  # of hits and of misses, each rule: ours


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Where(_Model):
    """Which messages count: the first or last n effective ones, or those within n turns of another finding."""

    first: int | None = Field(default=None, ge=1)
    last: int | None = Field(default=None, ge=1)
    after: str | None = None
    turns: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.first, self.last, self.after)) != 1:
            raise ValueError("「where」要在 first、last、after 里写一个,而且只写一个;不限位置就删去 where")
        if (self.after is None) != (self.turns is None):
            raise ValueError("「after」和「turns」要一起写,例如 {after: CUSTOMER_COMPLAINS, turns: 2}")
        return self


class Applies(_Model):
    """When an absent rule is asked for at all."""

    unless_left_mid_turn: bool = False  # not when the customer's last question stands unanswered


class Tests(_Model):
    """Examples that are run: a sentence, or a dialogue of 客:/服: lines."""

    hit: list[str] = Field(min_length=LEAST_EXAMPLES)
    miss: list[str] = Field(min_length=LEAST_EXAMPLES)


class Rule(_Model):
    """One rule of a pack; its fields are the keys of the YAML file."""

    id: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    by: Literal["phrase", "absent"]
    who: Literal["agent", "customer"] = "agent"
    phrases: list[str] = Field(alias="any", min_length=1)
    unless: list[str] = []
    exact: bool = False
    where: Where | None = None  # None is anywhere
    applies: Applies = Applies()
    category: str = Field(min_length=1)
    severity: Literal["info", "minor", "major", "redline"]
    deduction: float = Field(default=0.0, ge=0)  # points of the scorecard item, per finding
    why: str = Field(min_length=1)
    rewrite: str = ""
    source: str = Field(min_length=1)
    tests: Tests

    @field_validator("where", mode="before")
    @classmethod
    def _anywhere(cls, value: Any) -> Any:
        return None if value == "anywhere" else value

    @field_validator("phrases", "unless")
    @classmethod
    def _distinct(cls, phrases: list[str]) -> list[str]:
        folded = fold(pl.Series(phrases, dtype=pl.String)).to_list()
        if blank := [p for p in phrases if not p.strip()]:
            raise ValueError(f"有空白的词 {blank[0]!r};请删去")
        if twice := [p for p, f in zip(phrases, folded, strict=True) if folded.count(f) > 1]:
            raise ValueError(f"「{twice[-1]}」重复了(大小写、全半角、繁简算同一个);请删去一个")
        return phrases

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.by == "absent" and (self.who != "agent" or self.exact):
            raise ValueError("absent 规则只看客服,也没有 exact;请删去 who、exact,或改成 by: phrase")
        if self.by == "phrase" and self.applies != Applies():
            raise ValueError("「applies」只用于 by: absent;请删去")
        if self.deduction and (self.who == "customer" or self.severity == "info"):
            raise ValueError("顾客的话和 info 级的规则不扣分;请把 deduction 删去,或改 severity")
        return self


class _PackFile(_Model):
    pack: str = Field(min_length=1)
    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    rules: list[Rule]


class Pack(NamedTuple):
    """The rules of one file; `lines` knows where things stand: RULE_ID, RULE_ID.hit.0, RULE_ID.where … → line."""

    name: str  # the file's name, for messages
    pack: str
    title: str
    title_en: str
    rules: tuple[Rule, ...]
    lines: Mapping[str, int]


class Item(_Model):
    """One line of the scorecard; it can lose its weight, never more."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    weight: float = Field(gt=0)
    rules: list[str] = Field(min_length=1)


class Section(_Model):
    """Items whose weights add up to the section's."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    weight: float = Field(gt=0)
    items: list[Item] = Field(min_length=1)


class Scorecard(_Model):
    """Sections whose weights add up to 100."""

    scorecard: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    sections: list[Section] = Field(min_length=1)


def load_pack(text: str, name: str) -> Pack:
    """A rule pack from its YAML text; `name` is the file's name for messages. Raises RulebookError."""
    raw = read(text, name)
    file = validated(_PackFile, raw, name)
    lines = {key: line for i, rule in enumerate(file.rules) for key, line in _rule_lines(raw["rules"], i, rule)}
    seen: dict[str, int] = {}
    for i, rule in enumerate(file.rules):
        line = line_of(raw, ("rules", i, "id"))
        if rule.id in seen:
            raise RulebookError(f"{name}:{line} 规则「{rule.id}」在第 {seen[rule.id]} 行已经有了;请改名或删去一条")
        seen[rule.id] = line
    return Pack(name, file.pack, file.title, file.title_en, tuple(file.rules), lines)


def bind(packs: Iterable[Pack]) -> tuple[Pack, ...]:
    """Packs that are used together, in the order of their names; raises RulebookError for what does not fit."""
    bound = tuple(sorted(packs, key=lambda pack: pack.name))
    homes: dict[str, Pack] = {}
    for pack in bound:
        for rule in pack.rules:
            if (home := homes.setdefault(rule.id, pack)) is not pack:
                here, there = (f"{p.name}:{p.lines[rule.id]}" for p in (pack, home))
                raise RulebookError(f"{here} 规则「{rule.id}」在 {there} 已经有了;请改名或删去一条")
    rules = rules_of(bound)
    for pack in bound:
        for rule in pack.rules:
            if problem := _trigger_problem(rule, rules):
                raise RulebookError(f"{pack.name}:{pack.lines[f'{rule.id}.where']} {problem}")
    return bound


def load_scorecard(text: str, name: str, packs: Sequence[Pack]) -> Scorecard:
    """A scorecard from its YAML text, checked against the packs. Raises RulebookError."""
    raw = read(text, name)
    card = validated(Scorecard, raw, name)
    problems = [(line_of(raw, loc), what) for loc, what in _weights(card) + _placements(card, rules_of(packs))]
    if problems:
        raise RulebookError("\n".join(f"{name}:{line} {what}" for line, what in sorted(problems)))
    return card


def rules_of(packs: Iterable[Pack]) -> dict[str, Rule]:
    """Every rule by its id."""
    return {rule.id: rule for pack in packs for rule in pack.rules}


def pack_hash(packs: Iterable[Pack]) -> str:
    """sha256 of what the rules say: the order of files, rules and keys, comments and line numbers change nothing."""
    rules = sorted((r.model_dump(mode="json") for pack in packs for r in pack.rules), key=lambda r: str(r["id"]))
    return hashlib.sha256(json.dumps(rules, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def _trigger_problem(rule: Rule, rules: Mapping[str, Rule]) -> str:
    after = rule.where.after if rule.where else None
    if after is None:
        return ""
    if after not in rules:
        return f"「after」指的规则「{after}」不存在{closest(after, rules)}"
    if rules[after].by != "phrase" or (rules[after].where and rules[after].where.after):  # type: ignore[union-attr]
        return f"「after」指的规则「{after}」要是 by: phrase,自己不带 after;请另选一条"
    return ""


def _weights(card: Scorecard) -> list[tuple[Place, str]]:
    problems: list[tuple[Place, str]] = []
    if (total := round(sum(s.weight for s in card.sections), 6)) != 100:
        problems.append((("sections",), f"各部分的 weight 加起来是 {total:g},要正好 100;请改正"))
    for i, section in enumerate(card.sections):
        if (total := round(sum(item.weight for item in section.items), 6)) != section.weight:
            what = f"「{section.title}」各项的 weight 加起来是 {total:g},要等于这部分的 {section.weight:g};请改正"
            problems.append((("sections", i, "items"), what))
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
                if what := _placement_problem(rule_id, rules, placed):
                    problems.append(((*loc, "rules", k), what))
                placed.add(rule_id)
    return problems


def _placement_problem(rule_id: str, rules: Mapping[str, Rule], placed: set[str]) -> str:
    if rule_id not in rules:
        return f"规则「{rule_id}」不存在{closest(rule_id, rules)}"
    if rules[rule_id].who == "customer":
        return f"规则「{rule_id}」看的是顾客的话,不能算客服的分;请删去"
    return f"规则「{rule_id}」已经在别的项里;请删去一处" if rule_id in placed else ""


def _rule_lines(raw: Any, i: int, rule: Rule) -> list[tuple[str, int]]:
    examples = [
        (f"{rule.id}.{kind}.{k}", ("tests", kind, k))
        for kind, said in (("hit", rule.tests.hit), ("miss", rule.tests.miss))
        for k in range(len(said))
    ]
    places: list[tuple[str, Place]] = [(rule.id, ()), (f"{rule.id}.where", ("where",)), *examples]
    return [(key, line_of(raw, (i, *place))) for key, place in places]
