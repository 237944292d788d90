"""Case mix of a conversation (KPI §3): phase, topic and customer type, each a sum of cues with the words that decided.

Nothing is learnt: cue phrases and weights are data (`data/lexicons/topics.yaml`, `phases.yaml`, `customer_types.yaml`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from qc import frames
from qc.casewords import ASPECTS, NO_PHASE, Lexicon, Weight, spelt_out
from qc.conditions import Sought
from qc.phrases import occurrences

SPOKEN = ("text", "voice")
_LEAST_SHARE = 3  # a later message's weight is halved at most three times: ours

Case: frames.Noun = {
    "conversation_id": pl.String,
    "phase": pl.String,  # PHASES; NULL: see case_reason
    "topic": pl.String,  # TOPICS; NULL without a word of the customer
    "customer_type": pl.String,  # CUSTOMER_TYPES; NULL without a word of the customer
    "case_reason": pl.String,  # why a value is NULL: no_customer_text, not_a_purchase, no_phase_cue
}
CaseReason: frames.Noun = {
    "conversation_id": pl.String,
    "aspect": pl.String,  # topic, phase, customer_type
    "value": pl.String,  # what the cue speaks for, whether or not it won
    "seq": pl.Int32,  # NULL: not said in a message, see `basis`
    "start": pl.Int32,
    "end": pl.Int32,
    "quote": pl.String,  # text[start:end]
    "basis": pl.String,  # words, topic (what the topic says of the phase), orders
    "weight": pl.Float64,
    "is_decisive": pl.Boolean,  # speaks for the value that won
}


class Mix(NamedTuple):
    """What was decided, and why."""

    cases: pl.DataFrame  # Case, a row a conversation
    reasons: pl.DataFrame  # CaseReason, the strongest first within an aspect


def classify(
    messages: pl.DataFrame,
    lexicons: Sequence[Lexicon],
    orders: pl.DataFrame | None = None,
    *,
    products: Sequence[str] = (),
) -> Mix:
    """frames.Message, one lexicon an aspect, frames.Order -> Mix: a case for every conversation.

    Read are the words of the customer; each distinct text once. Orders (optional) speak of the phase where their
    customers are named. A cue counts once a conversation, where it first stands; within the name of one of the `products`
    it is no cue: who names a 冷泡茶 has not asked how to brew it.
    """
    by_aspect = {lexicon.aspect: lexicon for lexicon in lexicons}
    said = _said(messages)
    heard = _heard(said, lexicons, products)
    cues = pl.concat([_weighted(heard, by_aspect[aspect]) for aspect in by_aspect])
    talks = messages.group_by("conversation_id").agg(
        pl.col("shop", "customer").first(), pl.col("sent_at").min(), pl.col("conversation_id").count().alias("n")
    )
    asked = said.filter(pl.col("who") == "customer").select("conversation_id").unique()
    topics = _decided(asked, cues, by_aspect["topic"])
    phase = by_aspect["phase"]
    cues = _before_order(cues, messages, talks, orders)
    extra = [_of_topic(topics, phase), _of_orders(talks, asked, phase, orders)]
    cues = pl.concat([cues, *extra])
    phases, types = _decided(asked, cues, phase), _decided(asked, cues, by_aspect["customer_type"])
    cases = talks.select("conversation_id").join(topics, on="conversation_id", how="left")
    for decided in (phases, types):
        cases = cases.join(decided, on="conversation_id", how="left")
    cases = cases.join(asked.with_columns(is_asked=True), on="conversation_id", how="left").with_columns(
        case_reason=pl.when(pl.col("is_asked").is_null()).then(pl.lit("no_customer_text"))
        .when(pl.col("phase") == NO_PHASE).then(pl.lit("not_a_purchase"))
        .when(pl.col("phase").is_null()).then(pl.lit("no_phase_cue")),
        phase=pl.when(pl.col("phase") != NO_PHASE).then("phase"),
    )  # fmt: skip
    cases = frames.of(Case, cases.sort("conversation_id"))
    return Mix(cases, _reasons(cues, cases))


def _said(messages: pl.DataFrame) -> pl.DataFrame:
    """What customers and agents wrote or said: conversation_id, seq, who, text."""
    who = (
        pl.when(pl.col("sender_kind") == "customer")
        .then(pl.lit("customer"))
        .when(frames.is_effective())
        .then(pl.lit("agent"))
    )
    spoken = pl.col("content_kind").is_in(SPOKEN) & (pl.col("text").str.strip_chars() != "")
    said = messages.filter(spoken).select("conversation_id", "seq", "text", who=who)
    return said.filter(pl.col("who").is_not_null())


def _heard(said: pl.DataFrame, lexicons: Sequence[Lexicon], products: Sequence[str]) -> pl.DataFrame:
    """Where each cue first stands in each conversation: conversation_id, cue, aspect, value, weight, seq, start, end, text."""
    named = {
        f"{lexicon.aspect}/{value}/{i}": (lexicon.aspect, value, cue)
        for lexicon in lexicons for value, cues in lexicon.values.items() for i, cue in enumerate(cues)
    }  # fmt: skip
    sought = [
        Sought.model_construct(
            id=name,
            any_of=[p for x in cue.phrases for p in spelt_out(x)],
            unless=[p for x in cue.unless for p in spelt_out(x)],
        )
        for name, (_, _, cue) in named.items()
    ]
    table = pl.DataFrame(
        [(name, aspect, value, cue.who, cue.weight) for name, (aspect, value, cue) in named.items()],
        schema={**dict.fromkeys(("cue", "aspect", "value", "who"), pl.String), "weight": pl.Float64}, orient="row",
    )  # fmt: skip
    texts = said.select("text").unique().with_row_index("text_id")
    places = _outside_names(texts["text"], occurrences(texts["text"], sought), products).rename({"rule_id": "cue"})
    longest = places.sort("start", "end", descending=[False, True]).unique(
        ["text_id", "cue"], keep="first", maintain_order=True
    )
    found = said.join(texts, on="text").join(longest.select("text_id", "cue", "start", "end"), on="text_id")
    found = found.join(table, on=["cue", "who"]).sort("conversation_id", "seq")
    return found.unique(["conversation_id", "cue"], keep="first", maintain_order=True).drop("text_id")


def _outside_names(texts: pl.Series, places: pl.DataFrame, products: Sequence[str]) -> pl.DataFrame:
    """The places that are no part of a longer name of a product."""
    if not products:
        return places
    named = occurrences(texts, [Sought.model_construct(id="product", any_of=list(products))])
    inside = places.with_row_index("place").join(named.select("text_id", at="start", until="end"), on="text_id").filter(
        (pl.col("at") <= pl.col("start")) & (pl.col("end") <= pl.col("until"))
        & (pl.col("until") - pl.col("at") > pl.col("end") - pl.col("start"))
    )  # fmt: skip
    return places.with_row_index("place").join(inside.select("place").unique(), on="place", how="anti").drop("place")


def _weighted(heard: pl.DataFrame, lexicon: Lexicon) -> pl.DataFrame:
    """The cues of one aspect with their weights; halved with each further message where the lexicon says so."""
    cues = heard.filter(pl.col("aspect") == lexicon.aspect)
    if lexicon.halved_each_message:
        cues = _said_once(cues)
        nth = pl.col("seq").rank("dense").over("conversation_id").cast(pl.Int32) - 1
        cues = cues.with_columns(weight=pl.col("weight") * pl.lit(0.5).pow(nth.clip(0, _LEAST_SHARE)))
    quote = pl.col("text").str.slice("start", pl.col("end") - pl.col("start"))
    return _cues(cues.with_columns(quote=quote, basis=pl.lit("words")))


def _said_once(cues: pl.DataFrame) -> pl.DataFrame:
    """Of cues of one value that share characters the heaviest: 快递 in 什么快递 is not said twice."""
    same = ["conversation_id", "value", "seq"]
    rows = cues.sort(
        *same, "weight", "start", "end", "cue", descending=[False] * 3 + [True, False, True, False]
    ).with_row_index("nth")
    pairs = rows.select(*same, "nth", "start", "end").join(
        rows.select(*same, before="nth", at="start", until="end"), on=same
    )
    again = pairs.filter(
        (pl.col("before") < pl.col("nth")) & (pl.col("at") < pl.col("end")) & (pl.col("start") < pl.col("until"))
    )
    return rows.join(again.select("nth").unique(), on="nth", how="anti", maintain_order="left").drop("nth")


_CUE = {name: kind for name, kind in CaseReason.items() if name != "is_decisive"}


def _cues(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as reasons; what they lack is NULL."""
    missing = [pl.lit(None).alias(name) for name in _CUE if name not in rows.columns]
    return frames.of(_CUE, rows.with_columns(missing))


def _decided(asked: pl.DataFrame, cues: pl.DataFrame, lexicon: Lexicon) -> pl.DataFrame:
    """conversation_id and the value with the largest sum; the lexicon's order decides between equals."""
    order = pl.col("value").replace_strict(list(lexicon.values), range(len(lexicon.values)), return_dtype=pl.Int32)
    sums = (
        cues.filter(pl.col("aspect") == lexicon.aspect)
        .group_by("conversation_id", "value").agg(pl.col("weight").sum())
        .filter(pl.col("weight") >= lexicon.least)
        .sort("conversation_id", "weight", order, descending=[False, True, False])
        .unique("conversation_id", keep="first", maintain_order=True)
    )  # fmt: skip
    decided = asked.join(sums.select("conversation_id", "value"), on="conversation_id", how="left")
    otherwise = pl.lit(lexicon.otherwise, dtype=pl.String)
    return decided.select("conversation_id", pl.coalesce("value", otherwise).alias(lexicon.aspect))


def _of_topic(topics: pl.DataFrame, phase: Lexicon) -> pl.DataFrame:
    """What the topic says of the phase, as cues without words; the topic stands where a quote would."""
    rows = [(topic, value, weight) for topic, of in phase.of_topic.items() for value, weight in of.items()]
    table = pl.DataFrame(rows, schema={"topic": pl.String, "value": pl.String, "weight": pl.Float64}, orient="row")
    found = topics.join(table, on="topic").with_columns(aspect=pl.lit("phase"), basis=pl.lit("topic"))
    return _cues(found)


def _before_order(
    cues: pl.DataFrame, messages: pl.DataFrame, talks: pl.DataFrame, orders: pl.DataFrame | None
) -> pl.DataFrame:
    """The cues without what is said of the phase after an order that was placed in the conversation itself.

    Who asks, buys and says 拍好了 came to ask. Where nothing before the order speaks of the phase, the words after it do.
    """
    if orders is None:
        return cues
    placed = talks.join(orders.select("shop", "customer", "created_at"), on=["shop", "customer"])
    first = (
        placed.filter(pl.col("created_at") > pl.col("sent_at"))
        .group_by("conversation_id")
        .agg(pl.col("created_at").min())
    )
    said = messages.join(first, on="conversation_id").select(
        "conversation_id", "seq", is_late=pl.col("sent_at") > pl.col("created_at")
    )
    joined = cues.join(said, on=["conversation_id", "seq"], how="left", maintain_order="left")
    of_phase, is_late = pl.col("aspect") == "phase", pl.col("is_late").fill_null(False)
    has_early = (of_phase & ~is_late).any().over("conversation_id")
    return joined.filter(~(of_phase & is_late & has_early)).drop("is_late")


def _of_orders(talks: pl.DataFrame, asked: pl.DataFrame, phase: Lexicon, orders: pl.DataFrame | None) -> pl.DataFrame:
    """What this customer's newest order before the conversation says of its phase, in shops whose orders name buyers."""
    if phase.of_orders is None or orders is None:
        return _cues(pl.DataFrame(schema={"conversation_id": pl.String}))
    of, known = phase.of_orders, orders.filter(pl.col("customer").is_not_null() & pl.col("created_at").is_not_null())
    here = talks.join(asked, on="conversation_id", how="semi").filter(
        pl.col("sent_at").is_not_null() & pl.col("customer").is_not_null()
    )
    here = here.filter(pl.col("shop").is_in(known["shop"].unique().implode())).sort("sent_at")
    newest = known.select("shop", "customer", sent_at="created_at", ordered_at="created_at").sort("sent_at")
    seen = here.join_asof(newest, on="sent_at", by=["shop", "customer"], check_sortedness=False)
    age = (pl.col("sent_at") - pl.col("ordered_at")).dt.total_seconds() / 86400
    case = (
        pl.when((age <= of.days).not_().fill_null(True)).then(pl.lit("none"))
        .when(age < of.transit_days).then(pl.lit("within_transit"))
        .otherwise(pl.lit("after_transit"))
    )  # fmt: skip
    says: Mapping[str, Mapping[str, Weight]] = {
        "none": of.none,
        "within_transit": of.within_transit,
        "after_transit": of.after_transit,
    }
    rows = [(name, value, weight) for name, weights in says.items() for value, weight in weights.items()]
    table = pl.DataFrame(rows, schema={"case": pl.String, "value": pl.String, "weight": pl.Float64}, orient="row")
    return _cues(
        seen.with_columns(case=case).join(table, on="case").with_columns(aspect=pl.lit("phase"), basis=pl.lit("orders"))
    )


def _reasons(cues: pl.DataFrame, cases: pl.DataFrame) -> pl.DataFrame:
    """The cues with whether they speak for what was decided, in a fixed order."""
    decided = cases.unpivot(on=list(ASPECTS), index="conversation_id", variable_name="aspect", value_name="decided")
    rows = cues.join(decided, on=["conversation_id", "aspect"]).with_columns(
        is_decisive=(pl.col("value") == pl.col("decided")).fill_null(False)
    )
    order = ["conversation_id", "aspect", "is_decisive", "weight", "seq", "start", "end", "value", "basis"]
    return frames.of(CaseReason, rows).sort(order, descending=[o in ("is_decisive", "weight") for o in order])
