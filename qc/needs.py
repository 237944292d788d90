"""What a rule asks for besides the chat, and which rules cannot be asked for want of it."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from qc.conditions import leaves
from qc.places import Beside
from qc.rule import EVENTS, Rule
from qc.rulebook import in_order, references


def askable(rules: Mapping[str, Rule], messages: pl.DataFrame, beside: Beside) -> list[Rule]:
    """The rules that apply, each after those that it looks to."""
    silent = unasked(rules, messages, beside)
    return [rule for rule in in_order(rules) if rule.id not in silent]


def unasked(rules: Mapping[str, Rule], messages: pl.DataFrame, beside: Beside) -> dict[str, str]:
    """rule_id → why it does not apply: it asks for what is not there, or looks to a rule that does."""
    is_timed = messages["sent_at"].is_not_null().any()
    lacking = {
        "no_orders": beside.orders is None,
        "no_cases": beside.cases is None,
        "no_sentiment": beside.sentiment is None,
        "no_times": not is_timed,
    }
    reasons: dict[str, str] = {}
    for rule in in_order(rules):
        looked_to = [reasons[at] for _, at in references(rule) if at in reasons] if reasons else []
        if why := [need for need in needs(rule) if lacking[need]] + looked_to:
            reasons[rule.id] = why[0]
    return reasons


def needs(rule: Rule) -> list[str]:
    """What a rule asks for besides the chat, as the reason codes of its lack."""
    kinds = {key for _, key, _ in leaves(rule, "")}
    filters = rule.where.filters() if rule.where else {}
    is_ordered = "order" in filters or any(at in EVENTS for _, at in references(rule))
    wanted = {
        "no_orders": is_ordered, "no_cases": bool({"phase", "topic", "customer"} & set(filters)),
        "no_sentiment": "sentiment" in kinds, "no_times": "slow" in kinds or is_ordered,
    }  # fmt: skip
    return [reason for reason, is_wanted in wanted.items() if is_wanted]
