"""Raw text columns → typed rows of a noun; every row that cannot be one says why. KPI §1, contract «Native input».

`check(kind, raw)` takes native columns as text (plus `_line`, `_raw`, `extra`) and returns the good rows, typed, and the
bad ones with a code and a sentence that names column, value and what is due. No row is ever lost between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import polars as pl

from qc.frames import CONTENT_KINDS, SENDER_KINDS, TIME

Kind = Literal["messages", "orders", "ratings", "agents"]

NATIVE: dict[Kind, tuple[str, ...]] = {
    "messages": (
        "shop", "channel", "conversation_id", "message_id", "sent_at", "sender_kind", "agent", "customer", "text",
        "content_kind",
    ),
    "orders": (
        "order_id", "parent_order_id", "shop", "channel", "customer", "created_at", "paid_at", "paid", "paid_fen",
        "refunded", "refund_applied_at", "refund_finished_at", "items", "status",
    ),
    "ratings": ("shop", "conversation_id", "customer", "agent", "invited_at", "rated_at", "stars"),
    "agents": ("shop", "agent", "name", "team", "from", "to"),
}  # fmt: skip
REQUIRED: dict[Kind, set[str]] = {
    "messages": {"shop", "channel", "sent_at", "sender_kind", "customer", "text"},
    "orders": {"order_id", "shop", "created_at"},
    "ratings": {"shop", "stars"},
    "agents": {"shop", "agent"},
}
TIMES = ("sent_at", "created_at", "paid_at", "refund_applied_at", "refund_finished_at", "invited_at", "rated_at")
FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y年%m月%d日 %H:%M:%S", "%Y年%m月%d日 %H:%M", "%Y%m%d%H%M%S",
)  # fmt: skip
# How exports write senders; the native words first. 买家/卖家 are Taobao's, 顾客/客户 JD's and helpdesks'.
SENDER_WORDS = {k: k for k in SENDER_KINDS} | {
    "买家": "customer", "顾客": "customer", "客户": "customer", "用户": "customer", "buyer": "customer",
    "卖家": "agent", "客服": "agent", "人工": "agent", "seller": "agent",
    "机器人": "bot", "系统": "system", "自动回复": "auto", "辅助": "assist", "内部": "internal",
}  # fmt: skip


class Intake(NamedTuple):
    """good(<typed native columns>, _line, extra); bad(_line, _raw, code, reason)."""

    good: pl.DataFrame
    bad: pl.DataFrame


class Check(NamedTuple):
    """A row is bad where `fails`; its code and its reason, which may quote the row's own value."""

    fails: pl.Expr
    code: str
    reason: pl.Expr


def check(kind: Kind, raw: pl.DataFrame, *, optional: frozenset[str] = frozenset()) -> Intake:
    """Native columns as text -> Intake. `optional`: required columns that this export is known not to have."""
    trimmed = [pl.col(c).str.strip_chars() for c in NATIVE[kind] if c != "text"]
    rows = raw.with_columns([pl.when(c != "").then(c) for c in trimmed]).with_columns(*_typed(kind))
    rows = rows.with_columns(parse_time(rows[c]).alias(f"~{c}") for c in NATIVE[kind] if c in TIMES)
    checks = [*_required(kind, optional), *CHECKS[kind]()]
    fails = rows.select(pl.any_horizontal(c.fails.fill_null(False) for c in checks).alias("fails"))["fails"]
    good = rows if not fails.any() else rows.filter(~fails)
    return Intake(good.select("_line", "extra", *_columns(kind)), _reasons(rows.filter(fails), checks))


def _reasons(rows: pl.DataFrame, checks: list[Check]) -> pl.DataFrame:
    """The first thing that is wrong with each of these rows; spelt out for them only, since most rows are fine."""
    code = pl.coalesce([pl.when(c.fails.fill_null(False)).then(pl.lit(c.code)) for c in checks])
    reason = pl.coalesce([pl.when(c.fails.fill_null(False)).then(c.reason) for c in checks])
    return rows.select("_line", "_raw", code=code, reason=reason)


def parse_time(text: pl.Series) -> pl.Series:
    """Text -> local time; the forms exports use, and Unix seconds or milliseconds (read as Asia/Shanghai, UTC+8).

    A file keeps to one form, so each form is tried only on what the ones before it could not read.
    """
    at = text.str.to_datetime(FORMATS[0], time_unit="us", strict=False)
    for form in (*FORMATS[1:], None):
        unread = (at.is_null() & text.is_not_null()).arg_true()
        if unread.is_empty():
            break
        rest = text.gather(unread)
        read = rest.str.to_datetime(form, time_unit="us", strict=False) if form else _unix(rest)
        at = at.scatter(unread, read)
    return at


def _unix(text: pl.Series) -> pl.Series:
    number = text.str.extract(r"^(\d{10}|\d{13})$").cast(pl.Int64, strict=False)
    micros = pl.select(pl.when(number >= 10**12).then(number * 1000).otherwise(number * 1_000_000)).to_series()
    return (micros + 8 * 3600 * 1_000_000).cast(TIME)


def parse_fen(text: pl.Expr) -> pl.Expr:
    """Yuan as text (¥, thousands commas, full-width minus allowed; at most two decimals) -> integer fen; else NULL."""
    plain = text.str.replace_all(r"[¥￥,，\s元]", "").str.extract(r"^(-?\d{1,13}(?:\.\d+)?)$")
    yuan = plain.cast(pl.Decimal(22, 6), strict=False)
    return (yuan * 100).round(0).cast(pl.Int64, strict=False)


def _typed(kind: Kind) -> list[pl.Expr]:
    """Typed twins of the text columns, under the name `~column`, so that a reason can still quote the text."""
    typed: list[pl.Expr] = []
    if kind == "messages":
        word = pl.col("sender_kind").str.to_lowercase()
        known = word.replace_strict(list(SENDER_WORDS), list(SENDER_WORDS.values()), default=None)
        content = pl.coalesce(pl.col("content_kind").str.to_lowercase(), pl.lit("text"))
        text = pl.col("text").fill_null("")
        is_blank = (content == "text") & (text.str.strip_chars() == "")
        typed += [
            known.alias("~sender_kind"),
            pl.when(is_blank).then(pl.lit("empty")).otherwise(content).alias("~content_kind"),
            text.alias("~text"),
        ]
    if kind == "orders":
        typed += [
            pl.coalesce(pl.col("paid_fen").cast(pl.Int64, strict=False), parse_fen(pl.col("paid"))).alias("~paid_fen"),
            parse_fen(pl.col("refunded")).alias("~refunded_fen"),
            pl.col("items").cast(pl.Int64, strict=False).alias("~items"),
        ]
    if kind == "ratings":
        typed.append(pl.col("stars").cast(pl.Int32, strict=False).alias("~stars"))
    if kind == "agents":
        typed += [
            pl.col(c).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).alias(f"~{c}") for c in ("from", "to")
        ]
    return typed


def _columns(kind: Kind) -> list[pl.Expr]:
    plain = {
        "messages": ["shop", "channel", "conversation_id", "message_id", "agent", "customer"],
        "orders": ["order_id", "parent_order_id", "shop", "channel", "customer", "status"],
        "ratings": ["shop", "conversation_id", "customer", "agent"],
        "agents": ["shop", "agent", "name", "team"],
    }[kind]
    typed = {
        "messages": ["sent_at", "sender_kind", "content_kind", "text"],
        "orders": [
            "created_at",
            "paid_at",
            "paid_fen",
            "refunded_fen",
            "refund_applied_at",
            "refund_finished_at",
            "items",
        ],
        "ratings": ["invited_at", "rated_at", "stars"],
        "agents": ["from", "to"],
    }[kind]
    filled = {"refunded_fen": pl.col("~refunded_fen").fill_null(0), "paid_fen": pl.col("~paid_fen").fill_null(0)}
    return [*map(pl.col, plain), *(filled.get(c, pl.col(f"~{c}")).alias(c) for c in typed)]


def _said(column: str) -> pl.Expr:
    return pl.format('「{}」="{}" ', pl.lit(column), pl.col(column).str.slice(0, 60))


def _required(kind: Kind, optional: frozenset[str]) -> list[Check]:
    columns = sorted(REQUIRED[kind] - {"text", "customer", "stars"} - optional)
    checks = [Check(pl.col(c).is_null(), "missing", pl.lit(f"「{c}」是空的,这一列必须有值")) for c in columns]
    return checks


def _bad_times(kind: Kind) -> list[Check]:
    checks = []
    for c in (c for c in NATIVE[kind] if c in TIMES):
        year = pl.col(f"~{c}").dt.year()
        unread = pl.col(c).is_not_null() & (pl.col(f"~{c}").is_null() | ~year.is_between(1990, 2099))
        checks.append(Check(unread, "time", _said(c) + pl.lit("不是时间(例:2026-09-01 09:05:07)")))
    return checks


def _bad_numbers(columns: dict[str, str]) -> list[Check]:
    return [
        Check(pl.col(text).is_not_null() & pl.col(f"~{typed}").is_null(), "number", _said(text) + pl.lit("不是数"))
        for text, typed in columns.items()
    ]


def _message_checks() -> list[Check]:
    senders, contents = "、".join(SENDER_KINDS), "、".join(CONTENT_KINDS)
    nobody = pl.col("customer").is_null() & pl.col("conversation_id").is_null() & (pl.col("~sender_kind") != "internal")
    return [
        *_bad_times("messages"),
        Check(pl.col("~sender_kind").is_null(), "sender", _said("sender_kind") + pl.lit(f"不是已知的发送方({senders})")),
        Check(
            ~pl.col("~content_kind").is_in(list(CONTENT_KINDS)),
            "content", _said("content_kind") + pl.lit(f"不是已知的内容类型({contents})"),
        ),
        Check(nobody, "missing", pl.lit("「customer」和「conversation_id」都是空的,不知道这句话属于谁")),
    ]  # fmt: skip


def _order_checks() -> list[Check]:
    paid_first = pl.col("~paid_at") < pl.col("~created_at")
    return [
        *_bad_times("orders"),
        *_bad_numbers({"paid": "paid_fen", "paid_fen": "paid_fen", "refunded": "refunded_fen", "items": "items"}),
        Check(paid_first, "order_time", _said("paid_at") + pl.lit("早于下单时间「created_at」") + pl.col("created_at")),
        Check(pl.col("~paid_fen") < 0, "amount", _said("paid") + pl.lit("是负数;退款请放在「refunded」列")),
        Check(pl.col("~refunded_fen") < 0, "amount", _said("refunded") + pl.lit("是负数;退款额写正数")),
        Check(
            pl.col("~paid_at").is_not_null() & pl.coalesce("paid", "paid_fen").is_null(),
            "amount", pl.lit("有付款时间却没有「paid」金额"),
        ),
    ]  # fmt: skip


def _rating_checks() -> list[Check]:
    whose = pl.col("conversation_id").is_null() & pl.col("customer").is_null()
    stars = pl.col("~stars")
    return [
        *_bad_times("ratings"),
        Check(pl.col("stars").is_not_null() & (stars.is_null() | ~stars.is_between(1, 5)), "stars",
              _said("stars") + pl.lit("不在 1 到 5 之间")),
        Check(pl.col("stars").is_null() & pl.col("~invited_at").is_null(), "missing",
              pl.lit("既没有「stars」也没有「invited_at」,这一行没有说任何事")),
        Check(whose, "missing", pl.lit("「conversation_id」和「customer」都是空的,不知道评的是哪次服务")),
    ]  # fmt: skip


def _agent_checks() -> list[Check]:
    return [
        Check(pl.col(c).is_not_null() & pl.col(f"~{c}").is_null(), "time", _said(c) + pl.lit("不是日期(例:2026-09-01)"))
        for c in ("from", "to")
    ]


CHECKS: dict[Kind, Callable[[], list[Check]]] = {
    "messages": _message_checks,
    "orders": _order_checks,
    "ratings": _rating_checks,
    "agents": _agent_checks,
}
