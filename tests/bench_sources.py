"""What becomes of every row of every export at hand? `python -m tests.bench_sources --write` measures and writes docs/sources-measured.md.

Each file is read into a workspace of its own: the golden files of tests/golden, and the real data beside the project where
it is (it is not part of the product). Fails where rows in are not stored + duplicate + quarantined. No text of a file is shown.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pipelines import nightly, store

HERE = Path(__file__).parent
GOLDEN, MAPPINGS, REAL = HERE / "golden", HERE / "mappings", HERE.parents[1] / "shared" / "data"
SHOP = "山岚茶舍"  # whose the golden chats are
PAGE = HERE.parent / "docs" / "sources-measured.md"
OWN = {"labelled_turns.csv": "jddc_turns", "dialogues.jsonl": "jddc_dialogues"}  # what only a mapping of its own reads
ALSO = {
    "dialogues.jsonl": "消息套在会话里,映射文件展不开;读的是整个会话的评价",
    "labelled_turns.csv": "只有被标注的客户轮,没有时间",
    "chat_0.1per.txt": "没有时间,没有客服账号",
    "OnlineRetail_10k_semicolon.csv": "小数点是逗号;没有行号,同一单里同一商品写了几行的认不出是几行:一字不差的 196 行算重复,另有 151 行算更正,付款因此少算 0.9%",
}
WHY = {
    "weibo_helpdesk": "会话:多层嵌套的 JSON(会话 → 轮 → 句),没有店铺、时间和账号;不是店铺的导出,没有读法",
    "online_shopping_10_cats": "商品评论:没有订单、会话、顾客,也没有星级;说的是商品,不是服务",
    "cold": "评论语料,不是会话",
    "olist_customers_dataset.csv": "顾客表,不是订单",
    "olist_products_dataset.csv": "商品表,不是订单",
    "olist_sellers_dataset.csv": "卖家表,不是订单",
}
HEAD = "| 来源 | 认作 | 行 | 入库 | 重复 | 隔离 | 隔离的原因 | 秒 |\n| --- | --- | ---: | ---: | ---: | ---: | --- | ---: |"


class Read(NamedTuple):
    """What became of a file, or of a sheet of it; why it could not be read."""

    name: str
    kind: str
    rows: tuple[int, int, int, int]  # in, stored, duplicate, quarantined
    reasons: str
    seconds: float
    problem: str | None


def read(file: Path, name: str) -> list[Read]:
    """The file into an empty workspace."""
    beside = next((p for p in (file.with_suffix(".yaml"), MAPPINGS / f"{OWN.get(file.name)}.yaml") if p.exists()), None)
    with TemporaryDirectory() as folder:
        home, start = Path(folder), time.perf_counter()
        done, _ = nightly.read_in([file], nightly.Request(home, mapping=beside, shop=SHOP), lambda _: None)
        seconds = time.perf_counter() - start
        with store.warehouse(home) as con:
            query = "SELECT source_id, code, count(*) FROM quarantine GROUP BY ALL ORDER BY ALL"
            codes = con.execute(query).fetchall()
            formats = dict(con.execute("SELECT source_id, coalesce(mapping, format) FROM sources").fetchall())
    found = []
    for o in done:
        rows = (o.n_rows, o.n_stored, o.n_duplicate, o.n_quarantined)
        if rows[0] != sum(rows[1:]):
            raise AssertionError(f"{name}: {rows} does not add up")
        reasons = "、".join(f"{code} {n:,}" for source, code, n in codes if source == o.source_id)
        kind = f"{o.kind} · {formats[o.source_id]}" if o.kind else ""
        sheet = o.file.removeprefix(file.name)
        found.append(Read(name + sheet, kind, rows, reasons, seconds / len(done), o.problem))
    return found


def golden() -> Iterator[Path]:
    """The exports among the golden files; not what is expected of them, nor their mappings."""
    for file in sorted(p for p in GOLDEN.rglob("*") if p.is_file()):
        expected = file.name.endswith(".expected.tsv") or (file.suffix == ".csv" and file.with_suffix(".txt").exists())
        if not expected and file.suffix != ".yaml":
            yield file


def real() -> list[Path]:
    """The real data, where it is at hand."""
    return sorted(p for p in REAL.rglob("*") if p.is_file() and p.name != "README.md")


def line(r: Read) -> str:
    """A row of the table."""
    numbers = " | ".join(f"{n:,}" for n in r.rows)
    return f"| `{r.name}` | {r.kind} | {numbers} | {r.reasons} | {r.seconds:.2f} |"


def page(own: list[Read], others: list[Read]) -> str:
    """The page: golden files, real files, and those that are nothing we read."""
    good, none = ([r for r in others if (r.problem is None) is is_read] for is_read in (True, False))
    notes = [f"- `{r.name}`:{ALSO[Path(r.name).name]}。" for r in good if Path(r.name).name in ALSO]
    why = {r: next((w for part, w in WHY.items() if part in r.name), "") for r in none}
    first = {r: (r.problem or "").partition(";")[0].partition("(")[0] for r in none}
    return "\n".join([
        "# 每个来源读成了什么\n",
        "由 `python -m tests.bench_sources --write` 生成。每个文件读进一个空的工作目录;行 = 入库 + 重复 + 隔离,逐个核对,不等就不写这一页。"
        "秒是墙上的时间,含打开仓库约半秒,随机器而变。隔离的原因是 `quarantine` 表的 `code`。\n",
        "## 真实数据\n", "别人的数据,不随产品分发,不引原文。\n", HEAD, *map(line, good), "", *notes, "",
        "读不了的,和为什么:\n", "| 文件 | 程序怎么说 | 为什么 |\n| --- | --- | --- |",
        *(f"| `{r.name}` | {first[r]} | {why[r]} |" for r in none), "",
        "## 自己写的金标文件\n", f"`tests/golden/` 下按各家导出的样子写的;不给店名的用 `--shop {SHOP}`。\n", HEAD, *map(line, own), "",
    ])  # fmt: skip


def main() -> None:
    """Print the page, or write it."""
    own = [r for f in golden() for r in read(f, str(f.relative_to(GOLDEN)))]
    others = [r for f in real() for r in read(f, str(f.relative_to(REAL)))]
    made = page(own, others)
    if "--write" in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    else:
        print(made)


if __name__ == "__main__":
    main()
