"""Rules prove themselves: every example of every rule is run through the real detectors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import NamedTuple

import polars as pl

from qc import frames
from qc.detectors import DETECTORS, listen
from qc.dialogue import turns
from qc.profiles import Profile
from qc.rulebook import Pack, Rule, rules_of
from qc.rulefile import RulebookError

# 客: the customer · 服: a human agent · 助 assist · 机 bot · 自 auto-reply · 系 system. A name may follow: 服小李.
_KINDS = {"客": "customer", "服": "agent", "助": "assist", "机": "bot", "自": "auto", "系": "system"}
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
        _message(name, seq, line)
        for name, text in dialogues
        for seq, line in enumerate((line.strip() for line in text.splitlines() if line.strip()), start=1)
    ]
    messages = frames.of(frames.Message, pl.DataFrame(rows, schema=frames.Message, orient="row"))
    return Talk(messages, turns(messages, _PROFILE, as_of=None, pleasantries=pleasantries))


def check(packs: Sequence[Pack], pleasantries: Sequence[str] = ()) -> pl.DataFrame:
    """(rule_id, n_hit, n_miss, failures): how many examples each rule has, and `file:line what` for those that fail."""
    examples = [
        (f"{rule.id}.{kind}.{k}", text if _LINE.match(text) else f"{'服' if rule.who == 'agent' else '客'}: {text}")
        for rule in rules_of(packs).values()
        for kind, texts in (("hit", rule.tests.hit), ("miss", rule.tests.miss))
        for k, text in enumerate(texts)
    ]
    heard = listen(*talk(examples, pleasantries), rules_of(packs))
    found = {rule.id: set(DETECTORS[rule.by](heard, rule).findings["conversation_id"]) for rule in heard.rules.values()}
    rows = [
        (rule.id, len(rule.tests.hit), len(rule.tests.miss), _failures(pack, rule, found[rule.id]))
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
    kind = _KINDS[mark]
    return {
        "conversation_id": name,
        "seq": seq,
        "message_id": None,
        "shop": "shop",
        "channel": "web",
        "sent_at": datetime.combine(_DAY, time.fromisoformat(clock.zfill(5))) if clock else None,
        "sender_kind": kind,
        "agent": who or mark if kind in ("agent", "assist") else who or None,
        "customer": who or "客" if kind == "customer" else "客",
        "content_kind": _CONTENTS.get(text, "text"),
        "text": text,
        "source_id": name,
        "source_row": seq,
    }
