"""Rules prove themselves: every example of every rule is run through the real detectors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import NamedTuple

import polars as pl

from qc import frames
from qc.detectors import missed, told
from qc.dialogue import turns
from qc.listening import listen
from qc.places import Beside
from qc.profiles import Profile
from qc.rule import Rule
from qc.rulebook import Pack, rules_of
from qc.rulefile import RulebookError

# What an example says besides the talk: @下单 10:00:20 · @付款 10:03:00 · @退款 10:09:00 · @阶段 pre · @话题 · @顾客类型 · @负面 0.9 · @渠道 jd.
_FACT = re.compile(r"@(下单|付款|退款|阶段|话题|顾客类型|负面|渠道)\s+(\S+)")
_ORDER_TIMES = {"下单": "created_at", "付款": "paid_at", "退款": "refund_applied_at"}
_CASE = {"阶段": "phase", "话题": "topic", "顾客类型": "customer_type"}
# 客: the customer · 服: a human agent · 助 assist · 机 bot · 自 auto-reply · 系 system. A name may follow: 服小李.
KINDS = {"客": "customer", "服": "agent", "助": "assist", "机": "bot", "自": "auto", "系": "system"}
_CONTENTS = {"[图片]": "image", "[卡片]": "card", "[撤回]": "recall", "": "empty"}
_LINE = re.compile(r"(?:(\d{1,2}:\d\d(?::\d\d)?)\s+)?([客服助机自系])([^\s::]{0,8})[::]\s?(.*)", re.DOTALL)
_DAY = date(2026, 1, 5)
_PROFILE = Profile(
    id="examples", title="例子", title_en="Examples", status="ours", valid_from=_DAY, source="the rules' own examples"
)


class Talk(NamedTuple):
    """A written dialogue as frames."""

    messages: pl.DataFrame  # frames.Message
    turns: pl.DataFrame  # frames.Turn


def talk(dialogues: Iterable[tuple[str, str]], pleasantries: Sequence[str] = ()) -> Talk:
    """(conversation_id, lines `10:00:05 客: 在吗`) … -> Talk; the time may be left out, raises ValueError otherwise."""
    rows = [
        _message(name, seq, line) | {"channel": dict(_FACT.findall(text)).get("渠道", "web")}
        for name, text in dialogues
        for seq, line in enumerate(_lines(text), start=1)
    ]
    messages = frames.of(frames.Message, pl.DataFrame(rows, schema=frames.Message, orient="row"))
    return Talk(messages, turns(messages, _PROFILE, as_of=None, pleasantries=pleasantries))


def beside(dialogues: Iterable[tuple[str, str]]) -> Beside:
    """The facts that dialogues state with @: an order of its customer, its case, the mood of the customer's texts."""
    orders, cases, moods = [], [], []
    for name, text in dialogues:
        facts = dict(_FACT.findall(text))
        times = {column: _at(facts[key]) for key, column in _ORDER_TIMES.items() if key in facts}
        orders += [{"order_id": name, "shop": name, "customer": "客"} | times] if times else []
        cases.append({"conversation_id": name} | {column: facts.get(key) for key, column in _CASE.items()})
        said = (match for line in _lines(text) if (match := _LINE.fullmatch(line)) and match[2] == "客")
        moods += [(match[4], float(facts["负面"])) for match in said] if "负面" in facts else []
    case: frames.Noun = {
        "conversation_id": pl.String,
        "phase": pl.String,
        "topic": pl.String,
        "customer_type": pl.String,
    }
    mood: frames.Noun = {"text": pl.String, "p_negative": pl.Float64}
    return Beside(
        pl.DataFrame(orders, schema=frames.Order), pl.DataFrame(cases, schema=case), pl.DataFrame(moods, schema=mood, orient="row")
    )  # fmt: skip


def _lines(text: str) -> list[str]:
    stripped = (line.strip() for line in text.splitlines())
    return [line for line in stripped if line and not _FACT.fullmatch(line)]


def _at(clock: str) -> datetime:
    return datetime.combine(_DAY, time.fromisoformat(clock.zfill(5)))


def heard(packs: Sequence[Pack], lab: Sequence[Pack] = (), pleasantries: Sequence[str] = ()) -> dict[str, set[str]]:
    """rule_id → the examples in which it is found; `lab` are rules that have no examples of their own."""
    spoken = examples(packs)
    heard_ = listen(*talk(spoken, pleasantries), [*packs, *lab], beside(spoken))
    names = heard_.said["conversation_id"]
    said = {rule_id: {*names[places["i"]]} for rule_id, places in told(heard_).items()}
    return said | {rule_id: {*names[due.filter(~pl.col("is_met"))["i"]]} for rule_id, due in missed(heard_).items()}


def examples(packs: Sequence[Pack]) -> list[tuple[str, str]]:
    """Every example of every rule as a dialogue: RULE_ID.hit.0 …, a single sentence said by whom the rule looks at."""
    return [
        (
            f"{rule.id}.{kind}.{k}",
            text
            if _LINE.match(text.lstrip()) or text.startswith("@")
            else f"{'服' if rule.who == 'agent' else '客'}: {text}",
        )
        for rule in rules_of(packs).values()
        for kind, texts in (("hit", rule.tests.hit), ("miss", rule.tests.miss))
        for k, text in enumerate(texts)
    ]


def check(packs: Sequence[Pack], pleasantries: Sequence[str] = ()) -> pl.DataFrame:
    """(rule_id, n_hit, n_miss, failures): how many examples each rule has, and `file:line what` for those that fail."""
    found = heard(packs, pleasantries=pleasantries)
    rows = [
        (rule.id, len(rule.tests.hit), len(rule.tests.miss), _failures(pack, rule, found.get(rule.id, set())))
        for pack in packs
        for rule in pack.rules
    ]
    schema: frames.Noun = {"rule_id": pl.String, "n_hit": pl.Int32, "n_miss": pl.Int32, "failures": pl.List(pl.String)}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("rule_id")


def prove(packs: Sequence[Pack], pleasantries: Sequence[str] = ()) -> None:
    """Raises RulebookError with every example that fails."""
    if failures := check(packs, pleasantries)["failures"].explode().drop_nulls().to_list():
        raise RulebookError("\n".join(failures))


def _failures(pack: Pack, rule: Rule, found: set[str]) -> list[str]:
    wrong = [
        (pack.lines[f"{rule.id}.{kind}.{k}"], kind, " / ".join(text.split("\n")).strip(" /"))
        for kind, texts in (("hit", rule.tests.hit), ("miss", rule.tests.miss))
        for k, text in enumerate(texts)
        if (f"{rule.id}.{kind}.{k}" in found) != (kind == "hit")
    ]
    said = {"hit": "应命中而没有;请补充 any 或改例子", "miss": "不该命中而命中了;请补充 unless 或改例子"}
    return [f"{pack.name}:{line} 规则「{rule.id}」的例子「{text}」{said[kind]}" for line, kind, text in wrong]


def _message(name: str, seq: int, line: str) -> dict[str, object]:
    if not (match := _LINE.fullmatch(line)):
        raise ValueError(f"「{line}」不是对话的一行;请写成「客: …」或「10:00:05 服小李: …」")
    clock, mark, who, text = match.groups()
    kind = KINDS[mark]
    return {
        "conversation_id": name,
        "seq": seq,
        "message_id": None,
        "shop": name,
        "sent_at": _at(clock) if clock else None,
        "sender_kind": kind,
        "agent": who or mark if kind in ("agent", "assist") else who or None,
        "customer": who or "客" if kind == "customer" else "客",
        "content_kind": _CONTENTS.get(text, "text"),
        "text": text,
        "source_id": name,
        "source_row": seq,
    }
