"""One conversation: the chat as bubbles with its findings on it, the ledger beside it, the waits, the mood."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from reports import casemix, marks, profiles, pushes, sparks
from reports.evidence import Talk
from reports.facts import Facts, Links
from reports.html import page
from reports.marks import Span
from reports.queries import Row
from reports.words import Words

SIDES = {"customer": "customer", "agent": "agent", "assist": "agent", "bot": "agent", "auto": "agent"}
LEAST_MOODS = 3


def render(facts: Facts, links: Links, w: Words, talk: Talk, by_gram: pushes.Weights) -> str:
    """conversations/<slug>.html."""
    numbers = {f["finding_id"]: n for n, f in enumerate(talk.findings, 1)}
    moods = [m for m in talk.messages if m["mood"] is not None]
    waits = [_wait(facts, w, t) for t in talk.turns]
    reasons = {(t["wait_s"] is None, t["why"]) for t in waits}
    return page(
        "conversation.html", w=w, root="../", facts=facts, talk=talk, people=_people(facts, links, talk), waits=waits,
        bubbles=[_bubble(facts, w, talk, m, numbers) | {"felt": _felt(w, m, by_gram)} for m in talk.messages],
        ledgers=[_ledger(facts, w, talk, s, numbers) for s in talk.scores], notes=_notes(facts, w, talk, numbers),
        under=_under(facts, w, talk), case=casemix.of_talk(facts, w, talk.conversation, talk.case_reasons),
        no_waits=waits[0]["why"] if len(reasons) == 1 and waits and waits[0]["wait_s"] is None and waits[0]["why"] else None,
        mood=_mood(w, talk, moods), orders=[o | {"name": w.one("class", o["class"])} for o in talk.orders],
    )  # fmt: skip


def _people(facts: Facts, links: Links, talk: Talk) -> list[dict[str, str]]:
    """Who spoke for the shop, with their scorecards."""
    shop = talk.conversation["shop"]
    spoke = {m["agent"]: m["name"] for m in talk.messages if m["agent"] and (shop, m["agent"]) in links.agents}
    return [{"name": name, "href": links.agents[shop, agent]} for agent, name in spoke.items()]


def _bubble(facts: Facts, w: Words, talk: Talk, message: Row, numbers: dict[str, int]) -> dict[str, Any]:
    found = [f for f in talk.findings if f["seq"] == message["seq"]]
    spans = [Span(f["start"], f["end"], numbers[f["finding_id"]]) for f in found]
    kind = message["sender_kind"]
    return message | {
        "side": SIDES.get(kind, "aside"), "is_muted": kind not in ("customer", "agent"),
        "who": message["name"] or w.one("sender", kind), "kind": w.one("sender", kind),
        "content": "" if message["content_kind"] == "text" else w.one("content", message["content_kind"]),
        "pieces": marks.pieces(message["text"], spans) if message["text"] else [],
        "grave": {numbers[f["finding_id"]]: facts.rules[f["rule_id"]]["severity"] for f in found},
        "titles": {numbers[f["finding_id"]]: w.title(facts.rules[f["rule_id"]]) for f in found},
    }  # fmt: skip


def _felt(w: Words, message: Row, by_gram: pushes.Weights) -> dict[str, Any] | None:
    """The mood of a customer's message and what pushed it most, class by class."""
    if not message["mood"] or not by_gram:
        return None
    pushed = pushes.strongest(message["text"], by_gram)
    return {"mood": float(message["mood"]), "pushes": [(w.one("mood_class", c), grams) for c, grams in pushed.items() if grams]}


def _ledger(facts: Facts, w: Words, talk: Talk, score: Row, numbers: dict[str, int]) -> dict[str, Any]:
    """100, every entry, and what they add up to: qa before a veto, final after it, or the page would not be written."""
    every = [e for e in talk.entries if (e["agent"], e["scorecard"]) == (score["agent"], score["scorecard"])]
    mine, vetoes = ([e for e in every if (e["cause"] == "veto") == is_veto] for is_veto in (False, True))
    left = Decimal(100) + sum((e["points"] for e in mine), Decimal(0))
    final = left + sum((e["points"] for e in vetoes), Decimal(0))
    if score["qa"] is not None and (left, final) != (score["qa"], score["final"]):
        raise ValueError(f"{score['conversation_id']}: 100 + Σ entries = {left}, {final}, score = {score['qa']}, {score['final']}")
    seqs = {f["finding_id"]: f["seq"] for f in talk.findings}
    rewrites = {f["finding_id"]: f["rewrite"] for f in talk.findings}
    items = {(i["scorecard"], i["item"]): w.title(i) for i in facts.scorecard}
    entries = []
    for e in mine:
        rule = facts.rules.get(e["rule_id"])
        entries.append(e | {
            "said": w.title(rule) if rule else w.one("cause", e["cause"]), "why": w.one("cause", e["cause"]),
            "item_title": items.get((e["scorecard"], e["item"]), ""), "number": numbers.get(e["finding_id"]), "seq": seqs.get(e["finding_id"]),
            "word": _word(facts, w, e, rule), "rewrite": rewrites.get(e["finding_id"]),
            "rewrite_en": w.gloss(rule) if rule else "",
        })  # fmt: skip
    name = next((m["name"] for m in talk.messages if m["agent"] == score["agent"] and m["name"]), score["agent"])
    return {"score": score, "name": name or w.nobody, "entries": entries, "vetoes": [e | {"said": w.one("cause", e["cause"])} for e in vetoes]}


def _word(facts: Facts, w: Words, entry: Row, rule: Row | None) -> dict[str, str] | None:
    """What a person said of a redline, or that it waits for that."""
    if not rule or rule["severity"] != "redline":
        return None
    said = facts.reviewed.get(entry["finding_id"])
    return {"kind": "pending", "said": w.pending} if said is None else {"kind": said, "said": w.one("verdict", said)}


def _notes(facts: Facts, w: Words, talk: Talk, numbers: dict[str, int]) -> list[dict[str, Any]]:
    """Findings that cost nothing: they point at something, no more."""
    charged = {e["finding_id"] for e in talk.entries}
    return [f | {"number": numbers[f["finding_id"]], "title": w.title(facts.rules[f["rule_id"]])}
            for f in talk.findings if f["finding_id"] not in charged]  # fmt: skip


def _wait(facts: Facts, w: Words, turn: Row) -> dict[str, Any]:
    return turn | {"why": w.reason(facts.reasons, turn["reason"])}


def _under(facts: Facts, w: Words, talk: Talk) -> list[tuple[Row, list[dict[str, Any]]]]:
    """Each question, and what the profiles make of it, those that agree in one line; nothing where all agree on all."""
    found = [(question, _agreed(facts, w, turns)) for question, turns in profiles.of_talk(talk.profile_turns)]
    return found if any(len(lines) > 1 for _, lines in found) else []


def _agreed(facts: Facts, w: Words, turns: dict[str, Row]) -> list[dict[str, Any]]:
    """profile -> its turn at one question; the profiles by what they say of it, a NULL turn where it joins an earlier one."""
    by_verdict: dict[tuple[Any, ...], list[Row]] = {}
    for p in facts.profiles:
        t = turns.get(p["profile"])
        by_verdict.setdefault((t["is_counted"], t["wait_s"], t["reason"]) if t else (), []).append(p)
    return [
        {
            "names": w.join([w.title(p) for p in agreed]),
            "turn": _wait(facts, w, t) if (t := turns.get(agreed[0]["profile"])) else None,
        }
        for agreed in by_verdict.values()
    ]


def _mood(w: Words, talk: Talk, moods: list[Row]) -> dict[str, Any]:
    """The customer's mood from message to message, and where the findings stand; from where to where, of three or more."""
    found = sorted({f["seq"] for f in talk.findings if f["seq"] is not None})
    c = talk.conversation
    low = (c["low_seq"], float(c["mood_low"])) if c["low_seq"] is not None else None
    said = w.mood_few
    if len(moods) >= LEAST_MOODS:
        said = w.mood_from_to.format(n=len(moods), a=f"{moods[0]['mood']:+.2f}", b=f"{moods[-1]['mood']:+.2f}")
    drawn = sparks.talk(
        [(m["seq"], float(m["mood"])) for m in moods], found, talk.messages[-1]["seq"], (w.mood_good, w.mood_bad, w.mood_axis),
        w.mood_alt.format(n=len(moods), k=len(found), said=said), low,
    )  # fmt: skip
    return {"drawn": drawn, "said": said, "low": _low(w, talk), "thirds": _thirds(w, talk.conversation)}


def _low(w: Words, talk: Talk) -> dict[str, Any] | None:
    """The lowest point and the agent's sentence before it."""
    at, before = talk.conversation["low_seq"], talk.conversation["before_low_seq"]
    if at is None:
        return None
    heard = next((m for m in talk.messages if m["seq"] == before), None)
    return {"seq": at, "said": w.mood_low_at.format(mood=f"{talk.conversation['mood_low']:+.2f}"), "before": heard}


def _thirds(w: Words, conversation: Row) -> str:
    """The mean mood of the first, the middle and the last third, in words; nothing under three messages."""
    thirds = [conversation[f"mood_{part}"] for part in ("first", "middle", "end")]
    known = [f"{float(t):+.2f}" for t in thirds if t is not None]
    return w.mood_thirds.format(*known) if len(known) == len(thirds) else ""
