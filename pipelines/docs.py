"""Reference pages from what runs: numbers, rules, tables, commands. `python -m pipelines.docs` writes, `--check` compares."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from typer.main import get_command

from pipelines import mart, rule_manual, settings, store
from pipelines import rules as rule_files
from pipelines.mapping import load
from pipelines.resources import data_dir
from pipelines.sources import READERS, vendor
from qc import rulebook
from qc.intake import NATIVE, REQUIRED
from qc.metrics import KPIS, REASONS
from qc.scorecards import Applies, Scorecard
from qc.shop import CLASSES

DOCS = Path(__file__).parent.parent / "docs"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(str(c).replace("|", "\\|").replace("\n", " ") for c in row) + " |" for row in cells)
        + "\n"
    )


def metrics() -> str:
    """docs/metrics.md: every number, from the registry."""
    groups = {
        "response": "响应 Response",
        "quality": "质量 Quality",
        "satisfaction": "满意 Satisfaction",
        "sales": "销售 Sales",
    }
    kinds = {
        "rate": "比率,Wilson 95% 区间",
        "mean": "各单位的平均,按偏度改正的 t 区间",
        "p50": "中位数,次序统计区间",
        "p90": "第90百分位,次序统计区间",
        "total": "合计",
        "ratio": "金额比",
    }
    parts = [
        "# 指标 Metrics\n\n每个数字一个定义。比率存分子和分母,任何时段都是 Σ分子 ÷ Σ分母;`metric(编号, 起日, 止日)` 给出值、区间和单位数;`metric_of(口径, …)` 换口径,`metric_by('team' / 'channel' / 'hour', …)` 换粒度。\n"
    ]
    for group, title in groups.items():
        rows = [
            (f"`{k.id}`", k.zh, k.en, k.formula, kinds[k.kind], {"low": "低", "high": "高", "": ""}[k.better], k.target or "")
            for k in KPIS if k.group == group
        ]  # fmt: skip
        parts.append(f"\n## {title}\n\n{_table(['编号', '名称', 'English', '公式', '算法', '好的方向', '目标'], rows)}")
    parts.append(
        f"\n## 原因代码 Reasons\n\n算不出的数字是空的,并写明原因。\n\n{_table(['代码', '说明', 'English'], [(f'`{c}`', zh, en) for c, (zh, en) in REASONS.items()])}"
    )
    return "".join(parts)


def rules() -> str:
    """docs/rules.md: every rule of the shipped packs and the scorecard that uses them."""
    book = settings.book(data_dir(), settings.Settings())
    parts = [
        "# 规则 Rules\n\n每条规则自带该中和不该中的例句,`qc rules check` 逐句运行。分数是评分项的分,折算见评分卡。\n"
    ]
    for pack in filter(lambda p: p.rules, book.packs):
        rows = [
            (f"`{r.id}`", r.title, r.severity, f"{r.deduction:g}" if r.deduction else "–", r.why, r.rewrite or "–", r.source, f"{len(r.tests.hit)} / {len(r.tests.miss)}")
            for r in pack.rules
        ]  # fmt: skip
        parts.append(
            f"\n## {pack.title} {pack.title_en}\n\n{_table(['编号', '名称', '轻重', '扣分', '为什么', '建议说法', '出处', '例句 中/不中'], rows)}"
        )
    parts.append("\n## 评分卡 Scorecards\n\n质检分 = 100 × Σ(权重 × 得分) ÷ Σ(适用项的权重)。\n")
    for name in ("general", "pre_sale", "after_sale"):
        parts.append(_scorecard(rule_files.load_scorecard(data_dir() / "scorecards" / f"{name}.yaml", book.packs)))
    return "".join(parts)


def _scorecard(card: Scorecard) -> str:
    meant = ";".join(f"{aspect} {'、'.join(values)}" for aspect, values in card.meant_for.aspects().items())
    rows = [
        (s.title, f"{s.weight:g}", i.title, f"{i.weight:g}", f"{i.deduction:g}" if i.deduction else "–", _applies(i.applies),
         "、".join(f"`{r}`" for r in i.rules))
        for s in card.sections for i in s.items
    ]  # fmt: skip
    table = _table(["分区", "权重", "评分项", "权重", "每处扣", "哪些会话才看", "规则"], rows)
    return f"\n### {card.title} `{card.scorecard}`\n\n几张卡一起用时给:{meant or '其余的会话'}。每处扣「–」的照规则自己的扣分。\n\n{table}"


def _applies(applies: Applies) -> str:
    said = [f"{aspect}: {'、'.join(values)}" for aspect, values in applies.aspects().items()]
    return ";".join([*said, *(f"找到过 `{rule}`" for rule in applies.found)]) or "–"


def tables() -> str:
    """docs/tables.md: every table and column of the mart, from its own comments."""
    parts = [
        "# 数据表 Tables\n\n发布的结果在工作目录的 `mart.duckdb`,谁都可以只读打开(DuckDB 1.4 以上)。下面的说明就是表和列的 COMMENT。\n"
    ]
    with TemporaryDirectory() as folder, _empty_mart(Path(folder)) as con:
        for name, comment in con.execute(
            "SELECT table_name, comment FROM duckdb_tables() UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY 1"
        ).fetchall():
            rows = con.execute(
                "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
                [name],
            ).fetchall()
            parts.append(
                f"\n## {name}\n\n{comment}\n\n{_table(['列', '类型', '含义'], [(f'`{c}`', t, m) for c, t, m in rows])}"
            )
    return "".join(parts)


def _empty_mart(home: Path) -> store.duckdb.DuckDBPyConnection:
    book = settings.book(home, settings.Settings())
    nothing = pl.DataFrame(
        schema={
            "text": pl.String,
            "p_negative": pl.Float64,
            "p_neutral": pl.Float64,
            "p_positive": pl.Float64,
            "is_scored": pl.Boolean,
        }
    )
    with store.warehouse(home) as con, store.mart_in_the_making(con, home) as path:
        mart.build(con, book, None, lambda _: nothing, lambda _: None, pl.DataFrame(schema={"gram": pl.String, **dict.fromkeys(CLASSES, pl.Float64)}))
        store.detach(con)
        mart.finish(path, book.standard)
    return store.open_mart(home)


def commands() -> str:
    """docs/cli.md: every command's own help."""
    from pipelines.cli import app

    os.environ |= {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    parts = ["# 命令 Commands\n\n退出码:0 完成 · 1 失败,没有发布 · 2 用法或设置有误 · 3 完成并已发布,但有行被隔离。\n"]
    for name, command in _walk("qc", get_command(app)):
        context = command.make_context(name, [], resilient_parsing=True)
        parts.append(f"\n## {name}\n\n```\n{command.get_help(context).rstrip()}\n```\n")
    return "".join(parts)


def _walk(name: str, command: object) -> Iterator[tuple[str, object]]:
    yield name, command
    for sub, child in getattr(command, "commands", {}).items():
        yield from _walk(f"{name} {sub}", child)


def mappings() -> str:
    """docs/mappings.md: the exports that are read as they are, and how to write a mapping file of one's own."""
    files = sorted((data_dir() / "mappings").glob("*.yaml"))
    found = [load(p) for p in files]
    rows = [(f"`{m.id}`", m.title, m.kind, "、".join(m.match.columns) or f"首行匹配 `{m.match.line}`") for m in found]
    rows += [(f"`{r.NAME}`", r.TITLE, r.KIND, "内容") for r in READERS]
    example = (data_dir() / "mappings" / "tmall_report.yaml").read_text(encoding="utf-8")
    native = [
        (kind, "、".join(f"`{c}`" for c in columns), "、".join(f"`{c}`" for c in sorted(REQUIRED[kind])))
        for kind, columns in NATIVE.items() if kind != "vendor"
    ]  # fmt: skip
    sheets = [
        (f"`{f['metric']}`", f["title"], f["unit"], "、".join(f["headers"]), f"`{f['ours']}`" if f.get("ours") else "–")
        for f in vendor.lexicon()["figures"]
    ]
    return f"""# 映射 Mappings

标准格式之外,认得这些导出:

{_table(["编号", "名称", "种类", "怎么认"], rows)}
别的表写一个映射文件(`qc ingest --suggest 文件` 打印一份草稿),用 `--mapping 文件` 指明,或放进工作目录的 `mappings/` 让它自己认。例如:

```yaml
{example}```

{_table(["键", "含义"], MAPPING_KEYS)}
目标列(标准列):

{_table(["种类", "列", "必须有"], native)}
一个订单占几行的(商品行、付款行),每行给一个 `line`:整单的数写在 `paid`、`items`,这一行自己付的写在 `line_paid`;没有整单的数时,各行相加。
这一行是哪件商品写在 `product`(名称或编号),哪个卖家写在 `seller`,这一行的价钱写在 `line_price`(元,单价 × 件数),进 `order_lines` 表;它们不改变订单的实付。
预售只付了定金的,`paid_at` 留空,等付了尾款再写:有付款时间的就是已付款。
写着收件人姓名、地址、电话的列(`data/lexicons/private_columns.yaml`)只要映射没有用到就不存。

## 别家的绩效表

生意参谋、赤兔等的绩效表(CSV、Excel)认得下面的表头,另存进 `vendor_figures`,不与我们算的数相混;`qc crosscheck` 把两边并排。
是哪家的:文件名里写着「生意参谋」「赤兔」就是它,否则看列。日期在「日期」列里,没有就看文件名(`客服绩效_20260901-20260930.xlsx`);汇总、平均、同行同层等尾部行记名目、不属于任何客服。
比率写成 62.5%、62.5 或 0.625 都行:表头带 % 或这一列有大于 1 的数,就按百分数读。

{_table(["编号", "名称", "单位", "表头(全角半角、空格不论)", "我们的指标"], sheets)}"""


MAPPING_KEYS = [
    ("`id` `title`", "编号和名称"),
    ("`kind`", "`messages`、`orders`、`ratings`、`agents`"),
    ("`match.columns` / `match.line`", "表头含有这些列,或首行匹配这个正则,就用这个映射"),
    ("`format.separator`", "分隔符;不写则从首行判断"),
    ("`format.header: false` + `format.columns`", "没有表头时,各列的名字"),
    ("`format.quoted: false`", "引号只是普通字符"),
    ("`format.encoding`", "编码;不写则自动判断"),
    ("`format.decimal: \",\"`", "金额的小数点是逗号,如 `1.234,50`"),
    ("`format.time_formats`", '时间怎么写(strptime),先于常见写法去试,如 `["%m/%d/%Y %I:%M %p"]`'),
    ("`format.written_in`", "没有写明时区的时间是哪个时区的,如 `UTC`;不写则是店铺当地时间"),
    ("`time_zone`", "店铺的时区,默认 `Asia/Shanghai`:带时区的时间和 Unix 时间(秒、毫秒)换算成它"),
    ("`money: fen`", "各金额列的单位是分;默认是元"),
    ("`columns.目标列: 来源列`", "一列对一列"),
    ("`columns.目标列: {column, values}`", '把值翻译过来,如 `{"0": customer, "1": agent}`'),
    ("`columns.目标列: {column, values, default}`", '翻译表里没有的值一律当作 `default`;`""` 表示没有说明'),
    ("`columns.目标列: {column, plus, minus}`", "几列金额相加减,如净额加退款"),
    (
        "`columns.目标列: {column, when, unless, otherwise}`",
        "只在别的列匹配(不匹配)这些正则的行里算数,否则用 `otherwise` 那一列,没有则为空",
    ),
    ("`columns.目标列: {column, times}`", "金额乘以件数,如单价变成这一行的价钱"),
    ("`columns.目标列: {column, prefix}`", "在值前面加字,如两个文件的行号会撞"),
    ("`columns.目标列: [甲, 乙]`", "几种写法,用文件里有的第一种"),
    ("`constants`", "来源没有的列,填固定值"),
    ("`absent`", "来源确实没有的必需列;相关的数字会空着并写明原因"),
    ("`platform_rows`", "客户行里其实是平台代发的文字:`text` 是整句的正则,`sender_kind` 改成什么,`reason` 为什么"),
]


def rule_schema() -> str:
    """data/rule.schema.json: the rule language for editors that know JSON Schema."""
    schema = rulebook.PackFile.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "客服质检规则包"}
    return json.dumps(schema | head, ensure_ascii=False, indent=1) + "\n"


PAGES = {
    "rules-language.md": rule_manual.page,
    "rule.schema.json": rule_schema,
    "metrics.md": metrics,
    "rules.md": rules,
    "tables.md": tables,
    "cli.md": commands,
    "mappings.md": mappings,
}


def place(name: str) -> Path:
    """Where a generated file lives: pages in docs/, the schema beside the packs that name it."""
    return (data_dir() if name.endswith(".json") else DOCS) / name


def stale() -> list[str]:
    """Generated pages that are not what would be generated now."""
    return [n for n, make in PAGES.items() if not place(n).exists() or place(n).read_text(encoding="utf-8") != make()]


def main() -> None:
    """Write the pages; with --check say which are stale and fail."""
    if "--check" not in sys.argv:
        for name, make in PAGES.items():
            place(name).write_text(make(), encoding="utf-8")
    elif old := stale():
        sys.exit(f"docs/ 已过时:{'、'.join(old)};运行:make docs")


if __name__ == "__main__":
    main()
