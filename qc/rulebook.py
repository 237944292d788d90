"""The rulebook: rule packs, from YAML text to models; whatever is wrong is said with file and line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from pydantic import Field

from qc.conditions import Strict, leaves
from qc.rule import EVENTS, Rule
from qc.rulefile import Place, RulebookError, closest, line_of, read, validated
from qc.rulelimits import total_problem


class PackFile(Strict):
    """A rule file: its keys, from the top."""

    pack: str = Field(min_length=1)
    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    disguises: dict[str, list[str]] = Field(default={}, description="变体:本来的写法 → 别的写法;全部规则包合用")
    rules: list[Rule]


class Pack(NamedTuple):
    """The rules of one file; `lines` knows where things stand: RULE_ID, RULE_ID.hit.0, RULE_ID.where … → line."""

    name: str  # the file's name, for messages
    pack: str
    title: str
    title_en: str
    rules: tuple[Rule, ...]
    lines: Mapping[str, int]
    disguises: Mapping[str, list[str]] = {}  # a word → the ways in which people write around it


@lru_cache(maxsize=256)  # reading YAML with its lines is slow, and a process asks for the same packs again and again
def load_pack(text: str, name: str) -> Pack:
    """A rule pack from its YAML text; `name` is the file's name for messages. Raises RulebookError."""
    raw = read(text, name)
    file = validated(PackFile, raw, name)
    lines = {key: line for i, rule in enumerate(file.rules) for key, line in _rule_lines(raw["rules"], i, rule)}
    seen: dict[str, int] = {}
    for i, rule in enumerate(file.rules):
        line = line_of(raw, ("rules", i, "id"))
        if rule.id in seen:
            raise RulebookError(f"{name}:{line} 规则「{rule.id}」在第 {seen[rule.id]} 行已经有了;请改名或删去一条")
        seen[rule.id] = line
    return Pack(name, file.pack, file.title, file.title_en, tuple(file.rules), lines, file.disguises)


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
            if problem := _reference_problem(rule, rules):
                raise RulebookError(f"{pack.name}:{pack.lines[f'{rule.id}.refers']} {problem}")
    _refuse_circles(bound)
    if problem := total_problem(list(rules.values())):
        raise RulebookError(f"{bound[-1].name}:1 {problem}")
    return bound


def disguises_of(packs: Iterable[Pack]) -> dict[str, list[str]]:
    """Every word with the ways of writing around it that some pack knows."""
    known: dict[str, list[str]] = {}
    for pack in packs:
        for word, ways in pack.disguises.items():
            known[word] = sorted({*known.get(word, []), *ways})
    return known


def rules_of(packs: Iterable[Pack]) -> dict[str, Rule]:
    """Every rule by its id."""
    return {rule.id: rule for pack in packs for rule in pack.rules}


def pack_hash(packs: Sequence[Pack]) -> str:
    """sha256 of what the rules say: the order of files, rules and keys, comments and line numbers change nothing."""
    rules = sorted(_said(rule) for pack in packs for rule in pack.rules)
    what = json.dumps([rules, disguises_of(packs)], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(what.encode()).hexdigest()


def _said(rule: Rule) -> str:
    """What a rule file says of a rule; what it leaves out says nothing, so a new key changes no old hash."""
    said = rule.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return json.dumps(said, ensure_ascii=False, sort_keys=True)


def references(rule: Rule) -> list[tuple[str, str]]:
    """(key, id) of the other rules and the events that a rule looks to."""
    found = [("rule", str(value)) for _, key, value in leaves(rule, "") if key == "rule"]
    where = rule.where
    anchored = [(key, at) for key in ("after", "before", "around") if where and (at := getattr(where, key))]
    return found + anchored


def in_order(rules: Mapping[str, Rule]) -> list[Rule]:
    """The rules, each after those that it looks to; CycleError where there is no such order."""
    needs = {rule.id: sorted({at for _, at in references(rule) if at in rules}) for rule in rules.values()}
    return [rules[rule_id] for rule_id in TopologicalSorter(dict(sorted(needs.items()))).static_order()]


def _reference_problem(rule: Rule, rules: Mapping[str, Rule]) -> str:
    for key, at in references(rule):
        if key != "rule" and at in EVENTS:
            continue
        if at not in rules:
            return f"「{key}」指的规则「{at}」不存在{closest(at, [*rules, *EVENTS])}"
        if rules[at].by != "phrase":
            return f"「{key}」指的规则「{at}」要是 by: phrase;请另选一条"
    return ""


def _refuse_circles(bound: Sequence[Pack]) -> None:
    try:
        in_order(rules_of(bound))
    except CycleError as error:
        circle = [str(rule_id) for rule_id in error.args[1]]
        pack = next(p for p in bound if circle[0] in p.lines)
        line = pack.lines[f"{circle[0]}.refers"]
        raise RulebookError(f"{pack.name}:{line} 规则互相引用,绕成了圈:{' → '.join(circle)};请断开一处") from None


def _rule_lines(raw: Any, i: int, rule: Rule) -> list[tuple[str, int]]:
    examples = [
        (f"{rule.id}.{kind}.{k}", ("tests", kind, k))
        for kind, said in (("hit", rule.tests.hit), ("miss", rule.tests.miss))
        for k in range(len(said))
    ]
    places: list[tuple[str, Place]] = [(rule.id, ()), (f"{rule.id}.refers", _referring(rule)), *examples]
    return [(key, line_of(raw, (i, *place))) for key, place in places]


def _referring(rule: Rule) -> Place:
    return ("where",) if rule.where and rule.where.anchor else ("rule",)
