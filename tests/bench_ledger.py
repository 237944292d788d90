"""How fast is the attribution ledger? `python -m tests.bench_ledger 1000000:10000000` prints a line a step; nothing is asserted.

A million paid orders and ten million messages of 40 agents. The yardstick is DuckDB's plain hash join of the two tables on
customer in the same run: of the columns that the ledger needs, made into a table, and merely counted. CPU time beside the
wall's; every step runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import polars as pl

from pipelines import settings
from pipelines.resources import data_dir
from qc import attribution, dialogue, frames
from tests.bench_turns import Cost, clock, measured, messages

NEEDED = "o.shop, o.order_id, o.created_at, o.paid_at, o.paid_fen, m.agent, m.conversation_id, m.seq, m.sent_at"


def orders(n: int, said: pl.DataFrame) -> pl.DataFrame:
    """Two thirds by people who talked, within four days of a word of theirs; the rest by people who never asked."""
    rng = np.random.default_rng(2)
    of = said.select("customer", "sent_at")[rng.integers(0, len(said), n)]
    later, until = rng.integers(-600, 4 * 86400, n), rng.integers(30, 7200, n)
    has_asked = rng.random(n) < 0.66
    created = pl.col("sent_at") + pl.duration(seconds=pl.Series(later))
    made = of.with_columns(
        shop=pl.lit("店"), channel=pl.lit("taobao"), order_id=pl.format("T{}", pl.int_range(10_000_000, 10_000_000 + n)),
        customer=pl.when(pl.Series(has_asked)).then("customer").otherwise(pl.format("silent{}", pl.int_range(n))),
        created_at=created, paid_at=created + pl.duration(seconds=pl.Series(until)), paid_fen=pl.Series(rng.integers(100, 100_000, n)),
        refunded_fen=pl.lit(0), items=pl.lit(1), source_id=pl.lit("0123456789abcdef"), source_row=pl.int_range(1, n + 1),
    ).drop("sent_at")  # fmt: skip
    return frames.of(frames.Order, made.with_columns(pl.lit(None).alias(c) for c in frames.Order if c not in made.columns))


def joined(what: str, folder: Path) -> Cost:
    """DuckDB's join of both tables, already loaded."""
    con = duckdb.connect()
    for name in ("orders", "messages"):
        con.execute(f"CREATE TABLE {name} AS FROM '{folder / name}.parquet'")
    since = clock()
    con.execute(f"CREATE TABLE j AS SELECT {what} FROM orders o JOIN messages m USING (customer)")
    return clock().after(since)


def ledger(rules: str, folder: Path) -> Cost:
    """Orders and messages -> the ledger of the first rule with its sum checked, or everybody's shares under every rule."""
    listed = settings.attribution_rules(data_dir())
    read = [pl.read_parquet(folder / f"{name}.parquet") for name in ("orders", "messages")]
    since = clock()
    made = attribution.shares(*read, listed) if rules == "all" else attribution.attribute(*read, rule=listed[0])
    took = clock().after(since)
    print(f"    {len(made):,} rows", flush=True)
    return took


STEPS: dict[str, tuple[Callable[[str, Path], Cost], str]] = {
    "DuckDB joins and counts": (joined, "count(*)"),
    "DuckDB joins into a table": (joined, NEEDED),
    "the ledger": (ledger, "first"),
    "shares under every rule": (ledger, "all"),
}


def main() -> None:
    """A line a step, each as a multiple of both joins."""
    if sys.argv[1:2] == ["--step"]:
        work, what = STEPS[sys.argv[2]]
        folder, told = map(Path, sys.argv[3:])
        told.write_text(" ".join(map(str, work(what, folder))))
        return
    for size in sys.argv[1:] or ["100000:1000000"]:
        n_orders, n_messages = map(int, size.split(":"))
        with TemporaryDirectory() as name:
            said = dialogue.arrange(messages(n_messages))
            said.write_parquet(Path(name) / "messages.parquet")
            orders(n_orders, said).write_parquet(Path(name) / "orders.parquet")
            joins: list[Cost] = []
            for step in STEPS:
                cost, peak = measured("tests.bench_ledger", step, Path(name))
                joins = joins if len(joins) == 2 else [*joins, cost]
                wall, cpu = (" and ".join(f"{getattr(cost, k) / getattr(j, k):.1f}" for j in joins) for k in Cost._fields)
                print(f"{size}  {step:28} {cost.wall:6.2f} s, CPU {cost.cpu:6.2f} s; x the joins: wall {wall}, CPU {cpu}; peak {peak:,.0f} MB", flush=True)


if __name__ == "__main__":
    main()
