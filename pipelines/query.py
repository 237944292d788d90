"""`qc sql` and `qc trend`: questions to the published mart; read-only, no files, no network."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import duckdb

from pipelines import store, terminal
from qc.metrics import BY_ID, Kpi
from reports import queries
from reports.views import shown

# What the rule packs decide: another pack scores every day anew. Moods and topics are not theirs.
BY_RULES = {"qa_score", "final_score", "negative_language", "politeness", "flow", "apology_first", "blame_shifting", "solution_24h"}


class QueryError(Exception):
    """The question cannot be answered as asked; the message says why."""


def shut_in(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The connection without files, network, extensions or attached databases, and no way to open them again."""
    for setting in ("enable_external_access = false", "lock_configuration = true"):
        con.execute(f"SET {setting}")
    return con


def ask(home: Path, query: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """Column names and rows of one statement against the mart; QueryError passes on what DuckDB says of it."""
    with store.open_mart(home) as con:
        try:
            result = shut_in(con).execute(query)
            return [d[0] for d in result.description or []], result.fetchall()
        except duckdb.Error as e:
            raise QueryError(
                f'这条 SQL 不能执行:{e}\n表和列的含义:qc sql "SELECT table_name, comment FROM duckdb_tables()"'
            ) from e


def show(home: Path, query: str, *, as_json: bool) -> None:
    """Print the rows."""
    head, rows = ask(home, query)
    terminal.table(head, rows, as_json=as_json)


def trend(home: Path, metric: str, agent: str | None, *, as_json: bool) -> None:
    """A metric day by day with interval and n; immature days are marked, never compared."""
    kpi = BY_ID.get(metric)
    if kpi is None:
        raise QueryError(f"没有叫「{metric}」的指标;可用的有:{'、'.join(BY_ID)}")
    with store.open_mart(home) as con:
        days = con.execute(
            "SELECT day, shop, num / den, n::BIGINT, is_mature FROM metrics JOIN profiles USING (profile) WHERE metric = ? AND is_own "
            "AND agent IS NOT DISTINCT FROM ? AND grain IN ('agent', 'shop') AND day IS NOT NULL ORDER BY day, shop", [kpi.observed, agent],
        ).fetchall()  # fmt: skip
        rows = [row for day in days for row in _day(con, kpi, agent, *day, as_json=as_json)]
        other = queries.other_rules(con) if metric in BY_RULES else None
    if not rows:
        raise QueryError(f'「{metric}」没有逐日的数{f"(客服 {agent})" if agent else ""};原因见 qc sql "FROM gaps"')
    terminal.table(
        ["日", "店铺", kpi.zh, "95% 下限", "95% 上限", "n", "备注"], rows, as_json=as_json, right=(2, 3, 4, 5)
    )
    if other:
        said = f"每一天都按现在的规则包 {other['rules_now']} 重算过;数据到 {other['as_of']} 的那次发布用的还是 {other['rules']},那时和现在的数不能直接相比。"
        print(said, file=sys.stderr)


def _day(
    con: duckdb.DuckDBPyConnection, kpi: Kpi, agent: str | None, day: date, shop: str, raw: float | None, n: int, mature: bool,
    *, as_json: bool,
) -> list[list[object]]:  # fmt: skip
    """One day's row; of a day that is not mature yet the value so far, without an interval."""
    if not mature:
        return [[day, shop, raw if as_json else shown(raw, kpi.unit), None, None, n, "未成熟"]]
    found = con.execute(
        "SELECT * FROM metric(?, ?, ?) WHERE shop = ? AND agent IS NOT DISTINCT FROM ?", [kpi.id, day, day, shop, agent]
    )
    return [[day, shop, *(v if as_json else shown(v, kpi.unit) for v in r[2:5]), r[5], ""] for r in found.fetchall()]
