"""千牛 / 旺旺: a talk copied to the clipboard and pasted into a file.

`昵称2025-9-3 9:05:07`, `昵称 2025-09-03 09:05:07`, `昵称(2025-09-03 09:05:07):话`, the name above its time, or
`谁 --> 谁 时间`; below it the text. Notices between the bubbles: see notices.py. 已读 / 未读 / 发送中 stay in the record's
lines and nowhere else: kept with the message, 未读 of one night and 已读 of the next would make two messages of one.
An account is the shop's when it is written `店铺:子账号`, is such a 店铺 itself (the main account), or the mapping says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipelines.mapping import Mapping
from pipelines.sources import lines, notices, talks
from pipelines.sources.table import Chunk
from qc.intake import Kind

if TYPE_CHECKING:
    from pipelines.sources import Head

NAME = "qianniu"
TITLE = "千牛/旺旺复制的聊天记录"
KIND: Kind = "messages"
ABSENT: tuple[str, ...] = ()

TIME = r"\d{4}[-/]\d{1,2}[-/]\d{1,2} +\d{1,2}:\d{1,2}:\d{1,2}"
# Nicks have no spaces and no sentence marks; 「下单时间:」 before a time is a line of an order card.
NICK = r"[^\s,，。!！?？;；、…\"“”「」<>]{1,60}"
SPEAKER = rf"{NICK}?(?:[ ]*-{{1,2}}>[ ]*{NICK}?)?"
NO_NICK = r"(?:时间|日期|时刻|截止|[:：的了])$|^(?:已读|未读|发送中)$|^https?:"
STATE = r"(?:已读|未读|发送中)"
PLAIN = rf"^\s*({SPEAKER})[ \x{{a0}}\x{{3000}}]*({TIME})\s*{STATE}?\s*$"
BRACKETED = rf"^\s*({SPEAKER})[ \x{{a0}}\x{{3000}}]*[(（]({TIME})[)）]\s*[:：]?\s*(.*?)\s*$"
ALONE = rf"^\s*({TIME})\s*$"
OF_CARD = r"(?:时间|日期|截止)\s*[:：]?\s*$"  # the line above a time in an order card
ABOVE = rf"^\s*({SPEAKER})\s*$"
ARROW = r"^(.+?)\s*-{1,2}>\s*(.+)$"
SITE = r"^(?:cntaobao|cnalichn|enaliint|chntribe)"


def fits(head: Head) -> bool:
    """Lines of a name and a time to the second, in a file that is no table."""
    first = talks.first_lines(head)
    if not len(first) or talks.is_delimited(first["raw"][0]):
        return False
    return _mark(first, speakers=set())["at"].is_not_null().any()


def read(path: Path, encoding: str, mapping: Mapping) -> Iterator[Chunk]:
    """Chunks of messages; UnreadableFile where nothing tells the shop's accounts from the customers'."""
    shops = {mapping.constants["shop"]} if "shop" in mapping.constants else set[str]()
    told = partial(_told, mapping=mapping, shops=shops)
    found = talks.records(lines.read(path, encoding), partial(_mark, speakers=set()))
    for rows, bad, at in talks.settled(found, told):
        yield talks.chunk(_finished(rows, shops), bad, "taobao", mapping)._replace(at=at)


def _mark(found: pl.DataFrame, *, speakers: set[str]) -> pl.DataFrame:
    raw = pl.col("raw")
    marked = found.with_columns(
        name=pl.coalesce(raw.str.extract(PLAIN, 1), raw.str.extract(BRACKETED, 1)),
        at=pl.coalesce(raw.str.extract(PLAIN, 2), raw.str.extract(BRACKETED, 2)),
        alone=raw.str.extract(ALONE, 1),
        above=raw.str.extract(ABOVE, 1),
        inline=raw.str.extract(BRACKETED, 3).replace("", None),
    )
    is_beside = ~pl.col("name").str.contains(NO_NICK).fill_null(True)
    marked = marked.with_columns(
        name=pl.when(is_beside).then("name"),
        at=pl.when(is_beside).then("at"),
        alone=pl.when(~raw.shift().str.contains(OF_CARD).fill_null(False)).then("alone"),
    )
    is_above = (
        ~pl.col("above").str.contains(NO_NICK).fill_null(True)
        & pl.col("name").is_null() & pl.col("alone").is_null() & pl.col("alone").shift(-1).is_not_null()
    )  # fmt: skip
    marked = marked.with_columns(is_above=is_above)
    is_below = pl.col("alone").is_not_null() & pl.col("is_above").shift().fill_null(False)
    marked = marked.with_columns(
        name=_account(pl.coalesce("name", pl.when(is_below).then(pl.col("above").shift()))),
        at=pl.coalesce("at", pl.when(is_below).then("alone")),
    )
    return _roles(notices.seen(marked, speakers)).drop("alone", "above", "is_above", "inline", "is_notice")


def _roles(marked: pl.DataFrame) -> pl.DataFrame:
    """A time without a name begins a record that nobody is known to have written: its lines are rejected."""
    raw, is_timed = pl.col("raw"), pl.col("at").is_not_null()
    role = (
        pl.when(is_timed | notices.stands_alone(is_timed)).then(pl.lit("head"))
        .when(pl.col("is_above") | pl.col("alone").is_not_null()).then(pl.lit("before"))
        .otherwise(pl.lit("body"))
    )  # fmt: skip
    is_state = raw.str.contains(rf"^\s*{STATE}\s*$")
    return marked.with_columns(role=role, said=pl.when(is_timed).then("inline").when(~is_state).then(raw))


def _account(name: pl.Expr) -> pl.Expr:
    return name.str.strip_chars().str.replace(SITE, "")


def _told(rows: pl.DataFrame, last: pl.DataFrame | None, *, mapping: Mapping, shops: set[str]) -> pl.DataFrame:
    """What each record says by itself: who speaks to whom, of which shop, when and what. `shops` grows by those met."""
    rows = rows.with_columns(
        receiver=_account(pl.col("name").str.extract(ARROW, 2)),
        name=pl.coalesce(_account(pl.col("name").str.extract(ARROW, 1)), "name"),
        sent_at=talks.clock_text(pl.col("at").str.replace_all("/", "-")),
    )
    rows = notices.named(rows)
    for column in ("name", "receiver"):
        shops.update(rows[column].str.extract(talks.PREFIX, 1).drop_nulls().unique())
    rows = rows.with_columns(kind=_kind("name", shops, mapping), to=_kind("receiver", shops, mapping))
    if last is None:
        talks.agents_known(rows, NAME, TITLE, mapping)
        if not shops:
            talks.shop_told(mapping, TITLE)
    return talks.by_time(_between(rows), last)


def _kind(column: str, shops: set[str], mapping: Mapping) -> pl.Expr:
    """Sender kind of an account: as the mapping says, else by how its name is written."""
    name = pl.col(column)
    told = [name.replace_strict(mapping.senders, default=None, return_dtype=pl.String)] if mapping.senders else []
    written = (
        pl.when(name.str.contains(notices.BOT)).then(pl.lit("bot"))
        .when(name.str.contains(talks.PREFIX) | name.is_in(sorted(shops))).then(pl.lit("agent"))
        .when(name.is_not_null()).then(pl.lit("customer"))
    )  # fmt: skip
    return pl.coalesce(*told, written)


def _between(rows: pl.DataFrame) -> pl.DataFrame:
    """Named records -> native columns; customer, shop and holder where the record itself says them."""
    kind, to = pl.col("kind"), pl.col("to")
    inside = kind.is_in(talks.OURS) & to.is_in(talks.OURS)
    rows = notices.spoken(rows.with_columns(kind=pl.when(inside).then(pl.lit("internal")).otherwise(kind)))
    return rows.with_columns(
        customer=pl.when(kind == "customer").then("name").when(to == "customer").then("receiver"),
        shop=pl.coalesce(pl.col(n).str.extract(talks.PREFIX, 1) for n in ("name", "receiver")),
        holder=pl.when(kind.is_in([*talks.OURS, "internal"])).then("name"),
    )


def _finished(rows: pl.DataFrame, shops: set[str]) -> pl.DataFrame:
    """Settled rows with their agent; what the shop's people say to each other is said to no customer."""
    if rows.is_empty():
        return rows
    inside = pl.col("sender_kind") == "internal"
    return notices.handed_over(rows, shops).with_columns(customer=pl.when(~inside).then("customer"))
