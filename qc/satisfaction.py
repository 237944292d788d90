"""Was the customer satisfied with a talk that nobody rated: named features of the talk and short strings of what was said → P(satisfied).

A logistic regression whose weights are a readable list. Counts of polite words are no feature: on the helpdesk talks
that we measured (docs/satisfaction.md) an agent who says 您 more often is rated lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from qc import fitting, learning
from qc.casewords import TOPICS
from qc.fitting import Rows
from qc.snow import Bools, Floats, Ints

THANKS = "谢谢|感谢|多谢|辛苦了|thank"
ASKS = r"[?？吗呢]\s*$"
LONGEST = 3  # characters of a string
LEAST_CUSTOMERS = 5  # in whose talks a string must stand, so that no single customer's words are kept
# Every number that is not the mood's is taken as log(1 + x). What a talk has none of is NULL and says nothing.
FEATURES = (
    "n_customer", "n_agent", "chars_customer", "chars_agent", "mood_first", "mood_end", "mood_low", "customer_ends", "thanks_at_end",
    "asks_at_end", "customer_repeats", "agent_repeats", "first_wait_s", "longest_wait_s", "n_unanswered", "n_complaints",
)  # fmt: skip
# 1 where the talk is about it, 0 where not, NULL where the customer said no word. Its spread is set to 1: a topic that is rare
# would otherwise be the surest to be learnt by chance.
ABOUT = {f"about_{topic}": topic for topic in TOPICS}


class Talks(NamedTuple):
    """What is known of each talk."""

    features: pl.DataFrame  # conversation_id, *FEATURES, *ABOUT; a row a talk, sorted
    strings: pl.DataFrame  # conversation_id, customer, string, share: 1/√(strings of the talk)


class Weights(NamedTuple):
    """What a shop's ratings taught."""

    name: str
    bias: float
    features: dict[str, tuple[float, float, float]]  # mean, spread, weight of each
    strings: dict[str, float]


class Recipe(NamedTuple):
    """How much the weights are held back, and which kinds there are."""

    ridge: float = 0.5
    strings_ridge: float = 0.1
    by_features: bool = True
    by_strings: bool = True
    by_topic: bool = False


FEATURES_ONLY, STRINGS_ONLY, BOTH = Recipe(by_strings=False), Recipe(by_features=False), Recipe()
TOPIC_TOO = Recipe(by_strings=False, by_topic=True)
# Few ratings teach features only; the topic and the text join where they help. What is learnt from decides, never what is held
# out. The text knows what a talk is about, so the topic is not asked beside it.
CHOICE = (FEATURES_ONLY, TOPIC_TOO, BOTH)


def talks(
    messages: pl.DataFrame, turns: pl.DataFrame | None = None, complaints: pl.DataFrame | None = None, topics: pl.DataFrame | None = None
) -> Talks:  # fmt: skip
    """messages(conversation_id, seq, sender_kind, text, mood and, where known, customer), turns(conversation_id, is_first, is_answered, wait_s) of those that count,
    complaints(conversation_id) a row a finding, topics(conversation_id, topic) -> what the model goes by. What is not given is NULL.
    """
    spoke = messages.filter(pl.col("sender_kind").is_in(["customer", "agent", "assist"])).with_columns(
        is_customer=pl.col("sender_kind") == "customer", text=pl.col("text").fill_null("").str.strip_chars()
    ).sort("conversation_id", "seq").with_columns(customer=_customer(messages))  # fmt: skip
    own = spoke.filter("is_customer").with_columns(
        i=pl.int_range(pl.len()).over("conversation_id"), n=pl.len().over("conversation_id")
    )
    last = own.filter(pl.col("i") >= pl.col("n") - pl.max_horizontal(1, pl.col("n") // 3))
    found = _said(spoke, own, last)
    for more in (_waits(turns), _complaints(complaints, found), topics):
        found = found.join(more, on="conversation_id", how="left") if more is not None else found
    missing = [pl.lit(None, pl.Float64).alias(name) for name in (*FEATURES, "topic") if name not in found.columns]
    about = [(pl.col("topic").cast(pl.String) == topic).cast(pl.Float64).alias(name) for name, topic in ABOUT.items()]
    plain = found.with_columns(missing).select(
        "conversation_id", *(pl.col(f).cast(pl.Float64) for f in FEATURES), *about
    )
    logs = [pl.col(f).log1p() for f in FEATURES if not f.startswith("mood_")]
    return Talks(plain.with_columns(logs).sort("conversation_id"), _strings(spoke, last))


def _customer(messages: pl.DataFrame) -> pl.Expr:
    """Whose talk it is; where nobody is named, the talk's number."""
    talk = pl.col("conversation_id")
    return (
        pl.coalesce(pl.col("customer").drop_nulls().first().over(talk), talk)
        if "customer" in messages.columns
        else talk
    )


def _said(spoke: pl.DataFrame, own: pl.DataFrame, last: pl.DataFrame) -> pl.DataFrame:
    mine, theirs = pl.col("is_customer"), ~pl.col("is_customer")
    text = pl.col("text")
    count = spoke.group_by("conversation_id").agg(
        n_customer=mine.sum(), n_agent=theirs.sum(), customer_ends=mine.last(),
        chars_customer=text.filter(mine).str.len_chars().mean(), chars_agent=text.filter(theirs).str.len_chars().mean(),
        customer_repeats=text.filter(mine & (text.str.len_chars() > 3)).pipe(lambda t: t.len() - t.n_unique()),
        agent_repeats=text.filter(theirs & (text.str.len_chars() > 3)).pipe(lambda t: t.len() - t.n_unique()),
    )  # fmt: skip
    felt = own.filter(pl.col("mood").is_not_null()).with_columns(
        i=pl.int_range(pl.len()).over("conversation_id"), n=pl.len().over("conversation_id"), mood=pl.col("mood").cast(pl.Float64)
    ).with_columns(k=pl.max_horizontal(1, pl.col("n") // 3)).group_by("conversation_id").agg(
        mood_first=pl.col("mood").filter(pl.col("i") < pl.col("k")).mean(),
        mood_end=pl.col("mood").filter(pl.col("i") >= pl.col("n") - pl.col("k")).mean(), mood_low=pl.col("mood").min(),
    )  # fmt: skip
    ending = last.group_by("conversation_id").agg(
        thanks_at_end=text.str.contains(f"(?i){THANKS}").any(), asks_at_end=text.str.contains(ASKS).any()
    )
    return count.join(felt, on="conversation_id", how="left").join(ending, on="conversation_id", how="left")


def _waits(turns: pl.DataFrame | None) -> pl.DataFrame | None:
    if turns is None:
        return None
    wait = pl.col("wait_s").cast(pl.Float64)
    return turns.group_by("conversation_id").agg(
        first_wait_s=wait.filter("is_first").min(),
        longest_wait_s=wait.max(),
        n_unanswered=(~pl.col("is_answered")).sum(),
    )


def _complaints(complaints: pl.DataFrame | None, talks: pl.DataFrame) -> pl.DataFrame | None:
    if complaints is None:
        return None
    counted = complaints.group_by("conversation_id").agg(n_complaints=pl.len())
    return talks.select("conversation_id").join(counted, on="conversation_id", how="left").fill_null(0)


def _strings(spoke: pl.DataFrame, last: pl.DataFrame) -> pl.DataFrame:
    """Strings of one to three characters: the customer's of the last third (客:…), the agents' of the whole talk (服:…)."""
    said = pl.concat([last.select("conversation_id", "customer", "text", who=pl.lit("客:")),
                      spoke.filter(~pl.col("is_customer")).select("conversation_id", "customer", "text", who=pl.lit("服:"))])  # fmt: skip
    plain = pl.col("text").str.to_lowercase().str.replace_all(r"\d", "0").str.replace_all(r"\s+", " ")
    letters = said.with_columns(
        message=pl.int_range(pl.len()), letter=(pl.lit("^") + plain + pl.lit("$")).str.split("")
    )
    letters = letters.explode("letter").drop("text")
    each, run = [], pl.lit("")
    for n in range(LONGEST):
        run = run + pl.col("letter").shift(-n).over("message")
        each.append(letters.select("conversation_id", "customer", string=pl.col("who") + run).drop_nulls().unique())
    found = pl.concat(each)
    return found.with_columns(share=1 / pl.len().over("conversation_id").sqrt()).sort("conversation_id", "string")


def apply(known: Talks, weights: Weights) -> pl.DataFrame:
    """-> (conversation_id, p), sorted; what is not known of a talk pushes it nowhere."""
    f = known.features
    logit = np.full(f.height, weights.bias)
    for name, (mean, spread, weight) in weights.features.items():
        logit += weight * np.nan_to_num((f[name].to_numpy() - mean) / spread)
    table = pl.DataFrame({"string": list(weights.strings), "weight": list(weights.strings.values())},
                         schema={"string": pl.String, "weight": pl.Float64})  # fmt: skip
    pushed = known.strings.join(table, on="string", maintain_order="left").group_by("conversation_id", maintain_order=True).agg(
        push=(pl.col("share") * pl.col("weight")).sum())  # fmt: skip
    more = (
        f.select("conversation_id")
        .join(pushed, on="conversation_id", how="left", maintain_order="left")["push"]
        .fill_null(0)
    )
    return f.select("conversation_id", p=pl.Series(1 / (1 + np.exp(-(logit + more.to_numpy())))))


def learn(known: Talks, is_satisfied: Bools, recipes: Sequence[Recipe], name: str) -> Weights:
    """Weights from rated talks (a label a row of `known.features`), sharpened or softened so that probabilities hold on talks left out.

    A later recipe is taken when it makes the talks left out likelier by more than a standard error of the difference
    (Breiman et al. 1984, the one-SE rule): few ratings teach few weights.
    """
    tried = [_learn(known, is_satisfied.astype(np.int64), recipe, name) for recipe in recipes]
    unlikely, chosen = tried[0]
    for loss, weights in tried[1:]:
        gain = unlikely - loss
        if gain.mean() > gain.std(ddof=1) / gain.size**0.5:
            unlikely, chosen = loss, weights
    return chosen


def _learn(known: Talks, label: Ints, recipe: Recipe, name: str) -> tuple[Floats, Weights]:
    """Each talk's log loss on inner folds, and the weights."""
    x, scale, strings = _design(known, recipe)
    strength = np.concatenate([np.full(len(scale), recipe.ridge), np.full(len(strings), recipe.strings_ridge), [1e-3]])
    rows = Rows(x, label, np.ones((label.size, 2), np.bool_), np.ones(label.size))
    w = fitting.fit(rows, strength=strength, enough=learning.ROUGH)
    held = _held_out(rows, strength, w)
    factor = _sharpness(held, label, rows.known)
    own = fitting.probability(held * factor)[np.arange(label.size), label]
    push = factor * (w[:, 1] - w[:, 0])
    means = {f: (m, s, round(float(push[k]), 4)) for k, (f, (m, s)) in enumerate(scale.items())}
    told = {s: round(float(v), 4) for s, v in zip(strings, push[len(scale) : -1], strict=True) if abs(v) >= 5e-4}
    return -np.log(np.maximum(own, 1e-12)), Weights(name, round(float(push[-1]), 4), means, told)


def _sharpness(logits: Floats, label: Ints, known: Bools) -> float:
    """The factor that makes the labels likeliest, by golden section between ¼ and 4, to three decimals."""

    def unlikely(log_factor: float) -> float:
        p = fitting.probability(logits * np.exp(log_factor), known)
        return float(-np.log(np.maximum(p[np.arange(label.size), label], 1e-12)).sum())

    low, high, golden = -np.log(4.0), np.log(4.0), (5**0.5 - 1) / 2
    while high - low > 1e-7:
        a, b = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, b) if unlikely(a) < unlikely(b) else (a, high)
    return round(float(np.exp(low)), 3)


def _held_out(rows: Rows, strength: Floats, start: Floats) -> Floats:
    fold, held = learning.folds(np.arange(rows.label.size)), np.zeros((rows.label.size, 2))
    for k in range(learning.FOLDS):
        w = fitting.fit(
            rows._replace(weight=(fold != k).astype(np.float64)), strength=strength, start=start, enough=learning.ROUGH
        )
        held[fold == k] = rows.x[fold == k] @ w
    return held


def _design(known: Talks, recipe: Recipe) -> tuple[Any, dict[str, tuple[float, float]], list[str]]:
    """The sparse matrix, the mean and spread of each feature that varies, and the strings that enough customers' talks have."""
    from scipy import sparse

    f = known.features
    wanted = (*(FEATURES if recipe.by_features else ()), *(ABOUT if recipe.by_topic else ()))
    columns = {c: f[c].drop_nulls().to_numpy().astype(np.float64) for c in wanted}
    spread = {c: (float(x.mean()), float(x.std(ddof=1))) for c, x in columns.items() if x.size > 1}
    varied = {c: (round(m, 6), 1.0 if c in ABOUT else round(sd, 6)) for c, (m, sd) in spread.items() if sd > 1e-6}
    dense = np.array([np.nan_to_num((f[c].to_numpy() - m) / s) for c, (m, s) in varied.items()]).T.reshape(
        f.height, len(varied)
    )
    s = known.strings if recipe.by_strings else known.strings.clear()
    s = s.filter(pl.col("customer").n_unique().over("string") >= LEAST_CUSTOMERS)
    strings = s["string"].unique().sort()
    number = f.select("conversation_id").with_row_index("row")
    placed = s.join(number, on="conversation_id").join(strings.to_frame().with_row_index("column"), on="string")
    part = sparse.csr_array((placed["share"].to_numpy(), (placed["row"].to_numpy(), placed["column"].to_numpy())),
                            shape=(f.height, len(strings)))  # fmt: skip
    return sparse.csr_array(sparse.hstack([dense, part, np.ones((f.height, 1))])), varied, strings.to_list()


def cross_validated(known: Talks, is_satisfied: Bools, recipes: Sequence[Recipe] = CHOICE) -> Floats:
    """P(satisfied) of each talk by a model that has not seen its fold; talks are the folds' unit."""
    ids = known.features["conversation_id"]
    fold, p = folds_of(ids), np.zeros(len(ids))
    for k in range(learning.FOLDS):
        inside = fold != k
        weights = learn(_some(known, inside), is_satisfied[inside], recipes, "fold")
        p[~inside] = apply(_some(known, ~inside), weights)["p"].to_numpy()
    return p


def folds_of(ids: pl.Series) -> Ints:
    """The fold of each talk."""
    return learning.folds(ids.rank("dense").to_numpy().astype(np.int64))


def _some(known: Talks, kept: Bools) -> Talks:
    features = known.features.filter(pl.Series(kept))
    return Talks(
        features,
        known.strings.join(features.select("conversation_id"), on="conversation_id", how="semi", maintain_order="left"),
    )


def both(p: Floats) -> Floats:
    """P(satisfied) as the three classes that `qc.judging` compares."""
    return np.stack([1 - p, np.zeros_like(p), p], axis=1)


def labels(is_satisfied: Bools) -> Ints:
    """Labels as `qc.judging` numbers them."""
    return np.where(is_satisfied, 2, 0)
