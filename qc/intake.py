"""Raw text columns → typed rows of a noun; every row that cannot be one says why. KPI §1, contract «Native input».

`check(kind, raw)` takes native columns as text (plus `_line`, `_raw`, `extra`) and returns the good rows, typed, and the
bad ones with a code and a sentence that names column, value and what is due. No row is ever lost between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import polars as pl

from qc.frames import CONTENT_KINDS, SENDER_KINDS
from qc.values import parse_fen, parse_time

Kind = Literal["messages", "orders", "ratings", "agents", "vendor"]

NATIVE: dict[Kind, tuple[str, ...]] = {
    "messages": (
        "shop", "channel", "conversation_id", "message_id", "sent_at", "sender_kind", "agent", "customer", "text",
        "content_kind",
    ),
    "orders": (
        "order_id", "parent_order_id", "shop", "channel", "customer", "created_at", "paid_at", "paid", "paid_fen",
        "refunded", "refund_applied_at", "refund_finished_at", "items", "status", "line", "line_paid",
        "product", "seller", "line_price",
    ),
    "ratings": ("shop", "conversation_id", "customer", "agent", "invited_at", "rated_at", "stars", "order_id"),
    "agents": ("shop", "agent", "name", "team", "from", "to"),
    "vendor": ("vendor", "shop", "agent", "label", "day_from", "day_to", "figures"),
}  # fmt: skip
REQUIRED: dict[Kind, set[str]] = {
    "messages": {"shop", "channel", "sent_at", "sender_kind", "customer", "text"},
    "orders": {"order_id", "shop", "created_at"},
    "ratings": {"shop", "stars"},
    "agents": {"shop", "agent"},
    "vendor": {"vendor", "shop", "day_from", "day_to"},
}
# How exports write that there is no time, and how they keep a spreadsheet from rounding an id.
NO_TIME = ("null", "NULL", "None", "-", "--", "0000-00-00 00:00:00", "0000-00-00", "0000/00/00 00:00:00")
ID_GUARD = r"^(?:=?\"|')?\s*(.*?)\s*\"?$"
DATES = ("from", "to", "day_from", "day_to")
TIMES = ("sent_at", "created_at", "paid_at", "refund_applied_at", "refund_finished_at", "invited_at", "rated_at")
# How exports write senders; the native words first. 买家/卖家 are Taobao's, 顾客/客户 JD's and helpdesks'.
SENDER_WORDS = {k: k for k in SENDER_KINDS} | {
    "买家": "customer", "顾客": "customer", "客户": "customer", "用户": "customer", "buyer": "customer",
    "卖家": "agent", "客服": "agent", "人工": "agent", "seller": "agent",
    "机器人": "bot", "系统": "system", "自动回复": "auto", "辅助": "assist", "内部": "internal",
}  # fmt: skip


ROUNDED = "rounded"
ROUNDED_REASON = "超过 15 位的编号被 Excel 存成了数,后面几位已经丢失;请把这一列设为文本,重新导出"


class Intake(NamedTuple):
    """good(<typed native columns>, _line, extra); bad(_line, _raw, code, reason)."""

    good: pl.DataFrame
    bad: pl.DataFrame


class Check(NamedTuple):
    """A row is bad where `fails`; its code and its reason, which may quote the row's own value."""

    fails: pl.Expr
    code: str
    reason: pl.Expr
    column: str = ""  # which an export may be known not to have; then nothing is amiss


def check(kind: Kind, raw: pl.DataFrame, *, optional: frozenset[str] = frozenset()) -> Intake:
    """Native columns as text -> Intake. `optional`: required columns that this export is known not to have."""
    columns = [c for c in NATIVE[kind] if c != "text"]
    rows = raw.with_columns(_trimmed(kind, c) for c in columns)  # by itself, or each column is trimmed twice
    rows = rows.with_columns(pl.when(pl.col(c) != "").then(c) for c in columns).with_columns(*_typed(kind))
    rows = rows.with_columns(parse_time(rows[c]).alias(f"~{c}") for c in NATIVE[kind] if c in TIMES)
    checks = [c for c in (*_required(kind, optional), *CHECKS[kind]()) if c.column not in optional]
    fails = rows.select(pl.any_horizontal(c.fails.fill_null(False) for c in checks).alias("fails"))["fails"]
    good = rows if not fails.any() else rows.filter(~fails)
    return Intake(good.select("_line", "extra", *_columns(kind, optional)), _reasons(rows.filter(fails), checks))


def _trimmed(kind: Kind, column: str) -> pl.Expr:
    plain = pl.col(column).str.strip_chars()
    if kind in ("orders", "ratings") and column in TIMES:
        return pl.when(~plain.is_in(list(NO_TIME))).then(plain).alias(column)
    return plain.str.replace(ID_GUARD, "$1") if column in ("order_id", "parent_order_id") else plain


def _reasons(rows: pl.DataFrame, checks: list[Check]) -> pl.DataFrame:
    """The first thing that is wrong with each of these rows; spelt out for them only, since most rows are fine."""
    code = pl.coalesce([pl.when(c.fails.fill_null(False)).then(pl.lit(c.code)) for c in checks])
    reason = pl.coalesce([pl.when(c.fails.fill_null(False)).then(c.reason) for c in checks])
    return rows.select("_line", "_raw", code=code, reason=reason)


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
            parse_fen(pl.col("line_paid")).alias("~line_paid_fen"),
            parse_fen(pl.col("line_price")).alias("~line_price_fen"),
            pl.col("items").cast(pl.Int64, strict=False).alias("~items"),
        ]
    if kind == "ratings":
        typed.append(pl.col("stars").cast(pl.Int32, strict=False).alias("~stars"))
    typed += [
        pl.col(c).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).alias(f"~{c}")
        for c in DATES
        if c in NATIVE[kind]
    ]
    return typed


def _columns(kind: Kind, optional: frozenset[str]) -> list[pl.Expr]:
    plain = {
        "messages": ["shop", "channel", "conversation_id", "message_id", "agent", "customer"],
        "orders": ["order_id", "parent_order_id", "shop", "channel", "customer", "status", "line", "product", "seller"],
        "ratings": ["shop", "conversation_id", "customer", "agent", "order_id"],
        "agents": ["shop", "agent", "name", "team"],
        "vendor": ["vendor", "shop", "agent", "label", "figures"],
    }[kind]
    typed = {
        "messages": ["sent_at", "sender_kind", "content_kind", "text"],
        "orders": [
            "created_at", "paid_at", "paid_fen", "refunded_fen", "refund_applied_at", "refund_finished_at", "items",
            "line_paid_fen", "line_price_fen",
        ],
        "ratings": ["invited_at", "rated_at", "stars"],
        "agents": ["from", "to"],
        "vendor": ["day_from", "day_to"],
    }[kind]  # fmt: skip
    # What an order's own row leaves empty was not paid; a row that is but a part of an order does not speak of the whole.
    speaks = pl.col("line").is_null() & pl.lit("paid" not in optional) if kind == "orders" else pl.lit(True)
    filled = {
        c: pl.when(pl.col(f"~{c}").is_null() & speaks).then(0).otherwise(f"~{c}") for c in ("paid_fen", "refunded_fen")
    }
    return [*map(pl.col, plain), *(filled.get(c, pl.col(f"~{c}")).alias(c) for c in typed)]


def _said(column: str) -> pl.Expr:
    return pl.format('「{}」="{}" ', pl.lit(column), pl.col(column).str.slice(0, 60))


def _required(kind: Kind, optional: frozenset[str]) -> list[Check]:
    columns = sorted(REQUIRED[kind] - {"text", "customer", "stars"} - optional)
    # The further rows of an order of several lines leave blank what its first row says.
    begins = (
        pl.col("line").is_null() | pl.col("paid").is_not_null() | pl.col("paid_at").is_not_null()
        if kind == "orders"
        else True
    )
    return [
        Check(
            pl.col(c).is_null() & (begins if c == "created_at" else True),
            "missing",
            pl.lit(f"「{c}」是空的,这一列必须有值"),
        )
        for c in columns
    ]


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
        *_bad_numbers({"paid": "paid_fen", "paid_fen": "paid_fen", "refunded": "refunded_fen", "items": "items",
                       "line_paid": "line_paid_fen", "line_price": "line_price_fen"}),
        Check(pl.col("order_id").str.contains(r"^\d(?:\.\d+)?[eE]\+?\d+$"), ROUNDED, _said("order_id") + pl.lit(ROUNDED_REASON)),
        Check(paid_first, "order_time", _said("paid_at") + pl.lit("早于下单时间「created_at」") + pl.col("created_at")),
        Check(pl.col("~paid_fen") < 0, "amount", _said("paid") + pl.lit("是负数;退款请放在「refunded」列")),
        Check(pl.col("~refunded_fen") < 0, "amount", _said("refunded") + pl.lit("是负数;退款额写正数")),
        Check(
            pl.col("~paid_at").is_not_null() & pl.coalesce("paid", "paid_fen", "line_paid").is_null(),
            "amount", pl.lit("有付款时间却没有「paid」金额"), "paid",
        ),
    ]  # fmt: skip


def _rating_checks() -> list[Check]:
    whose = pl.all_horizontal(pl.col("conversation_id", "customer", "order_id").is_null())
    stars = pl.col("~stars")
    return [
        *_bad_times("ratings"),
        Check(pl.col("stars").is_not_null() & (stars.is_null() | ~stars.is_between(1, 5)), "stars",
              _said("stars") + pl.lit("不在 1 到 5 之间")),
        Check(pl.col("stars").is_null() & pl.col("~invited_at").is_null(), "missing",
              pl.lit("既没有「stars」也没有「invited_at」,这一行没有说任何事")),
        Check(whose, "missing", pl.lit("「conversation_id」「customer」「order_id」都是空的,不知道评的是哪次服务")),
    ]  # fmt: skip


def _bad_dates(first: str, last: str) -> list[Check]:
    return [
        Check(pl.col(c).is_not_null() & pl.col(f"~{c}").is_null(), "time", _said(c) + pl.lit("不是日期(例:2026-09-01)"))
        for c in (first, last)
    ]


def _vendor_checks() -> list[Check]:
    nothing = pl.col("figures").is_null() | (pl.col("figures") == "{}")
    return [*_bad_dates("day_from", "day_to"), Check(nothing, "missing", pl.lit("这一行没有一个认得的指标"))]


CHECKS: dict[Kind, Callable[[], list[Check]]] = {
    "messages": _message_checks,
    "orders": _order_checks,
    "ratings": _rating_checks,
    "agents": lambda: _bad_dates("from", "to"),
    "vendor": _vendor_checks,
}
