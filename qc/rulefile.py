"""A rule file as people write it: YAML text → model, and every error as `file:line what; what to do`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

Place = tuple[str | int, ...]  # keys and positions from the top of a file: ("rules", 0, "tests")
_Model = TypeVar("_Model", bound=BaseModel)


class RulebookError(ValueError):
    """A pack, scorecard or example that cannot be used: `file:line what; what to do`, one line an error."""


def read(text: str, name: str) -> dict[str, Any]:
    """YAML 1.2 that remembers its lines; a duplicate key or a slip of the pen is a RulebookError."""
    try:
        raw = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = error.problem or ""
        key = problem.split('"')[1] if "duplicate key" in problem else ""
        what = f"键「{key}」写了两次;请删去一个" if key else "不是合格的 YAML(缩进、引号或冒号);请改正"
        raise RulebookError(f"{name}:{line} {what}") from error
    if not isinstance(raw, dict):
        raise RulebookError(f"{name}:1 文件是空的或不是「键: 值」的形式;请参照 data/ 里的例子")
    return raw


def validated(model: type[_Model], raw: dict[str, Any], name: str) -> _Model:
    """The model of what was read; raises one RulebookError with every problem, in the order of the lines."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems = {(line_of(raw, e["loc"]), _said(dict(e), model)) for e in error.errors()}
        raise RulebookError("\n".join(f"{name}:{line} {what}" for line, what in sorted(problems))) from None


def line_of(raw: Any, place: Place) -> int:
    """The line of the innermost part of `place` that the file has: a missing key is reported where it is missing."""
    line = 0
    for key in place:
        try:
            line, raw = (raw.lc.item if isinstance(key, int) else raw.lc.key)(key)[0], raw[key]
        except (KeyError, IndexError, AttributeError, TypeError):
            continue  # missing, or the name of a model's alternative
    return line + 1


def closest(word: object, known: Iterable[str]) -> str:
    """The end of an error about an unknown word: the nearest known one, if there is a near one."""
    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f",是不是「{near[0]}」?请改正或删去" if near else ";请改正或删去"


TAGS = ("word", "words", "condition")  # names of alternatives in a place, not keys of the file
_WANTED = {
    "string": "文字",
    "int": "整数",
    "float": "数",
    "bool": "true 或 false",
    "list": "列表(每行以 - 开头)",
    "model": "「键: 值」",
}


def _said(error: dict[str, Any], model: type[BaseModel]) -> str:
    """A pydantic error in the words of the person who writes rules."""
    kind, given, context = str(error["type"]), error["input"], error.get("ctx", {})
    key = next((part for part in reversed(error["loc"]) if isinstance(part, str) and part not in TAGS), "文件")
    sayings = {
        "missing": lambda: f"缺少「{key}」;请补上",
        "extra_forbidden": lambda: f"不认识的键「{key}」{closest(key, _keys(model))}",
        "literal_error": lambda: f"「{key}」没有 {given!r} 这种写法;可用的有 {_choices(context)}",
        "too_short": lambda: f"「{key}」至少要 {context['min_length']} 条,现在 {context['actual_length']} 条;请补上",
        "string_too_short": lambda: f"「{key}」是空的;请补上",
        "string_pattern_mismatch": lambda: f"「{key}」不能是 {given!r},要合乎 {context['pattern']};请改正",
        "value_error": lambda: str(context["error"]),
        "greater_than": lambda: f"「{key}」是 {given!r},要大于 {context['gt']:g};请改正",
        "greater_than_equal": lambda: f"「{key}」是 {given!r},不能小于 {context['ge']:g};请改正",
        "less_than_equal": lambda: f"「{key}」是 {given!r},不能大于 {context['le']:g};请改正",
        "too_long": lambda: f"「{key}」最多 {context['max_length']} 条,现在 {context['actual_length']} 条;请删减",
    }
    wanted = next((zh for start, zh in _WANTED.items() if kind.startswith(start)), "别的内容")
    return sayings.get(kind, lambda: f"「{key}」要写{wanted},现在是 {given!r};请改正")()


def _choices(context: dict[str, Any]) -> str:
    return str(context["expected"]).replace("'", "").replace(" or ", "、").replace(", ", "、")


def _keys(model: type[BaseModel]) -> list[str]:
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return sorted({key for part in parts for key in part.get("properties", {})})
