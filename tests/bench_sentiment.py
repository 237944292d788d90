"""How fast are the sentiment models, against what, and does `snownlp` say what SnowNLP says? Prints a page; nothing is asserted.

`POLARS_MAX_THREADS=1 python -m tests.bench_sentiment --data ../shared/data --write docs/sentiment-speed.md` makes the page.
The other side is `SnowNLP(text).sentiments` and `jieba.lcut(text)` in a loop, in the same run on a sample. A core's share is
processor time, so that a busy machine does not blur it; both cores are two processes, by the clock.
"""

from __future__ import annotations

import csv
import json
import random
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from pipelines import scoring
from qc import sentiment
from tests.bench import generate

LOOP = 1_500  # texts of a loop
SHORT = 20  # characters up to which real texts are all compared; of the longer ones a sample fills up
LOADED: dict[str, Any] = {}  # in a worker: what scores, by name


def rate(work: Callable[[], object], n: int) -> float:
    """Texts a second of processor time, the best of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return n / min(times)


def said(folder: Path, messages: int) -> pl.Series:
    """What customers of a sample shop of that size said."""
    rows = pl.read_csv(generate(folder, messages) / "messages.csv", infer_schema=False)
    own = rows.filter(pl.col("sender_kind") == "customer")["text"].drop_nulls().str.strip_chars()
    return own.replace("", None).drop_nulls()


def real(data: Path, n: int) -> list[str]:
    """Different texts of the shared data: all short ones, and longer ones drawn until there are n."""
    distinct = sorted({t for t in _real(data) if t})
    random.Random(7).shuffle(distinct)
    return sorted(distinct, key=lambda t: len(t) > SHORT)[:n]


def _real(data: Path) -> Iterator[str]:
    for line in (data / "jddc_raw/chat_0.1per.txt").read_text("utf-8").split("\n"):
        yield line.split("\t")[-1]
    for dialogue in json.loads((data / "weibo_helpdesk/dialogues.json").read_text("utf-8")):
        yield from (text for turn in dialogue["turns"] for text in turn["utterances"])
    for name, column in (("jddc_satisfaction/labelled_turns.csv", "user_text"), ("cold/train.csv", "TEXT"), ("cold/dev.csv", "TEXT"),
                         ("online_shopping_10_cats/online_shopping_10_cats.csv", "review")):  # fmt: skip
        with (data / name).open(encoding="utf-8-sig", newline="") as file:
            yield from (row[column] for row in csv.DictReader(file))


def difference(some: Sequence[str], model: sentiment.Model, theirs: Callable[[str], Any]) -> tuple[int, float]:
    """Texts that say something, and the largest difference of the backend's figure to SnowNLP's own."""
    got = sentiment.score(some, model=model)
    ours = (1 + got["p_positive"] - got["p_negative"]) / 2
    scored = got["is_scored"].to_list()
    gaps = [abs(o - theirs(t)) for o, t, is_scored in zip(ours, some, scored, strict=True) if is_scored]
    return len(gaps), max(gaps)


def loops(folder: Path) -> dict[str, Callable[[str], object]]:
    """The two loops that people run."""
    import jieba
    from snownlp import SnowNLP

    jieba.dt.tmp_dir = str(folder)
    jieba.initialize()
    return {"SnowNLP": lambda text: SnowNLP(text).sentiments, "jieba": jieba.lcut}


def _load(folder: Path) -> None:
    LOADED.update(loops(folder), **{name: scoring.model(folder, name) for name in sentiment.BACKENDS})


def _work(name: str, texts: list[str]) -> None:
    if name in sentiment.BACKENDS:
        sentiment.score(texts, model=LOADED[name])
    else:
        for text in texts:
            LOADED[name](text)


def both_cores(folder: Path, tasks: dict[str, list[str]]) -> dict[str, float]:
    """Texts a second by the clock, halves in two processes, the best of three."""
    found = {}
    with ProcessPoolExecutor(2, get_context("spawn"), _load, (folder,)) as pool:
        for name, texts in tasks.items():
            list(pool.map(_work, [name] * 2, [texts[:50]] * 2))
            times = []
            for _ in range(3):
                start = time.perf_counter()
                list(pool.map(_work, [name] * 2, [texts[::2], texts[1::2]]))
                times.append(time.perf_counter() - start)
            found[name] = len(texts) / min(times)
    return found


def page(folder: Path, data: Path | None, messages: int, compared: int) -> str:
    """docs/sentiment-speed.md."""
    as_said = said(folder / "shop", messages)
    once = as_said.unique(maintain_order=True)
    sample = as_said.sample(min(LOOP, len(as_said)), seed=1).to_list()
    each = loops(folder)
    others = pl.Series(real(data, compared)) if data else None
    parts = [HEAD.format(said=len(as_said), once=len(once), chars=as_said.str.len_chars().mean(), loop=len(sample))]
    parts += one_core(folder, each, sample, {"照说的,有重复": as_said, "每句一次": once})
    if others is not None:
        parts.append(OTHERS.format(n=len(others), chars=others.str.len_chars().mean()))
        parts += one_core(folder, each, others.sample(min(LOOP, len(others)), seed=1).to_list(), {"每句一次": others})
    two = both_cores(
        folder, dict.fromkeys(("SnowNLP", "jieba"), sample) | dict.fromkeys(sentiment.BACKENDS, as_said.to_list())
    )
    parts.append(TWO)
    parts += [f"| `{name}` | {r:,.0f} | {_ratios(r, two)} |\n" for name, r in two.items()]
    if others is not None:
        n, gap = difference(others.to_list(), scoring.model(folder, "snownlp"), each["SnowNLP"])
        parts.append(SAME.format(n=n, gap=gap))
    return "".join(parts)


def one_core(
    folder: Path, each: dict[str, Callable[[str], object]], sample: list[str], texts: dict[str, pl.Series]
) -> list[str]:
    """Rows of the table of one core: the loops on the sample, the backends on all the texts."""
    base = {name: rate(lambda one=one: [one(t) for t in sample], len(sample)) for name, one in each.items()}  # type: ignore[misc]
    rows = [
        f"| `{name}` 的循环 | 抽 {len(sample):,} 句 | {r:,.0f} | {_ratios(r, base)} |\n" for name, r in base.items()
    ]
    for name in sentiment.BACKENDS:
        model = scoring.model(folder, name)
        for what, some in texts.items():
            r = rate(lambda some=some, model=model: sentiment.score(some, model=model), len(some))  # type: ignore[misc]
            rows.append(f"| `{name}` | {what} | {r:,.0f} | {_ratios(r, base)} |\n")
    return rows


def _ratios(r: float, base: dict[str, float]) -> str:
    return f"{r / base['SnowNLP']:,.1f} | {r / base['jieba']:,.2f}"


HEAD = """# 情绪模型多快 Sentiment, how fast

由命令生成:`POLARS_MAX_THREADS=1 python -m tests.bench_sentiment --data 数据文件夹 --write docs/sentiment-speed.md`。比值比绝对数可信:同一次运行、同一台机器。
句子是示例店铺的客户说的:{said:,} 句,不同的 {once:,} 句,平均 {chars:.1f} 字;两个循环在其中抽的 {loop:,} 句上量。取三次里最快的。

*Made by the command. Customers' messages of a sample shop; the loops were timed on a sample of them in the same run; best of three.*

## 一个核(按处理器时间) Per core, processor time

| 谁 | 哪些句子 | 句/秒 | 是 SnowNLP 循环的几倍 | 是 jieba.lcut 的几倍 |
| --- | --- | --- | --- | --- |
"""
OTHERS = """
### 公开数据里的真话 Real texts of public data

{n:,} 句不同的文本,平均 {chars:.1f} 字,词句很少重复:这是最不利的一种。

| 谁 | 哪些句子 | 句/秒 | 是 SnowNLP 循环的几倍 | 是 jieba.lcut 的几倍 |
| --- | --- | --- | --- | --- |
"""
TWO = """
## 两个核(两个进程,按钟表时间) Both cores, two processes, by the clock

模型各自装好之后计时;句子照说的,有重复。机器上还有别的活时,这张表比上一张乱。

| 谁 | 句/秒 | 是 SnowNLP 循环的几倍 | 是 jieba.lcut 的几倍 |
| --- | --- | --- | --- |
"""
SAME = """
## 与 SnowNLP 是否相同 Equality with SnowNLP

公开数据里 {n:,} 句不同的文本(不超过二十字的全部,更长的抽到够数),`snownlp` 后端还原的概率与 `SnowNLP(text).sentiments` 逐句相比,最大差 {gap:.1e}。
后端的数是从三类还原的,s = (1 + P(正) − P(负)) / 2。
"""


def main() -> None:
    """Print the page, or write it."""
    ask = ArgumentParser()
    ask.add_argument("--data", type=Path, help="real texts to compare with SnowNLP on")
    ask.add_argument("--write", type=Path)
    ask.add_argument("--messages", type=int, default=1_000_000)
    ask.add_argument("--compared", type=int, default=50_500)
    given = ask.parse_args()
    with TemporaryDirectory() as folder:
        text = page(Path(folder), given.data, given.messages, given.compared)
    if given.write:
        given.write.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
