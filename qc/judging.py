"""How good is a model on labelled texts: ranking, decisions, calibration, each with an interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qc.snow import Bools, Floats, Ints

NEGATIVE, NEUTRAL, POSITIVE = 0, 1, 2
BINS = 10
DRAWS = 400
LEAST_P = 1e-3  # a label that was called impossible costs no more than this in the log loss


class Case(NamedTuple):
    """Labelled texts and what a model said of them."""

    p: Floats  # (rows, classes), negative, neutral, positive
    label: Ints
    group: Ints  # what is drawn together: the conversation


class Estimate(NamedTuple):
    """A value with its 95 % interval; NaN where the labels do not allow one."""

    value: float
    low: float
    high: float


def _auc(score: Floats, is_one: Bools) -> Callable[[Floats], float]:
    """P(score of a one > score of a zero), ties counting half, as a function of the rows' weights (Mann & Whitney 1947)."""
    order = np.argsort(score, kind="stable")
    score, is_one = score[order], is_one[order]
    start = np.flatnonzero(np.append(True, score[1:] != score[:-1])) if score.size else np.zeros(0, np.int64)

    def value(weight: Floats) -> float:
        w = weight[order]
        ones, zeros = np.add.reduceat(w * is_one, start), np.add.reduceat(w * ~is_one, start)
        pairs = ones.sum() * zeros.sum()
        return float((ones * (np.cumsum(zeros) - zeros / 2)).sum() / pairs) if pairs else float("nan")

    return value if score.size else lambda _: float("nan")


def _share(hit: Bools, among: Bools) -> Callable[[Floats], float]:
    def value(weight: Floats) -> float:
        n = float(weight[among].sum())
        return float(weight[hit & among].sum()) / n if n else float("nan")

    return value


def measures(case: Case) -> dict[str, Callable[[Floats], float]]:
    """Name → the measure as a function of the rows' weights. What the labels do not tell apart gives NaN.

    `auc_polar`: a positive above a negative, by P(positive) − P(negative); `auc_negative`: a negative above the rest, by
    P(negative), where neutral is labelled; decisions are the most probable of the labelled classes.
    """
    p, said = _among(case), _among(case).argmax(axis=1)
    label, ranked = case.label, case.p[:, POSITIVE] - case.p[:, NEGATIVE]
    polar, every = label != NEUTRAL, np.ones(label.size, np.bool_)
    own = -np.log(np.maximum(p[np.arange(label.size), label], LEAST_P))
    return {
        "auc_polar": _inside(polar, _auc(ranked[polar], label[polar] == POSITIVE)),
        "auc_negative": _auc(case.p[:, NEGATIVE], label == NEGATIVE)
        if (label == NEUTRAL).any()
        else lambda _: float("nan"),
        "accuracy": _share(said == label, every),
        "recall_negative": _share(said == label, label == NEGATIVE),
        "recall_neutral": _share(said == label, label == NEUTRAL),
        "recall_positive": _share(said == label, label == POSITIVE),
        "precision_negative": _share(said == label, said == NEGATIVE),
        "precision_neutral": _share(said == label, said == NEUTRAL),
        "precision_positive": _share(said == label, said == POSITIVE),
        "log_loss": lambda weight: float((weight * own).sum() / weight.sum()),
        "ece": _ece(p, label),
    }


def _inside(kept: Bools, measure: Callable[[Floats], float]) -> Callable[[Floats], float]:
    return lambda weight: measure(weight[kept])


def _among(case: Case) -> Floats:
    """Probabilities of the classes that are labelled, given that it is one of them."""
    kept = np.where(np.isin(np.arange(case.p.shape[1]), case.label), case.p, 0.0)
    return np.asarray(kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-12))


def _ece(p: Floats, label: Ints) -> Callable[[Floats], float]:
    """Expected calibration error (Naeini 2015), ten bins of equal width, mean over the labelled classes."""
    found = [k for k in range(p.shape[1]) if (label == k).any()]
    cells = np.minimum((p * BINS).astype(np.int64), BINS - 1)

    def value(weight: Floats) -> float:
        gaps = [np.abs(np.bincount(cells[:, k], weight * (p[:, k] - (label == k)), BINS)).sum() for k in found]
        return float(np.mean(gaps) / weight.sum())

    return value


def estimates(case: Case, draws: int = DRAWS) -> dict[str, Estimate]:
    """Every measure with the interval of a bootstrap over the groups (Efron; percentiles)."""
    functions = measures(case)
    drawn = [{name: f(w) for name, f in functions.items()} for w in _draws(case.group, draws)]
    whole = np.ones(case.label.size)
    return {name: _estimate(f(whole), np.array([d[name] for d in drawn])) for name, f in functions.items()}


def differences(case: Case, other: Floats, draws: int = DRAWS) -> dict[str, Estimate]:
    """Case's measures minus those of the probabilities `other` on the same texts, paired draw by draw."""
    ours, theirs = measures(case), measures(case._replace(p=other))
    weights = [np.ones(case.label.size), *_draws(case.group, draws)]
    gaps = {name: np.array([ours[name](w) - theirs[name](w) for w in weights]) for name in ours}
    return {name: _estimate(float(gap[0]), gap[1:]) for name, gap in gaps.items()}


def _estimate(value: float, drawn: npt.NDArray[np.float64]) -> Estimate:
    if np.isnan(value) or np.isnan(drawn).all():
        return Estimate(float("nan"), float("nan"), float("nan"))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def _draws(group: Ints, draws: int) -> list[Floats]:
    """Weights of the rows: how often their group was drawn. The same questions get the same dice every time."""
    _, number = np.unique(group, return_inverse=True)
    n = int(number.max()) + 1
    dice = np.random.default_rng(20260901)
    return [np.bincount(dice.integers(0, n, n), minlength=n)[number].astype(np.float64) for _ in range(draws)]


def confusion(case: Case) -> Ints:
    """(labelled, said) counts; said is the most probable of the labelled classes."""
    table = np.zeros((3, 3), np.int64)
    np.add.at(table, (case.label, _among(case).argmax(axis=1)), 1)
    return table


def reliability(case: Case) -> list[tuple[int, float, float, int]]:
    """(class, mean probability, share of the class, n) of every bin that holds texts."""
    p, rows = _among(case), []
    for k in np.unique(case.label).tolist():
        cell = np.minimum((p[:, k] * BINS).astype(np.int64), BINS - 1)
        rows += [(k, float(p[cell == b, k].mean()), float((case.label[cell == b] == k).mean()), int((cell == b).sum()))
                 for b in np.unique(cell).tolist()]  # fmt: skip
    return rows


def mistakes(case: Case, most: int = 50) -> Ints:
    """Rows that were wrong, the surest first."""
    p = _among(case)
    said = p.argmax(axis=1)
    wrong = np.flatnonzero(said != case.label)
    sure = p[wrong, said[wrong]] - p[wrong, case.label[wrong]]
    return wrong[np.argsort(-sure, kind="stable")[:most]]
