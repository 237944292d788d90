"""The shop's night: what was read, the shop's figures, its people side by side, its days, its money, what cannot be known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports import casemix, charts, promises, sparks, staffing
from reports.charts import Dot
from reports.facts import Facts, Links
from reports.html import page, picture
from reports.queries import Row, Value
from reports.quotes import quoted
from reports.views import COMPARED, SUMMARY, TILES, TRENDS, shown, span
from reports.words import Words

CLASSES = ("consulted", "reminded", "silent")
DOTS = 30  # people in one picture; more make the next one
GROUPS = ("response", "quality", "satisfaction", "sales")


def render(facts: Facts, links: Links, w: Words) -> str:
    """index.html."""
    sections = [_section(facts, links, w, shop) for shop in facts.shops]
    sums = {c: sum(s[c] or 0 for s in facts.sources) for c in ("n_rows", "n_stored", "n_duplicate", "n_quarantined")}
    return page("index.html", w=w, root="", facts=facts, sections=sections, sums=sums)


def _section(facts: Facts, links: Links, w: Words, shop: Row) -> dict[str, Any]:
    name = shop["shop"]
    people = [a for a in facts.agents if a["shop"] == name]
    columns = [m for m in SUMMARY if (m, name) not in facts.missing]
    in_order = list(facts.kpis).index
    return {
        "shop": shop, "tiles": tiles(facts, w, name), "columns": _columns(facts, w, columns),
        "lines": [_line(facts, w, links, name, a, columns) for a in [None, *people]], "n_people": len(people),
        "nobody": w.reason(facts.reasons, "no_agents") if facts.value("conversations", name) else "",
        "mix": casemix.table(facts, links, w, name, people),
        "comparisons": _comparisons(facts, w, name, people), "trends": trends(facts, w, name), "money": _money(facts, w, shop),
        "promises": promises.lines(facts, w, name), "coverage": staffing.coverage(facts, w, name),
        "worst": [quoted(facts, links, w, f, f["who"]) for f in facts.worst.get((name, None), [])],
        "gaps": [(g[w.lang] or g["reason"], w.join([w.kpi(facts.kpis[m]) for m in sorted(g["metrics"], key=in_order)]))
                 for g in facts.gaps.get((name,), [])],
    }  # fmt: skip


def tiles(facts: Facts, w: Words, shop: str) -> list[dict[str, Any]]:
    """Key figures that are known, in reading order."""
    known = [(facts.kpis[m], facts.value(m, shop)) for m in TILES]
    return [
        {"kpi": k, "name": w.kpi(k), "formula": w.formula(k), "value": v} for k, v in known if v and v.value is not None
    ]


def _columns(facts: Facts, w: Words, metrics: list[str]) -> list[dict[str, Any]]:
    """Headings of the side-by-side table, under the name of their group."""
    columns = []
    for group in GROUPS:
        members = [m for m in metrics if facts.kpis[m]["group"] == group]
        if members:
            heads = [(SUMMARY[m][w.lang == "en"], w.kpi(facts.kpis[m]), w.formula(facts.kpis[m])) for m in members]
            columns.append({"group": w.one("group", group), "heads": heads})
    return columns


def _line(facts: Facts, w: Words, links: Links, shop: str, agent: Row | None, columns: list[str]) -> dict[str, Any]:
    """The shop's or one person's line of the table."""
    who = agent["agent"] if agent else None
    ordered = [m for g in GROUPS for m in columns if facts.kpis[m]["group"] == g]
    cells = [(facts.value(m, shop, who), facts.kpis[m], _shortage(facts, w, m, shop, who)) for m in ordered]
    thin = facts.shortage("conversations", shop, who) if who else None
    return {
        "agent": agent,
        "href": links.agents.get((shop, who)),
        "cells": cells,
        "thin": w.one("short", thin) if thin else "",
    }


def _shortage(facts: Facts, w: Words, metric: str, shop: str, who: str | None) -> str:
    short = facts.shortage(metric, shop, who) if who else None
    return w.one("short", short) if short else ""


def _comparisons(facts: Facts, w: Words, shop: str, people: list[Row]) -> list[dict[str, Any]]:
    """A picture (or several, of thirty people each) for each number in which people are compared."""
    made = []
    for metric in COMPARED:
        kpi, whole = facts.kpis[metric], facts.value(metric, shop)
        dots = [Dot(p["name"], v, facts.shortage(metric, shop, p["agent"]) is None) for p in people
                if (v := facts.value(metric, shop, p["agent"])) and v.value is not None]  # fmt: skip
        for first in range(0, len(dots), DOTS):
            some = dots[first : first + DOTS]
            svg = charts.intervals(some, whole, kpi["unit"], kpi["target"])
            made.append({"name": w.kpi(kpi), "shop": whole, "unit": kpi["unit"], "target": kpi["target"], "src": picture(svg),
                         "alt": _alt(w, kpi, some, whole)})  # fmt: skip
    return made


def _alt(w: Words, kpi: Row, dots: list[Dot], shop: Value | None) -> str:
    unit = kpi["unit"]
    said = [f"{d.name} {_reading(d.value, unit)}" + ("" if d.is_enough else f" ({w.not_enough})") for d in dots]
    whole = f"{w.whole_shop} {_reading(shop, unit)}" if shop else ""
    return f"{w.kpi(kpi)}: {'; '.join([whole, *said])}"


def _reading(value: Value, unit: str) -> str:
    interval = span(value.low, value.high, unit)
    return shown(value.value, unit) + (f" ({interval})" if interval else "")


def trends(
    facts: Facts, w: Words, shop: str, agent: str | None = None, metrics: Sequence[str] = TRENDS
) -> dict[str, dict[str, Any]]:
    """metric -> its last thirty days as a picture; a person's with the shop beside it. Only what has days."""
    made = {}
    for metric in metrics:
        days = facts.daily.get((metric, shop, agent), [])
        if len(days) < 2:
            continue
        kpi = facts.kpis[metric]
        beside = facts.daily.get((metric, shop, None), []) if agent and kpi["kind"] != "total" else []
        svg = charts.trend(days, beside, kpi["unit"])
        made[metric] = {"name": w.kpi(kpi), "src": picture(svg), "alt": _days(w, kpi, days), "kind": kpi["kind"],
                        "is_immature": any(not d["is_mature"] for d in days)}  # fmt: skip
    return made


def _days(w: Words, kpi: Row, days: list[Row]) -> str:
    """What the picture of the days says, in words."""
    weeks = [d for d in days if d["week"] is not None]
    said = [f"{w.kpi(kpi)}, {days[0]['day']} – {days[-1]['day']}"]
    if weeks:
        first, last = weeks[min(6, len(weeks) - 1)], weeks[-1]
        said.append(
            w.week_from_to.format(
                a=shown(first["week"], kpi["unit"]), b=shown(last["week"], kpi["unit"]), day=last["day"]
            )
        )
    low, high = (pick(days, key=lambda d: d["value"]) for pick in (min, max))
    said.append(w.days_range.format(low=shown(low["value"], kpi["unit"]), low_day=low["day"],
                                    high=shown(high["value"], kpi["unit"]), high_day=high["day"]))  # fmt: skip
    return "; ".join(said)


def _money(facts: Facts, w: Words, shop: Row) -> dict[str, Any] | None:
    """Attribution classes of the shop and their sum; only the sum when orders and chats cannot meet."""
    found = {r["class"]: r for r in facts.classes.get((shop["shop"],), [])}
    if not found:
        return None
    total = sum(r["paid_fen"] for r in found.values())
    lines = [{"class": c, "name": w.one("class", c), "share": r["paid_fen"] / total if total else None, **r}
             for c in CLASSES if (r := found.get(c))]  # fmt: skip
    return {
        "lines": lines, "total": total, "n_orders": sum(r["n_orders"] for r in found.values()), "paid": shop["paid_fen"],
        "bar": sparks.stack([line["share"] or 0 for line in lines]), "match": facts.value("match_rate", shop["shop"]),
        "reason": w.reason(facts.reasons, facts.missing.get(("silent_share", shop["shop"]))),
    }  # fmt: skip
