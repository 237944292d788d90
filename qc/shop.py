"""The shop model: P(negative, neutral, positive) of a customer's message from the character n-grams in it.

logits = bias + Σ weight(gram) / (known characters in the text) ^ ¾, probabilities by softmax. Nothing but sums of whole
numbers, so that every verdict can be taken apart into the grams that made it (`explain`), and no order of texts, batch
or thread changes a digit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from qc import grams
from qc.fitting import probability
from qc.grams import Reading, Trie
from qc.snow import Floats

Small16 = npt.NDArray[np.int16]
CLASSES = ("negative", "neutral", "positive")
LENGTH_POWER = 0.75  # by cross-validation: 0 sums what is said, 1 takes its mean
STEP = 1000  # weights are whole numbers of 1 / STEP: what another machine's arithmetic computes rounds to the same
BATCH_TEXTS = 1 << 13  # texts at a time: what is looked up for them stays in the processor's cache


class Weights(NamedTuple):
    """What the model has learnt; `pipelines.shop_weights` reads and writes it."""

    version: str
    known: Trie
    negative: Small16  # by node, in 1 / STEP
    positive: Small16  # … and neutral = −(negative + positive): only differences between classes count
    bias: Small16  # (classes,), in 1 / STEP


def weights(name: str, known: Trie, negative: Small16, positive: Small16, bias: Small16) -> Weights:
    """Weights whose version names them and what they say: whoever learns anything else gets another version."""
    digest = hashlib.sha256(known.alphabet.encode())
    for array in (known.base, known.parent, negative, positive, bias):
        digest.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes())
    return Weights(f"{name}-{digest.hexdigest()[:12]}", known, negative, positive, bias)


def score(texts: pl.Series, weights: Weights) -> Floats:
    """Texts, none of them NULL -> (texts, classes), each row adding up to 1."""
    return probability(logits(texts, weights))


def logits(texts: pl.Series, weights: Weights) -> Floats:
    """Texts, none of them NULL -> (texts, classes)."""
    edges = [*range(0, len(texts), BATCH_TEXTS), len(texts)]
    parts = [_logits(texts[a:b], weights) for a, b in pairwise(edges)]
    return np.concatenate([np.zeros((0, len(CLASSES))), *parts])


def table(weights: Weights) -> pl.DataFrame:
    """What every gram weighs -> (gram, negative, neutral, positive), sorted; '' is the bias.

    With it a verdict can be checked by hand: Σ weights of the text's grams ÷ its known characters ^ LENGTH_POWER + bias.
    """
    nodes = np.flatnonzero(weights.known.parent >= 0).astype(np.int32)
    negative, positive = weights.negative[nodes].astype(np.float64), weights.positive[nodes].astype(np.float64)
    columns = np.vstack([weights.bias, np.stack([negative, -negative - positive, positive], axis=1)]) / STEP
    said = ["", *(gram.replace(grams.EDGE, grams.EDGE_SIGN) for gram in grams.spelt(weights.known, nodes))]
    return pl.DataFrame(columns, schema=list(CLASSES)).select(pl.Series("gram", said), *CLASSES).sort("gram")


def explain(text: str, by_gram: Mapping[str, Sequence[float]]) -> pl.DataFrame:
    """What pushed where: (gram, class, contribution), the bias first as ''; a class's contributions add up to its logit.

    `by_gram` is `table` as gram → (negative, neutral, positive).
    """
    found = [gram for gram in grams.listed(text) if gram in by_gram]
    n_known = sum(len(gram) == 1 for gram in found)
    power = max(n_known, 1) ** -LENGTH_POWER
    rows = [("", *by_gram[""]), *((gram, *(w * power for w in by_gram[gram])) for gram in found)]
    pushes = pl.DataFrame(rows, schema=["gram", *CLASSES], orient="row").group_by("gram", maintain_order=True).sum()
    return pushes.unpivot(index="gram", variable_name="class", value_name="contribution")


def scale(read: Reading) -> Floats:
    """What a gram counts in each text, by its length: a long text is surer than a short one, but not in proportion."""
    n = np.bincount(read.text[read.codes > grams.EDGE_CODE], minlength=read.n_texts)
    return np.maximum(n, 1.0) ** -LENGTH_POWER


def _logits(texts: pl.Series, weights: Weights) -> Floats:
    read = grams.read(texts, weights.known.alphabet)
    sums = np.zeros((2, len(texts)))
    for text, nodes in grams.occurrences(read, weights.known):
        for n, weight in enumerate((weights.negative, weights.positive)):
            sums[n] += np.bincount(text, weight[nodes], minlength=len(texts))
    negative, positive = sums
    both = np.stack([negative, -negative - positive, positive], axis=1)
    return np.asarray((both * scale(read)[:, None] + weights.bias) / STEP)
