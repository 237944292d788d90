"""The ledger: findings → entries → scores. A score is 100 + the sum of its entries, and nothing else. KPI §3 qa_score.

Of the scorecard's items those that apply to a conversation and agent share the 100 points: W = Σ of their weights.
A point of an item is worth 100 / W points of the score. Points have 4 decimals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from qc import frames
from qc.rulebook import Pack, Scorecard, rules_of

_WHO = ["conversation_id", "agent"]
_DECIMALS = 4
_DRAFT = [*_WHO, "scorecard", "item", "rule_id", "finding_id", "points", "entry_id"]


class Ledger(NamedTuple):
    """What was deducted, and what is left."""

    entries: pl.DataFrame  # frames.Entry
    scores: pl.DataFrame  # frames.Score


def score(
    findings: pl.DataFrame,
    moments: pl.DataFrame,
    messages: pl.DataFrame,
    packs: Sequence[Pack],
    scorecard: Scorecard,
) -> Ledger:
    """frames.Finding, frames.Moment, frames.Message -> Ledger(frames.Entry, frames.Score), in a fixed order.

    One score for every conversation and agent with an effective message; NULL where no item of the card applies.
    """
    prices = _prices(packs, scorecard)
    receptions = messages.filter(frames.is_effective()).select(_WHO).unique()
    receptions = receptions.with_columns(scorecard=pl.lit(scorecard.scorecard))
    shares = _shares(receptions, moments, prices)
    priced = findings.join(prices, on="rule_id").join(shares, on=_WHO, nulls_equal=True)
    entries = _floored(pl.concat([_charged(priced), _capped(priced)]))
    entries = entries.with_columns(entry_id=pl.format("{}:{}", "scorecard", "entry_id"))
    entries = frames.of(frames.Entry, entries).sort("conversation_id", "agent", "entry_id")
    redlines = [rule.id for rule in rules_of(packs).values() if rule.severity == "redline"]
    pending = findings.filter(pl.col("rule_id").is_in(redlines)).select(_WHO).unique()
    return Ledger(entries, _scores(shares, entries, pending))


def _prices(packs: Sequence[Pack], scorecard: Scorecard) -> pl.DataFrame:
    """(rule_id, item, weight, deduction, is_due): is_due where the item needs a moment to apply."""
    rules = rules_of(packs)
    rows = [
        (rule_id, item.id, item.weight, rules[rule_id].deduction, all(rules[r].by == "absent" for r in item.rules))
        for section in scorecard.sections
        for item in section.items
        for rule_id in item.rules
    ]
    names = {"rule_id": pl.String, "item": pl.String, "weight": pl.Float64, "deduction": pl.Float64}
    return pl.DataFrame(rows, schema={**names, "is_due": pl.Boolean}, orient="row")


def _shares(receptions: pl.DataFrame, moments: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """(conversation_id, agent, scorecard, total): W, the weights of the items that apply; NULL where none does.

    An item of forbidden words always applies; one of required words only where its moment came.
    """
    always = float(prices.filter(~pl.col("is_due")).unique("item")["weight"].sum())
    due = moments.join(prices.filter("is_due"), on="rule_id").unique([*_WHO, "item"])
    due = due.group_by(_WHO).agg(due=pl.col("weight").sum().round(6))
    shares = receptions.join(due, on=_WHO, how="left", nulls_equal=True)
    total = pl.lit(always) + pl.col("due").fill_null(0.0)
    return shares.select(*_WHO, "scorecard", total=pl.when(total > 0).then(total))


def _charged(priced: pl.DataFrame) -> pl.DataFrame:
    """An entry for each finding that costs something."""
    points = (-pl.col("deduction") * 100 / pl.col("total")).round(_DECIMALS)
    charged = priced.filter(pl.col("deduction") > 0).with_columns(points=points, entry_id="finding_id")
    return charged.select(_DRAFT).with_columns(cause=pl.lit("finding"))


def _capped(priced: pl.DataFrame) -> pl.DataFrame:
    """An entry that gives back what the findings of an item took beyond its weight."""
    item = [*_WHO, "scorecard", "item"]
    taken = _charged(priced).group_by(item).agg(pl.col("points").sum())
    sums = priced.group_by(item).agg(pl.col("deduction").sum().round(6), pl.col("weight", "total").first())
    over = sums.filter(pl.col("deduction") > pl.col("weight")).join(taken, on=item, nulls_equal=True)
    most = (pl.col("weight") * 100 / pl.col("total")).round(_DECIMALS)
    return _given_back(over.with_columns(points=(-pl.col("points") - most).round(_DECIMALS)))


def _floored(entries: pl.DataFrame) -> pl.DataFrame:
    """Rounding may take a hair more than 100 where every item is lost: it is given back by an entry of its own."""
    sums = entries.group_by(*_WHO, "scorecard").agg(points=(-100 - pl.col("points").sum()).round(_DECIMALS))
    back = _given_back(sums.filter(pl.col("points") > 0).with_columns(item=pl.lit(None, pl.String)))
    return pl.concat([entries, back])


def _given_back(rows: pl.DataFrame) -> pl.DataFrame:
    """Compensating entries of (conversation_id, agent, scorecard, item, points) rows."""
    place = pl.format("{}#:{}@{}", "conversation_id", pl.col("item").fill_null(""), pl.col("agent").fill_null(""))
    none = pl.lit(None, pl.String)
    rows = rows.filter(pl.col("points") != 0).with_columns(rule_id=none, finding_id=none, entry_id=place)
    return rows.select(_DRAFT).with_columns(cause=pl.lit("cap"))


def _scores(shares: pl.DataFrame, entries: pl.DataFrame, pending: pl.DataFrame) -> pl.DataFrame:
    """100 + Σ points; final is the same until a person confirms a redline."""
    lost = entries.group_by(_WHO).agg(pl.col("points").sum())
    scores = shares.join(lost, on=_WHO, how="left", nulls_equal=True).join(
        pending.with_columns(is_redline_pending=True), on=_WHO, how="left", nulls_equal=True
    )
    left = (100 + pl.col("points").fill_null(0.0)).round(_DECIMALS)
    scores = scores.with_columns(
        qa=pl.when(pl.col("total").is_not_null()).then(left),
        is_redline_pending=pl.col("is_redline_pending").fill_null(False),
    ).with_columns(final="qa")
    return frames.of(frames.Score, scores).sort(_WHO)
