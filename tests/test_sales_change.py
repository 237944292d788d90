"""Why sales moved: three terms, the rest and the silent orders add up to the change, to the fen; FIELD.md's own example."""

from collections.abc import Sequence
from datetime import date
from itertools import permutations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.store import MODELS

BEFORE, AFTER = date(2026, 9, 1), date(2026, 9, 2)
Order = tuple[str, bool, int, str]  # buyer, came of an inquiry, fen, class


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("""CREATE TABLE inquiries(shop VARCHAR, day DATE); CREATE TABLE inquiry_agents(shop VARCHAR, agent VARCHAR, day DATE);
                    CREATE TABLE attributions(shop VARCHAR, agent VARCHAR, customer VARCHAR, class VARCHAR, paid_fen BIGINT, is_primary BOOLEAN,
                                              day DATE, inquiry_day DATE);
                    CREATE TABLE attribution_shares(rule VARCHAR, shop VARCHAR, agent VARCHAR, paid_fen BIGINT, day DATE);
                    CREATE TABLE runs(run_id BIGINT, as_of TIMESTAMP)""")
    for statement in (MODELS / "mart" / "macros.sql").read_text(encoding="utf-8").split(";\n"):
        if "MACRO sales_factors" in statement or "MACRO sales_change" in statement:
            made.execute(statement)
    return made


def change(con: duckdb.DuckDBPyConnection, asked: Sequence[int], sold: Sequence[Sequence[Order]]) -> dict[str, int]:
    """The shop's line, from the number of inquiries and the orders of each of the two days."""
    for table in ("inquiries", "attributions"):
        con.execute(f"DELETE FROM {table}")
    for day, n, orders in zip((BEFORE, AFTER), asked, sold, strict=True):
        con.execute("INSERT INTO inquiries SELECT '店', ? FROM range(?)", [day, n])
        rows = [
            ("店", "A", buyer, kind, fen, True, day, day if of_inquiry else None)
            for buyer, of_inquiry, fen, kind in orders
        ]
        if rows:
            con.executemany("INSERT INTO attributions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    found = con.execute("FROM sales_change(?, ?, ?, ?) WHERE agent IS NULL", [BEFORE, BEFORE, AFTER, AFTER])
    row = found.fetchone() or (0,) * 40
    return dict(zip([d[0] for d in found.description or ()], row, strict=False))


def test_the_book_s_example(con: duckdb.DuckDBPyConnection) -> None:
    """200 000 × 3 % × 150 = 900 000; at 180 yuan it is 1 080 000, and all of the 180 000 is the order value."""
    for table in ("inquiries", "attributions"):
        con.execute(f"DELETE FROM {table}")
    for day, yuan in ((BEFORE, 150), (AFTER, 180)):
        con.execute("INSERT INTO inquiries SELECT '店', ? FROM range(200000)", [day])
        con.execute(
            "INSERT INTO attributions SELECT '店', 'A', 'b' || i, 'consulted', ?, true, ?, ? FROM range(6000) r(i)",
            [yuan * 100, day, day],
        )
    found = con.execute(
        "SELECT before_fen, after_fen, change_fen, traffic_fen, conversion_fen, value_fen, other_fen, silent_fen "
        "FROM sales_change(?, ?, ?, ?) WHERE agent IS NULL", [BEFORE, BEFORE, AFTER, AFTER],
    )  # fmt: skip
    assert found.fetchone() == (90_000_000, 108_000_000, 18_000_000, 0, 0, 18_000_000, 0, 0)


def test_traffic_and_conversion_share_what_they_did_together(con: duckdb.DuckDBPyConnection) -> None:
    # 10 inquiries, 1 buyer → 20 inquiries, 4 buyers, 100 yuan each: alone, traffic is worth +100 (then +200 after conversion)
    one, four = [("a", True, 10_000, "consulted")], [(b, True, 10_000, "consulted") for b in "abcd"]
    found = change(con, (10, 20), (one, four))
    assert (found["traffic_fen"], found["conversion_fen"], found["value_fen"]) == (15_000, 15_000, 0)


def test_the_first_period_of_a_new_shop_is_all_traffic(con: duckdb.DuckDBPyConnection) -> None:
    found = change(
        con,
        (0, 10),
        ([], [("a", True, 10_000, "consulted"), ("b", False, 500, "silent"), ("c", False, 70, "consulted")]),
    )
    told = [found[k] for k in ("traffic_fen", "conversion_fen", "value_fen", "other_fen", "silent_fen", "change_fen")]
    assert told == [10_000, 0, 0, 70, 500, 10_570]


ORDERS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.booleans(), st.integers(1, 99_999), st.sampled_from(["consulted", "reminded"])), max_size=8
)  # fmt: skip


def shapley(before: tuple[float, ...], after: tuple[float, ...]) -> list[float]:
    """Each factor's mean step over the six orders in which the three may move."""
    terms = [0.0, 0.0, 0.0]
    for order in permutations(range(3)):
        now = list(before)
        for i in order:
            was = now[0] * now[1] * now[2]
            now[i] = after[i]
            terms[i] += (now[0] * now[1] * now[2] - was) / 6
    return terms


@settings(max_examples=60)
@given(st.tuples(st.integers(0, 9), st.integers(0, 9)), st.tuples(ORDERS, ORDERS))
def test_the_terms_are_shapley_s_and_add_up(
    con: duckdb.DuckDBPyConnection, asked: tuple[int, int], sold: tuple
) -> None:
    found = change(con, asked, sold)
    if not any(asked) and not any(sold):
        return
    sums = [sum(fen for _, _, fen, _ in orders) for orders in sold]
    assert (found["before_fen"], found["after_fen"]) == tuple(sums)
    parts = [found[k] for k in ("traffic_fen", "conversion_fen", "value_fen", "other_fen", "silent_fen")]
    assert sum(parts) == found["change_fen"] == sums[1] - sums[0]
    if all(asked) and all(any(o[1] for o in orders) for orders in sold):
        made = [[o for o in orders if o[1]] for orders in sold]
        buyers = [len({o[0] for o in orders}) for orders in made]
        value = [sum(o[2] for o in orders) for orders in made]
        factors = [(n, b / n, v / b) for n, b, v in zip(asked, buyers, value, strict=True)]
        for ours, theirs in zip(parts, shapley(*factors), strict=False):
            assert abs(ours - theirs) <= 1
