"""Measures against plain definitions, and the solver against its own optimum."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from qc import fitting, judging, learning
from qc.fitting import Rows
from qc.judging import Case

ROWS = st.lists(
    st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.sampled_from([0.0, 0.05])),
    min_size=3,
    max_size=30,
)


def case(rows: list[tuple[int, float, float]]) -> Case:
    p = np.array([[a, 1 - a - b, b] for _, a, b in rows])
    return Case(p, np.array([label for label, _, _ in rows]), np.arange(len(rows)))


@given(ROWS)
def test_auc_counts_pairs(rows: list[tuple[int, float, float]]) -> None:
    got = judging.measures(case(rows))["auc_polar"](np.ones(len(rows)))
    bad, good = ([b - a for label, a, b in rows if label == k] for k in (0, 2))
    pairs = [(g > b) + 0.5 * (g == b) for b, g in product(bad, good)]
    assert got == pytest.approx(np.mean(pairs)) if pairs else np.isnan(got)


@given(ROWS, st.integers(0, 2**20))
def test_a_weight_of_two_is_the_row_twice(rows: list[tuple[int, float, float]], seed: int) -> None:
    twice = np.random.default_rng(seed).integers(1, 3, len(rows))
    doubled = [row for row, n in zip(rows, twice, strict=True) for _ in range(n)]
    for name, measure in judging.measures(case(rows)).items():
        other = judging.measures(case(doubled))[name](np.ones(len(doubled)))
        assert measure(twice.astype(float)) == pytest.approx(other, nan_ok=True), name


def test_a_model_that_says_what_is_so_is_calibrated() -> None:
    label = np.array([0] * 5 + [1] * 3 + [2] * 2)
    same = Case(np.tile([0.5, 0.3, 0.2], (10, 1)), label, np.arange(10))
    assert judging.estimates(same, 20)["ece"].value == pytest.approx(0)
    assert judging.estimates(same._replace(p=np.tile([1.0, 0.0, 0.0], (10, 1))), 20)["ece"].value == pytest.approx(
        (0.5 + 0.3 + 0.2) / 3
    )


def test_two_classes_are_judged_between_themselves() -> None:
    polar = Case(np.array([[0.2, 0.7, 0.1], [0.1, 0.8, 0.1001]]), np.array([0, 2]), np.arange(2))
    got = judging.estimates(polar, 5)
    assert got["accuracy"].value == 1 and np.isnan(got["auc_negative"].value) and np.isnan(got["recall_neutral"].value)


def test_a_model_gains_nothing_over_itself() -> None:
    one = case([(0, 0.9, 0.05), (1, 0.1, 0.0), (2, 0.2, 0.05), (0, 0.1, 0.0)])
    gains = judging.differences(one, one.p, 20).values()
    assert {e.value for e in gains if not np.isnan(e.value)} == {0.0}


def test_the_worst_mistakes_come_first() -> None:
    found = judging.mistakes(case([(0, 0.9, 0.05), (2, 0.5, 0.0), (2, 0.9, 0.0), (1, 0.1, 0.0)]))
    assert found.tolist() == [2, 1]


@pytest.fixture
def rows() -> Rows:
    dice = np.random.default_rng(7)
    label = dice.integers(0, 3, 80)
    known = np.ones((80, 3), np.bool_)
    known[:40, 1], label[:40] = False, np.where(label[:40] == 1, 0, label[:40])
    return Rows(sparse.csr_array(dice.random((80, 6)).round(1)), label, known, np.where(np.arange(80) < 40, 0.5, 1.0))


def test_the_solution_is_the_optimum(rows: Rows) -> None:
    ridge = np.full(6, 0.1)
    w = fitting.fit(rows, strength=ridge)
    p = fitting.probability(rows.x @ w, rows.known)
    gradient = rows.x.T @ (rows.weight[:, None] * (p - np.eye(3)[rows.label])) + ridge[:, None] * w
    assert np.abs(gradient).max() < 1e-8
    assert w.sum(axis=1) == pytest.approx(0, abs=1e-8)  # only differences between classes count
    assert fitting.fit(rows, strength=ridge, start=np.ones((6, 3))) == pytest.approx(w, abs=1e-8)


def test_a_source_without_neutral_says_nothing_of_neutral(rows: Rows) -> None:
    reviews = rows._replace(x=rows.x[:40], label=rows.label[:40], known=rows.known[:40], weight=rows.weight[:40])
    w = fitting.fit(reviews, strength=np.full(6, 0.1))
    assert np.abs(w[:, 1]).max() < 1e-9 and np.abs(w[:, 0]).max() > 0.1


def test_what_stands_already_is_where_it_starts(rows: Rows) -> None:
    ridge = np.full(6, 0.1)
    w = fitting.fit(rows, strength=ridge)
    held_fast = fitting.fit(rows, strength=np.full(6, 1e9), offset=rows.x @ w)
    assert np.abs(held_fast).max() < 1e-6


def test_folds_keep_groups_whole_and_go_by_name_not_by_place() -> None:
    group = np.repeat(np.arange(23), 3)
    fold = learning.folds(group)
    assert all(np.unique(fold[group == g]).size == 1 for g in range(23)) and set(fold) == set(range(learning.FOLDS))
    order = np.random.default_rng(1).permutation(group.size)
    assert (learning.folds(group[order]) == fold[order]).all()
