"""Do the intervals hold what was planted? `python -m tests.seeds 100` runs the night on a hundred made-up shops.

Every seed's intervals are added to a record (one JSON line a seed; a seed that is there is not run again); the table of
all of them goes to docs/coverage-of-intervals.md with `--write`.
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np

from pipelines import nightly, snow_tables, store
from pipelines.sample import COLUMNS, generate, mix, orders, staff, texts
from pipelines.sample.month import Month

PAGE = Path(__file__).parent.parent / "docs" / "coverage-of-intervals.md"
NAMES = {
    "conversion_d3": "询单→最终付款率",
    "like_with_like": "同类相比(观察 ÷ 期望)",
    "sales_per_buyer": "客单价",
    "sales_per_buyer_consulted": "咨询客单价",
    "sales_per_buyer_silent": "静默客单价",
    "consulted_lift": "咨询 ÷ 静默",
    "reminder_success": "催付成功率",
    "reminder_expected": "催付对照",
    "reminder_effect": "催付效果(之差)",
}
INTERVALS = """
SELECT 'conversion_d3', split_part(agent, ':', 2), n, low, high FROM metric('conversion_d3', NULL, NULL) WHERE agent IS NOT NULL
UNION ALL SELECT 'like_with_like', split_part(part, ':', 2), n, low, high FROM like_with_like WHERE metric = 'conversion_d3'
UNION ALL SELECT 'sales_per_buyer', '', n, low, high FROM metric('sales_per_buyer', NULL, NULL) WHERE agent IS NULL
UNION ALL SELECT 'sales_per_buyer_consulted', '', n, low, high FROM metric('sales_per_buyer_consulted', NULL, NULL) WHERE agent IS NULL
UNION ALL SELECT 'sales_per_buyer_silent', '', n, low, high FROM metric('sales_per_buyer_silent', NULL, NULL) WHERE agent IS NULL
UNION ALL SELECT 'consulted_lift', '', n_consulted + n_silent, low, high FROM consulted_lift(NULL, NULL)
UNION ALL SELECT 'reminder_success', '', n, low, high FROM metric('reminder_success', NULL, NULL) WHERE agent IS NULL
UNION ALL SELECT 'reminder_expected', '', n_comparable::BIGINT, expected_low, expected_high FROM reminder_effect(NULL, NULL) WHERE agent IS NULL
UNION ALL SELECT 'reminder_effect', '', n, low, high FROM reminder_effect(NULL, NULL) WHERE agent IS NULL
ORDER BY ALL
"""  # fmt: skip


class Interval(NamedTuple):
    """What one night says of one planted quantity."""

    what: str
    who: str
    n: int
    low: float | None
    high: float | None


class Coverage(NamedTuple):
    """One planted quantity over all seeds; `n` is the median number of cases in a seed."""

    what: str
    who: str
    planted: float
    n: float
    seeds: int
    covered: int
    below: int  # the whole interval lies under the planted value


# -- what is planted ----------------------------------------------------------------------------------------------


def planted(messages: int = 600_000) -> dict[tuple[str, str], float]:
    """(what, who) -> planted value: conversions from the book; money and reminders, whose expectation has no short
    formula, from one very large shop by the generator's own functions, noted as they are drawn and never read back."""
    book = texts.load()
    people = staff(book, len(book.agents), seed=0)
    with ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123 - no path
        month = Month(book, people, dict.fromkeys(COLUMNS, nowhere), messages=messages, seed=0, days=30)
        ratios = mix.like_with_like(book, people, month.asked())
        spent, placed = noted(month)
    by_agent = {("conversion_d3", one.name): one.conversion for one in people}
    alike = {("like_with_like", one.name): ratio for one in people if (ratio := ratios[one.id]) is not None}
    return {**by_agent, **alike, **money(spent), **reminded(placed, month.end)}


def noted(month: Month) -> tuple[dict[str, Counter[str]], list[tuple[str, int, int | None, int | None]]]:
    """Run the month and note: class -> buyer -> fen; and each order's (class, created, paid, contacted)."""
    spent: dict[str, Counter[str]] = defaultdict(Counter)
    placed: list[tuple[str, int, int | None, int | None]] = []
    count, place = orders.count, orders.place

    def counting(month_, customer, *, paid, fen, kind, **rest):
        if paid is not None:
            spent[kind][customer.name] += fen
        count(month_, customer, paid=paid, fen=fen, kind=kind, **rest)

    def placing(month_, customer, thing, created, *, paid, kind, contacted=None, **rest):
        if created < month.end and (contacted is None or month.is_in_time(contacted)):
            placed.append((kind, created, paid, contacted))
        place(month_, customer, thing, created, paid=paid, kind=kind, contacted=contacted, **rest)

    orders.count, orders.place = counting, placing
    try:
        month.run()
    finally:
        orders.count, orders.place = count, place
    return spent, placed


def money(spent: dict[str, Counter[str]]) -> dict[tuple[str, str], float]:
    each = sum(spent.values(), Counter())
    consulted, silent, all_ = (sum(some.values()) / len(some) for some in (spent["consulted"], spent["silent"], each))
    return {
        ("sales_per_buyer", ""): all_,
        ("sales_per_buyer_consulted", ""): consulted,
        ("sales_per_buyer_silent", ""): silent,
        ("consulted_lift", ""): consulted / silent,
    }


def reminded(placed: list[tuple[str, int, int | None, int | None]], end: int) -> dict[tuple[str, str], float]:
    """Paid after a contact; and, of the orders nobody contacted, paid within 24 h of the ages the contacts came at."""
    day = 86_400
    known = [(at - made, paid) for _, made, paid, at in placed if at is not None and at + day <= end]
    ages = np.array([age for age, _ in known])
    alone = [
        (made, paid) for kind, made, paid, at in placed if kind == "silent" and at is None and made + 4 * day <= end
    ]
    paid_at = np.sort([paid - made for made, paid in alone if paid is not None])
    left = len(alone) - np.searchsorted(paid_at, ages, side="right")
    came = np.searchsorted(paid_at, ages + day, side="right") - np.searchsorted(paid_at, ages, side="right")
    success = sum(paid is not None and paid < end for _, paid in known) / len(known)
    control = float(np.mean(came / left))
    return {
        ("reminder_success", ""): success,
        ("reminder_expected", ""): control,
        ("reminder_effect", ""): success - control,
    }


# -- what a night says --------------------------------------------------------------------------------------------


def one_seed(seed: int, models: Path, *, messages: int) -> list[Interval]:
    """Generate the shop, run the whole night without pages, read the intervals."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        (home / "models").symlink_to(models)
        generate(Path(folder) / "shop", messages=messages, seed=seed)
        quiet = lambda *_: None  # noqa: E731
        nightly.night([Path(folder) / "shop"], nightly.Request(home), progress=quiet, step=quiet, pages=None)
        with store.open_mart(home) as con:
            return intervals(con)


def intervals(con: duckdb.DuckDBPyConnection) -> list[Interval]:
    return [Interval(*row) for row in con.execute(INTERVALS).fetchall()]


def covered(truth: dict[tuple[str, str], float], nights: list[list[Interval]]) -> list[Coverage]:
    """One row a planted quantity; nights that show no interval for it are not counted."""
    found: dict[tuple[str, str], list[Interval]] = defaultdict(list)
    for night in nights:
        for one in night:
            if one.low is not None and one.high is not None:
                found[one.what, one.who].append(one)
    rows = []
    for (what, who), value in truth.items():
        some = found[what, who]
        hits = sum(one.low <= value <= one.high for one in some)
        n = float(np.median([one.n for one in some])) if some else 0.0
        rows.append(Coverage(what, who, value, n, len(some), hits, sum(one.high < value for one in some)))
    return rows


# -- the page -----------------------------------------------------------------------------------------------------


def wilson(k: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    center, half = (k + z * z / 2) / (n + z * z), z / (n + z * z) * math.sqrt(k * (n - k) / n + z * z / 4)
    return max(0.0, center - half), min(1.0, center + half)


def table(rows: list[Coverage]) -> str:
    lines = [
        "| 种下的 | 客服 | 真值 | 每店个数(中位) | 种子数 | 盖住 | 占比 | 95% 区间 | 真值在区间之上 |",
        "|" + " --- |" * 9,
    ]
    for row in rows:
        if row.seeds == 0:
            lines.append(f"| {NAMES[row.what]} | {row.who} | {value(row)} | | 0 | | | | |")
            continue
        low, high = wilson(row.covered, row.seeds)
        share = f"{row.covered / row.seeds:.1%}"
        share = share if row.covered >= 0.93 * row.seeds else f"**{share}**"
        lines.append(f"| {NAMES[row.what]} | {row.who} | {value(row)} | {row.n:g} | {row.seeds} | {row.covered} | {share} | {low:.0%}–{high:.0%} | {row.below} |")  # fmt: skip
    return "\n".join(lines) + "\n"


def value(row: Coverage) -> str:
    return f"{row.planted / 100:.2f} 元" if row.what.startswith("sales") else f"{row.planted:.3f}"


def pooled(rows: list[Coverage]) -> str:
    """The quantities of all agents together: their intervals of one seed are nearly independent."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        sums[row.what][0] += row.covered
        sums[row.what][1] += row.seeds
    lines = ["| 种下的 | 区间数 | 盖住 | 占比 | 95% 区间 |", "|" + " --- |" * 5]
    for what, (k, n) in sums.items():
        if n:
            low, high = wilson(k, n)
            lines.append(f"| {NAMES[what]} | {n} | {k} | {k / n:.1%} | {low:.0%}–{high:.0%} |")
    return "\n".join(lines) + "\n"


def recorded(path: Path) -> dict[int, list[Interval]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {one["seed"]: [Interval(*row) for row in one["intervals"]] for one in map(json.loads, lines)}


def main() -> None:
    ask = argparse.ArgumentParser(description="In how many made-up shops do the 95 % intervals hold what was planted?")
    ask.add_argument("seeds", type=int)
    ask.add_argument("--first", type=int, default=1)
    ask.add_argument("--messages", type=int, default=12_000)
    ask.add_argument("--minutes", type=float, default=math.inf, help="begin no further seed after that")
    ask.add_argument("--record", type=Path, default=Path("seeds.jsonl"))
    ask.add_argument("--models", type=Path, help="a folder of sentiment tables; without it they are built")
    ask.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    wish = ask.parse_args()
    models = wish.models or Path(tempfile.mkdtemp())
    snow_tables.load(models)
    began, done = time.monotonic(), set(recorded(wish.record))
    for seed in range(wish.first, wish.first + wish.seeds):
        if seed not in done and time.monotonic() - began < 60 * wish.minutes:
            line = {"seed": seed, "intervals": one_seed(seed, models, messages=wish.messages)}
            with wish.record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    rows = covered(planted(), list(recorded(wish.record).values()))
    print(pooled(rows), table(rows), sep="\n")
    if wish.write:
        head = PAGE.read_text(encoding="utf-8").split("<!-- tables -->")[0]
        PAGE.write_text(f"{head}<!-- tables -->\n\n{pooled(rows)}\n{table(rows)}", encoding="utf-8")


if __name__ == "__main__":
    main()
