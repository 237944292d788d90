"""How fast are the sentiment models, against what? `POLARS_MAX_THREADS=1 python -m tests.bench_sentiment` prints ratios; nothing is asserted.

Texts: the sample shop's customers as they repeat themselves, and every text once.
The other side is `SnowNLP(text).sentiments` and `jieba.lcut(text)` in a loop, timed in the same run on a sample. Processor time, so that a busy machine does not blur it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import mkdtemp

import polars as pl

from pipelines import scoring
from qc import sentiment
from tests.bench import generate

LOOP = 1_500


def rate(work: object, n: int) -> float:
    """Texts a second of processor time, the best of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work()  # type: ignore[operator]
        times.append(time.process_time() - start)
    return n / min(times)


def texts(folder: Path, messages: int) -> pl.Series:
    """What customers of a sample shop of that size said."""
    rows = pl.read_csv(generate(folder, messages) / "messages.csv", infer_schema=False)
    return (
        rows.filter(pl.col("sender_kind") == "customer")["text"]
        .drop_nulls()
        .str.strip_chars()
        .replace("", None)
        .drop_nulls()
    )


def main() -> None:
    """A row a model, with its ratio to SnowNLP's loop and to jieba's cutting alone."""
    import jieba
    from snownlp import SnowNLP

    folder = Path(mkdtemp())
    said = texts(folder / "shop", int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
    once = said.unique(maintain_order=True)
    sample = said.sample(min(LOOP, len(said)), seed=1).to_list()
    jieba.dt.tmp_dir = str(folder)
    jieba.initialize()
    loop = rate(lambda: [SnowNLP(text).sentiments for text in sample], len(sample))
    cut = rate(lambda: [jieba.lcut(text) for text in sample], len(sample))
    print(f"{len(said):,} messages, {len(once):,} different, {said.str.len_chars().mean():.1f} characters")
    print(f"SnowNLP's loop {loop:,.0f} a second, jieba.lcut {cut:,.0f} a second")
    for name in sentiment.BACKENDS:
        model = scoring.model(folder / "home", name)
        for what, some in (("as said", said), ("once each", once)):
            speed = rate(lambda some=some, model=model: sentiment.score(some, model=model), len(some))
            print(
                f"{name:8} {what:9} {speed:>12,.0f} a second = {speed / loop:,.0f} × SnowNLP's loop = {speed / cut:,.1f} × jieba alone"
            )


if __name__ == "__main__":
    main()
