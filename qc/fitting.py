"""Multinomial logistic regression with partly known labels: a convex problem, solved to the last digits.

A row whose data set knows only some classes (a review is good or bad, nobody asked whether it is neutral) counts by the
probability of its class *among those*: it teaches what tells the classes apart and nothing about the others.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qc.snow import Bools, Floats, Ints

ENOUGH = 1e-10  # of the gradient's length where all weights are 0
PRECISION = 0.03  # of a Newton direction: a better one costs more than the next step
MOST_NEWTON, MOST_CG = 100, 500


class Rows(NamedTuple):
    """What is learnt from: a row a text."""

    x: Any  # scipy.sparse.csr_array (rows, features)
    label: Ints  # class
    known: Bools  # (rows, classes): the classes that its data set tells apart
    weight: Floats


def fit(
    rows: Rows, *, strength: Floats, start: Floats | None = None, offset: Floats | None = None, enough: float = ENOUGH
) -> Floats:
    """Weights (features, classes) that maximise Σ weight · log P(label | known) − ½ Σ strength · w².

    `strength` (features,) is the ridge of each feature, `offset` (rows, classes) are logits that stand already.
    Newton steps by conjugate gradients with halving (Nocedal & Wright, Numerical Optimization, algorithm 7.1).
    """
    nothing = np.zeros((rows.x.shape[1], rows.known.shape[1]))
    w = (
        nothing if start is None else start - start.mean(axis=1, keepdims=True)
    )  # what all classes share says nothing and costs
    xt = rows.x.T.tocsr()
    value, p, gradient = _slope(rows, xt, nothing, strength, offset)
    least = enough * float(np.linalg.norm(gradient))
    for _ in range(MOST_NEWTON):
        value, p, gradient = _slope(rows, xt, w, strength, offset)
        size = float(np.linalg.norm(gradient))
        if size <= least:
            break
        direction = _direction(rows, xt, p, gradient, strength, goal=max(0.3 * least, PRECISION * size))
        w = _walk(rows, w, direction, gradient, value, strength, offset)
    return w


def _slope(rows: Rows, xt: Any, w: Floats, strength: Floats, offset: Floats | None) -> tuple[float, Floats, Floats]:
    """The loss, the probabilities, and the loss's gradient."""
    value, p = _loss(rows, w, strength, offset)
    return value, p, xt @ (rows.weight[:, None] * (p - np.eye(p.shape[1])[rows.label])) + strength[:, None] * w


def probability(logits: Floats, known: Bools | None = None) -> Floats:
    """softmax over the classes that are known."""
    z = logits if known is None else np.where(known, logits, -np.inf)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def _loss(rows: Rows, w: Floats, strength: Floats, offset: Floats | None) -> tuple[float, Floats]:
    z = rows.x @ w if offset is None else rows.x @ w + offset
    p = probability(z, rows.known)
    own = np.maximum(p[np.arange(rows.label.size), rows.label], 1e-300)
    return float(-(rows.weight * np.log(own)).sum() + 0.5 * (strength[:, None] * w * w).sum()), p


def _direction(rows: Rows, xt: Any, p: Floats, gradient: Floats, strength: Floats, *, goal: float) -> Floats:
    """The Newton direction −H⁻¹g, near enough; preconditioned by the ridge and the data's own curvature.

    A gradient's classes add up to 0, and so does the direction: it is sought in the coordinates of that plane, one fewer.
    """
    plane = _plane(p.shape[1])

    def curved(v: Floats) -> Floats:
        u = (rows.x @ v) @ plane.T
        bend = rows.weight[:, None] * p * (u - (p * u).sum(axis=1, keepdims=True))
        return np.asarray(xt @ (bend @ plane) + strength[:, None] * v)

    squared = xt.copy()
    squared.data = squared.data**2
    diagonal = squared @ (rows.weight[:, None] * (p @ plane**2 - (p @ plane) ** 2)) + strength[:, None]
    r = -gradient @ plane
    x, y = np.zeros_like(r), r / diagonal
    d, ry = y.copy(), float((r * y).sum())
    for _ in range(MOST_CG):
        if float(np.linalg.norm(r)) <= goal:
            break
        h = curved(d)
        a = ry / float((d * h).sum())
        x, r = x + a * d, r - a * h
        y = r / diagonal
        ry, before = float((r * y).sum()), ry
        d = y + ry / before * d
    return np.asarray(x @ plane.T)


def _plane(n: int) -> Floats:
    """(n, n − 1): orthonormal directions that add up to 0 (Helmert), so that lengths, and with them the ridge, stay what they are."""
    steps = np.triu(np.ones((n, n - 1)))
    steps[np.arange(1, n), np.arange(n - 1)] = -np.arange(1.0, n)
    return np.asarray(steps / np.linalg.norm(steps, axis=0))


def _walk(
    rows: Rows, w: Floats, direction: Floats, gradient: Floats, value: float, strength: Floats, offset: Floats | None
) -> Floats:
    """As far along the direction as the loss falls enough (Armijo)."""
    slope, length = float((gradient * direction).sum()), 1.0
    while length > 1e-4:
        if _loss(rows, w + length * direction, strength, offset)[0] <= value + 1e-4 * length * slope + 1e-9 * abs(
            value
        ):
            break
        length /= 2
    return w + length * direction
