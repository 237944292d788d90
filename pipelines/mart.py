"""The mart: typed frames and SQL models → one DuckDB file that everybody else reads. Rebuilt whole, published by rename."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from pipelines import satisfaction, standard, store
from pipelines.resources import read_yaml
from pipelines.store import MODELS
from qc import (
    adjust,
    attribution,
    casemix,
    damage,
    detectors,
    dialogue,
    frames,
    hours,
    identity,
    ledger,
    needs,
    products,
    profiles,
    promises,
    reminders,
    rewrites,
    senders,
    substance,
)
from qc.casewords import Lexicon
from qc.metrics import BY_PROFILE, KPIS, REASONS
from qc.places import Beside
from qc.profiles import Profile
from qc.rulebook import Pack, rules_of
from qc.satisfaction import Weights
from qc.scorecards import Scorecard

# In the order they build on each other; each is models/<name>.sql.
TABLES = (
    "messages", "mood_grams", "profiles", "turns", "profile_turns", "conversations", "promises", "coverage", "case_reasons", "findings", "moments", "entries", "scores", "orders", "order_lines", "order_history", "agents",
    "ratings", "receptions", "consultations", "inquiries", "attributions", "attribution_shares", "inquiry_agents", "lost_inquiries",
    "buyers", "reminders",
    "vendor_figures",
)  # fmt: skip
# What is compared like with like: table -> what tells its comparisons apart; the cases are models/cases/<name>.sql.
# Which cases are alike: the last is given up first where others are too few. Agents are compared by night and day, not by
# shorter hours: within a shift the others are that shift's colleagues alone, and what is expected would differ by who they are.
STRATA = ("topic", "price_band", "is_returning")
ADJUSTED = {
    "like_with_like": (("metric",), (*STRATA, "is_night")),
    "quality_worth": (("factor", "metric"), (*STRATA, "hour_band")),
}
LAST = ("predicted_csat",)  # made from the tables before it
ON_TOP = (
    "observations",
    "metrics",
    "gaps",
)  # built inside the mart itself, so that their SQL holds wherever it is opened
VIEWS = ("observations",)
COPIED = ("sources", "quarantine", "runs", "reviews")
COPIED_MEANING = {
    "sources": "来源文件,每个一行:多少行入库、重复、隔离,三者之和等于行数",
    "quarantine": "没有入库的行:文件、行号、原文、原因;改正后重新 qc ingest",
    "runs": "每次运行一行:数据时点、口径、规则指纹、结果",
    "reviews": "人工复核,每条一行;复核只增不改",
    "rules": "规则,每条一行:查什么、为什么、该怎么说",
    "attribution_rules": "归属规则,每种一行;第一种是计算用的,其余用来比较",
    "like_with_like": "同样的客户比:每位客服的转化、客单价,旁边是同样的询单(话题、价位、新老客、昼夜)在别的客服手里的结果;是关联,不是定论",
    "quality_worth": "服务好坏和成交:按首次等待、流程阶段、情绪变化分档的转化与退款,旁边是同样的询单在别的档里的结果;是关联,不是定论",
    "scorecard_items": "评分卡的评分项及其规则,每对一行",
    "standard_items": "店铺自评(GB/T 27922),每个店铺每一项一行:由数据算还是自己答的、凭什么、得几分;不适用的 won 为空并写明原因。只评店铺,不评人",
    "standard_scores": "店铺自评的总分,每个店铺一行:100 × 得到的分 ÷ 适用项的分;一项都不适用的为空",
    "kpis": "指标的登记表:中文名、单位、算法、公式",
    "reasons": "原因代码的中英文说明",
}


class Book(NamedTuple):
    """What the night judges by."""

    packs: Sequence[Pack]
    scorecards: Sequence[Scorecard]  # in the order in which they are chosen; the last one takes the rest
    profile: Profile
    pleasantries: Sequence[str]
    substance: substance.Lexicon
    attribution: Sequence[attribution.Rule] = (attribution.DEFAULT,)
    senders: Sequence[senders.Pattern] = ()
    lexicons: Sequence[Lexicon] = ()
    hours: hours.Calendar = ()
    profiles: Sequence[Profile] = ()  # every other definition that the night is judged by as well
    standard: standard.Book | None = None  # the shop's self-assessment


Score = Callable[[pl.Series], pl.DataFrame]
Step = Callable[[str], None]


def build(
    con: duckdb.DuckDBPyConnection, book: Book, as_of: datetime | None, score: Score, step: Step, mood_grams: pl.DataFrame,
    satisfied: Weights | None = None,
) -> None:  # fmt: skip
    """Facts of the warehouse -> every table of the attached `mart`. `score(texts) -> (text, p_…)`; `step` names progress.

    `mood_grams(gram, negative, neutral, positive)` is what the sentiment model goes by.
    """
    literal = f"TIMESTAMP '{as_of.isoformat(sep=' ')}'" if as_of else "NULL::TIMESTAMP"
    con.execute(f"CREATE OR REPLACE TEMP MACRO as_of() AS {literal}")
    con.execute("CREATE OR REPLACE TEMP TABLE as_of_ AS SELECT as_of() AS as_of")
    step("会话与轮次")
    spoken = senders.refine(_model(con, "current_messages"), book.senders)
    messages = dialogue.arrange(spoken).join(
        spoken.select("source_id", "source_row", "sender_ground", "is_damaged"),
        on=["source_id", "source_row"], how="left", maintain_order="left",
    )  # fmt: skip
    messages, orders = identity.apart(messages, current_orders(con))
    turns, profile_turns = _turns(messages, book, as_of)
    step("客户情绪")
    felt = messages.filter((pl.col("sender_kind") == "customer") & (pl.col("content_kind") == "text") & ~pl.col("is_damaged"))
    sentiment = score(felt["text"].unique())
    step("话题与阶段")
    shown = products.shown_in(messages)
    mix = casemix.classify(messages, book.lexicons, orders, products=_names(con, shown))
    step("检查用语")
    beside = Beside(orders if orders.height else None, mix.cases, sentiment)
    found = damage.without_unread(detectors.inspect(messages, turns, book.packs, beside), messages)
    scored = ledger.score(
        found.findings, found.moments, messages, book.packs, book.scorecards, cases=mix.cases, verdicts=_verdicts(con)
    )
    told = rewrites.filled(found.findings, rules_of(book.packs), messages, mix.cases, shown)
    step("承诺与负荷")
    timed = promises.measure(
        turns, messages, found.findings, book.profile, book.substance, pleasantries=book.pleasantries, as_of=as_of, calendar=book.hours
    )
    step("订单归属")
    given = {
        "arranged": messages, "sentiment": sentiment, "mood_grams_": mood_grams, "turns_": turns, "pace_": timed.pace, "promises_": timed.promises, "cases_": mix.cases,
        "profile_turns_": profile_turns, "profiles_": profiles.listed(book.profile, book.profiles), "case_reasons_": mix.reasons, "findings_": told,
        "moments_": found.moments, "entries_": scored.entries, "scores_": scored.scores, "orders_": orders,
        "paid_": attribution.parents(orders), "attributions_": attribution.attribute(orders, messages, rule=book.attribution[0]),
        "shares_": attribution.shares(orders, messages, book.attribution),
        "products_": shown,
        "reminders_": reminders.reminders(orders, messages, as_of),
        "ratings_": _model(con, "current_ratings"),
        "roster_": store.frame(con, 'SELECT shop, agent, name, team, "from" FROM fact_agents'),
    }  # fmt: skip
    for name, frame in given.items():
        con.register(name, frame)
    step("汇总")
    for name in TABLES:
        con.execute(f"CREATE TABLE mart.{name} AS {_sql(MODELS / f'{name}.sql')}")
    con.register("predicted_", satisfaction.predicted(con, satisfied))
    for name in LAST:
        con.execute(f"CREATE TABLE mart.{name} AS {_sql(MODELS / f'{name}.sql')}")
    con.unregister("predicted_")
    for name in ADJUSTED:
        con.register("adjusted_", adjusted(con, name))
        con.execute(f"CREATE TABLE mart.{name} AS SELECT * FROM adjusted_ ORDER BY ALL")
        con.unregister("adjusted_")
    _reference(con, book, needs.unasked(rules_of(book.packs), messages, beside))
    for name in COPIED:
        con.execute(f"CREATE TABLE mart.{name} AS SELECT * FROM warehouse.{name} ORDER BY ALL")
    con.execute("DELETE FROM mart.runs")  # written last, when this run's own row is complete
    for name in given:
        con.unregister(name)


def current_orders(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """frames.Order of the warehouse as it stood at `as_of()`; every version of every row stays behind as `order_versions_`."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE order_versions_ AS {_sql(MODELS / 'order_versions.sql')}")
    return frames.of(frames.Order, _model(con, "current_orders"))


def _names(con: duckdb.DuckDBPyConnection, shown: pl.DataFrame) -> list[str]:
    """What the products are called, on cards and in orders."""
    ordered = store.frame(con, "SELECT DISTINCT product FROM order_versions_ WHERE product IS NOT NULL")
    return products.names(pl.concat([shown["product"], ordered["product"]]))


def adjusted(con: duckdb.DuckDBPyConnection, name: str) -> pl.DataFrame:
    """Observed beside expected for each of the table's keys, from models/cases/<name>.sql."""
    keys, strata = ADJUSTED[name]
    cases = store.frame(con, _sql(MODELS / "cases" / f"{name}.sql"))
    found = [(of, adjust.observed_expected(some, strata)) for of, some in cases.group_by(keys, maintain_order=True)]
    named = [some.select(*(pl.lit(v).alias(k) for k, v in zip(keys, of, strict=True)), pl.all()) for of, some in found]
    nothing = adjust.observed_expected(cases.clear(), strata).select(*(pl.lit("").alias(k) for k in keys), pl.all())
    return pl.concat([nothing, *named])


def _turns(messages: pl.DataFrame, book: Book, as_of: datetime | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The run's own frames.Turn, and frames.ProfileTurn under every profile."""
    judged = dialogue.under_profiles(
        messages, (book.profile, *book.profiles), as_of=as_of, pleasantries=book.pleasantries
    )
    turns = {profile.id: found for profile, found in judged}
    stacked = [
        frames.of(frames.ProfileTurn, turns[name].with_columns(profile=pl.lit(name))) for name in sorted(turns)
    ]
    return turns[book.profile.id], pl.concat(stacked)


def finish(path: Path, assessed_by: standard.Book | None = None) -> None:
    """Inside the built file: views, the additive metrics, macros, what is made of them, comments."""
    with duckdb.connect(str(path)) as con:
        on_top(con)
        if assessed_by:
            standard.write(con, assessed_by)
        _comment(con)
        con.execute("CHECKPOINT")


def on_top(con: duckdb.DuckDBPyConnection, names: Sequence[str] = ON_TOP) -> None:
    """Views, the additive metrics and macros over the tables of the mart that the connection is in."""
    for name in names:
        what = "VIEW" if name in VIEWS else "TABLE"
        con.execute(f"CREATE {what} {name} AS {_sql(MODELS / 'mart' / f'{name}.sql')}")
    for statement in _sql(MODELS / "mart" / "macros.sql").split(";\n"):
        if statement.strip():
            con.execute(statement)


def meanings() -> dict[str, str]:
    """table -> its first line, what it means."""
    folders = {**dict.fromkeys((*TABLES, *LAST), MODELS), **dict.fromkeys(ON_TOP, MODELS / "mart")}
    first = {n: (f / f"{n}.sql").read_text(encoding="utf-8").splitlines()[0] for n, f in folders.items()}
    return {n: line.removeprefix("-- ") for n, line in first.items()} | COPIED_MEANING


def column_meanings() -> dict[str, str]:
    """column or table.column -> what it means."""
    return dict(read_yaml(MODELS / "columns.yaml"))


def _model(con: duckdb.DuckDBPyConnection, name: str) -> pl.DataFrame:
    return store.frame(con, _sql(MODELS / f"{name}.sql"))


def _sql(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _verdicts(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """What the last reviewer of each finding said: (finding_id, is_confirmed)."""
    return store.frame(
        con, "SELECT finding_id, arg_max(verdict, (reviewed_at, review_id)) = 'confirmed' AS is_confirmed FROM warehouse.reviews "
        "WHERE finding_id IS NOT NULL GROUP BY finding_id ORDER BY finding_id",
    )  # fmt: skip


def _reference(con: duckdb.DuckDBPyConnection, book: Book, unasked: Mapping[str, str]) -> None:
    """Rules, scorecard, KPI registry and reason codes, so that a page needs nothing but the mart."""
    rules = [
        (r.id, p.pack, r.title, r.title_en, r.by, r.who, r.category, r.severity, r.deduction, r.why, r.why_en or None, r.rewrite, r.rewrite_en or None, r.rewrite_for or None, r.source, unasked.get(r.id))
        for p in book.packs for r in p.rules
    ]  # fmt: skip
    rule_columns = [
        "rule_id",
        "pack",
        "title",
        "title_en",
        "by",
        "who",
        "category",
        "severity",
        "deduction",
        "why",
        "why_en",
        "rewrite",
        "rewrite_en",
        "rewrite_for",
        "source",
        "unasked",
    ]
    items = [
        (c.scorecard, c.title, c.title_en, s.id, s.title, s.title_en, s.weight, i.id, i.title, i.title_en, i.weight, i.most, rule)
        for c in book.scorecards for s in c.sections for i in s.items for rule in i.rules
    ]  # fmt: skip
    item_columns = [
        "scorecard", "card_title", "card_title_en", "section", "section_title", "section_title_en", "section_weight", "item", "title", "title_en", "weight", "most", "rule_id",
    ]  # fmt: skip
    kpis = [
        (k.id, k.zh, k.en, k.kind, k.unit, k.observed, k.group, k.formula, k.better, k.target, k.scale, *_range(k.unit),
         k.observed in BY_PROFILE) for k in KPIS
    ]
    kpi_columns = ["metric", "zh", "en", "kind", "unit", "observed", "group", "formula", "better", "target", "scale", "lowest", "highest",
                   "is_by_profile"]  # fmt: skip
    shared = [(n, r.id, r.title, r.title_en, r.pick, r.until, r.look_back_h) for n, r in enumerate(book.attribution, 1)]
    share_columns = ["nth", "rule", "title", "title_en", "pick", "until", "look_back_h"]
    reasons = [(code, zh, en) for code, (zh, en) in REASONS.items()]
    for name, rows, columns in (
        ("rules", rules, rule_columns), ("scorecard_items", items, item_columns),
        ("attribution_rules", shared, share_columns), ("kpis", kpis, kpi_columns), ("reasons", reasons, ["code", "zh", "en"]),
    ):  # fmt: skip
        frame = pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
        con.register("rows_", frame.cast({pl.Null: pl.String}))  # what is NULL in every row is text all the same
        con.execute(f"CREATE TABLE mart.{name} AS SELECT * FROM rows_")
        con.unregister("rows_")


def _range(unit: str) -> tuple[float | None, float | None]:
    """What a number of this unit can be at least and at most; an interval goes no further. Means are shown unscaled."""
    return {"mood": (-1.0, 1.0), "%": (0.0, 1.0), "分": (0.0, 100.0)}.get(unit, (0.0, None))


def _comment(con: duckdb.DuckDBPyConnection) -> None:
    tables, columns = meanings(), column_meanings()
    rows = con.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND database_name = current_database()"
    ).fetchall()
    said = []
    for table in sorted({t for t, _ in rows}):
        kind = "VIEW" if table in VIEWS else "TABLE"
        said.append(f"COMMENT ON {kind} {table} IS {_literal(tables[table])}")
    for table, column in rows:
        meaning = columns.get(f"{table}.{column}", columns.get(column))
        if meaning is None:
            raise KeyError(f"models/columns.yaml does not say what {table}.{column} means")
        said.append(f'COMMENT ON COLUMN {table}."{column}" IS {_literal(meaning)}')
    with store.transaction(con):
        con.execute(";\n".join(said))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
