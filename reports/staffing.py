"""Slow or swamped: a person's waits by load and by hour beside the shop's; and the week's hours that wanted one more person."""

from __future__ import annotations

from typing import Any

from reports import charts
from reports.facts import Facts
from reports.html import picture
from reports.pace import HOURS
from reports.queries import Row
from reports.words import Words

LOADS = ("1", "2", "3", "4+")
DAY_PARTS = tuple(f"{h}–{h + HOURS}" for h in range(0, 24, HOURS))
MOST_HOURS = 12
SHADES = 6  # of ten percent each; the last one is sixty and more
FEW = 10  # turns; under it the shade is chance


def loads(facts: Facts, w: Words, agent: Row) -> list[dict[str, Any]]:
    """Two pictures: the median wait by open turns in hand, and by hour of the day."""
    made = []
    for name, groups, labels, first in (
        ("by_load", facts.pace.by_load, LOADS, 1),
        ("by_hour", facts.pace.by_hour, DAY_PARTS, 0),
    ):
        own, shop = (groups.get((agent["shop"], who), []) for who in (agent["agent"], None))
        if not own:
            continue
        svg = charts.bins(own, shop, labels, first, "s")
        said = "; ".join(f"{labels[r['bin'] - first]}: {r['value']:.0f} s (n {r['n']})" for r in own)
        made.append(
            {
                "name": w.one("load", name),
                "note": w.one("load", f"{name}_note"),
                "src": picture(svg),
                "alt": f"{w.one('load', name)} {said}",
            }
        )
    return made


def coverage(facts: Facts, w: Words, shop: str) -> dict[str, Any] | None:
    """The heat map of the week, and its hours in which one more person would have helped, the most days first."""
    cells = facts.pace.coverage.get((shop,), [])
    if not any(c["n_turns"] for c in cells):
        return None
    short = sorted(
        (c for c in cells if c["n_short"]), key=lambda c: (-c["n_short_days"], -c["n_short"], c["weekday"], c["hour"])
    )
    days = w.weekdays.split()
    turns, missed = (sum(c[k] for c in cells) for k in ("n_turns", "n_short"))
    return {
        "days": [(day, [_cell(w, c) for c in cells if c["weekday"] == n]) for n, day in enumerate(days, 1)],
        "said": (w.coverage_short if short else w.coverage_none).format(turns=f"{turns:,}", short=missed, hours=len(short)),
        "lines": [c | {"when": f"{days[c['weekday'] - 1]} {c['hour']}:00–{c['hour'] + 1}:00"} for c in short[:MOST_HOURS]],
    }  # fmt: skip


def _cell(w: Words, cell: Row) -> dict[str, Any]:
    """One hour of the week: its shade by the share of late turns, its frame by the days that wanted one more person."""
    n = cell["n_turns"]
    shade = min(SHADES, int(cell["n_late"] / n / 0.1)) if n else 0
    marks = ["few"] * (0 < n < FEW) + ["wanted"] * (cell["n_short_days"] > 0) + ["often"] * (cell["n_short_days"] > 1)
    return {
        "classes": " ".join([f"heat-{shade}", *marks]), "n": n, "customers": cell["n_customers"] / cell["n_days"],
        "agents": cell["n_agent_hours"] / cell["n_days"],
        "title": w.coverage_cell.format(turns=n, late=cell["n_late"], unanswered=cell["n_unanswered"], short=cell["n_short"]),
    }  # fmt: skip
