"""The shop's self-assessment by a standard: what it won, and on what ground. Of shops only, never of a person."""

from __future__ import annotations

from typing import Any

import duckdb

from reports.facts import Facts
from reports.html import page
from reports.queries import Row, grouped, rows
from reports.views import shown
from reports.words import Words


def render(con: duckdb.DuckDBPyConnection, facts: Facts, w: Words) -> str:
    """standard.html; "" when there is no shop to assess."""
    items = grouped(rows(con, "SELECT * FROM standard_items ORDER BY shop, nth"), "shop")
    shops = [_shop(facts, w, score, items[score["shop"],]) for score in rows(con, "SELECT * FROM standard_scores ORDER BY shop")]
    return page("standard.html", w=w, root="", facts=facts, shops=shops) if shops else ""


def _shop(facts: Facts, w: Words, score: Row, items: list[Row]) -> dict[str, Any]:
    parts = grouped(items, "section")
    return {
        "shop": score["shop"], "score": score, "name": w.title(score), "level": w.title(score, "level_title") if score["level"] else "",
        "reason": w.reason(facts.reasons, score["reason"]), "status": w.one("status", score["status"]),
        "parts": [{"title": w.title(found[0], "section_title"), "won": _sum(found, "won"), "applicable": _sum([i for i in found if i["won"] is not None], "points"),
                   "points": _sum(found, "points"), "lines": [_line(facts, w, i) for i in found]} for found in parts.values()],
    }  # fmt: skip


def _sum(items: list[Row], column: str) -> float:
    return float(sum(i[column] for i in items if i[column] is not None))


def _line(facts: Facts, w: Words, item: Row) -> dict[str, Any]:
    kpi = facts.kpis.get(item["metric"] or "")
    measured = f"{w.kpi(kpi)} {shown(item['value'], kpi['unit'])} · n = {item['n']:,} · {threshold(item, kpi['unit'], w.standard_missed)}" if kpi else ""
    declared = f"{w.standard_declared} {item['declared_on']} · {item['declared_by']} · {item['evidence']}"
    missing = f"{w.kpi(kpi)}: " if kpi else ""
    ground = missing + w.reason(facts.reasons, item["reason"]) if item["reason"] else measured or declared
    return {"title": w.title(item), "points": item["points"], "won": item["won"], "ground": ground}


def threshold(item: Row, unit: str, missed: str) -> str:
    """`≥ 85.0%`, or that the lowest step was missed."""
    said = f"{'≥' if item['is_at_least'] else '≤'} {shown(item['threshold'], unit)}"
    return said if item["won"] else missed.format(threshold=said)
