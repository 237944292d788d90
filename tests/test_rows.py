"""Loops over rows, against the same in plain Python."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qc.rows import edges, in_order, numbered, spread

FEW = st.lists(st.integers(0, 6), max_size=80)


@given(st.lists(st.sampled_from(["", "a", "b", "微信", None]), max_size=30), st.booleans())
def test_equal_values_have_one_number_in_order_of_appearance(values: list[str | None], have_one_hash: bool) -> None:
    series = pl.Series(values, dtype=pl.String)
    with pytest.MonkeyPatch.context() as patch:
        if have_one_hash:
            patch.setattr(pl.Series, "hash", lambda s: pl.Series([7] * len(s), dtype=pl.UInt64))
        which, first = numbered(series)
    distinct = list(dict.fromkeys(values))
    assert which.tolist() == [distinct.index(value) for value in values]
    assert first.tolist() == [values.index(value) for value in distinct]


@given(FEW)
def test_rows_in_order_of_a_number(numbers: list[int]) -> None:
    number = np.array(numbers, np.int32)
    assert in_order(number, 7).tolist() == np.argsort(number, kind="stable").tolist()
    assert edges(number, 7).tolist() == [sum(n < k for n in numbers) for k in range(8)]


@given(st.lists(st.integers(-1, 3), max_size=12), st.lists(st.integers(0, 3), max_size=12), st.data())
def test_every_row_gets_the_parts_of_what_it_is_of(of: list[int], whose: list[int], data: st.DataObject) -> None:
    is_asked = data.draw(st.lists(st.booleans(), min_size=len(of), max_size=len(of)))
    number = np.array(whose, np.int32)
    rows, parts = spread(np.array(of, np.int32), np.array(is_asked, np.bool_), in_order(number, 4), edges(number, 4))
    plain = [(r, p) for r, one in enumerate(of) if is_asked[r] for p, owner in enumerate(whose) if owner == one]
    assert list(zip(rows.tolist(), parts.tolist(), strict=True)) == plain
