"""The three promises: how many were kept, how many were broken, and the broken ones one by one."""

from __future__ import annotations

from typing import Any

from reports.facts import Facts, Links
from reports.html import page
from reports.pace import PROMISES
from reports.queries import Row
from reports.words import Words

LONGEST = 60  # characters of the question


def render(facts: Facts, links: Links, w: Words) -> str:
    """promises.html."""
    shops = [{"shop": s["shop"], "promises": [_promise(facts, links, w, s["shop"], p) for p in lines(facts, w, s["shop"])]}
             for s in facts.shops if (s["shop"], None) in facts.pace.promises]  # fmt: skip
    return page("promises.html", w=w, root="", facts=facts, shops=shops)


def lines(facts: Facts, w: Words, shop: str, agent: str | None = None) -> list[dict[str, Any]]:
    """A line a promise, a person's with the shop's beside it."""
    whole = {p["promise"]: p for p in facts.pace.promises.get((shop, None), [])}
    own = facts.pace.promises.get((shop, agent), [])
    return [p | {"name": w.one("promise", p["promise"]), "meaning": w.one("promise", f"{p['promise']}_note"),
                 "whole": whole[p["promise"]], "undecided": _undecided(w, p)} for p in own if p["promise"] in PROMISES]  # fmt: skip


def _undecided(w: Words, promise: Row) -> str:
    counts = [(w.one("status", s), promise[s]) for s in ("censored", "not_due", "unknown")]
    return w.join([f"{name} {n:,}" for name, n in counts if n])


def _promise(facts: Facts, links: Links, w: Words, shop: str, promise: dict[str, Any]) -> dict[str, Any]:
    found = [_broken(facts, links, w, b) for b in facts.pace.broken.get((shop, promise["promise"]), [])]
    return promise | {"found": found}


def _broken(facts: Facts, links: Links, w: Words, row: Row) -> dict[str, Any]:
    said = row["text"] if len(row["text"]) <= LONGEST else row["text"][:LONGEST] + "…"
    return row | {
        "said": said or f"[{w.one('content', row['content_kind'])}]", "why": w.reason(facts.reasons, row["reason"]),
        "href": f"{links.talks[row['conversation_id']]}#m{row['asked_seq']}", "who": links.agents.get((row["shop"], row["agent"])),
    }  # fmt: skip
