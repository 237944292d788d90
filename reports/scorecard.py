"""One person's scorecard: response, quality, satisfaction, sales; the worst findings; how to contest them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from reports import casemix, charts, marks, promises, sparks, staffing
from reports.facts import Facts, Links
from reports.html import page, picture
from reports.queries import Row, Value, grouped
from reports.quotes import quoted
from reports.shop import trends
from reports.views import BLOCKS
from reports.words import Words

HEADLINES = ("first_response_30s", "qa_score", "csat", "conversion_d3")


def render(facts: Facts, links: Links, w: Words, agent: Row) -> str:
    """agents/<slug>.html."""
    shop, who = agent["shop"], agent["agent"]
    here = (shop, who)
    drawn = trends(facts, w, shop, who, [chief for chief, _ in BLOCKS.values()])
    blocks = [_block(facts, w, agent, group, drawn.get(chief)) for group, (chief, _) in BLOCKS.items()]
    return page(
        "agent.html", w=w, root="../", facts=facts, agent=agent, blocks=blocks, headlines=_headlines(facts, w, agent),
        shop=next(s for s in facts.shops if s["shop"] == shop), waits=_waits(facts, w, agent), cards=_cards(facts, w, agent), training=_training(facts, links, w, agent),
        promises=promises.lines(facts, w, shop, who), loads=staffing.loads(facts, w, agent),
        moments=_moments(facts, w, agent), thin=_short(facts, w, "conversations", agent),
        mix=[m for m in (casemix.line(facts, w, shop, who, agent["name"]), casemix.line(facts, w, shop, None, w.whole_shop)) if m["n"]],
        worst=[quoted(facts, links, w, f) for f in facts.worst.get(here, [])],
        pending=[quoted(facts, links, w, f) for f in facts.pending.get(here, [])],
        others=[o | {"href": links.talks[o["conversation_id"]], "said": w.join([w.one("why", y) for y in o["why"]])}
                for o in facts.others.get(here, [])],
    )  # fmt: skip


def _short(facts: Facts, w: Words, metric: str, agent: Row) -> str:
    short = facts.shortage(metric, agent["shop"], agent["agent"])
    return w.one("short", short) if short else ""


def _headlines(facts: Facts, w: Words, agent: Row) -> list[dict[str, Any]]:
    """The four numbers at the top, each beside the shop's."""
    made = []
    for metric in HEADLINES:
        value = facts.value(metric, agent["shop"], agent["agent"])
        if value and value.value is not None:
            kpi = facts.kpis[metric]
            made.append({"kpi": kpi, "name": w.kpi(kpi), "formula": w.formula(kpi), "value": value,
                         "shop": facts.value(metric, agent["shop"]), "short": _short(facts, w, metric, agent)})  # fmt: skip
    return made


def _block(facts: Facts, w: Words, agent: Row, group: str, trend: dict[str, Any] | None) -> dict[str, Any]:
    """A block of numbers with the shop's beside them; what nobody in the shop can have is named below with its reason."""
    lines, gaps = [], {}
    for metric in BLOCKS[group][1]:
        reason = facts.missing.get((metric, agent["shop"]))
        if reason:
            gaps.setdefault(w.reason(facts.reasons, reason), []).append(w.kpi(facts.kpis[metric]))
        else:
            lines.append(_number(facts, w, agent, metric))
    return {
        "group": group, "title": w.one("group", group), "lead": w.one("lead", group), "lines": lines, "trend": trend,
        "gaps": [(reason, w.join(names)) for reason, names in gaps.items()],
    }  # fmt: skip


def _number(facts: Facts, w: Words, agent: Row, metric: str) -> dict[str, Any]:
    kpi = facts.kpis[metric]
    value = facts.value(metric, agent["shop"], agent["agent"])
    shop = facts.value(metric, agent["shop"])
    draws = value is not None and value.value is not None and kpi["kind"] != "total"
    return {
        "kpi": kpi, "name": w.kpi(kpi), "formula": w.formula(kpi), "value": value, "shop": shop,
        "strip": sparks.strip(value, shop, *facts.reach(metric, agent["shop"])) if draws and value else "",
        "short": _short(facts, w, metric, agent),
    }  # fmt: skip


def _waits(facts: Facts, w: Words, agent: Row) -> dict[str, Any] | None:
    """How the waits are spread, against the shop; None when nothing was answered."""
    own = charts.bins_of(facts.waits.get((agent["shop"], agent["agent"]), []))
    if not own:
        return None
    everyone = [r for (shop, _), found in facts.waits.items() if shop == agent["shop"] for r in found]
    target = facts.kpis["first_response"]["target"] or 30
    n, within = sum(own.values()), sum(k for b, k in own.items() if b < 0)
    alt = w.waits_alt.format(n=n, within=within, share=f"{within / n:.1%}", target=target)
    return {"src": picture(charts.waits(own, charts.bins_of(everyone), target, "s")), "alt": alt}


def _training(facts: Facts, links: Links, w: Words, agent: Row) -> list[dict[str, Any]]:
    """The person's own sentences, rule by rule, each beside what to say instead."""
    by_rule = grouped(facts.training.get((agent["shop"], agent["agent"]), []), "rule_id")
    return [
        {"title": w.title(facts.rules[rule]), "why": w.title(facts.rules[rule], "why"), "rewrite_en": w.gloss(facts.rules[rule]), "n": said[0]["n_found"],
         "lines": [{"pieces": marks.around(s["text"], s["start"], s["end"]), "rewrite": s["rewrite"], "day": s["day"],
                    "href": f"{links.talks[s['conversation_id']]}#m{s['seq']}"} for s in said]}
        for (rule,), said in by_rule.items()
    ]  # fmt: skip


def _cards(facts: Facts, w: Words, agent: Row) -> list[dict[str, Any]]:
    """A table for each scorecard that judged the person's conversations; named where the night used several."""
    here = (agent["shop"], agent["agent"])
    titles = {i["scorecard"]: w.title(i, "card_title") for i in facts.scorecard}
    judged = {c["scorecard"]: c for c in facts.cards.get(here, [])}
    used = [card for card in titles if card in judged] or list(titles)[-1:]
    return [_card(facts, w, here, card, judged.get(card)) | {"title": titles[card] if len(titles) > 1 else ""} for card in used]


def _card(facts: Facts, w: Words, here: tuple[str, str], card: str, judged: Row | None) -> dict[str, Any]:
    """A card's items that lost points, in its order; the sum of all entries is what the mean score lacks to 100."""
    counts = {r["rule_id"]: r for r in facts.rule_counts.get(here, []) if r["scorecard"] == card}
    back = {r["item"]: r for r in facts.given_back.get(here, []) if r["scorecard"] == card}
    mine = [item for item in facts.scorecard if item["scorecard"] == card]
    items = [_item(facts, w, item, counts, back.pop(item["item"], None)) for item in mine]
    spoilt = [i for i in items if i["rules"]]
    lost = sum((i["lost"] for i in spoilt), sum((r["points"] for r in back.values()), Decimal(0)))
    return {
        "lines": spoilt, "clean": w.join([i["title"] for i in items if not i["rules"]]), "lost": lost,
        "n": sum(r["n_findings"] for i in spoilt for r in i["rules"]), "qa": judged,
    }  # fmt: skip


def _item(facts: Facts, w: Words, item: Row, counts: dict[str, Row], back: Row | None) -> dict[str, Any]:
    """An item, the rules that found something in it, and what the cap gave back."""
    rules = [(facts.rules[r], counts[r]) for r in item["rules"] if r in counts]
    found = [
        n | {"title": w.title(r), "severity": r["severity"], "said": w.one("severity", r["severity"])} for r, n in rules
    ]
    lost = sum((f["points"] for f in found), Decimal(back["points"] if back else 0))
    return {"title": w.title(item), "section": w.title(item, "section_title"), "weight": item["weight"], "rules": found,
            "back": back, "lost": lost}  # fmt: skip


def _moments(facts: Facts, w: Words, agent: Row) -> list[dict[str, Any]]:
    """Required moments: met of those that applied, beside the shop."""
    shop = {m["rule_id"]: m for m in facts.moments.get((agent["shop"], None), [])}
    made = []
    for m in facts.moments.get((agent["shop"], agent["agent"]), []):
        rule = facts.rules[m["rule_id"]]
        own, whole = (_share(x) for x in (m, shop[m["rule_id"]]))
        title = w.title(rule, "item_title") if rule["item"] else w.title(rule)
        made.append({"title": title, "own": own, "shop": whole, "met": m["met"]})
    return made


def _share(moment: Row) -> Value:
    return Value(moment["met"] / moment["applies"], moment["low"], moment["high"], moment["applies"])
