"""What the pages ask of the mart about time: promises and the broken ones, waits by load and by hour, the week's coverage."""

from __future__ import annotations

from typing import NamedTuple

import duckdb

from reports.queries import Row, Who, grouped, rows

PROMISES = ("first_answer", "preliminary", "solution")
LIMITS_S = {"first_answer": 30, "preliminary": 300, "solution": 86_400}
MOST_BROKEN = 40  # of each shop and promise; the page says how to ask for the rest
HOURS = 3  # of the day, in one bin


class Pace(NamedTuple):
    """Rows about time; what belongs to a person or a shop is under (shop, agent)."""

    promises: dict[Who, list[Row]]  # one a promise, in the order of PROMISES
    broken: dict[tuple[str, str], list[Row]]  # (shop, promise), the newest first
    by_load: dict[Who, list[Row]]
    by_hour: dict[Who, list[Row]]
    coverage: dict[tuple[str], list[Row]]  # (shop,), hours of the week in order


def gather(con: duckdb.DuckDBPyConnection) -> Pace:
    """All of it."""
    return Pace(
        grouped(promises(con), "shop", "agent"), grouped(broken(con, MOST_BROKEN), "shop", "promise"),  # type: ignore[arg-type]
        grouped(waits(con, "least(n_open, 4)"), "shop", "agent"), grouped(waits(con, f"hour(asked_at) // {HOURS}"), "shop", "agent"),
        grouped(rows(con, "SELECT *, wilson_low(n_unanswered, n_turns) AS low, wilson_high(n_unanswered, n_turns) AS high "
                          "FROM coverage ORDER BY shop, weekday, hour"), "shop"),
    )  # fmt: skip


def promises(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """shop, agent (NULL: the shop), promise, n of each standing (where anything can be told), n_closed (broken by the calendar, not within open hours)."""
    limits = "CASE promise WHEN 'first_answer' THEN 30 WHEN 'preliminary' THEN 300 ELSE 86400 END"
    return rows(con, f"""
        SELECT *, kept / nullif(kept + broken, 0) AS value, wilson_low(kept, kept + broken) AS low, wilson_high(kept, kept + broken) AS high
        FROM (SELECT shop, agent, promise, count(*) FILTER (WHERE status = 'kept') AS kept, count(*) FILTER (WHERE status = 'broken') AS broken,
                     count(*) FILTER (WHERE status = 'censored') AS censored, count(*) FILTER (WHERE status = 'not_due') AS not_due,
                     count(*) FILTER (WHERE status = 'unknown') AS unknown,
                     count(*) FILTER (WHERE status = 'broken' AND in_service_s <= {limits}) AS n_closed
              FROM promises GROUP BY GROUPING SETS ((shop, agent, promise), (shop, promise))
              HAVING GROUPING(agent) = 1 OR agent IS NOT NULL)
        WHERE kept + broken + censored > 0 ORDER BY shop, agent NULLS FIRST, list_position(['first_answer', 'preliminary', 'solution'], promise)""")  # fmt: skip


def broken(con: duckdb.DuckDBPyConnection, limit: int) -> list[Row]:
    """The newest broken promises of each shop, with what was asked."""
    return rows(con, """
        SELECT p.*, m.text, m.content_kind, coalesce(a.name, p.agent) AS name FROM promises p
        JOIN messages m ON m.conversation_id = p.conversation_id AND m.seq = p.asked_seq
        LEFT JOIN agents a ON a.shop = p.shop AND a.agent = p.agent WHERE status = 'broken'
        QUALIFY row_number() OVER (PARTITION BY p.shop, promise ORDER BY p.asked_at DESC, p.conversation_id) <= ?
        ORDER BY p.shop, promise, p.asked_at DESC, p.conversation_id""", [limit])  # fmt: skip


def waits(con: duckdb.DuckDBPyConnection, bin_: str) -> list[Row]:
    """Median of min(wait, 600), unanswered as 600, a bin: shop, agent (NULL: the shop), bin, value, low, high, n.

    The interval is that of metric(): order statistics, free of distribution; none under eight turns.
    """
    return rows(con, f"""
        SELECT shop, agent, bin, n, list_aggregate(ordered, 'quantile_cont', 0.5) AS value,
               quantile_low(ordered, n, 0.5) AS low, quantile_high(ordered, n, 0.5) AS high
        FROM (SELECT shop, agent, bin, count(*) AS n, list_sort(list(least(coalesce(wait_s, 600), 600))) AS ordered
              FROM (SELECT shop, responsible AS agent, ({bin_})::INT AS bin, wait_s FROM turns
                    WHERE is_counted AND n_open IS NOT NULL)
              GROUP BY GROUPING SETS ((shop, agent, bin), (shop, bin)))
        WHERE n > 0 ORDER BY shop, agent NULLS FIRST, bin""")  # fmt: skip
