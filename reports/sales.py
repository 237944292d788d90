"""The sales page: why sales moved, whose they are under other rules, consulted beside silent, what reminders bring."""

from __future__ import annotations

from typing import Any

import duckdb

from reports import charts, inquiries
from reports.facts import Facts, Links
from reports.html import page, picture
from reports.inquiries import who
from reports.queries import Row, grouped, rows
from reports.views import shown
from reports.words import Words

TERMS = ("traffic", "conversion", "value", "other", "silent")
DOTS = 30  # people in one picture; more make the next one


def render(con: duckdb.DuckDBPyConnection, facts: Facts, links: Links, w: Words) -> str | None:
    """sales.html; None where no shop has sales that can meet its chats."""
    shops = [s["shop"] for s in facts.shops if s["paid_fen"] and ("silent_share", s["shop"]) not in facts.missing]
    if not shops:
        return None
    changes = _changes(con)
    shares = grouped(rows(con, "FROM attribution_by_rule(NULL, NULL)"), "shop")
    rules = rows(con, "SELECT rule, title, title_en FROM attribution_rules ORDER BY nth")
    lifts = {r["shop"]: r for r in rows(con, "FROM consulted_lift(NULL, NULL)")}
    reminded = grouped(rows(con, "FROM reminder_effect(NULL, NULL)"), "shop")
    asked = inquiries.gather(con)
    sections = [
        {"shop": shop, "changes": _explained(changes, facts, links, w, shop),
         "rules": _rules(rules, shares.get((shop,), []), facts, links, w, shop),
         "lift": _lift(lifts.get(shop)), **inquiries.section(asked, facts, links, w, shop),
         "reminded": [{**r, **who(facts, links, w, shop, r["agent"])} for r in reminded.get((shop,), [])]}
        for shop in shops
    ]  # fmt: skip
    return page("sales.html", w=w, root="", facts=facts, sections=sections, rules=rules, terms=TERMS)


def _changes(con: duckdb.DuckDBPyConnection) -> list[tuple[Row, dict[Any, list[Row]]]]:
    """Each pair of periods with its lines by shop."""
    days = ("before_from", "before_to", "after_from", "after_to")
    return [
        (period, grouped(rows(con, "FROM sales_change(?, ?, ?, ?)", [period[d] for d in days]), "shop"))
        for period in rows(con, "FROM sales_periods()")
    ]


def _explained(
    changes: list[tuple[Row, dict[Any, list[Row]]]], facts: Facts, links: Links, w: Words, shop: str
) -> list[dict[str, Any]]:
    """A picture of the shop's change and a table with everybody's, for each pair of periods."""
    made = []
    for period, found in changes:
        lines = [{**r, **who(facts, links, w, shop, r["agent"])} for r in found.get((shop,), [])]
        if lines:
            said = w.period_days.format(n=period["n_days"], **period)
            made.append({"said": said, "lines": lines, **_waterfall(lines[0], w)})
    return made


def _waterfall(whole: Row, w: Words) -> dict[str, str]:
    steps = [(w.one("term", t), float(whole[f"{t}_fen"])) for t in TERMS]
    told = [f"{name} {shown(fen, 'fen')}" for name, fen in steps]
    ends = f"{w.term_before} {shown(whole['before_fen'], 'fen')}", f"{w.term_after} {shown(whole['after_fen'], 'fen')}"
    svg = charts.waterfall(steps, float(whole["before_fen"]), (w.term_before, w.term_after))
    return {"src": picture(svg), "alt": "; ".join([ends[0], *told, ends[1]])}


def _rules(rules: list[Row], shares: list[Row], facts: Facts, links: Links, w: Words, shop: str) -> dict[str, Any]:
    """Everybody's sales under every rule, as a table and as dots."""
    fen = {(s["agent"], s["rule"]): s["fen"] for s in shares}
    agents = sorted({s["agent"] for s in shares if s["agent"] is not None})
    lines = []
    for agent in [*agents, None]:
        each = [fen.get((agent, r["rule"]), 0) for r in rules]
        one = who(facts, links, w, shop, agent) if agent else {"name": w.class_silent, "href": None}
        lines.append({**one, "each": each, "moves": max(each) - min(each)})
    people = [(line["name"], [float(f) for f in line["each"]]) for line in lines[:-1]]
    pictures = [
        {"src": picture(charts.ranges(some, "fen")), "alt": "; ".join(f"{n} {shown(min(v), 'fen')}–{shown(max(v), 'fen')}" for n, v in some)}
        for some in (people[i : i + DOTS] for i in range(0, len(people), DOTS))
    ]  # fmt: skip
    totals = [sum(line["each"][i] for line in lines) for i in range(len(rules))]
    return {"lines": lines, "pictures": pictures, "totals": totals}


def _lift(found: Row | None) -> dict[str, str] | None:
    """The ratio in words, or None where there are not two buyers of each kind."""
    if found is None or found["lift"] is None or found["low"] is None:
        return None
    money = {k: shown(found[k], "fen") for k in ("consulted", "silent")}
    return (
        money
        | {k: f"{found[k]:.2f}" for k in ("lift", "low", "high")}
        | {k: f"{found[k]:,}" for k in ("n_consulted", "n_silent")}
    )
