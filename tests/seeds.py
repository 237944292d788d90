"""Do the intervals hold what was planted? `python -m tests.seeds 200` runs the night on two hundred made-up shops.

Of each night those tables are kept that the intervals are made from (`--keep`, one small file a seed; a seed that is
there is not run again). The intervals are read off them anew each time, so that a changed formula asks for no new
night. The table of all of them goes to docs/coverage-of-intervals.md with `--write`.
"""

import argparse
import math
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import duckdb
import numpy as np
import polars as pl

from pipelines import mart, nightly, settings, snow_tables
from pipelines.sample import generate
from tests.planted import Noted, Planted, draw, planted

PAGE = Path(__file__).parent.parent / "docs" / "coverage-of-intervals.md"
NAMES = {
    "conversion_d3": "询单→最终付款率",
    "like_with_like": "同类相比:转化(观察 ÷ 期望)",
    "alike_per_buyer": "同类相比:客单价(观察 ÷ 期望)",
    "sales_per_buyer": "客单价",
    "sales_per_buyer_consulted": "咨询客单价",
    "sales_per_buyer_silent": "静默客单价",
    "consulted_lift": "咨询 ÷ 静默",
    "reminder_success": "催付成功率",
    "reminder_expected": "催付对照",
    "reminder_effect": "催付效果(之差)",
}
# What the intervals below are made from; of every other table the columns are kept and no row.
KEPT = {
    "agents",
    "attributions",
    "conversations",
    "inquiries",
    "inquiry_agents",
    "kpis",
    "orders",
    "profiles",
    "reminders",
}
INTERVALS = """
SELECT 'conversion_d3', split_part(agent, ':', 2), n, value, low, high FROM metric('conversion_d3', NULL, NULL) WHERE agent IS NOT NULL
UNION ALL SELECT CASE metric WHEN 'conversion_d3' THEN 'like_with_like' ELSE 'alike_per_buyer' END, split_part(part, ':', 2), n, ratio, low, high FROM like_with_like
UNION ALL SELECT 'sales_per_buyer', '', n, value, low, high FROM metric('sales_per_buyer', NULL, NULL) WHERE agent IS NULL
UNION ALL SELECT 'sales_per_buyer_consulted', '', n, value, low, high FROM metric('sales_per_buyer_consulted', NULL, NULL) WHERE agent IS NULL
UNION ALL SELECT 'sales_per_buyer_silent', '', n, value, low, high FROM metric('sales_per_buyer_silent', NULL, NULL) WHERE agent IS NULL
UNION ALL SELECT 'consulted_lift', '', n_consulted + n_silent, lift, low, high FROM consulted_lift(NULL, NULL)
UNION ALL SELECT 'reminder_success', '', n, value, low, high FROM metric('reminder_success', NULL, NULL) WHERE agent IS NULL
UNION ALL SELECT 'reminder_expected', '', n_comparable::BIGINT, expected, expected_low, expected_high FROM reminder_effect(NULL, NULL) WHERE agent IS NULL
UNION ALL SELECT 'reminder_effect', '', n, effect, low, high FROM reminder_effect(NULL, NULL) WHERE agent IS NULL
ORDER BY ALL
"""  # fmt: skip


class Interval(NamedTuple):
    """What one night says of one planted quantity."""

    what: str
    who: str
    n: int
    value: float | None
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
    mean: float  # of what the nights say,
    error: float  # and its standard error


# -- the nights ---------------------------------------------------------------------------------------------------


def one_seed(seed: int, models: Path, kept: Path, *, messages: int) -> None:
    """Generate the shop, run the night without pages, keep what the intervals are made from.

    Left out, because no interval here asks for it: the definition profiles beside the run's own, and the views and sums
    on top of the tables, which `intervals` makes anew.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as without:
        home = Path(folder) / "home"
        home.mkdir()
        (home / "models").symlink_to(models)
        generate(Path(folder) / "shop", messages=messages, seed=seed)
        quiet = lambda *_: None  # noqa: E731
        for module, name, instead in ((settings, "profiles", lambda _: ()), (mart, "finish", quiet)):
            without.enter_context(mock.patch.object(module, name, instead))
        nightly.night([Path(folder) / "shop"], nightly.Request(home), progress=quiet, step=quiet, pages=None)
        keep(home / "mart.duckdb", kept)


def keep(night: Path, path: Path) -> None:
    """The tables of the night, most of them empty, under a name that it has only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{night}' AS night (READ_ONLY)")
        con.execute(f"ATTACH '{part}' AS kept (BLOCK_SIZE 16384)")
        names = con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'night'").fetchall()
        for (name,) in names:
            con.execute(f"CREATE TABLE kept.{name} AS FROM night.{name} LIMIT {10**9 if name in KEPT else 0}")
    part.rename(path)


def intervals(path: Path) -> list[Interval]:
    """The intervals of a kept night by today's formulas."""
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{path}' AS file (READ_ONLY)")
        con.execute("ATTACH ':memory:' AS mart")
        con.execute("COPY FROM DATABASE file TO mart")
        con.execute("USE mart")
        con.register("adjusted_", mart.adjusted(con, "like_with_like"))
        con.execute("CREATE OR REPLACE TABLE mart.like_with_like AS FROM adjusted_")
        mart.on_top(con, mart.VIEWS)
        return [Interval(*row) for row in con.execute(INTERVALS).fetchall()]


def covered(truth: Planted, nights: list[list[Interval]]) -> list[Coverage]:
    """One row a planted quantity; nights that show no interval for it are not counted."""
    found: dict[tuple[str, str], list[Interval]] = defaultdict(list)
    for night in nights:
        for one in night:
            if one.low is not None and one.high is not None:
                found[one.what, one.who].append(one)
    return [_covered(what, who, value, found[what, who]) for (what, who), value in truth.items()]


def _covered(what: str, who: str, value: float, some: list[Interval]) -> Coverage:
    hits = sum(one.low <= value <= one.high for one in some)
    said = np.array([one.value for one in some])
    if not some:
        return Coverage(what, who, value, 0, 0, 0, 0, math.nan, math.nan)
    n, mean, error = np.median([one.n for one in some]), said.mean(), said.std() / len(said) ** 0.5
    return Coverage(what, who, value, float(n), len(some), hits, sum(one.high < value for one in some), mean, error)


# -- amounts alone: many more shops, since no night is run -----------------------------------------------------------

AMOUNTS = {("sales_per_buyer", ""): "all", ("sales_per_buyer_consulted", ""): "consulted", ("sales_per_buyer_silent", ""): "silent"}


def of_amounts(shop: Noted, con: duckdb.DuckDBPyConnection) -> list[Interval]:
    """The intervals of the mean amount a buyer, by the mart's own macros, of what the generator drew."""
    spent = {**shop.spent, "all": sum(shop.spent.values(), Counter())}
    found = []
    for (what, who), kind in AMOUNTS.items():
        con.register("spent_", pl.DataFrame({"fen": list(spent[kind].values())}, schema={"fen": pl.Float64}))
        n, *ends = con.execute("""
            SELECT count(*), avg(fen), mean_low(avg(fen), stddev_samp(fen), skewness(fen), count(*)),
                   mean_high(avg(fen), stddev_samp(fen), skewness(fen), count(*)) FROM spent_""").fetchall()[0]  # fmt: skip
        found.append(Interval(what, who, n, *ends))
    return found


def intervals_of_means(drawn: Sequence[Noted]) -> list[list[Interval]]:
    """One list a shop."""
    with duckdb.connect() as con:
        for statement in (mart.MODELS / "mart" / "macros.sql").read_text(encoding="utf-8").split(";\n"):
            if "MACRO figures" in statement:  # from here on they ask for the tables of a mart
                break
            con.execute(statement)
        return [of_amounts(shop, con) for shop in drawn]


# -- the page -----------------------------------------------------------------------------------------------------


def wilson(k: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    center, half = (k + z * z / 2) / (n + z * z), z / (n + z * z) * math.sqrt(k * (n - k) / n + z * z / 4)
    return max(0.0, center - half), min(1.0, center + half)


def table(rows: list[Coverage]) -> str:
    lines = [
        "| 种下的 | 客服 | 真值 | 各店平均 ± 1.96 标准误 | 每店个数(中位) | 种子数 | 盖住 | 占比 | 95% 区间 | 真值在区间之上 / 之下 | p | p(Holm) |",
        "|" + " --- |" * 12,
    ]
    for row, held in zip(rows, holm([chance_of(row) for row in rows]), strict=True):
        if row.seeds == 0:
            lines.append(f"| {NAMES[row.what]} | {row.who} | {value(row.what, row.planted)} | | | 0 | | | | | | |")
            continue
        low, high = wilson(row.covered, row.seeds)
        share = f"{row.covered / row.seeds:.1%}"
        share = share if row.covered >= 0.93 * row.seeds else f"**{share}**"
        mean = f"{value(row.what, row.mean)} ± {value(row.what, 1.96 * row.error)}"
        above = row.seeds - row.covered - row.below
        lines.append(f"| {NAMES[row.what]} | {row.who} | {value(row.what, row.planted)} | {mean} | {row.n:g} | {row.seeds} | {row.covered} | {share} | {low:.0%}–{high:.0%} | {row.below} / {above} | {chance_of(row):.3f} | {held:.2f} |")  # fmt: skip
    return "\n".join(lines) + "\n"


def value(what: str, x: float) -> str:
    return f"{x / 100:.2f} 元" if what.startswith("sales") else f"{x:.3f}"


def pooled(rows: list[Coverage]) -> str:
    """The quantities of all agents together: their intervals of one seed are nearly independent."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        sums[row.what] = [a + b for a, b in zip(sums[row.what], (row.covered, row.seeds, row.below), strict=True)]
    lines = ["| 种下的 | 区间数 | 盖住 | 占比 | 95% 区间 | 真值在区间之上 / 之下 |", "|" + " --- |" * 6]
    for what, (k, n, below) in sums.items():
        if n:
            low, high = wilson(k, n)
            lines.append(
                f"| {NAMES[what]} | {n} | {k} | {k / n:.1%} | {low:.1%}–{high:.1%} | {below} / {n - k - below} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    ask = argparse.ArgumentParser(description="In how many made-up shops do the 95 % intervals hold what was planted?")
    ask.add_argument("seeds", type=int)
    ask.add_argument("--first", type=int, default=1)
    ask.add_argument("--messages", type=int, default=12_000)
    ask.add_argument("--minutes", type=float, default=math.inf, help="begin no further seed after that")
    ask.add_argument("--keep", type=Path, default=Path("seeds"), help="folder of the kept nights")
    ask.add_argument("--truth", type=int, default=400, help="shops that the planted amounts are the mean of")
    ask.add_argument("--models", type=Path, help="a folder of sentiment tables; without it they are built")
    ask.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    wish = ask.parse_args()
    models = wish.models or Path(tempfile.mkdtemp())
    snow_tables.load(models)
    began = time.monotonic()
    for seed in range(wish.first, wish.first + wish.seeds):
        kept = wish.keep / f"{seed:05d}.duckdb"
        if not kept.exists() and time.monotonic() - began < 60 * wish.minutes:
            one_seed(seed, models, kept, messages=wish.messages)
    nights = [intervals(path) for path in sorted(wish.keep.glob("*.duckdb"))]
    drawn = draw(wish.truth, wish.messages)
    truth = planted(drawn, messages=wish.messages)
    rows = covered(truth, nights)
    alone = covered({key: truth[key] for key in AMOUNTS}, intervals_of_means(drawn))
    text = "\n".join([summed_up(rows), pooled(rows), table(rows), ALONE.format(n=len(drawn)), table(alone)])
    print(text)
    if wish.write:
        head = PAGE.read_text(encoding="utf-8").split("<!-- tables -->")[0]
        PAGE.write_text(f"{head}<!-- tables -->\n\n{text}", encoding="utf-8")


ALONE = """## 只看金额的 {n} 个店

不跑整晚,只记下生成程序抽出的金额;真值是这些店合起来的每位买家金额。店多,单看几个种子的运气就小了。
"""


def summed_up(rows: list[Coverage]) -> str:
    """How many planted quantities are held often enough, beside what chance alone would leave; and is any of them not held?"""
    asked = [row for row in rows if row.seeds]
    short = [row for row in asked if row.covered < 0.93 * row.seeds]
    chance = sum(_less_than(math.ceil(0.93 * row.seeds), row.seeds, 0.95) for row in asked)
    held = holm([chance_of(row) for row in asked])
    least = min(range(len(asked)), key=lambda i: held[i] + chance_of(asked[i]))
    refuted = [f"{NAMES[row.what]} {row.who}".strip() for row, p in zip(asked, held, strict=True) if p < 0.05]
    off = [row for row in asked if row.seeds > 1 and abs(row.mean - row.planted) > 1.96 * row.error]
    return f"""种下的 {len(asked)} 个数里,{len(asked) - len(short)} 个的区间至少盖住 93%,{len(short)} 个不到。若每个区间恰好盖住 95%,单凭运气也有约 {chance:.1f} 个不到。

每个数单独问:若它的区间盖住 95%,盖住这么少或更少的机会 p 有多大(单侧精确二项)。{len(asked)} 个数一起按 Holm 校正,
p 不到 0.05 的{f"有 {len(refuted)} 个:{'、'.join(refuted)}" if refuted else "一个也没有"}。最小的是{NAMES[asked[least].what]} {asked[least].who}:{asked[least].covered} / {asked[least].seeds},p = {chance_of(asked[least]):.3f},校正后 {held[least]:.2f}。

各店平均 ± 1.96 标准误不含真值的有 {len(off)} 个{f"({'、'.join(f'{NAMES[row.what]} {row.who}'.strip() for row in off)})" if off else ""};全都没有偏差时,单凭运气约 {0.05 * len(asked):.1f} 个。
"""


def chance_of(row: Coverage) -> float:
    """P(so few seeds held or fewer) of an interval that holds 95 %: exact, one-sided."""
    return _less_than(row.covered + 1, row.seeds, 0.95)


def holm(ps: Sequence[float]) -> list[float]:
    """Each p adjusted for all being asked, whatever their dependence (Holm 1979, Scandinavian Journal of Statistics 6:65)."""
    adjusted, worst = [0.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        worst = max(worst, min(1.0, (len(ps) - rank) * ps[i]))
        adjusted[i] = worst
    return adjusted


def _less_than(k: int, n: int, p: float) -> float:
    """P(X < k) of a binomial."""
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k))


if __name__ == "__main__":
    main()
