"""A finding as it is quoted on a page: what was said, which rule, why it matters, what to say instead, where it stands."""

from __future__ import annotations

from typing import Any

from reports import marks
from reports.facts import Facts, Links
from reports.queries import Row
from reports.words import Words


def quoted(facts: Facts, links: Links, w: Words, finding: Row, agent: str | None = None) -> dict[str, Any]:
    """A card of the finding; `agent` names its author where the page is not the author's own."""
    rule = facts.rules[finding["rule_id"]]
    author = (finding["shop"], agent)
    pieces = marks.around(finding["text"], finding["start"], finding["end"]) if finding["seq"] is not None else []
    anchor = f"#m{finding['seq']}" if finding["seq"] is not None else ""
    return {
        "finding": finding, "rule": rule, "title": w.title(rule), "severity": w.one("severity", rule["severity"]),
        "why": w.title(rule, "why"), "why_lang": "en" if w.lang == "en" and rule["why_en"] else "zh-CN",
        "rewrite": finding["rewrite"], "rewrite_en": w.gloss(rule), "pieces": pieces, "points": finding["points"], "href": links.talks[finding["conversation_id"]] + anchor,
        "is_pending": rule["severity"] == "redline" and finding["finding_id"] not in facts.reviewed,
        "name": next((a["name"] for a in facts.agents if (a["shop"], a["agent"]) == author), agent),
        "agent_href": links.agents.get(author),
    }  # fmt: skip
