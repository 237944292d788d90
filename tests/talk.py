"""What the tests of the inspection share: the shipped rulebook, and written dialogues inspected by it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl

from pipelines import rules
from qc.detectors import Inspection, inspect
from qc.rulebook import Pack
from qc.rulecheck import Talk, talk
from qc.scorecards import Scorecard

DATA = Path(__file__).parent.parent / "data"


@cache
def shipped() -> tuple[Pack, ...]:
    return rules.load(DATA / "rules")


@cache
def general() -> Scorecard:
    return rules.load_scorecard(DATA / "scorecards" / "general.yaml", shipped())


@cache
def pleasantries() -> tuple[str, ...]:
    return tuple(rules.load_words(DATA / "lexicons" / "pleasantries.yaml"))


def heard(*dialogues: str) -> Talk:
    """Each dialogue as a conversation: c1, c2, …"""
    return talk([(f"c{i}", text) for i, text in enumerate(dialogues, start=1)], pleasantries())


def inspected(*dialogues: str) -> Inspection:
    return inspect(*heard(*dialogues), shipped())


# Hints about habits and steps, in almost every talk: left out of what the written dialogues must give.
HABITS = ("NO_PLEASE", "NO_WARMTH", "INFORMAL_YOU", "BARE_ANSWER", "APOLOGISES")


def found(*dialogues: str) -> list[tuple[int | None, str, str | None]]:
    """(seq, rule_id, quote or agent) of every finding but the hints about habits."""
    findings = inspected(*dialogues).findings.filter(~pl.col("rule_id").is_in(HABITS))
    return findings.select("seq", "rule_id", pl.coalesce("quote", "agent")).rows()


def changed_rule(text: str, rule_id: str, old: str, new: str) -> str:
    """The text of a pack with something else said in one of its rules."""
    before, after = text.split(f"  - id: {rule_id}\n")
    assert old in after
    return f"{before}  - id: {rule_id}\n{after.replace(old, new, 1)}"
