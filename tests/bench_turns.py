"""How fast are turns and their figures? `python -m tests.bench_turns 1000000 10000000` prints a line a size; nothing is asserted.

The yardstick is DuckDB sorting the same table by conversation and time in the same run, which any way of making turns has to
do; CPU time beside the wall's, for a machine that others use too. Every step runs in a process of its own, so that its peak
memory is its own; half of the texts are never said twice.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb
import numpy as np
import polars as pl

from pipelines import docs, rules, settings
from pipelines.resources import data_dir
from pipelines.store import MODELS
from qc import dialogue, frames, profiles

AS_OF = datetime(2026, 10, 1)
KINDS = ("customer", "agent", "assist", "bot", "system")


class Cost(NamedTuple):
    """Seconds."""

    wall: float
    cpu: float

    def after(self, since: Cost) -> Cost:
        """What came between."""
        return Cost(self.wall - since.wall, self.cpu - since.cpu)


def clock() -> Cost:
    """Now, by the wall and by this process."""
    return Cost(time.perf_counter(), time.process_time())


def messages(n: int) -> pl.DataFrame:
    """A month of a shop as it is ingested: in order of time, sixteen messages a conversation, 40 agents."""
    rng = np.random.default_rng(1)
    talk, kind = rng.integers(0, n // 16, n), rng.choice(5, n, p=[0.5, 0.38, 0.05, 0.04, 0.03])
    offset = rng.integers(0, 30 * 86400, n // 16)[talk] + rng.integers(0, 3600, n)
    at = np.datetime64("2026-09-01", "us") + offset.astype("timedelta64[s]")
    said = np.where(rng.random(n) < 0.5, rng.integers(0, 1000, n), np.arange(n))
    c = pl.col
    made = pl.DataFrame({"talk": talk, "sent_at": at, "kind": kind, "said": said}).sort("sent_at")
    return made.select(
        conversation_id=pl.format("2026-{}", "talk"), message_id=pl.lit(None, dtype=pl.String), shop=pl.lit("店"),
        channel=pl.lit("taobao"), sent_at="sent_at", sender_kind=pl.lit(pl.Series(KINDS)).gather(c("kind")),
        agent=pl.when(c("kind").is_in([1, 2])).then(pl.format("店:客服{}", c("talk") % 40)), customer=pl.format("c{}", "talk"),
        content_kind=pl.lit("text"), text=pl.format("这件衣服{}号还有货吗亲", "said"), source_id=pl.lit("0123456789abcdef"),
        source_row=pl.int_range(1, n + 1, dtype=pl.Int64),
    )  # fmt: skip


def sort(columns: str, table: Path, _: Path) -> Cost:
    """DuckDB's sort of these columns of the table."""
    con = duckdb.connect()
    con.execute(f"CREATE TABLE m AS SELECT {columns} FROM '{table}'")
    since = clock()
    con.execute("CREATE TABLE s AS SELECT * FROM m ORDER BY conversation_id, sent_at, source_row")
    return clock().after(since)


def turns(names: str, table: Path, mart: Path) -> Cost:
    """Messages as ingested -> turns under these profiles, and their figures by day in five grains, in an empty mart."""
    chosen = [settings.profile(data_dir(), n) for n in names.split(",")]
    words = rules.load_words(data_dir() / "lexicons" / "pleasantries.yaml")
    messages = pl.read_parquet(table)
    since = clock()
    judged = dialogue.under_profiles(dialogue.arrange(messages), chosen, as_of=AS_OF, pleasantries=words)
    made = pl.concat([frames.of(frames.ProfileTurn, t.with_columns(profile=pl.lit(p.id))) for p, t in judged])
    print(f"    {len(made):,} turns after {clock().after(since).wall:.1f} s", flush=True)
    with duckdb.connect(str(mart)) as con:
        con.register("turns_", made)
        con.register("profiles_", profiles.listed(chosen[0], chosen[1:]))
        con.execute("CREATE OR REPLACE TABLE profile_turns AS FROM turns_")
        con.execute("CREATE OR REPLACE TABLE profiles AS FROM profiles_")
        con.execute(
            f"CREATE OR REPLACE TABLE metrics AS {(MODELS / 'mart' / 'metrics.sql').read_text(encoding='utf-8')}"
        )
    return clock().after(since)


NARROW = "conversation_id, sent_at, sender_kind, agent, content_kind, source_row"
EVERY = "fair,douyin,jd,kuaishou,pdd,taobao"
STEPS: dict[str, tuple[Callable[[str, Path, Path], Cost], str]] = {
    "DuckDB sorts the columns that turns need": (sort, NARROW),
    "DuckDB sorts the whole table": (sort, "*"),
    "turns and figures under fair": (turns, "fair"),
    "turns and figures under six profiles": (turns, EVERY),
}


def measured(module: str, step: str, *places: Path) -> tuple[Cost, float]:
    """The cost of a bench's step, run as `-m module --step step places… told`, and the peak memory (MB) of the process that does nothing else."""
    told = places[0].with_suffix(".seconds")
    process = subprocess.Popen([sys.executable, "-m", module, "--step", step, *map(str, places), str(told)])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"「{step}」 ended with {status}")
    return Cost(*map(float, told.read_text().split())), usage.ru_maxrss / 1024


def main() -> None:
    """A line a step, each as a multiple of both sorts."""
    if sys.argv[1:2] == ["--step"]:
        work, what = STEPS[sys.argv[2]]
        table, mart, told = map(Path, sys.argv[3:])
        told.write_text(" ".join(map(str, work(what, table, mart))))
        return
    for n in [int(a) for a in sys.argv[1:]] or [1_000_000]:
        with TemporaryDirectory() as folder:
            docs._empty_mart(Path(folder)).close()
            table = Path(folder) / "messages.parquet"
            messages(n).write_parquet(table)
            sorts: list[Cost] = []
            for step in STEPS:
                cost, peak = measured("tests.bench_turns", step, table, Path(folder) / "mart.duckdb")
                sorts = sorts if len(sorts) == 2 else [*sorts, cost]
                wall, cpu = (
                    " and ".join(f"{getattr(cost, k) / getattr(s, k):.2f}" for s in sorts) for k in Cost._fields
                )
                print(f"{n:>11,}  {step:42} {cost.wall:6.1f} s, CPU {cost.cpu:6.1f} s; x the sorts: wall {wall}, CPU {cpu}; "
                      f"peak {peak:,.0f} MB", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
