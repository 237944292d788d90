"""DuckDB: open, migrate, lock, publish. The warehouse is the job's own; the mart is what everybody else reads."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import duckdb
import polars as pl

from pipelines import facts

MODELS = Path(__file__).parent / "models"
SCHEMA_VERSION = 1
# The newest storage format that DuckDB 1.4 can still open.
STORAGE = "v1.4.0"


class StoreError(Exception):
    """The workspace cannot be used; the message says what, where, and what to do."""


def connect(path: Path | str, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection that never asks the network for an extension."""
    config = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    return duckdb.connect(str(path), read_only=read_only, config=config)


def frame(con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
    """The rows of a query as a polars frame."""
    return cast(pl.DataFrame, pl.from_arrow(con.sql(query, params=list(parameters)).to_arrow_table()))


@contextmanager
def warehouse(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The workspace's warehouse, migrated, for this process alone; StoreError when another run holds it."""
    home.mkdir(parents=True, exist_ok=True)
    with locked(home):
        try:
            con = connect(home / "warehouse.duckdb")
        except duckdb.Error as e:
            raise StoreError(f"打不开 {home / 'warehouse.duckdb'}:{e};若已损坏,请从备份恢复") from e
        try:
            con.execute((MODELS / "facts.sql").read_text(encoding="utf-8"))
            with transaction(con):
                facts.rekey(con)
            con.execute("SET preserve_insertion_order = false")
            yield con
        finally:
            con.close()


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """One run at a time in a workspace; the lock goes with the process, so a killed run leaves none behind."""
    with (home / ".lock").open("w") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            raise StoreError(f"{home} 正被另一个 qc 进程使用;等它结束再运行") from e
        yield


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing, Ctrl-C included."""
    con.execute("BEGIN")
    try:
        yield
    except BaseException:
        with suppress(duckdb.ConnectionException):  # a second Ctrl-C has closed it already, and nothing of this was kept
            con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")


@contextmanager
def mart_in_the_making(con: duckdb.DuckDBPyConnection, home: Path) -> Iterator[Path]:
    """An empty mart attached as `mart` to the warehouse's connection; its file is published by rename when all went well.

    A reader sees the whole new night or the whole old one: the file is complete, checkpointed and on disk before it takes
    the mart's name.
    """
    building = home / "mart.building.duckdb"
    for stale in (building, Path(f"{building}.wal")):
        stale.unlink(missing_ok=True)
    con.execute(f"ATTACH '{_quoted(building)}' AS mart (STORAGE_VERSION '{STORAGE}')")
    try:
        yield building
    finally:
        detach(con)
    _sync(building)
    os.replace(building, home / "mart.duckdb")
    _sync(home)


def detach(con: duckdb.DuckDBPyConnection) -> None:
    """Let go of the mart in the making, so that it can be opened by itself; a checkpoint first, or its log would be lost."""
    if con.execute("SELECT 1 FROM duckdb_databases() WHERE database_name = 'mart'").fetchone():
        con.execute("CHECKPOINT mart")
        con.execute("DETACH mart")


def open_mart(home: Path) -> duckdb.DuckDBPyConnection:
    """The published mart, read-only; StoreError says what to run when there is none."""
    path = home / "mart.duckdb"
    if not path.exists():
        raise StoreError(f"{home} 里还没有发布过结果;先运行:qc nightly 文件或文件夹 --home {home}")
    return connect(path, read_only=True)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
