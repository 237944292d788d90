"""Typed rows → the warehouse's fact tables: what makes a row the same row, and what becomes of one that is there twice.

A row is its key (the ids the source gives, else its whole content) and its content. Rows go straight into the table, since
most files bring nothing twice; the few that do are taken out again and judged as a whole once the file has been read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import polars as pl

HAS_KEY = {
    "messages": "message_id IS NOT NULL",
    "orders": "true",
    "ratings": "true",
    "agents": "true",
    "vendor": "true",
}
# What makes a row the same row. Rows without ids of their own are their content, and the how-manieth of it in the file.
KEYS = {
    "messages": ["shop", "channel", "conversation_id", "customer", "message_id"],
    "orders": ["shop", "channel", "order_id", "line"],
    "ratings": ["shop", "conversation_id", "customer", "agent", "invited_at", "rated_at", "order_id"],
    "agents": ["shop", "agent", "from"],
    "vendor": ["vendor", "shop", "agent", "label", "day_from", "day_to"],
}
DERIVED = ("is_damaged",)  # follows from the other columns, so it makes no row another row
# Columns that came later: where they are empty, a row is still the row it was.
LATER = {"orders": ("line", "line_paid_fen", "product", "seller", "line_price_fen"), "ratings": ("order_id",)}
KEYS_ARE = "keys: md5 as a number"  # comment of the fact tables whose keys are made as below
MEMORY = "1200MB"  # for DuckDB while files are read: what a sort or a join needs beyond it goes to disk


@contextmanager
def loading(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Settings for many small inserts: they gain nothing from a second thread, and it costs half as much again."""
    con.execute(f"SET memory_limit = '{MEMORY}'")
    con.execute("SET threads = 1")
    yield
    con.execute("RESET threads")
    con.execute("RESET memory_limit")


def insert(con: duckdb.DuckDBPyConnection, kind: str, rows: pl.DataFrame) -> None:
    """rows(source_id, source_row, <the kind's columns>) with their keys into the fact table; `settle` when the file has ended.

    The two keys are the md5 of a row's content and of its ids, as UUID: 128 bits, half the size of their text, and a join
    on them needs no index.
    """
    full = frozenset(c.name for c in rows if not c.null_count())
    content, key = _content_of(con, kind, full), _digest_of(KEYS[kind], LATER.get(kind, ()), full)
    append(con, f"fact_{kind}", rows, f"""
        SELECT *, CASE WHEN {HAS_KEY[kind]} THEN {key} ELSE content_key END AS row_key
        FROM (SELECT *, {content} AS content_key FROM given)""")  # fmt: skip


def rekey(con: duckdb.DuckDBPyConnection) -> None:
    """Rows of a warehouse from when the md5 of a key was read as text get the keys that they would get today."""
    done = {t for (t,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE comment = ?", [KEYS_ARE]).fetchall()}
    for kind in (k for k in KEYS if f"fact_{k}" not in done):
        fact, key, content = f"fact_{kind}", _digest_of(KEYS[kind], LATER.get(kind, ())), _content_of(con, kind)
        nth = "list_filter(range(2, most.n + 1), lambda n: md5(f.content_key::VARCHAR || n)::UUID = f.row_key)[1]"
        con.execute(f"""
            CREATE TABLE rekeyed AS SELECT f.* REPLACE (
                {content} AS content_key,
                CASE WHEN {HAS_KEY[kind]} THEN {key} WHEN f.row_key = f.content_key THEN {content}
                     ELSE md5({content}::VARCHAR || {nth})::UUID END AS row_key)
            FROM {fact} f, (SELECT max(n) AS n FROM (SELECT count(*) AS n FROM {fact} GROUP BY content_key)) most""")
        con.execute(f"DROP TABLE {fact}")
        con.execute(f"ALTER TABLE rekeyed RENAME TO {fact}")
        con.execute(f"COMMENT ON TABLE {fact} IS '{KEYS_ARE}'")


def append(con: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame, select: str = "FROM given") -> None:
    """A query of the rows, there called `given`, into a table.

    DuckDB finds the rows under the name they have here: what is registered is held until the transaction ends, which would
    be the whole file.
    """
    given = rows.to_arrow(compat_level=pl.CompatLevel.newest())  # noqa: F841
    con.execute(f"INSERT INTO {table} BY NAME {select}")


def settle(con: duckdb.DuckDBPyConnection, kind: str, source_id: str) -> int:
    """Inserted rows of a source -> those that are new stay; how many there are.

    Of rows that stand in the file twice, and of those that another source brought before, see `_REPEATED`.
    """
    fact, mine = f"fact_{kind}", f"source_id = '{source_id}'"
    one = con.execute(f"SELECT count(*), count(DISTINCT row_key) FROM {fact} WHERE {mine}").fetchone() or (0, 0)
    twice = f"SELECT row_key, content_key FROM {fact} WHERE {mine} GROUP BY ALL HAVING count(*) > 1"
    others = f"SELECT row_key, content_key FROM {fact} WHERE source_id <> '{source_id}'"
    contested = others if one[0] == one[1] else f"{twice} UNION ALL {others}"
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE stage AS
        SELECT f.* FROM {fact} f SEMI JOIN ({contested}) c USING (row_key, content_key) WHERE f.{mine}""")
    if con.execute("SELECT count(*) > 0 FROM stage").fetchone() == (True,):
        con.execute(
            f"DELETE FROM {fact} WHERE {mine} AND (row_key, content_key) IN (SELECT (row_key, content_key) FROM stage)"
        )
        con.execute(f"""
            INSERT INTO {fact} BY NAME SELECT s.* FROM ({_REPEATED.format(has_key=HAS_KEY[kind])}) s
            ANTI JOIN {fact} f ON s.row_key = f.row_key AND s.content_key = f.content_key""")
        one = con.execute(f"SELECT count(*) FROM {fact} WHERE {mine}").fetchone() or (0,)
    con.execute("DROP TABLE stage")
    return int(one[0])


# The nth row of one content without a key of its own is another row than the first; of keyed rows one of each content stays.
_REPEATED = """
    SELECT * EXCLUDE nth REPLACE (CASE WHEN {has_key} OR nth = 1 THEN row_key ELSE md5(row_key::VARCHAR || nth)::UUID END AS row_key)
    FROM (SELECT *, row_number() OVER (PARTITION BY row_key, content_key ORDER BY source_row) AS nth FROM stage)
    WHERE nth = 1 OR NOT ({has_key})"""


def _content_of(con: duckdb.DuckDBPyConnection, kind: str, full: frozenset[str] = frozenset()) -> str:
    columns = [r[0] for r in con.execute(f"DESCRIBE fact_{kind}").fetchall()][4:]
    return _digest_of([c for c in columns if c not in DERIVED], LATER.get(kind, ()), full)


def _digest_of(columns: Sequence[str], later: Sequence[str] = (), full: frozenset[str] = frozenset()) -> str:
    """SQL of the md5 of columns; those that are known to be `full` need not be asked whether they are NULL.

    The md5 as a number: written out and read again as text it costs twice as much.
    """
    now = [c for c in columns if c not in later]
    parts = [f'"{c}"::VARCHAR' if c in full else f'coalesce("{c}"::VARCHAR, chr(1))' for c in now]
    parts += [f"'{c}=' || \"{c}\"" for c in later if c in columns]  # NULL, hence left out, where there is none
    return f"md5_number(concat_ws(chr(31), {', '.join(parts)}))::UUID"
