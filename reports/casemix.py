"""Who gets which conversations: phase, topic and type of customer, for a shop, a person and a single talk."""

from __future__ import annotations

from typing import Any

from reports.facts import Facts, Links
from reports.queries import Row
from reports.words import Words

PHASES = ("pre", "mid", "after", None)
TYPES = ("demanding", "confused", "agitated")
TOPICS = 3  # the most frequent ones that a line names
ASPECTS = ("phase", "topic", "customer_type")
REASONS = 4  # the strongest words that a talk's page names under each aspect


def table(facts: Facts, links: Links, w: Words, shop: str, people: list[Row]) -> list[dict[str, Any]]:
    """A line for the shop and one for each of the people with conversations; nothing without conversations."""
    lines = [line(facts, w, shop, None, w.whole_shop)]
    lines += [
        line(facts, w, shop, p["agent"], p["name"]) | {"href": links.agents.get((shop, p["agent"]))} for p in people
    ]
    return [one for one in lines if one["n"]]


def line(facts: Facts, w: Words, shop: str, agent: str | None, name: str) -> dict[str, Any]:
    """n conversations and the shares of the phases, the most frequent topics, the types that need care."""
    counts = {(c["aspect"], c["value"]): c["n"] for c in facts.mix.get((shop, agent), [])}
    n = sum(k for (aspect, _), k in counts.items() if aspect == "phase")
    topics = sorted(((k, v) for (a, v), k in counts.items() if a == "topic" and v), key=lambda x: (-x[0], x[1]))
    return {
        "name": name, "agent": agent, "n": n, "href": None,
        "phases": [counts.get(("phase", p), 0) / n if n else None for p in PHASES],
        "types": [counts.get(("customer_type", t), 0) / n if n else None for t in TYPES],
        "topics": [(w.one("topic", v), k / n) for k, v in topics[:TOPICS]],
    }  # fmt: skip


def of_talk(facts: Facts, w: Words, conversation: Row, reasons: list[Row]) -> list[dict[str, Any]]:
    """Phase, topic and type of one conversation, each with the words that decided, or why it cannot be known."""
    made = []
    for aspect in ASPECTS:
        value, found = conversation[aspect], [r for r in reasons if r["aspect"] == aspect and r["is_decisive"]]
        made.append({
            "name": w.one("aspect", aspect), "value": w.one(aspect, value) if value else "–",
            "why": "" if value else w.reason(facts.reasons, conversation["case_reason"]),
            "reasons": [r | {"said": r["quote"] or w.one("basis", r["basis"])} for r in found[:REASONS]],
            "rest": max(0, len(found) - REASONS), "by_default": bool(value) and not found,
        })  # fmt: skip
    return made
