"""The walk through a JSON text: down the keys that lead to records, and on past a tear where it is sure to be right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

TRIES = 10_000  # openings of an object that are tried after a tear
SMALL = 1 << 20  # documents longer than this are not decoded as a whole before they are walked through
DECODER = json.JSONDecoder(strict=False)  # a bare line break inside a string is no damage
KEY = re.compile(r'"((?:[^"\\]|\\.){0,200})"\s*:\s*')
BLANK = re.compile(r"[\s,]*")
BETWEEN = re.compile(r"[\s,\[\]]*")
AFTER_A_TEAR = re.compile(r"[\s,\[\]}]*")
LIST_ENDS = re.compile(r"\}\s*\]")


class Plan(NamedTuple):
    """Where the records of an export lie: keys that lead to them, and what makes an object one."""

    leads: Callable[[str], bool]
    is_record: Callable[[dict[str, Any]], bool]


class Found(NamedTuple):
    """An innermost object, from character `start` to `end`, and what encloses it, outermost first.

    A value that can be decoded again is not kept: a document's records wait for its end, where context may still come.
    """

    start: int
    end: int
    outer: tuple[dict[str, Any], ...]
    value: dict[str, Any] | None = None


class Gap(NamedTuple):
    """Characters that belong to no whole record."""

    start: int
    end: int


class Torn(Exception):
    """The JSON breaks off; `at` is the first character that belongs to no whole record."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


Walk = Generator[Found | Gap, None, int]  # what it finds on the way; returns where it came out


def units(text: str, plan: Plan) -> Iterator[list[Found | Gap]]:
    """What lies in each document of the text, or in each item of a list of documents."""
    at, depth, size, is_torn = 0, 0, SMALL, False
    while True:
        between = (AFTER_A_TEAR if is_torn else BETWEEN).match(text, at)
        assert between is not None
        depth += between[0].count("[") - between[0].count("]")
        at = between.end()
        if at == len(text):
            if depth > 0 and not is_torn:
                yield [Gap(at, at)]
            return
        unit: list[Found | Gap] = []
        start = at
        try:
            at = _drain((_item if size < SMALL else _value)(text, at, (), plan), unit)
        except (Torn, RecursionError) as e:
            is_torn = True
            found = any(isinstance(event, Found) for event in unit)
            torn = e.at if found and isinstance(e, Torn) else start
            at = _next(text, torn, plan) or len(text)
            unit.append(Gap(torn, at))
        size = at - start
        yield unit


def _drain(walk: Walk, into: list[Found | Gap]) -> int:
    while True:
        try:
            into.append(next(walk))
        except StopIteration as stop:
            return int(stop.value)


def _value(
    text: str, at: int, outer: tuple[dict[str, Any], ...], plan: Plan, own: dict[str, Any] | None = None
) -> Walk:
    if text.startswith("[", at):
        return (yield from _items(text, at, outer, plan))
    if text.startswith("{", at):
        return (yield from _members(text, at, outer, {} if own is None else own, plan))
    raise Torn(at)


def _items(text: str, at: int, outer: tuple[dict[str, Any], ...], plan: Plan) -> Walk:
    """The items of a list; after a damaged one the walk goes on with the next whole record of the same list."""
    at = _skip(text, at + 1)
    while not text.startswith("]", at):
        try:
            at = yield from _item(text, at, outer, plan)
        except Torn as torn:
            after = _next(text, torn.at, plan, same_list=True)
            if after is None:
                raise
            yield Gap(torn.at, after)
            at = after
        at = _skip(text, at)
    return at + 1


def _item(text: str, at: int, outer: tuple[dict[str, Any], ...], plan: Plan) -> Walk:
    value, end = _decoded(text, at)
    if isinstance(value, dict) and not _is_container(value, plan):
        yield Found(at, end, outer)
        return end
    if text.startswith(("{", "["), at):
        return (yield from _value(text, at, outer, plan))
    if end < 0:
        raise Torn(at)
    yield Gap(at, end)  # a bare number or string where a record should be
    return end


def _members(text: str, start: int, outer: tuple[dict[str, Any], ...], own: dict[str, Any], plan: Plan) -> Walk:
    """An object key by key: under the keys that lead to records the walk goes on, the rest (in `own`) is their context."""
    is_container, at = False, _skip(text, start + 1)
    while not text.startswith("}", at):
        key = KEY.match(text, at)
        if key is None:
            raise Torn(at if is_container else start)
        at = key.end()
        if plan.leads(key[1]) and text.startswith(("{", "["), at):
            is_container = True
            inner = own.setdefault(key[1], {}) if text.startswith("{", at) else {}
            end = yield from _value(text, at, (*outer, own), plan, inner)
        else:
            own[key[1]], end = _decoded(text, at)
            if end < 0:
                raise Torn(at if is_container else start)
        at = _skip(text, end)
    if not is_container or plan.is_record(own):
        yield Found(start, at + 1, outer, own)
    return at + 1


def _is_container(value: Any, plan: Plan) -> bool:
    if not isinstance(value, dict) or plan.is_record(value):
        return False
    return any(isinstance(v, dict | list) and plan.leads(k) for k, v in value.items())


def _decoded(text: str, at: int) -> tuple[Any, int]:
    """The value that begins here and where it ends; -1 where it does not."""
    try:
        return DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, -1


def _skip(text: str, at: int) -> int:
    blank = BLANK.match(text, at)
    return blank.end() if blank else at


def _next(text: str, at: int, plan: Plan, *, same_list: bool = False) -> int | None:
    """Where the next whole record begins after a tear; `same_list`: none where that could be another talk's record."""
    before, after = at, text.find("{", at + 1)
    for _ in range(TRIES):
        if after < 0:
            return None
        if same_list and (LIST_ENDS.search(text, before, after) or _leads_away(text, before, after, plan)):
            return None
        value, _ = _decoded(text, after)
        if isinstance(value, dict) and plan.is_record(value):
            return after
        if not same_list and _is_container(value, plan):
            return after
        before, after = after, text.find("{", after + 1)
    return None


def _leads_away(text: str, start: int, end: int, plan: Plan) -> bool:
    return any(plan.leads(key) for key in KEY.findall(text, start, end))
