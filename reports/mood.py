"""Where talks turn: the customers' mood over the talk, those that get better beside those that get worse, and what was said before the low."""

from __future__ import annotations

from typing import Any

from reports import charts
from reports.facts import Facts, Links
from reports.html import page, picture
from reports.turning import Turning
from reports.views import shown, span
from reports.words import Words

ENDS = ("better", "worse")


def render(facts: Facts, links: Links, w: Words) -> str:
    """mood.html."""
    sections = [
        _section(facts.turning, links, w, s["shop"]) for s in facts.shops if (s["shop"],) in facts.turning.counts
    ]
    return page("mood.html", w=w, root="", facts=facts, sections=sections, least=charts.SMALL_N)


def _section(turning: Turning, links: Links, w: Words, shop: str) -> dict[str, Any]:
    counts = {r["ending"]: r["n"] for r in turning.counts[shop,]}
    n = sum(counts.values())
    worse = counts.get("worse", 0)
    teams = sorted({team for s, team, _ in turning.tenths if s == shop and team})
    pictures = [p for team in [None, *(teams if len(teams) > 1 else [])] if (p := _picture(turning, w, shop, team))]
    return {
        "shop": shop, "said": w.turning_n.format(n=n, better=counts.get("better", 0), worse=worse), "pictures": pictures,
        "whole": w.before_shop.format(share=shown(worse / n, "%"), n=n),
        "sentences": [s | {"href": f"{links.talks[s['conversation_id']]}#m{s['seq']}"} for s in turning.sentences.get((shop,), [])],
    }  # fmt: skip


def _picture(turning: Turning, w: Words, shop: str, team: str | None) -> dict[str, Any] | None:
    """The two lines of the shop or a team, and the numbers behind them; nothing where no talk turned."""
    lines = [(w.one("turning", end), turning.tenths.get((shop, team, end), [])) for end in ENDS]
    if not any(found for _, found in lines):
        return None
    name = team or w.turning_all
    table = [[next((r for r in found if r["tenth"] == t), None) for _, found in lines] for t in range(10)]
    said = "; ".join(f"{line}: " + ", ".join(f"{10 * r['tenth']}% {shown(r['value'], 'mood')} ({span(r['low'], r['high'], 'mood')}, n {r['n']})"
                                             for r in found) for line, found in lines if found)  # fmt: skip
    return {"name": name, "src": picture(charts.turning(lines, w.turning_axis)), "alt": w.turning_alt.format(said=said),
            "heads": [line for line, _ in lines], "rows": table}  # fmt: skip
