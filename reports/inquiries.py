"""The part of the sales page about those who ask: the funnel, who did not buy and why, like with like, what service is worth."""

from __future__ import annotations

from typing import Any, NamedTuple

import duckdb

from reports import charts
from reports.charts import Dot
from reports.facts import Facts, Links
from reports.html import picture
from reports.queries import Row, Value, grouped, rows
from reports.words import Words

STEPS = ("consultations", "received", "inquiries", "ordered", "paid", "kept")
PARTS = 13  # topics in the funnel table, the most frequent first
RECALLED = 10  # inquiries worth calling back that are listed
LEAST = 50  # inquiries under which nobody is compared. KPI §5


class Asked(NamedTuple):
    """What the mart says of inquiries, by shop."""

    whole: dict[Any, list[Row]]
    topics: dict[Any, list[Row]]
    agents: dict[Any, list[Row]]
    lost: dict[Any, list[Row]]
    recall: dict[Any, list[Row]]
    like: dict[Any, list[Row]]
    worth: dict[Any, list[Row]]


def gather(con: duckdb.DuckDBPyConnection) -> Asked:
    """All of it, in a few statements."""
    return Asked(
        *(grouped(rows(con, "FROM funnel(?, NULL, NULL)", [by]), "shop") for by in ("shop", "topic", "agent")),
        grouped(rows(con, """
            SELECT shop, why, count(*) AS n, count(price_fen) AS n_priced, sum(price_fen)::BIGINT AS fen
            FROM lost_inquiries GROUP BY ALL ORDER BY shop, n DESC, why"""), "shop"),
        grouped(rows(con, """
            SELECT shop, agent, day, why, product, price_fen, conversation_id FROM lost_inquiries WHERE price_fen IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY shop ORDER BY price_fen DESC, day DESC, conversation_id) <= ?
            ORDER BY shop, price_fen DESC, day DESC, conversation_id""", [RECALLED]), "shop"),
        grouped(rows(con, "FROM like_with_like ORDER BY shop, metric, part"), "shop", "metric"),
        grouped(rows(con, "FROM quality_worth ORDER BY shop, factor, metric, part"), "shop", "factor", "metric"),
    )  # fmt: skip


def section(asked: Asked, facts: Facts, links: Links, w: Words, shop: str) -> dict[str, Any]:
    """What the page shows of one shop."""
    agents = sorted((r | who(facts, links, w, shop, r["part"]) for r in asked.agents.get((shop,), [])), key=lambda r: str(r["name"]))
    topics = [
        r | {"name": w.one("topic", r["part"]) if r["part"] else "–", "href": None}
        for r in asked.topics.get((shop,), [])
    ]
    whole = [r | who(facts, links, w, shop, None) for r in asked.whole.get((shop,), [])]
    lost = asked.lost.get((shop,), [])
    return {
        "funnels": [(w.funnel_by_topic, [*whole, *topics[:PARTS]]), (w.funnel_by_agent, agents)] if whole else [],
        "steps": STEPS, "lost": lost, "n_lost": sum(r["n"] for r in lost),
        "recall": [r | who(facts, links, w, shop, r["agent"]) if r["agent"] else r | {"name": "–", "href": None}
                   for r in asked.recall.get((shop,), [])],
        "like": [_alike(asked.like.get((shop, m), []), facts, links, w, shop, m) for m in ("conversion_d3", "sales_per_buyer")],
        "worth": [(w.one("factor", f), w.kpi(facts.kpis[m]), asked.worth[shop, f, m])
                  for f in ("wait", "stages", "mood") for m in ("conversion_d3", "refunded_orders") if (shop, f, m) in asked.worth],
    }  # fmt: skip


def who(facts: Facts, links: Links, w: Words, shop: str, agent: str | None) -> dict[str, Any]:
    """Name and page of an agent, or the whole shop."""
    if agent is None:
        return {"name": w.whole_shop, "href": None}
    name = next((a["name"] for a in facts.agents if a["shop"] == shop and a["agent"] == agent), agent)
    return {"name": name, "href": links.agents.get((shop, agent))}


def _alike(found: list[Row], facts: Facts, links: Links, w: Words, shop: str, metric: str) -> dict[str, Any]:
    """Own and expected of everybody, with a picture of the ratios; who has few inquiries is hollow."""
    kpi = facts.kpis[metric]
    lines = [r | who(facts, links, w, shop, r["part"]) | {"is_thin": r["n"] < LEAST} for r in found]
    dots = [
        Dot(r["name"], Value(r["ratio"], r["low"], r["high"], r["n"]), not r["is_thin"])
        for r in lines
        if r["ratio"] is not None
    ]
    alt = "; ".join(f"{d.name} {d.value.value:.2f} ({d.value.low:.2f}–{d.value.high:.2f})" for d in dots)
    return {"name": w.kpi(kpi), "unit": kpi["unit"], "lines": lines, "alt": alt,
            "src": picture(charts.intervals(dots, None, "x", 1.0)) if dots else None}  # fmt: skip
