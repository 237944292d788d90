"""The interval of a mean (models/mart/macros.sql): Hall's by its definition, never past the mean, and it holds skewed amounts."""

from collections.abc import Iterator

import duckdb
import numpy as np
import polars as pl
import pytest
from scipy import stats

from pipelines.store import MODELS

MEANS = """
SELECT sample, avg(x) AS mean, mean_low(avg(x), stddev_samp(x), skewness(x), count(*)) AS low,
       mean_high(avg(x), stddev_samp(x), skewness(x), count(*)) AS high
FROM drawn GROUP BY sample ORDER BY sample
"""


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        for statement in (MODELS / "mart" / "macros.sql").read_text(encoding="utf-8").split(";\n"):
            if "MACRO figures" in statement:  # from here on they ask for the tables of a mart
                break
            con.execute(statement)
        yield con


def ends(con: duckdb.DuckDBPyConnection, samples: np.ndarray) -> np.ndarray:
    """One sample a row -> its mean, low and high a row."""
    n_samples, n = samples.shape
    con.register("drawn", pl.DataFrame({"sample": np.repeat(np.arange(n_samples), n), "x": samples.ravel()}))
    return np.array(con.execute(MEANS).fetchall(), dtype=float)[:, 1:]


def hall(amounts: np.ndarray) -> list[float]:
    """Where the transformed statistic W + γW²/3 + γ²W³/27 + γ/6n of the mean meets ±t/√n, by bisection."""
    n, skew, found = len(amounts), float(stats.skew(amounts, bias=False)), []
    for reach in stats.t.ppf([0.975, 0.025], n - 1) / np.sqrt(n):
        low, high = -1e3, 1e3
        for _ in range(100):
            w = (low + high) / 2
            is_low = w + skew * w**2 / 3 + skew**2 * w**3 / 27 + skew / (6 * n) < reach
            low, high = (w, high) if is_low else (low, w)
        found.append(float(amounts.mean() - amounts.std(ddof=1) * low))
    return found


def test_the_interval_of_a_mean_is_hall_s(con: duckdb.DuckDBPyConnection) -> None:
    for n in (6, 30, 260):
        amounts = np.random.default_rng(n).lognormal(5, 1, n)
        assert list(ends(con, amounts[None])[0][1:]) == pytest.approx(hall(amounts), rel=5e-3)
    for n in (4, 9, 100):
        ((t,),) = con.execute("SELECT t95(?)", [n]).fetchall()
        assert t == pytest.approx(stats.t.ppf(0.975, n - 1), rel=8e-3)


def test_equal_lopsided_and_two_amounts_keep_their_mean_inside(con: duckdb.DuckDBPyConnection) -> None:
    for amounts in (
        [0.1] * 9,
        [7.0, 7.0],
        [0.0] * 99 + [1e6],
        [100.0] * 50 + [0.0],
        [0.1] * 8 + [0.1 + 1e-15],
        [1.0, 2.0],
    ):
        mean, low, high = ends(con, np.array([amounts]))[0]
        assert low <= mean + 1e-12 and mean <= high + 1e-12
        assert np.isfinite([low, high]).all()
    assert list(ends(con, np.full((1, 9), 4.5))[0]) == [4.5, 4.5, 4.5]


def test_it_holds_the_mean_of_skewed_amounts_where_the_normal_interval_does_not(con: duckdb.DuckDBPyConnection) -> None:
    """4,000 samples of 30 exponential amounts (skewness 2): 95 % of intervals are due; the normal ones lie too low."""
    samples, truth, n = np.random.default_rng(1).exponential(1, (4000, 30)), 1.0, 30
    mean, low, high = ends(con, samples).T
    reach = 1.96 * samples.std(axis=1, ddof=1) / np.sqrt(n)
    normal, held = np.abs(mean - truth) <= reach, (low <= truth) & (truth <= high)
    assert normal.mean() < 0.925 and 0.94 < held.mean() < 0.96
    assert (high < truth).mean() < 0.5 * (mean + reach < truth).mean()
