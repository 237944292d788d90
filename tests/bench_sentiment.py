"""How fast are the sentiment models, against what? `POLARS_MAX_THREADS=1 python -m tests.bench_sentiment 1000000 60000` prints ratios; nothing is asserted.

Texts: the sample shop's customers as they repeat themselves, and every text once.
The other side is `SnowNLP(text).sentiments` and `jieba.lcut(text)` in a loop, timed in the same run on a sample; a second
number is on how many different texts the snownlp backend is compared with SnowNLP, digit for digit. Processor time, so that a busy machine does not blur it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

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


def difference(some: pl.Series, model: sentiment.Model) -> float:
    """The largest difference between SnowNLP's own figure and the one that the backend's three classes stand for."""
    from snownlp import SnowNLP

    got = sentiment.score(some, model=model)
    ours = (1 + got["p_positive"] - got["p_negative"]) / 2
    theirs = pl.Series([SnowNLP(text).sentiments for text in some])
    return float(((ours - theirs).abs() * got["is_scored"]).max() or 0.0)


def main() -> None:
    """A row a model, with its ratio to SnowNLP's loop and to jieba's cutting alone."""
    with TemporaryDirectory() as folder:
        compare(Path(folder), [int(n) for n in sys.argv[1:]] or [1_000_000])


def compare(folder: Path, sizes: list[int]) -> None:
    import jieba
    from snownlp import SnowNLP

    said = texts(folder / "shop", sizes[0])
    once = said.unique(maintain_order=True)
    sample = said.sample(min(LOOP, len(said)), seed=1).to_list()
    jieba.dt.tmp_dir = str(folder)
    jieba.initialize()
    loop = rate(lambda: [SnowNLP(text).sentiments for text in sample], len(sample))
    cut = rate(lambda: [jieba.lcut(text) for text in sample], len(sample))
    print(f"{len(said):,} messages, {len(once):,} different, {said.str.len_chars().mean():.1f} characters")
    print(f"SnowNLP's loop {loop:,.0f} a second, jieba.lcut {cut:,.0f} a second")
    if len(sizes) > 1:
        compared = once.head(sizes[1])
        gap = difference(compared, scoring.model(folder / "home", "snownlp"))
        print(f"largest difference to SnowNLP on {len(compared):,} different texts: {gap:.1e}")
    for name in sentiment.BACKENDS:
        model = scoring.model(folder / "home", name)
        for what, some in (("as said", said), ("once each", once)):
            speed = rate(lambda some=some, model=model: sentiment.score(some, model=model), len(some))
            print(
                f"{name:8} {what:9} {speed:>12,.0f} a second = {speed / loop:,.0f} × SnowNLP's loop = {speed / cut:,.1f} × jieba alone"
            )


if __name__ == "__main__":
    main()
