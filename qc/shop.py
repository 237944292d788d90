"""The shop model: P(negative, neutral, positive) of a customer's message from the character n-grams in it.

logits = bias + Σ weight(gram) / √(known characters in the text), probabilities by softmax. Nothing but sums of whole
numbers, so that every verdict can be taken apart into the grams that made it (`explain`), and no order of texts, batch
or thread changes a digit.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from qc import grams
from qc.fitting import probability
from qc.grams import Reading, Small, Trie
from qc.snow import Floats

CLASSES = ("negative", "neutral", "positive")
STEP = 1000  # weights are whole numbers of 1 / STEP: what another machine's arithmetic computes rounds to the same
BATCH_TEXTS = 1 << 13  # texts at a time: what is looked up for them stays in the processor's cache


class Weights(NamedTuple):
    """What the model has learnt; `pipelines.shop_weights` reads and writes it."""

    version: str
    known: Trie
    negative: npt.NDArray[np.int16]  # by node, in 1 / STEP
    positive: npt.NDArray[np.int16]  # … and neutral = −(negative + positive): only differences between classes count
    bias: npt.NDArray[np.int16]  # (classes,), in 1 / STEP


def score(texts: pl.Series, weights: Weights) -> Floats:
    """Texts, none of them NULL -> (texts, classes), each row adding up to 1."""
    return probability(logits(texts, weights))


def logits(texts: pl.Series, weights: Weights) -> Floats:
    """Texts, none of them NULL -> (texts, classes)."""
    edges = [*range(0, len(texts), BATCH_TEXTS), len(texts)]
    parts = [_logits(texts[a:b], weights) for a, b in pairwise(edges)]
    return np.concatenate([np.zeros((0, len(CLASSES))), *parts])


def explain(text: str, weights: Weights) -> pl.DataFrame:
    """What pushed where: (gram, class, contribution), the bias first as ''; a class's contributions add up to its logit."""
    read = grams.read(pl.Series([text]), weights.known.alphabet)
    nodes = np.concatenate([n for _, n in grams.occurrences(read, weights.known)])
    negative, positive = weights.negative[nodes].astype(np.float64), weights.positive[nodes].astype(np.float64)
    share = np.stack([negative, -negative - positive, positive], axis=1) * scale(read)[0]
    spelt = grams.spelt(weights.known, nodes)
    pushes = pl.DataFrame(np.vstack([weights.bias / STEP, share]), schema=list(CLASSES)).with_columns(gram=pl.Series(["", *spelt]))
    return (
        pushes.group_by("gram", maintain_order=True).sum()
        .unpivot(index="gram", variable_name="class", value_name="contribution")
    )  # fmt: skip


def scale(read: Reading) -> Floats:
    """What a gram counts in a text of n known characters: 1 / √n, so that long texts are no surer than they should be."""
    n = np.bincount(read.text[read.codes > grams.EDGE_CODE], minlength=read.n_texts)
    return np.asarray(1 / (STEP * np.sqrt(np.maximum(n, 1))))


def _logits(texts: pl.Series, weights: Weights) -> Floats:
    read = grams.read(texts, weights.known.alphabet)
    sums = np.zeros((2, len(texts)))
    for text, nodes in grams.occurrences(read, weights.known):
        for n, weight in enumerate((weights.negative, weights.positive)):
            sums[n] += np.bincount(text, weight[nodes], minlength=len(texts))
    negative, positive = sums
    return np.asarray(np.stack([negative, -negative - positive, positive], axis=1) * scale(read)[:, None] + weights.bias / STEP)
