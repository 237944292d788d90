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
    verdicts: pl.DataFrame | None = None,
) -> Ledger:
    """frames.Finding, frames.Moment, frames.Message -> Ledger(frames.Entry, frames.Score), in a fixed order.

    One score for every conversation and agent with an effective message; NULL where no item of the card applies.
    `verdicts(finding_id, is_confirmed)`: what people said of findings. qa is 100 and the entries but the veto; the veto
    of a confirmed redline takes the rest, so that final, 100 and all entries, is 0.
    """
    prices = _prices(packs, scorecard)
    receptions = messages.filter(frames.is_effective()).select(_WHO).unique()
    receptions = receptions.with_columns(scorecard=pl.lit(scorecard.scorecard))
    shares = _shares(receptions, moments, prices)
    priced = _counted(findings.join(prices, on="rule_id").join(shares, on=_WHO, nulls_equal=True))
    charged = pl.concat([_charged(priced), _rules_capped(priced)])
    entries = _floored(pl.concat([charged, _items_capped(priced, charged)]))
    redlines = [rule.id for rule in rules_of(packs).values() if rule.severity == "redline"]
    judged = _judged(findings.filter(pl.col("rule_id").is_in(redlines)), verdicts)
    entries = pl.concat([entries, _vetoed(shares, entries, judged.filter("is_confirmed"))])
    entries = entries.with_columns(entry_id=pl.format("{}:{}", "scorecard", "entry_id"))
    entries = frames.of(frames.Entry, entries).sort("conversation_id", "agent", "entry_id")
    return Ledger(entries, _scores(shares, entries, judged.filter(pl.col("is_confirmed").is_null())))


def _prices(packs: Sequence[Pack], scorecard: Scorecard) -> pl.DataFrame:
    """(rule_id, item, weight, deduction, agent_cap, talk_cap, is_due): is_due where the item needs a moment to apply."""
    rules = rules_of(packs)
    rows = []
    for item in (item for section in scorecard.sections for item in section.items):
        is_due = all(rules[rule_id].by == "absent" for rule_id in item.rules)
        for rule in (rules[rule_id] for rule_id in item.rules):
            caps = (rule.cap.agent, rule.cap.conversation) if rule.cap else (None, None)
            rows.append((rule.id, item.id, item.weight, rule.deduction, *caps, is_due))
    names = {"rule_id": pl.String, "item": pl.String, "weight": pl.Float64, "deduction": pl.Float64}
    more = {"agent_cap": pl.Float64, "talk_cap": pl.Float64, "is_due": pl.Boolean}
    return pl.DataFrame(rows, schema={**names, **more}, orient="row")


def _counted(priced: pl.DataFrame) -> pl.DataFrame:
    """`counted`: what of a finding's deduction its rule may still cost, the findings taken in the order of the talk."""
    order = ["conversation_id", "rule_id", "seq", "start", "finding_id"]
    rows = priced.sort(order, nulls_last=True)
    kept = pl.col("deduction")
    for cap, of in (("agent_cap", _WHO), ("talk_cap", ["conversation_id"])):
        so_far = pl.col("deduction").cum_sum().over([*of, "rule_id"]) - pl.col("deduction")
        left = (pl.col(cap) - so_far).clip(lower_bound=0).fill_null(float("inf"))
        kept = pl.min_horizontal(kept, left)
    return rows.with_columns(counted=kept)


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


def _rules_capped(priced: pl.DataFrame) -> pl.DataFrame:
    """An entry that gives back what the findings of a rule took beyond its cap."""
    rule = [*_WHO, "scorecard", "item", "rule_id"]
    taken = _charged(priced).group_by(rule).agg(pl.col("points").sum())
    sums = priced.group_by(rule).agg(pl.col("deduction", "counted").sum().round(6), pl.col("total").first())
    over = sums.filter(pl.col("counted") < pl.col("deduction")).join(taken, on=rule, nulls_equal=True)
    most = (pl.col("counted") * 100 / pl.col("total")).round(_DECIMALS)
    return _given_back(over.with_columns(points=(-pl.col("points") - most).round(_DECIMALS)))


def _items_capped(priced: pl.DataFrame, charged: pl.DataFrame) -> pl.DataFrame:
    """An entry that gives back what the rules of an item took beyond its weight."""
    item = [*_WHO, "scorecard", "item"]
    taken = charged.group_by(item).agg(pl.col("points").sum())
    sums = priced.group_by(item).agg(pl.col("counted").sum().round(6), pl.col("weight", "total").first())
    over = sums.filter(pl.col("counted") > pl.col("weight")).join(taken, on=item, nulls_equal=True)
    most = (pl.col("weight") * 100 / pl.col("total")).round(_DECIMALS)
    over = over.with_columns(points=(-pl.col("points") - most).round(_DECIMALS), rule_id=pl.lit(None, pl.String))
    return _given_back(over)


def _floored(entries: pl.DataFrame) -> pl.DataFrame:
    """Rounding may take a hair more than 100 where every item is lost: it is given back by an entry of its own."""
    sums = entries.group_by(*_WHO, "scorecard").agg(points=(-100 - pl.col("points").sum()).round(_DECIMALS))
    none = pl.lit(None, pl.String)
    back = _given_back(sums.filter(pl.col("points") > 0).with_columns(item=none, rule_id=none))
    return pl.concat([entries, back])


def _given_back(rows: pl.DataFrame) -> pl.DataFrame:
    """Compensating entries of (conversation_id, agent, scorecard, item, rule_id, points) rows."""
    what = pl.col("item").fill_null("") + pl.format("/{}", "rule_id").fill_null("")
    place = pl.format("{}#:{}@{}", "conversation_id", what, pl.col("agent").fill_null(""))
    rows = rows.filter(pl.col("points") != 0).with_columns(finding_id=pl.lit(None, pl.String), entry_id=place)
    return rows.select(_DRAFT).with_columns(cause=pl.lit("cap"))


def _judged(redlines: pl.DataFrame, verdicts: pl.DataFrame | None) -> pl.DataFrame:
    """(conversation_id, agent, is_confirmed) of the redlines found; NULL until a person has said."""
    if verdicts is None:
        return redlines.select(*_WHO, is_confirmed=pl.lit(None, pl.Boolean))
    return redlines.join(verdicts.unique("finding_id"), on="finding_id", how="left").select(*_WHO, "is_confirmed")


def _vetoed(shares: pl.DataFrame, entries: pl.DataFrame, confirmed: pl.DataFrame) -> pl.DataFrame:
    """An entry that takes what is left of the score where a person confirmed a redline."""
    lost = entries.group_by(_WHO).agg(pl.col("points").sum())
    rows = shares.filter(pl.col("total").is_not_null()).join(confirmed.unique(_WHO), on=_WHO, nulls_equal=True)
    rows = rows.join(lost, on=_WHO, how="left", nulls_equal=True)
    none = pl.lit(None, pl.String)
    rows = rows.with_columns(
        points=-(100 + pl.col("points").fill_null(0.0)).round(_DECIMALS),
        entry_id=pl.format("{}#:veto@{}", "conversation_id", pl.col("agent").fill_null("")),
        item=none, rule_id=none, finding_id=none,
    )  # fmt: skip
    return rows.select(_DRAFT).with_columns(cause=pl.lit("veto"))


def _scores(shares: pl.DataFrame, entries: pl.DataFrame, pending: pl.DataFrame) -> pl.DataFrame:
    """qa is 100 + Σ points but the veto's, final is 100 + Σ points."""
    mine = pl.col("points").filter(pl.col("cause") != "veto").sum()
    lost = entries.group_by(_WHO).agg(qa=mine, final=pl.col("points").sum())
    pending = pending.select(_WHO).unique().with_columns(is_redline_pending=True)
    scores = shares.join(lost, on=_WHO, how="left", nulls_equal=True)
    scores = scores.join(pending, on=_WHO, how="left", nulls_equal=True)
    left = (pl.col("qa", "final").fill_null(0.0) + 100).round(_DECIMALS)
    scores = scores.with_columns(
        pl.when(pl.col("total").is_not_null()).then(left),
        is_redline_pending=pl.col("is_redline_pending").fill_null(False),
    )
    return frames.of(frames.Score, scores).sort(_WHO)
