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
# What a step is a share of: nobody has to be served to have inquired, so that both are shares of those who asked.
OF = dict(zip(STEPS[1:], STEPS, strict=False)) | {"inquiries": "consultations"}
PARTS = 13  # topics, or products, in a funnel table, the most frequent first
LAST_DAYS = 14  # mature days in the funnel by day
RECALLED = 10  # inquiries worth calling back that are listed
LEAST = 50  # inquiries under which nobody is compared. KPI §5


class Asked(NamedTuple):
    """What the mart says of inquiries, by shop."""

    funnels: dict[str, dict[Any, list[Row]]]  # by shop, topic, agent, team, product, day
    lost: dict[Any, list[Row]]
    recall: dict[Any, list[Row]]
    like: dict[Any, list[Row]]
    worth: dict[Any, list[Row]]


def gather(con: duckdb.DuckDBPyConnection) -> Asked:
    """All of it, in a few statements."""
    return Asked(
        {by: grouped(rows(con, "FROM funnel(?, NULL, NULL)", [by]), "shop") for by in ("shop", "topic", "agent", "team", "product", "day")},
        grouped(rows(con, """
            SELECT shop, why, count(*) AS n, count(price_fen) AS n_priced, sum(price_fen)::BIGINT AS fen
            FROM lost_inquiries GROUP BY ALL ORDER BY shop, n DESC, why"""), "shop"),
        grouped(rows(con, """
            SELECT shop, agent, day, why, product, price_fen, conversation_id FROM lost_inquiries
            QUALIFY row_number() OVER (PARTITION BY shop ORDER BY price_fen DESC NULLS LAST, day DESC, conversation_id) <= ?
            ORDER BY shop, price_fen DESC NULLS LAST, day DESC, conversation_id""", [RECALLED]), "shop"),
        grouped(rows(con, "FROM like_with_like ORDER BY shop, metric, part"), "shop", "metric"),
        grouped(rows(con, "FROM quality_worth ORDER BY shop, factor, metric, part"), "shop", "factor", "metric"),
    )  # fmt: skip


def section(asked: Asked, facts: Facts, links: Links, w: Words, shop: str) -> dict[str, Any]:
    """What the page shows of one shop."""
    lost = asked.lost.get((shop,), [])
    return {
        "funnels": _funnels(asked, facts, links, w, shop), "steps": STEPS, "of": OF, "lost": lost, "n_lost": sum(r["n"] for r in lost),
        "recall": [r | who(facts, links, w, shop, r["agent"]) if r["agent"] else r | {"name": "–", "href": None}
                   for r in asked.recall.get((shop,), [])],
        "like": [_alike(asked.like.get((shop, m), []), facts, links, w, shop, m) for m in ("conversion_d3", "sales_per_buyer")],
        "worth": [_worth(asked.worth[shop, f, m], w.one("factor", f), w.kpi(facts.kpis[m]), w)
                  for f in ("wait", "stages", "mood") for m in ("conversion_d3", "refunded_orders") if (shop, f, m) in asked.worth],
    }  # fmt: skip


def _funnels(asked: Asked, facts: Facts, links: Links, w: Words, shop: str) -> list[dict[str, Any]]:
    """Tables of the funnel, of whatever the shop has more than one of: topics with the whole shop first, agents, teams, products, days."""
    parts = {by: found.get((shop,), []) for by, found in asked.funnels.items()}
    plain = {by: [r | {"name": r["part"] or "–", "href": None} for r in found] for by, found in parts.items()}
    whole = [r | who(facts, links, w, shop, None) for r in parts["shop"]]
    topics = [r | {"name": w.one("topic", r["part"])} if r["part"] else r for r in plain["topic"]]
    agents = sorted((r | who(facts, links, w, shop, r["part"]) for r in parts["agent"]), key=lambda r: str(r["name"]))
    products = [r | {"name": r["part"] or w.no_card} for r in plain["product"]]
    tables = {
        "topic": [*whole, *topics[:PARTS]], "agent": agents, "team": sorted(plain["team"], key=lambda r: str(r["name"])),
        "product": products[:PARTS], "day": sorted(plain["day"], key=lambda r: str(r["name"]))[-LAST_DAYS:],
    }  # fmt: skip
    return [{"title": w.one("funnel_by", by), "lines": lines, "is_open": by in ("topic", "agent")}
            for by, lines in tables.items() if len(lines) > 1 or (lines and by in ("topic", "agent"))]  # fmt: skip


def who(facts: Facts, links: Links, w: Words, shop: str, agent: str | None) -> dict[str, Any]:
    """Name and page of an agent, or the whole shop."""
    if agent is None:
        return {"name": w.whole_shop, "href": None}
    name = next((a["name"] for a in facts.agents if a["shop"] == shop and a["agent"] == agent), agent)
    return {"name": name, "href": links.agents.get((shop, agent))}


def _worth(found: list[Row], factor: str, metric: str, w: Words) -> dict[str, Any]:
    """Observed and expected of every bin, with a picture of the ratios; a bin of few inquiries is hollow."""
    lines = [r | {"name": w.one("bin", r["part"])} for r in found]
    dots = [
        Dot(r["name"], Value(r["ratio"], r["low"], r["high"], r["n"]), r["n"] >= LEAST)
        for r in lines
        if r["low"] is not None
    ]
    return {"factor": factor, "metric": metric, "lines": lines, **_picture(dots)}


def _picture(dots: list[Dot]) -> dict[str, Any]:
    """Ratios beside 1, each with its n, and the same in words."""
    alt = "; ".join(f"{d.name} n {d.value.n:,} {d.value.value:.2f} ({d.value.low:.2f}–{d.value.high:.2f})" for d in dots)
    return {"alt": alt, "src": picture(charts.intervals(dots, None, "x", 1.0, has_n=True)) if dots else None}


def _alike(found: list[Row], facts: Facts, links: Links, w: Words, shop: str, metric: str) -> dict[str, Any]:
    """Own and expected of everybody, with a picture of the ratios; who has few inquiries is hollow."""
    kpi = facts.kpis[metric]
    lines = [r | who(facts, links, w, shop, r["part"]) | {"is_thin": r["n"] < LEAST} for r in found]
    dots = [
        Dot(r["name"], Value(r["ratio"], r["low"], r["high"], r["n"]), not r["is_thin"])
        for r in lines
        if r["low"] is not None
    ]
    return {"name": w.kpi(kpi), "unit": kpi["unit"], "lines": lines, **_picture(dots)}
