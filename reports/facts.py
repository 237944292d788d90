"""Everything the pages need of the mart, asked once, and the questions that several pages share."""

from __future__ import annotations

from typing import Any, NamedTuple

import duckdb

from reports import evidence, pace, queries, turning
from reports.charts import DAYS, WAIT_STEPS
from reports.html import slug
from reports.queries import Row, Value, Who, grouped
from reports.views import BLOCKS, LEAST_CONVERSATIONS, LEAST_RATINGS, SUMMARY, TILES, TRENDS

MOST_PENDING = 5
MOST_QUARANTINED = 20
Groups = dict[tuple[Any, ...], list[Row]]


class Facts(NamedTuple):
    """The mart as the pages see it; what belongs to a person or a shop is under (shop, agent)."""

    run: Row
    other_rules: Row | None  # of the publication before, when it scored with others
    profiles: list[Row]  # the run's own first
    kpis: dict[str, Row]
    reasons: dict[str, Row]
    rules: dict[str, Row]
    scorecard: list[Row]
    shops: list[Row]
    agents: list[Row]
    sources: list[Row]
    quarantine: list[Row]
    gaps: Groups  # (shop,)
    missing: dict[tuple[str, str], str]  # metric, shop -> reason
    values: dict[str, dict[Who, Value]]
    daily: Groups  # (metric, shop, agent)
    waits: Groups  # (shop, agent)
    classes: Groups  # (shop,)
    moments: Groups  # (shop, agent)
    mix: Groups  # (shop, agent); the shop's own under (shop, None)
    rule_counts: Groups  # (shop, agent)
    given_back: Groups  # (shop, agent)
    cards: Groups  # (shop, agent)
    training: Groups  # (shop, agent)
    worst: Groups  # (shop, agent); the shop's own under (shop, None)
    pending: Groups  # (shop, agent)
    reviewed: dict[str, str]  # finding_id -> confirmed or rejected
    others: Groups  # (shop, agent)
    pace: pace.Pace
    turning: turning.Turning

    def value(self, metric: str, shop: str, agent: str | None = None) -> Value | None:
        """The number, or None when there is nothing to count."""
        return self.values[metric].get((shop, agent))

    def shortage(self, metric: str, shop: str, agent: str) -> str | None:
        """Why this number of a person may not be compared: few_conversations, few_ratings; None when there is enough."""
        said = self.value("conversations", shop, agent)
        if said is None or (said.value or 0) < LEAST_CONVERSATIONS:
            return "few_conversations"
        rated = self.value(metric, shop, agent)
        if metric in ("csat", "dsat") and (rated is None or rated.n < LEAST_RATINGS):
            return "few_ratings"
        return None

    def reach(self, metric: str, shop: str) -> tuple[float, float]:
        """The lowest and highest bound of the shop's people: the scale on which they are drawn."""
        known = [v for (s, a), v in self.values[metric].items() if s == shop and a is not None and v.value is not None]
        bounds = [b for v in known for b in (v.low, v.value, v.high) if b is not None]
        return (min(bounds), max(bounds)) if bounds else (0, 0)


def gather(con: duckdb.DuckDBPyConnection) -> Facts:
    """All of it."""
    kpis = queries.kpis(con)
    wanted = dict.fromkeys(
        [*SUMMARY, *TILES, "match_rate", "silent_share", *(m for _, ms in BLOCKS.values() for m in ms)]
    )
    gaps = queries.gaps(con)
    target = kpis["first_response"]["target"] or 30
    return Facts(
        run=queries.run(con), profiles=queries.profiles(con), other_rules=queries.other_rules(con), kpis=kpis, reasons=queries.reasons(con), rules=queries.rules(con), scorecard=queries.scorecard(con),
        shops=queries.shops(con), agents=queries.agents(con), sources=queries.sources(con),
        quarantine=queries.quarantine(con, MOST_QUARANTINED),
        gaps=grouped(gaps, "shop"), missing={(m, g["shop"]): g["reason"] for g in gaps for m in g["metrics"]},
        values=queries.values(con, [m for m in wanted if m in kpis]),
        daily=grouped(queries.daily(con, TRENDS, DAYS), "metric", "shop", "agent"),
        waits=grouped(queries.waits(con, target, WAIT_STEPS), "shop", "agent"),
        classes=grouped(queries.classes(con), "shop"), moments=grouped(queries.moments(con), "shop", "agent"),
        mix=grouped(queries.case_mix(con), "shop", "agent"),
        rule_counts=grouped(queries.rule_counts(con), "shop", "agent"),
        given_back=grouped(queries.given_back(con), "shop", "agent"),
        cards=grouped(queries.cards(con), "shop", "agent"), training=grouped(evidence.training(con), "shop", "agent"),
        worst=grouped(evidence.worst(con), "shop", "agent") | grouped(evidence.worst_of_shop(con), "shop", "agent"),
        pending=grouped(evidence.pending(con, MOST_PENDING), "shop", "agent"),
        reviewed=queries.reviewed(con), others=grouped(evidence.others(con), "shop", "agent"), pace=pace.gather(con),
        turning=turning.gather(con),
    )  # fmt: skip


class Links(NamedTuple):
    """Where a page stands, seen from the folder of the report."""

    agents: dict[Who, str]
    talks: dict[str, str]


def links(facts: Facts) -> Links:
    """Pages of every agent, and of the conversations that some page leads to."""
    lists = (facts.worst, facts.pending, facts.others, facts.training, facts.pace.broken, facts.turning.sentences)
    led_to = [r for groups in lists for found in groups.values() for r in found]
    talks = sorted({r["conversation_id"] for r in led_to})
    return Links(
        {(a["shop"], a["agent"]): f"agents/{slug(a['shop'], a['agent'])}.html" for a in facts.agents},
        {c: f"conversations/{slug(c)}.html" for c in talks},
    )
