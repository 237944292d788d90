"""How the shop model is learnt: labelled texts in, weights out. The way of scoring is `qc.shop`'s, the solver `qc.fitting`'s."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from qc import fitting, grams, shop
from qc.fitting import Rows
from qc.grams import Trie
from qc.shop import CLASSES, STEP, Weights
from qc.snow import Bools, Floats, Ints

FOLDS = 5
ROUGH = 1e-3  # of the solver, for folds: what is measured on them needs no more


class Labelled(NamedTuple):
    """One source of labelled texts."""

    texts: pl.Series
    label: Ints  # index in CLASSES
    group: Ints  # what must not be torn apart by folds: a customer, a conversation
    weight: Floats
    least: int = 2  # texts that a gram must stand in to be known; where a model is adapted, groups
    doubt: Floats | None = None  # of each text: how much of it counts as negative, whatever its label


class Recipe(NamedTuple):
    """How much the weights are held back: the ridge of every gram; the bias is nearly free.

    `sharpness` and `shift`, by class: what the logits are multiplied by and what is added when the weights are found
    (vector scaling, Guo et al. 2017).
    """

    ridge: float
    bias_ridge: float = 1e-3
    sharpness: tuple[float, ...] = (1.0, 1.0, 1.0)
    shift: tuple[float, ...] = (0.0, 0.0, 0.0)


def learn(own: Labelled, others: Sequence[Labelled], recipe: Recipe, name: str) -> Weights:
    """Weights from nothing: `own` is what the model is for; `others` lend it their vocabulary."""
    sets = [own, *others]
    texts = pl.concat([s.texts for s in sets])
    source = np.repeat(np.arange(len(sets)), [len(s.texts) for s in sets])
    known = grams.trie(_grams(texts, source, sets))
    rows = _rows(texts, known, sets)
    return _rounded(name, known, _calibrated(fitting.fit(_doubted(rows, sets), strength=_ridge(rows, recipe)), recipe))


def adapt(base: Weights, own: Labelled, recipe: Recipe, name: str) -> Weights:
    """Weights that start from a model's own and move as far as the labels give reason to; further grams join them.

    A gram joins when `own.least` groups have it, however often one of them says it: nobody's own words are kept.
    """
    known = grams.trie(sorted({*_shared_grams(own), *_known_grams(base)}))
    stands = _moved(base, known)
    rows = _rows(own.texts, known, [own])
    w = stands + fitting.fit(rows, strength=_ridge(rows, recipe), offset=rows.x @ stands, enough=ROUGH)
    return _rounded(name, known, w)


def folds(group: Ints, n: int = FOLDS) -> Ints:
    """A fold for each row; rows of a group share it, and it does not depend on the order of the rows."""
    digest = {g: hashlib.sha256(str(g).encode()).digest() for g in np.unique(group).tolist()}
    rank = {g: k % n for k, g in enumerate(sorted(digest, key=digest.__getitem__))}
    return np.array([rank[g] for g in group.tolist()], np.int64)


def classes(label: Ints) -> Bools:
    """Which classes a source tells apart: those that it has."""
    return np.isin(np.arange(len(CLASSES)), label)


def _grams(texts: pl.Series, source: Ints, sets: Sequence[Labelled]) -> list[str]:
    alphabet = grams.characters(texts)
    return grams.frequent(grams.read(texts, alphabet), alphabet, source, [s.least for s in sets])


def _shared_grams(own: Labelled) -> list[str]:
    """Grams that enough groups have."""
    alphabet = grams.characters(own.texts)
    read = grams.read(own.texts, alphabet)
    groups, number = np.unique(own.group, return_inverse=True)
    speaker = number[np.minimum(read.text, len(own.texts) - 1)].astype(np.int32)
    return grams.frequent(read._replace(text=speaker), alphabet, np.zeros(groups.size, np.int64), [own.least])


def _rows(texts: pl.Series, known: Trie, sets: Sequence[Labelled]) -> Rows:
    return Rows(
        features(texts, known),
        np.concatenate([s.label for s in sets]),
        np.concatenate([np.tile(classes(s.label), (len(s.texts), 1)) for s in sets]),
        np.concatenate([s.weight for s in sets]),
    )


def _doubted(rows: Rows, sets: Sequence[Labelled]) -> Rows:
    """A text in doubt is two rows: so much of it negative, the rest what its label says."""
    from scipy import sparse

    doubt = np.concatenate([np.zeros(len(s.texts)) if s.doubt is None else s.doubt for s in sets])
    again = np.flatnonzero(doubt)
    return Rows(
        sparse.csr_array(sparse.vstack([rows.x, rows.x[again]])),
        np.append(rows.label, np.zeros(again.size, np.int64)),
        np.concatenate([rows.known, rows.known[again]]),
        np.append(rows.weight * (1 - doubt), (rows.weight * doubt)[again]),
    )


def _calibrated(w: Floats, recipe: Recipe) -> Floats:
    """Scaled and shifted by class; what all classes share says nothing and is taken out, so that the three still add up to 0."""
    scaled = w * np.array(recipe.sharpness)
    scaled[-1] += recipe.shift
    return np.asarray(scaled - scaled.mean(axis=1, keepdims=True))


def features(texts: pl.Series, known: Trie) -> Any:
    """What `qc.shop` multiplies with the weights: (texts, nodes and a last column for the bias), sparse."""
    from scipy import sparse

    read = grams.read(texts, known.alphabet)
    text, node = (np.concatenate(part) for part in zip(*grams.occurrences(read, known), strict=True))
    size = (len(texts), known.base.size)
    x = sparse.csr_array((shop.scale(read)[text], (text, node)), shape=size)
    return sparse.csr_array(sparse.hstack([x, np.ones((len(texts), 1))]))


def _ridge(rows: Rows, recipe: Recipe) -> Floats:
    return np.append(np.full(rows.x.shape[1] - 1, recipe.ridge), recipe.bias_ridge)


def _known_grams(weights: Weights) -> list[str]:
    return grams.spelt(weights.known, np.flatnonzero(weights.known.parent >= 0).astype(np.int32))


def _moved(base: Weights, known: Trie) -> Floats:
    """A model's weights in the places of a larger trie, the bias last."""
    nodes = np.flatnonzero(base.known.parent >= 0).astype(np.int32)
    place = grams.nodes(grams.spelt(base.known, nodes), known)
    moved = np.zeros((known.base.size + 1, len(CLASSES)))
    negative, positive = base.negative[nodes] / STEP, base.positive[nodes] / STEP
    moved[place] = np.stack([negative, -negative - positive, positive], axis=1)
    moved[-1] = base.bias / STEP
    return moved


def _rounded(name: str, known: Trie, w: Floats) -> Weights:
    """Whole numbers; the version is the name and what was learnt."""
    whole = np.round(w * STEP)
    if np.abs(whole).max() >= 1 << 15:
        raise ValueError(f"a weight of {np.abs(w).max():.1f} does not fit; give more ridge")
    small = whole.astype(np.int16)
    return shop.weights(name, known, small[:-1, 0], small[:-1, 2], small[-1])
