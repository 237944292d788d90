"""The ledger: findings → entries → scores. A score is 100 + the sum of its entries, and nothing else. KPI §3 qa_score.

A conversation is judged by one scorecard. Of its items those that apply to a conversation and agent share the 100 points:
W = Σ of their weights. A point of an item is worth 100 / W points of the score. Points have 4 decimals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from qc import frames
from qc.rule import Rule
from qc.rulebook import Pack, rules_of
from qc.scorecards import Applies, Item, Scorecard, Talks

_WHO = ["conversation_id", "agent"]
_ASPECTS = ["phase", "topic", "customer_type"]
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
    cards: Sequence[Scorecard],
    *,
    cases: pl.DataFrame | None = None,
    verdicts: pl.DataFrame | None = None,
) -> Ledger:
    """frames.Finding, frames.Moment, frames.Message -> Ledger(frames.Entry, frames.Score), in a fixed order.

    One score for every conversation and agent with an effective message; NULL where no item of its card applies.
    A conversation has the first of `cards` that is meant for it, the last one where none is. `cases` is casemix.Case.
    `verdicts(finding_id, is_confirmed)`: what people said of findings. qa is 100 and the entries but the veto; the veto
    of a confirmed redline takes the rest, so that final, 100 and all entries, is 0.
    """
    prices = _prices(rules_of(packs), cards)
    receptions = _assigned(messages.filter(frames.is_effective()).select(_WHO).unique(), cards, cases)
    asked = _asked(receptions, findings, moments, cards, rules_of(packs))
    shares = _shares(receptions, asked, prices)
    priced = findings.join(prices, on="rule_id").join(shares, on=[*_WHO, "scorecard"], nulls_equal=True)
    is_asked = priced.join(asked, on=[*_WHO, "item"], how="semi", nulls_equal=True)
    priced = _counted(pl.concat([priced.filter(~pl.col("is_asked")), is_asked.filter("is_asked")]))
    charged = pl.concat([_charged(priced), _rules_capped(priced)])
    entries = _floored(pl.concat([charged, _items_capped(priced, charged)]))
    redlines = [rule.id for rule in rules_of(packs).values() if rule.severity == "redline"]
    judged = _judged(findings.filter(pl.col("rule_id").is_in(redlines)), verdicts)
    entries = pl.concat([entries, _vetoed(shares, entries, judged.filter("is_confirmed"))])
    entries = entries.with_columns(entry_id=pl.format("{}:{}", "scorecard", "entry_id"))
    entries = frames.of(frames.Entry, entries).sort("conversation_id", "agent", "entry_id")
    return Ledger(entries, _scores(shares, entries, judged.filter(pl.col("is_confirmed").is_null())))


def _prices(rules: Mapping[str, Rule], cards: Sequence[Scorecard]) -> pl.DataFrame:
    """(scorecard, rule_id, item, weight, most, deduction, agent_cap, talk_cap, is_asked) of every rule on a card."""
    rows = []
    for card, item in [(one, item) for one in cards for item in one.items()]:
        for rule in (rules[rule_id] for rule_id in item.rules):
            caps = (rule.cap.agent, rule.cap.conversation) if rule.cap else (None, None)
            deduction = rule.deduction if item.deduction is None else item.deduction
            of = (card.scorecard, rule.id, item.id, item.weight, item.most)
            rows.append((*of, deduction, *caps, _is_asked(item, rules)))
    names = {"scorecard": pl.String, "rule_id": pl.String, "item": pl.String, "weight": pl.Float64, "most": pl.Float64}
    more = {"deduction": pl.Float64, "agent_cap": pl.Float64, "talk_cap": pl.Float64, "is_asked": pl.Boolean}
    return pl.DataFrame(rows, schema={**names, **more}, orient="row")


def _assigned(receptions: pl.DataFrame, cards: Sequence[Scorecard], cases: pl.DataFrame | None) -> pl.DataFrame:
    """The receptions with the case of their conversation and the scorecard that judges it."""
    known = receptions.clear().select("conversation_id") if cases is None else cases
    missing = [pl.lit(None, pl.String).alias(name) for name in _ASPECTS if name not in known.columns]
    receptions = receptions.join(known.select("conversation_id", *(n for n in _ASPECTS if n in known.columns)),
                                 on="conversation_id", how="left").with_columns(missing)  # fmt: skip
    card = pl.lit(cards[-1].scorecard)
    for one in reversed(cards[:-1]):
        card = pl.when(_meant(one.meant_for)).then(pl.lit(one.scorecard)).otherwise(card)
    return receptions.with_columns(scorecard=card)


def _meant(talks: Talks) -> pl.Expr:
    """Whether a conversation is one of those; what is not known of it holds nothing."""
    held = [pl.col(name).is_in(values).fill_null(False) for name, values in talks.aspects().items()]
    return pl.all_horizontal(pl.lit(True), *held)


def _is_asked(item: Item, rules: Mapping[str, Rule]) -> bool:
    """Whether the item applies to some only: it says to which, or it is of required words, due where their moment came."""
    return item.applies != Applies() or _is_due(item, rules)


def _is_due(item: Item, rules: Mapping[str, Rule]) -> bool:
    return all(rules[rule_id].by == "absent" for rule_id in item.rules)


def _asked(
    receptions: pl.DataFrame, findings: pl.DataFrame, moments: pl.DataFrame,
    cards: Sequence[Scorecard], rules: Mapping[str, Rule],
) -> pl.DataFrame:  # fmt: skip
    """(conversation_id, agent, item, weight): where the items that do not apply to all do apply."""
    empty = receptions.clear().select(*_WHO, item=pl.lit(""), weight=pl.lit(0.0))
    parts = [empty]
    for card in cards:
        mine = receptions.filter(pl.col("scorecard") == card.scorecard)
        for item in (item for item in card.items() if _is_asked(item, rules)):
            part = mine.filter(_meant(item.applies))
            if item.applies.found:
                there = findings.filter(pl.col("rule_id").is_in(item.applies.found))
                part = part.join(there, on="conversation_id", how="semi")
            if _is_due(item, rules):
                due = moments.filter(pl.col("rule_id").is_in(item.rules))
                part = part.join(due, on=_WHO, how="semi", nulls_equal=True)
            parts.append(part.select(*_WHO, item=pl.lit(item.id), weight=pl.lit(item.weight)))
    return pl.concat(parts)


def _shares(receptions: pl.DataFrame, asked: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """(conversation_id, agent, scorecard, total): W, the weights of the items that apply; NULL where none does."""
    always = prices.filter(~pl.col("is_asked")).unique(["scorecard", "item"]).group_by("scorecard")
    due = asked.group_by(_WHO).agg(due=pl.col("weight").sum().round(6))
    shares = receptions.join(always.agg(always=pl.col("weight").sum().round(6)), on="scorecard", how="left")
    shares = shares.join(due, on=_WHO, how="left", nulls_equal=True)
    total = pl.col("always").fill_null(0.0) + pl.col("due").fill_null(0.0)
    return shares.select(*_WHO, "scorecard", total=pl.when(total > 0).then(total))


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
    """An entry that gives back what the rules of an item took beyond what it can lose."""
    item = [*_WHO, "scorecard", "item"]
    taken = charged.group_by(item).agg(pl.col("points").sum())
    sums = priced.group_by(item).agg(pl.col("counted").sum().round(6), pl.col("most", "total").first())
    over = sums.filter(pl.col("counted") > pl.col("most")).join(taken, on=item, nulls_equal=True)
    most = (pl.col("most") * 100 / pl.col("total")).round(_DECIMALS)
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
