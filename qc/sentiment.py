"""The one door to sentiment: text → P(negative), P(neutral), P(positive), whatever stands behind it.

A model is a value that the caller makes (`shop_model(weights)`, `snownlp(tables)`) and hands in; its version is half of the cache key
(text hash, version), so it changes whenever a probability could.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import polars as pl

from qc import shop, snow
from qc.text import SMILEY

DOOR = 2  # version of what is decided in this file
PROBABILITIES = ("p_negative", "p_neutral", "p_positive")

# Masks and emoji codes: [电话], [数字x], [ORDERID_10031770], [微笑]. Our decision: at most twenty characters, no stop
# among them, so that somebody who puts a sentence in brackets is still heard.
BRACKETED = r"\[[^\[\]\s,.!?;，。！？；]{1,20}\]"
_WORDLESS = rf"(?i){SMILEY}|{BRACKETED}"
# Nothing but question marks is impatience, as the utterances have it. More than five may be letters that an export lost.
IMPATIENT = r"^\s*[?？]{1,5}\s*$"


class Model(NamedTuple):
    """A backend with what it has learnt."""

    name: str  # a key of BACKENDS
    version: str
    tables: Any


def snownlp(tables: snow.Tables) -> Model:
    """SnowNLP's verdict in three classes; `pipelines.snow_tables.load` gives the tables."""
    return Model("snownlp", f"snownlp-{tables.version}-d{DOOR}", tables)


def shop_model(weights: shop.Weights) -> Model:
    """Our own model, made for customers' messages; `pipelines.shop_weights.load` gives the weights."""
    return Model("shop", f"{weights.version}-d{DOOR}", weights)


def score(texts: pl.Series | Sequence[str | None], *, model: Model) -> pl.DataFrame:
    """texts -> (p_negative, p_neutral, p_positive, is_scored), a row a text, in order; the three add up to 1.

    A text that says nothing (NULL, blank, punctuation but for a lone question mark, faces, masks) is neutral by definition: 0, 1, 0 and not scored.
    Each distinct text is scored once. KeyError names a backend that is not in BACKENDS.
    """
    asked = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)}).with_columns(is_scored=says_something("text"))
    distinct = asked.filter("is_scored").select("text").unique(maintain_order=True)
    scored = distinct.hstack(BACKENDS[model.name](distinct["text"], model.tables))
    neutral = [pl.col(name).fill_null(1.0 if name == "p_neutral" else 0.0) for name in PROBABILITIES]
    return asked.join(scored, on="text", how="left", maintain_order="left").select(*neutral, "is_scored")


def explain(text: str, *, model: Model) -> pl.DataFrame:
    """What in a text pushed where -> (gram, class, contribution); '' stands for what is so before a word was said.

    `shop`: the contributions to a class add up to its logit. `snownlp`: words, and the log-odds of positive over negative
    as class "positive". A text that says nothing has no rows.
    """
    if not score([text], model=model)["is_scored"][0]:
        return pl.DataFrame(schema={"gram": pl.String, "class": pl.String, "contribution": pl.Float64})
    return EXPLANATIONS[model.name](text, model.tables)


def says_something(column: str) -> pl.Expr:
    """A letter, Han character or digit is left when masks and faces are taken out; or it is question marks and nothing else."""
    text = pl.col(column)
    has_words = text.str.replace_all(_WORDLESS, " ").str.contains(r"[\p{L}\p{N}]")
    return (has_words | text.str.contains(IMPATIENT)).fill_null(False)


def three_classes(positive: pl.Series) -> pl.DataFrame:
    """SnowNLP's single s = P(positive) -> three probabilities.

    SnowNLP knows two classes and puts what says nothing near ½, so we read ½ as neutral and let certainty grow linearly
    on either side: P(positive) = max(0, 2s − 1), P(negative) = max(0, 1 − 2s), P(neutral) = 1 − |2s − 1|. The decision
    is ours; it keeps the order of s and gives s back: s = (1 + P(positive) − P(negative)) / 2.

    >>> three_classes(pl.Series([0.0, 0.25, 0.5, 1.0])).rows()
    [(1.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    """
    lean = 2 * positive - 1
    columns = [(1 - 2 * positive).clip(lower_bound=0.0), 1 - lean.abs(), lean.clip(lower_bound=0.0)]
    return pl.DataFrame(dict(zip(PROBABILITIES, columns, strict=True)))


def _snownlp(texts: pl.Series, tables: snow.Tables) -> pl.DataFrame:
    return three_classes(pl.Series(snow.probability(texts, tables)))


def _shop(texts: pl.Series, weights: shop.Weights) -> pl.DataFrame:
    return pl.DataFrame(shop.score(texts, weights), schema=list(PROBABILITIES))


def _explained_by_shop(text: str, weights: shop.Weights) -> pl.DataFrame:
    return shop.explain(text, {gram: row for gram, *row in shop.table(weights).iter_rows()})


def _explained_by_snownlp(text: str, tables: snow.Tables) -> pl.DataFrame:
    words, odds = zip(*snow.explain(text, tables), strict=True)
    return pl.DataFrame({"gram": words, "class": "positive", "contribution": odds})


# Name → distinct texts that say something, and the model's tables -> PROBABILITIES, a row a text.
BACKENDS: dict[str, Callable[[pl.Series, Any], pl.DataFrame]] = {"shop": _shop, "snownlp": _snownlp}
EXPLANATIONS: dict[str, Callable[[str, Any], pl.DataFrame]] = {
    "shop": _explained_by_shop,
    "snownlp": _explained_by_snownlp,
}
