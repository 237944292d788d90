"""Would the examples notice? Each rule is broken in every way in turn, and some example of it must fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from qc.conditions import Condition, Part, asked
from qc.rule import Applies, Rule
from qc.rulebook import Pack, rules_of
from qc.rulecheck import heard

_NOTHING: dict[str, Any] = dict.fromkeys(Condition.model_fields)
_FIELDS = {"any": "any_of", "all": "all_of", "not": "none_of"}
_NEVER = "\ue000"  # a word that nobody writes


def survivors(packs: Sequence[Pack], pleasantries: Sequence[str] = ()) -> pl.DataFrame:
    """(rule_id, mutation): the ways of breaking a rule that none of its examples notices."""
    broken = [(rule, what, mutant) for rule in rules_of(packs).values() for what, mutant in mutants(rule)]
    numbered = [
        (rule, what, mutant.model_copy(update={"id": f"{rule.id}~{n}"}))
        for n, (rule, what, mutant) in enumerate(broken)
    ]
    lab = Pack("", "mutants", "", "", tuple(mutant for _, _, mutant in numbered), {})
    found = heard(packs, [lab], pleasantries)
    survived = [
        (rule.id, what) for rule, what, mutant in numbered
        if mutant.id in found and _holds(rule, found[mutant.id])
    ]  # fmt: skip
    return pl.DataFrame(survived, schema=dict.fromkeys(("rule_id", "mutation"), pl.String), orient="row")


def mutants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """(what was done, the broken rule): each part left out in turn, and the condition turned round."""
    for what, kept in _without(rule, ""):
        whole = _NOTHING | ({"any_of": [_NEVER]} if kept is None else {k: getattr(kept, k) for k in _NOTHING})
        yield f"去掉 {what}", rule.model_copy(update=whole)
    part = Part.model_construct(**{k: getattr(rule, k) for k in _NOTHING})
    yield "反过来", rule.model_copy(update=_NOTHING | {"none_of": part})
    for key, nothing in (
        ("unless", []),
        ("where", None),
        ("applies", Applies()),
        ("exact", False),
        ("disguise", False),
    ):
        if getattr(rule, key) != nothing:
            yield f"去掉 {key}", rule.model_copy(update={key: nothing})


def _without(item: Condition, path: str) -> Iterator[tuple[str, Condition | None]]:
    """The condition with one part left out, for each part; None where nothing is left of it."""
    keys = asked(item)
    for key, value in keys:
        field, here = _FIELDS.get(key, key), f"{path}{key}"
        yield here, item.model_copy(update={field: None}) if len(keys) > 1 else None
        for what, kept in _fewer(key, value, f"{here}."):
            yield what, item.model_copy(update={field: kept})


def _fewer(key: str, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The value of a composite key with one of its parts left out or broken."""
    if key in ("not", "count"):
        inside = value if key == "not" else value.of
        if isinstance(inside, Condition):
            for what, kept in _without(inside, path):
                left = kept or Part(any=[_NEVER])
                yield what, left if key == "not" else value.model_copy(update={"of": left})
        return
    items = value if key in ("any", "all") else getattr(value, "of", [])
    if key == "any" and not any(isinstance(i, Condition) for i in items):
        return  # words are one leaf, and that was left out above
    for what, fewer in _one_less(items, path):
        yield what, fewer if key in ("any", "all") else value.model_copy(update={"of": fewer})


def _one_less(items: list[Any], path: str) -> Iterator[tuple[str, list[Any]]]:
    for n, item in enumerate(items):
        rest = [*items[:n], *items[n + 1 :]]
        if rest:
            yield f"{path}{n + 1}", rest
        if isinstance(item, Condition):
            for what, kept in _without(item, f"{path}{n + 1}."):
                yield what, [*items[:n], *([kept] if kept else []), *items[n + 1 :]] or [_NEVER]


def _holds(rule: Rule, found: set[str]) -> bool:
    """Whether every example of the rule comes out as it should."""
    hits = {f"{rule.id}.hit.{k}" for k in range(len(rule.tests.hit))}
    misses = {f"{rule.id}.miss.{k}" for k in range(len(rule.tests.miss))}
    return hits <= found and not misses & found
