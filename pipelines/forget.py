"""`qc forget`: everything of one customer out of the workspace, and a proof that it was done which names nobody. PIPL, article 47.

Rows are deleted, not blanked: what is left of a talk when its words are gone is still a talk with a person at a time. The files
are then written anew, because a database keeps deleted bytes until something else needs their room.
"""

from __future__ import annotations

import html
import json
import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from pipelines import erasures, nightly, settings, store, withdraw
from qc import privacy

TALKS = 8  # characters from which on a sentence of theirs is looked for in pages; shorter ones are everybody's. Ours
PACKED = {".zip", ".xlsx"}
SEALED = {".pdf", ".png", ".parquet", ".duckdb", ".gz"}  # formats in which nothing can be looked for: their folder goes


class Erasure(NamedTuple):
    """What was done: rows by table, report folders and models taken away, the number under which the proof stands."""

    erasure_id: str | None
    n_rows: dict[str, int]
    reports: list[str]
    models: list[str]


class _Person(NamedTuple):
    """What the workspace knows somebody by."""

    id: str
    alias: str
    conversations: list[str]
    orders: list[str]
    texts: list[str]
    own_texts: list[str]  # that nobody else said


def forget(
    customer: str, request: nightly.Request, step: Callable[[str], None], pages: nightly.Pages | None
) -> Erasure:
    """Erase a customer, by the id the shop knows them by, from warehouse, cache, quarantine, mart, reports and models.

    LookupError when nothing is known of them. Done twice, the second time changes nothing.
    """
    home, key = request.home, settings.customer_key(request.home)
    if not (home / "warehouse.duckdb").exists():
        raise LookupError(f"{home} 里还没有数据")
    alias = privacy.pseudonym(pl.Series([customer.strip()]), key)[0]
    with store.warehouse(home) as con:
        person = _person(con, customer.strip(), alias)
        done = Erasure(None, {}, [], [])
        if _left(con, person):
            step("删除报告与记录")
            gone = _reports_without(home / "reports", person)
            models = withdraw.withdraw(
                home / "models", [*person.conversations, *_talks(home, alias)], alias, person.own_texts
            )
            with store.transaction(con):
                n_rows = _erase(con, person)
                done = Erasure(_prove(con, person, n_rows, key), n_rows, gone, models)
        elif erasures.proof(alias, key) not in erasures.known(con):
            raise LookupError("没有这位顾客的任何记录;请核对客户号(要用店铺自己的写法,区分大小写)")
    _finish(request, step, pages)  # the second time too: the first may have been cut off
    return done


def _finish(request: nightly.Request, step: Callable[[str], None], pages: nightly.Pages | None) -> None:
    """The files anew: the warehouse without deleted bytes, the mart and its pages without the customer."""
    rewrite(request.home)
    if (request.home / "mart.duckdb").exists():
        nightly.rebuild(request, step)
        if pages:
            nightly.write_pages(request.home, request.lang, pages)


def _person(con: duckdb.DuckDBPyConnection, customer: str, alias: str) -> _Person:
    def listed(query: str) -> list[str]:
        return [v for (v,) in con.execute(query, [alias]).fetchall()]

    return _Person(
        customer,
        alias,
        listed(
            "SELECT DISTINCT conversation_id FROM fact_messages WHERE customer = ? AND conversation_id IS NOT NULL ORDER BY 1"
        ),
        listed("SELECT DISTINCT order_id FROM fact_orders WHERE customer = ? AND order_id IS NOT NULL ORDER BY 1"),
        listed("SELECT DISTINCT text FROM fact_messages WHERE customer = ? ORDER BY 1"),
        listed(
            "SELECT text FROM fact_messages WHERE text IS NOT NULL GROUP BY 1 HAVING bool_and(customer IS NOT DISTINCT FROM ?) ORDER BY 1"
        ),
    )


def _talks(home: Path, alias: str) -> list[str]:
    """Their talks as the mart has numbered them: so the models know them."""
    if not (home / "mart.duckdb").exists():
        return []
    with store.open_mart(home) as con:
        return [
            c
            for (c,) in con.execute("SELECT conversation_id FROM conversations WHERE customer = ?", [alias]).fetchall()
        ]


def _theirs(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """(table, condition) of every row that is of the person: by pseudonym; where none is given, by talk or by order."""
    columns: dict[str, set[str]] = {}
    for table, column in con.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND database_name = current_database() AND schema_name = 'main'"
    ).fetchall():
        columns.setdefault(table, set()).add(column)
    for table in sorted(columns):
        named = "customer IS NULL AND " if "customer" in columns[table] else ""
        ways = ["customer = $alias"] if "customer" in columns[table] else []
        if "conversation_id" in columns[table]:
            ways.append(f"{named}(list_contains($talks, conversation_id) OR contains(conversation_id, $alias))")
        if "order_id" in columns[table] and named:
            ways.append(f"{named}list_contains($orders, order_id)")
        if ways:
            yield table, " OR ".join(f"({w})" for w in ways)
    yield (
        "quarantine",
        "contains(coalesce(raw, '') || coalesce(reason, ''), $alias) OR (length($id) > 1 AND contains(coalesce(raw, ''), $id))",
    )


def _names(person: _Person, condition: str) -> dict[str, object]:
    known = {"alias": person.alias, "talks": person.conversations, "orders": person.orders, "id": person.id}
    return {k: v for k, v in known.items() if f"${k}" in condition}


def _left(con: duckdb.DuckDBPyConnection, person: _Person) -> int:
    counts = (
        con.execute(f"SELECT count(*) FROM {t} WHERE {c}", _names(person, c)).fetchone() or (0,)
        for t, c in _theirs(con)
    )
    return sum(int(n) for (n,) in counts)


def _erase(con: duckdb.DuckDBPyConnection, person: _Person) -> dict[str, int]:
    """Rows erased by table. A source file's row that is erased counts as quarantined: stored + duplicate + quarantined still add up."""
    n_rows = {}
    for table, condition in list(_theirs(con)):
        names = _names(person, condition)
        if table == "quarantine":
            done = con.execute(f"UPDATE quarantine SET raw = NULL, code = '{erasures.CODE}', reason = $why WHERE {condition}",
                               names | {"why": erasures.REASON}).fetchone()  # fmt: skip
        else:
            if table == "fact_messages":
                con.execute(
                    f"DELETE FROM raw_texts WHERE (source_id, source_row) IN (SELECT (source_id, source_row) FROM {table} WHERE {condition})",
                    names,
                )
            if table.startswith("fact_"):
                _recount(con, table, condition, names)
            done = con.execute(f"DELETE FROM {table} WHERE {condition}", names).fetchone()
        if done and done[0]:
            n_rows[table] = int(done[0])
    done = con.execute(
        "DELETE FROM text_facts WHERE list_contains(list_transform($texts, lambda t: md5(t)::UUID), text_key) "
        "AND text_key NOT IN (SELECT md5(text)::UUID FROM fact_messages)",
        {"texts": person.texts},
    ).fetchone()
    n_rows["text_facts"] = int((done or (0,))[0])
    if len(person.id) > 1:  # single chats are exported under the customer's name
        for table in ("sources", "quarantine", "run_files"):
            con.execute(
                f"UPDATE {table} SET file = replace(file, $id, '…') WHERE contains(file, $id)", {"id": person.id}
            )
    return n_rows


def _recount(con: duckdb.DuckDBPyConnection, table: str, condition: str, names: dict[str, object]) -> None:
    con.execute(f"INSERT INTO quarantine BY NAME SELECT t.source_id, s.file, t.source_row AS line, '{erasures.CODE}' AS code, $why AS reason "
                f"FROM (SELECT * FROM {table} WHERE {condition}) t JOIN sources s USING (source_id)", names | {"why": erasures.REASON})  # fmt: skip
    con.execute(f"UPDATE sources SET n_stored = n_stored - g.n, n_quarantined = n_quarantined + g.n "
                f"FROM (SELECT source_id, count(*) AS n FROM {table} WHERE {condition} GROUP BY ALL) g WHERE sources.source_id = g.source_id", names)  # fmt: skip


def _prove(con: duckdb.DuckDBPyConnection, person: _Person, n_rows: dict[str, int], key: bytes) -> str:
    erasure_id = "e" + secrets.token_hex(8)
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    con.execute("INSERT INTO erasures VALUES (?, ?, ?, ?)",
                [erasure_id, now, json.dumps(n_rows, sort_keys=True), erasures.proof(person.alias, key)])  # fmt: skip
    if person.conversations:
        con.executemany(
            "INSERT INTO erased_ids VALUES (?, ?)", [[erasure_id, erasures.proof(c, key)] for c in person.conversations]
        )
    return erasure_id


def rewrite(home: Path) -> None:
    """The warehouse in a new file that holds what its tables hold and not one byte more."""
    old, new = home / "warehouse.duckdb", home / "warehouse.rewritten.duckdb"
    with store.locked(home):
        new.unlink(missing_ok=True)
        with store.connect(":memory:") as con:
            con.execute(
                f"ATTACH '{store._quoted(old)}' AS old; ATTACH '{store._quoted(new)}' AS new; COPY FROM DATABASE old TO new; CHECKPOINT new"
            )
            con.execute("DETACH old; DETACH new")
        os.replace(new, old)
        Path(f"{old}.wal").unlink(missing_ok=True)


def _reports_without(reports: Path, person: _Person) -> list[str]:
    """Report folders that show them, or may: taken away; their names."""
    needles = [person.alias, person.id, *person.conversations, *(t for t in person.texts if len(t) >= TALKS)]
    needles += (
        [html.escape(n) for n in needles]
        + [json.dumps(n)[1:-1] for n in needles]
        + [json.dumps(n, ensure_ascii=False)[1:-1] for n in needles]
    )
    pattern = re.compile(b"|".join(sorted({re.escape(n.encode()) for n in needles if len(n) > 1})))
    gone = []
    for folder in sorted(p for p in reports.glob("*") if p.is_dir()):
        if any(_shows(f, pattern) for f in folder.rglob("*") if f.is_file()):
            shutil.rmtree(folder)
            gone.append(folder.name)
    return gone


def _shows(file: Path, pattern: re.Pattern[bytes]) -> bool:
    if file.suffix in SEALED:
        return True
    if file.suffix in PACKED:
        with zipfile.ZipFile(file) as z:
            return any(pattern.search(z.read(name)) for name in z.namelist())
    return pattern.search(file.read_bytes()) is not None


def told(done: Erasure) -> Sequence[Sequence[object]]:
    """The erasure as rows of a table: where, how many."""
    return [
        *done.n_rows.items(),
        *(("reports/" + name, 1) for name in done.reports),
        *(("models/" + name, 1) for name in done.models),
    ]


def advice(done: Erasure) -> str:
    """What is left to do by hand, in words; empty if nothing is."""
    again = sorted(
        {command for own, command in withdraw.AGAIN.items() for name in done.models if name.startswith(own[:-5])}
    )
    return (
        f"用这位顾客的话训练过的模型已停用:{'、'.join(done.models)};要本店自己的模型,请重新运行 {' 和 '.join(again)}"
        if again
        else ""
    )
