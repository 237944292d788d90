"""The same nights under every definition profile (口径): each one's own measures and the common ones, and which turn counts where."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import duckdb

from reports import queries
from reports.facts import Facts
from reports.html import page
from reports.queries import Row, Value, grouped, rows
from reports.words import Words

# Every definition has these; what one calls its own stands among them.
COMMON = (
    "on_time", "average_response", "response_3min", "first_response_30s", "first_response", "response_p50", "slow_response",
    "unanswered", "reply_rate",
)  # fmt: skip


class Compared(NamedTuple):
    """Profiles, the run's own first; values by (metric, profile, shop); turns by (shop, profile) and reason."""

    profiles: list[Row]
    values: dict[tuple[str, str, str], Value]
    turns: dict[tuple[Any, ...], list[Row]]
    shops: list[str]

    @property
    def metrics(self) -> list[str]:
        """The common measures and whatever else a profile calls its own."""
        return list(dict.fromkeys([*COMMON, *(m for p in self.profiles for m in p["headline"])]))


def gather(con: duckdb.DuckDBPyConnection, first: date | None = None, last: date | None = None) -> Compared:
    """All of it, of the days from `first` to `last`; one statement a measure."""
    profiles = queries.profiles(con)
    turns = rows(con, """
        SELECT shop, profile, reason, count(*) AS n FROM profile_turns
        WHERE (?::DATE IS NULL OR day >= ?) AND (?::DATE IS NULL OR day <= ?) GROUP BY ALL ORDER BY ALL""",
        [first, first, last, last])  # fmt: skip
    made = Compared(profiles, {}, grouped(turns, "shop", "profile"), sorted({t["shop"] for t in turns}))
    for metric in made.metrics:
        found = con.execute(
            "SELECT profile, shop, value, low, high, n FROM figures('shop', (SELECT list(profile) FROM profiles), ?, ?, ?)",
            [metric, first, last],
        ).fetchall()
        made.values.update({(metric, profile, shop): Value(*number) for profile, shop, *number in found})
    return made


def of_talk(turns: list[Row]) -> list[tuple[Row, dict[str, Row]]]:
    """profile_turns of one conversation -> each question that opens a turn somewhere, with its turn under each profile.

    Under a profile that counts fewer replies a question may join a turn still open: then it has no turn of its own there.
    """
    by_question = grouped(turns, "asked_seq")
    return [(found[0], {t["profile"]: t for t in found}) for _, found in sorted(by_question.items())]


def render(facts: Facts, compared: Compared, w: Words) -> str:
    """profiles.html."""
    shops = [
        {"shop": s, "lines": _lines(facts, compared, w, s), "turns": _turns(facts, compared, w, s)}
        for s in compared.shops
    ]
    described = [p | {"name": w.title(p), "said": said(w, p)} for p in compared.profiles]
    return page("profiles.html", w=w, root="", facts=facts, profiles=described, shops=shops)


def _lines(facts: Facts, compared: Compared, w: Words, shop: str) -> list[dict[str, Any]]:
    return [
        {"name": w.kpi(facts.kpis[m]), "formula": w.formula(facts.kpis[m]), "kpi": facts.kpis[m],
         "cells": [(compared.values.get((m, p["profile"], shop)), m in p["headline"]) for p in compared.profiles]}
        for m in compared.metrics
    ]  # fmt: skip


def _turns(facts: Facts, compared: Compared, w: Words, shop: str) -> list[tuple[str, list[int]]]:
    """How many turns count under each profile, and how many do not for each reason."""
    counts = {
        p["profile"]: {t["reason"]: t["n"] for t in compared.turns.get((shop, p["profile"]), [])}
        for p in compared.profiles
    }
    codes = [code for code in facts.reasons if any(code in c for c in counts.values())]
    lines = [(w.turns_counted, [c.get(None, 0) for c in counts.values()])]
    return lines + [(w.reason(facts.reasons, code), [c.get(code, 0) for c in counts.values()]) for code in codes]


def said(w: Words, profile: Row) -> dict[str, str]:
    """The definition in words: when, which replies, what the mean does, whose, what is on time."""

    def seconds(value: float | None, otherwise: str) -> str:
        return otherwise if value is None else f"{value:g} s"

    p = profile
    hours = f"{p['opens']:%H:%M}–{p['closes']:%H:%M} {w.one('tested', p['tested_at'])}" if p["opens"] else w.hours_all
    return {
        "hours": hours,
        "exempt": w.join([str(d) for d in p["exempt_days"]]) or "–",
        "replies": w.join([w.one("sender", k) for k in p["effective_kinds"]]),
        "mean": w.mean_of.format(cap=seconds(p["cap_s"], w.no_cap), unanswered=seconds(p["unanswered_s"], w.left_out)),
        "pleasantry": w.pleasantry_dropped if p["drops_unanswered_pleasantry"] else w.pleasantry_kept,
        "owner": w.one("owner", p["owner"]),
        "on_time": f"{w.one('unit', p['on_time_unit'])} ≤ {p['on_time_s']:g} s",
        "status": w.one("status", p["status"]),
    }
