"""How fast is the night, and against what? `python tests/bench.py 100000 1000000` prints the table; nothing is asserted.

`python tests/bench.py ingest 1000000 10000000` (or a CSV of native messages) measures reading alone: against DuckDB's own
`read_csv` into a table of the same columns, as GB18030, and with no text said twice.

Of the night the other side is the script a shop would write first: SnowNLP and jieba and keyword `in` a message, then a pandas groupby
for the response times. It is timed on a sample of the same file, in the same run, and scaled to its length.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple, TypeVar

import polars as pl

T = TypeVar("T")
NAIVE_ROWS = 4_000


MILLION = 1_000_000
READ_CSV = (
    "import duckdb, sys; duckdb.connect(sys.argv[1]).execute(f\"CREATE TABLE m AS FROM read_csv('{sys.argv[2]}')\")"
)
# Everyday characters; four of them, other ones for every row, make a text that was never said before.
FILLING = list("天地人和山水花草春夏秋冬风雨云月红绿青紫大小多少高低远近快慢轻重早晚前后左右来去开关")


class Cost(NamedTuple):
    """Wall seconds, CPU seconds and peak memory (MB) of a process."""

    wall: float
    cpu: float
    peak: float


def measured(*command: object) -> Cost:
    """What a command costs, in a process of its own."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"{command} ended with {status}")
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def apart(work: Callable[..., T], *args: Path) -> T:
    """A heavy work of the bench's own in a process of its own: what the bench once held would count as its children's peak."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def ingested(file: Path, folder: Path) -> Cost:
    """`qc ingest` of a file into an empty workspace."""
    shutil.rmtree(folder / "home", ignore_errors=True)
    return measured("-m", "pipelines.cli", "ingest", file, "--home", folder / "home")


def read_csv(file: Path, folder: Path) -> Cost:
    """DuckDB's own reader, into a new database file."""
    (folder / "plain.duckdb").unlink(missing_ok=True)
    return measured("-c", READ_CSV, folder / "plain.duckdb", file)


def chats(folder: Path, messages: int) -> Path:
    """Native messages of that number; beyond a million, of several sample shops with seeds of their own."""
    file = folder / f"messages{messages}.csv"
    with file.open("wb") as out:
        for n, start in enumerate(range(0, messages, MILLION)):
            shop = generate(folder / "shop", min(MILLION, messages - start), seed=n + 1)
            with (shop / "messages.csv").open("rb") as part:
                header = part.readline()
                out.write(b"" if n else header)
                shutil.copyfileobj(part, out)
            shutil.rmtree(shop)
    return file


def twin(file: Path, folder: Path) -> Path:
    """The same file as GB18030."""
    made = folder / "twin.csv"
    with file.open(encoding="utf-8", newline="") as source, made.open("w", encoding="gb18030", newline="") as out:
        shutil.copyfileobj(source, out, 1 << 22)
    return made


def unrepeated(file: Path, folder: Path) -> Path:
    """The same file with no text twice."""
    made, n = folder / "distinct.csv", pl.int_range(pl.len())
    own = [(n // len(FILLING) ** k % len(FILLING)).replace_strict(range(len(FILLING)), FILLING) for k in range(5)]
    rows = pl.scan_csv(file, infer_schema=False, empty_string_is_null=False)
    rows.with_columns(pl.concat_str("text", *own)).sink_csv(made)
    return made


def _told(file: Path) -> tuple[int, int]:
    """Messages, and different texts among them."""
    n, distinct = pl.scan_csv(file).select(pl.len(), pl.col("text").n_unique().alias("distinct")).collect().row(0)
    return n, distinct


def reading(file: Path, folder: Path) -> str:
    """One run: DuckDB, ours, DuckDB again, then the two other forms of the file."""
    told = apart(_told, file)
    before, ours, after = read_csv(file, folder), ingested(file, folder), read_csv(file, folder)
    floor = (before.cpu + after.cpu) / 2
    lines = [
        f"{told[0]:,} messages ({told[1] / told[0]:.0%} distinct texts, {file.stat().st_size / 1e6:,.0f} MB)",
        f"  DuckDB read_csv  CPU {before.cpu:.1f} and {after.cpu:.1f} s, wall {before.wall:.1f} and {after.wall:.1f} s, peak {after.peak:,.0f} MB",
        f"  qc ingest        CPU {ours.cpu:.1f} s = {ours.cpu / floor:.2f} times, wall {ours.wall:.1f} s, peak {ours.peak:,.0f} MB",
    ]
    for name, made, than in (("GB18030", twin, "its UTF-8 twin"), ("no text twice", unrepeated, "read_csv")):
        other = apart(made, file, folder)
        cost = ingested(other, folder)
        base = ours.cpu if made is twin else read_csv(other, folder).cpu
        lines.append(
            f"  {name:<16} CPU {cost.cpu:.1f} s = {cost.cpu / base:.2f} times {than}, peak {cost.peak:,.0f} MB"
        )
        other.unlink()
    return "\n".join(lines)


def generate(folder: Path, messages: int, seed: int = 20260901) -> Path:
    """A sample shop of that size."""
    measured("-m", "pipelines.sample", folder, "--messages", messages, "--seed", seed)
    return folder


def nightly(inputs: Path, home: Path) -> Cost:
    """`qc nightly`; quarantined rows would be an error here."""
    return measured("-m", "pipelines.cli", "nightly", inputs, "--home", home)


def naive(messages: Path, n_all: int) -> float:
    """Seconds that the script a user would write needs for all messages, from a sample of them."""
    import jieba
    import pandas as pd
    from snownlp import SnowNLP

    jieba.initialize()
    words = [w for r in ("negative", "impatience", "redline") for w in _phrases(r)]
    frame = pd.read_csv(messages, nrows=NAIVE_ROWS, dtype=str, keep_default_na=False, parse_dates=["sent_at"])
    start = time.perf_counter()
    for text in frame["text"]:
        if text.strip():
            _ = SnowNLP(text).sentiments
        jieba.lcut(text)
        any(w in text for w in words)
    for _, talk in frame.sort_values("sent_at").groupby(["conversation_id", "customer"]):
        asked = None
        for _, row in talk.iterrows():
            if row["sender_kind"] == "customer":
                asked = asked or row["sent_at"]
            elif row["sender_kind"] == "agent" and asked is not None:
                asked = None
    return (time.perf_counter() - start) * n_all / len(frame)


def _phrases(pack: str) -> list[str]:
    from pipelines.resources import data_dir
    from pipelines.rules import load
    from qc.rulebook import rules_of

    return [
        p for rule in rules_of(load(data_dir() / "rules")).values() for p in rule.any_of or [] if isinstance(p, str)
    ]


def main() -> None:
    """One row a size, or one paragraph a size for reading alone."""
    asked = sys.argv[1:] or ["100000"]
    folder = Path(mkdtemp(dir=os.environ.get("TMPDIR")))
    try:
        for size in asked[1:] if asked[0] == "ingest" else []:
            print(reading(Path(size) if Path(size).is_file() else chats(folder, int(size)), folder), flush=True)
        for size in map(int, asked if asked[0] != "ingest" else []):
            shop = generate(folder / f"shop{size}", size)
            texts = (
                pl.scan_csv(shop / "messages.csv")
                .select(pl.len(), pl.col("text").n_unique().alias("distinct"))
                .collect()
                .row(0)
            )
            home = folder / f"home{size}"
            first = nightly(shop, home)
            shutil.rmtree(home / "reports"), (home / "warehouse.duckdb").unlink(), (home / "mart.duckdb").unlink()
            wall, cpu, peak = nightly(shop, home)
            other = naive(shop / "messages.csv", texts[0])
            print(
                f"{texts[0]:>10,} messages ({texts[1] / texts[0]:.0%} distinct): first night {first[0]:.1f} s (builds the sentiment tables), "
                f"then {wall:.1f} s wall = {texts[0] / wall:,.0f} messages/s, CPU {cpu:.1f} s, peak {peak:,.0f} MB; "
                f"the usual script {other:,.0f} s = {other / wall:.0f} times"
            )
            sys.stdout.flush()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
