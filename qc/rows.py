"""Loops over rows that no library has as one: equal ones numbered, in order by small numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from qc.compiled import Bools, Integers, Ints, Small, compiled

Rows = npt.NDArray[np.uint32]  # numbers of rows, as polars has them


def numbered(values: pl.Series) -> tuple[Small, Rows]:
    """(which of the distinct values each one is, in order of appearance; where each of these stands first).

    By their hashes, unless two values share one.
    """
    which, first = _numbered(values.hash().to_numpy().view(np.int64))
    if values[first][which].eq_missing(values).all():
        return which, first
    return _numbered(values.rank("dense").fill_null(0).cast(pl.Int64).to_numpy())


@compiled
def _numbered(keys: Ints) -> tuple[Small, Rows]:
    size = 16
    while size < 2 * keys.size:
        size *= 2
    taken, n = np.full(size, -1, np.int32), 0
    which, first = np.empty(keys.size, np.int32), np.empty(keys.size, np.uint32)
    for row in range(keys.size):
        slot = keys[row] & size - 1
        while taken[slot] >= 0 and keys[first[taken[slot]]] != keys[row]:
            slot = slot + 1 & size - 1
        if taken[slot] < 0:
            taken[slot], first[n] = n, row
            n += 1
        which[row] = taken[slot]
    return which, first[:n].copy()


def in_order(number: Integers, n: int) -> Rows:
    """The rows in order of a number below n, those with the same one in the order they come in."""
    return _in_order(number.astype(np.int32, copy=False), edges(number, n))


@compiled
def _in_order(number: Small, begin: Small) -> Rows:
    order, at = np.empty(number.size, np.uint32), begin.copy()
    for row in range(number.size):
        order[at[number[row]]] = row
        at[number[row]] += 1
    return order


def edges(number: Integers, n: int) -> Small:
    """Where the rows of each number begin, once they are in order, and the end."""
    return np.append(np.int32(0), np.cumsum(np.bincount(number, minlength=n), dtype=np.int32))


@compiled
def spread(of: Small, is_asked: Bools, parts: Rows, begin: Small) -> tuple[Rows, Rows]:
    """(row, part) of the parts[begin[n]:begin[n + 1]] of whatever each row is of, if it is asked about; of nothing, -1, none."""
    n = 0
    for row in range(of.size):
        if of[row] >= 0 and is_asked[row]:
            n += begin[of[row] + 1] - begin[of[row]]
    rows, taken, k = np.empty(n, np.uint32), np.empty(n, np.uint32), 0
    for row in range(of.size):
        if of[row] >= 0 and is_asked[row]:
            for part in parts[begin[of[row]] : begin[of[row] + 1]]:
                rows[k], taken[k] = row, part
                k += 1
    return rows, taken


def marked(numbers: npt.ArrayLike, n: int) -> Bools:
    """Which of the numbers below n are among these."""
    is_marked = np.zeros(n, np.bool_)
    is_marked[np.asarray(numbers, np.int64)] = True
    return is_marked
