"""How fast is the night, and against what? `python tests/bench.py 100000 1000000` prints the table; nothing is asserted.

The other side is the script a shop would write first: SnowNLP and jieba and keyword `in` a message, then a pandas groupby
for the response times. It is timed on a sample of the same file, in the same run, and scaled to its length.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

import polars as pl

NAIVE_ROWS = 4_000


def generate(folder: Path, messages: int) -> Path:
    """A sample shop of that size."""
    subprocess.run(
        [sys.executable, "-m", "pipelines.sample", str(folder), "--messages", str(messages)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder


def nightly(inputs: Path, home: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak memory (MB) of `qc nightly`, in a process of its own."""
    start = time.perf_counter()
    pid = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "nightly", str(inputs), "--home", str(home)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(pid.pid, 0)
    if status:
        raise RuntimeError(f"qc nightly ended with {status}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


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

    return [p for rule in rules_of(load(data_dir() / "rules")).values() for p in rule.any_of or [] if isinstance(p, str)]


def main() -> None:
    """One row a size."""
    sizes = [int(a) for a in sys.argv[1:]] or [100_000]
    folder = Path(mkdtemp())
    try:
        for size in sizes:
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
