"""拼多多: a talk copied out of the merchant's workbench, times written `2026年07月25日 15:19` with seconds or without.

The time stands beside the name (either side), or alone: below the name, above the name, or above lines like `客服:话`
that share it. Which of these a file follows is told by where the same names come again. 买家 / 客服 before or instead of a
nick say who speaks; `店铺:子账号` is an agent; else one of two nicks must be known from `--shop` or the mapping.
A bare 买家 is nobody in particular: such a talk has a conversation id of its own, made from its first message, and no
customer, since one id for every 买家 would make one person of all. Without seconds a time stands at :00, as `precision`
in `extra` says. 已读 / 未读 stay in the record's lines only (see qianniu).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from pipelines.mapping import Mapping
from pipelines.sources import lines, notices, talks
from pipelines.sources.table import Chunk
from qc.intake import Kind

if TYPE_CHECKING:
    from pipelines.sources import Head

NAME = "pdd"
TITLE = "拼多多聊天记录"
KIND: Kind = "messages"
ABSENT: tuple[str, ...] = ()

TIME = r"\d{4}年\d{1,2}月\d{1,2}日\s*\d{1,2}:\d{2}(?::\d{2})?"
BUYER, SELLER = "买家|顾客|客户|用户|消费者", "客服|商家|卖家|主账号|子账号|人工客服"
PLATFORM, BOT = "系统消息|系统通知|系统|平台", "机器人|智能客服|客服机器人|小助手"
ROLE = rf"(?:{BUYER}|人工客服|客服机器人|{SELLER}|{PLATFORM}|{BOT})"
NICK = r"[^\s,，。!！?？;；、…\"“”「」<>]{1,40}"
SPEAKER = rf"(?:{ROLE}[ -]+)?{NICK}?"
BESIDE = rf"^\s*({SPEAKER})[ \x{{a0}}\x{{3000}}]*[(（]?({TIME})[)）]?\s*[:：]?\s*$"
BEFORE = rf"^\s*({TIME})[ \x{{a0}}\x{{3000}}]*({SPEAKER})\s*[:：]?\s*$"
ALONE = rf"^\s*-*\s*({TIME})\s*-*\s*$"
NAME_LINE = rf"^\s*({SPEAKER})\s*$"
INLINE = rf"^\s*({ROLE}[^\s:：]{{0,20}})\s*[:：]\s*(\S.*)$"
STATE = r"^\s*(?:已读|未读|发送中)\s*$"
NO_NICK = r"^[:：]|(?:时间|日期|时刻|截止|[:：的了])$|^(?:已读|未读|发送中)$|^https?:"
LABEL = rf"^({ROLE})(?:[\s:：(（-]+|$)"


def fits(head: Head) -> bool:
    """Lines of a name and a time written 年月日, in a file that is no table."""
    first = talks.first_lines(head)
    if not len(first) or talks.is_delimited(first["raw"][0]):
        return False
    marked = _mark(first, layout={"names": set(), "speakers": set()})
    timed = marked.filter((pl.col("role") == "head") & pl.coalesce("at", pl.col("lone").forward_fill()).is_not_null())
    return timed["name"].is_not_null().any()


def read(path: Path, encoding: str, mapping: Mapping) -> Iterator[Chunk]:
    """Chunks of messages; UnreadableFile where nothing tells which speaker is the shop, or the shop's name."""
    shops = {mapping.constants["shop"]} if "shop" in mapping.constants else set[str]()
    told = partial(_told, mapping=mapping, shops=shops)
    mark = partial(_mark, layout={"names": set(shops), "speakers": set()})
    found = talks.records(lines.read(path, encoding), mark, ("lone",))
    ids: dict[int, str] = {}
    for rows, bad, at in talks.settled(found, told):
        yield talks.chunk(_finished(rows, shops, ids), bad, "pdd", mapping, "conversation_id", "precision")._replace(
            at=at
        )


def _mark(found: pl.DataFrame, *, layout: dict[str, Any]) -> pl.DataFrame:
    """`layout`: where the names of lone times stand, as the first lines tell, and the names met there."""
    raw = pl.col("raw")
    beside = pl.coalesce(raw.str.extract(BESIDE, 1), raw.str.extract(BEFORE, 2))
    marked = found.with_columns(
        name=pl.when(~beside.str.contains(NO_NICK)).then(beside.str.strip_chars()),
        at=pl.coalesce(raw.str.extract(BESIDE, 2), raw.str.extract(BEFORE, 1)),
        lone=raw.str.extract(ALONE, 1),
        line_name=raw.str.extract(NAME_LINE, 1).str.strip_chars(),
        inline=raw.str.extract(INLINE, 1),
        inline_said=raw.str.extract(INLINE, 2),
    )
    is_name = pl.col("line_name").is_not_null() & ~pl.col("line_name").str.contains(NO_NICK) & pl.col("name").is_null()
    marked = marked.with_columns(line_name=pl.when(is_name & pl.col("lone").is_null()).then("line_name"))
    where = layout.setdefault("where", _where(marked))
    marked = {"above": _names_above, "below": _names_below, "inline": _names_inline}[where](marked, layout["names"])
    marked = notices.seen(marked, layout["speakers"])
    is_alone = notices.stands_alone(pl.col("role") == "head") & (pl.col("role") == "body")
    role = pl.when(is_alone).then(pl.lit("head")).otherwise("role")
    said = pl.when(pl.col("role") == "body").then(pl.when(~raw.str.contains(STATE)).then(raw)).otherwise("own_said")
    return marked.with_columns(role=role, said=said).drop("line_name", "inline", "inline_said", "own_said", "is_notice")


def _where(marked: pl.DataFrame) -> str:
    """Where the names of lone times stand: there the same ones come again, or 买家 and 客服 stand."""
    is_lone = pl.col("lone").is_not_null()
    near = marked.select(
        lone=is_lone,
        above=pl.col("line_name").shift(),
        below=pl.col("line_name").shift(-1),
        said=pl.col("inline").shift(-1),
    ).filter("lone")
    if near["said"].is_not_null().any():
        return "inline"
    score = {}
    for side in ("above", "below"):
        names = near[side].drop_nulls()
        again = names.is_duplicated().sum() + names.str.contains(rf"^{ROLE}|[:：]").sum()
        score[side] = again / max(len(near), 1)
    first_has_none = len(near) and near["above"][0] is None
    return "below" if (score["below"], first_has_none) > (score["above"], False) else "above"


def _with_roles(marked: pl.DataFrame, is_lone_head: pl.Expr, is_before: pl.Expr, lone_name: pl.Expr) -> pl.DataFrame:
    is_beside = pl.col("name").is_not_null()
    return marked.with_columns(
        role=pl.when(is_beside | is_lone_head)
        .then(pl.lit("head"))
        .when(is_before)
        .then(pl.lit("before"))
        .otherwise(pl.lit("body")),
        name=pl.when(is_beside).then("name").when(is_lone_head).then(lone_name),
        at=pl.when(is_beside).then("at"),
        own_said=pl.lit(None, pl.String),
    )


def _names_above(marked: pl.DataFrame, _: set[str]) -> pl.DataFrame:
    is_lone = pl.col("lone").is_not_null()
    name = pl.col("line_name").shift()
    is_above = pl.col("line_name").is_not_null() & is_lone.shift(-1).fill_null(False)
    return _with_roles(marked, is_lone & name.is_not_null(), is_above | is_lone, name)


def _names_below(marked: pl.DataFrame, names: set[str]) -> pl.DataFrame:
    """A nick or sub-account met below a time heads a message wherever it stands; a bare 客服 may be what a buyer asks for."""
    is_lone, name = pl.col("lone").is_not_null(), pl.col("line_name")
    below = name.is_not_null() & is_lone.shift().fill_null(False)
    names |= set(marked.filter(below)["line_name"]) - set(ROLE[3:-1].split("|"))
    names |= {prefix for n in names for prefix in re.findall(talks.PREFIX, n)}
    known = name.is_in(sorted(names)) | name.str.extract(talks.PREFIX, 1).is_in(sorted(names))
    return _with_roles(marked, below | (known & ~is_lone), is_lone, name)


def _names_inline(marked: pl.DataFrame, _: set[str]) -> pl.DataFrame:
    is_said = pl.col("inline").is_not_null()
    marked = _with_roles(marked, is_said, pl.col("lone").is_not_null(), pl.col("inline"))
    return marked.with_columns(own_said=pl.when(is_said).then("inline_said"))


def _told(rows: pl.DataFrame, last: pl.DataFrame | None, *, mapping: Mapping, shops: set[str]) -> pl.DataFrame:
    """What each record says by itself. `shops` grows by the prefixes of sub-accounts."""
    at = pl.coalesce("at", "lone").str.replace_all("[年月]", "-").str.replace(r"日\s*", " ")
    has_seconds = at.str.contains(r":\d+:")
    nick = pl.col("name").str.replace(LABEL, "").str.strip_chars("()（） ")
    rows = notices.named(rows).with_columns(
        whole="name",
        label=pl.col("name").str.extract(LABEL, 1),
        nick=pl.when(nick != "").then(nick),
        name=pl.when(nick != "").then(nick).otherwise("name"),
        sent_at=talks.clock_text(pl.when(has_seconds).then(at).otherwise(at + ":00")),
        precision=pl.when(has_seconds).then(pl.lit("second")).otherwise(pl.lit("minute")),
    )
    shops.update(rows["nick"].str.extract(talks.PREFIX, 1).drop_nulls().unique())
    rows = rows.with_columns(kind=_kind(mapping, shops))
    if last is None:
        talks.agents_known(rows, NAME, TITLE, mapping)
        if not shops:
            talks.shop_told(mapping, TITLE)
    return talks.by_time(_rows(rows), last)


def _kind(mapping: Mapping, shops: set[str]) -> pl.Expr:
    told = [
        pl.col(n).replace_strict(mapping.senders, default=None, return_dtype=pl.String)
        for n in ("whole", "name") if mapping.senders
    ]  # fmt: skip
    is_bot = pl.when(pl.col("name").str.contains(notices.BOT)).then(pl.lit("bot"))
    labels = {"customer": BUYER, "bot": BOT, "system": PLATFORM, "agent": SELLER}
    by_label = [pl.when(pl.col("label").str.contains(f"^(?:{words})$")).then(pl.lit(k)) for k, words in labels.items()]
    nick = pl.col("nick")
    glued = pl.when(nick.str.contains(f"^(?:{BUYER})")).then(pl.lit("customer"))
    glued = glued.when(nick.str.contains(f"^(?:{SELLER})")).then(pl.lit("agent"))
    is_ours = nick.str.contains(talks.PREFIX) | nick.is_in(sorted(shops))
    by_nick = pl.when(is_ours).then(pl.lit("agent")).when(nick.is_not_null()).then(pl.lit("customer"))
    return pl.coalesce(*told, is_bot, *by_label, glued, by_nick)


def _rows(rows: pl.DataFrame) -> pl.DataFrame:
    kind = pl.col("kind")
    return notices.spoken(rows).with_columns(
        customer=pl.when(kind == "customer").then(pl.coalesce("nick", pl.lit(NOBODY))),
        shop=pl.col("nick").str.extract(talks.PREFIX, 1),
        holder=pl.when(kind.is_in(talks.OURS)).then("name"),
    )


NOBODY = "\0买家"  # a bare 买家, until the talk is known to have no nick


def _finished(rows: pl.DataFrame, shops: set[str], ids: dict[int, str]) -> pl.DataFrame:
    """Settled rows with agent and shop; talks with nobody in particular get an id of their own. `ids` grows by part."""
    if rows.is_empty():
        return rows
    for part, raw in rows.group_by("part", maintain_order=True).agg(pl.col("_raw").first()).iter_rows():
        ids.setdefault(part, "pdd-" + hashlib.sha256(raw.encode()).hexdigest()[:16])
    is_nobody = pl.col("customer") == NOBODY
    own = pl.col("part").replace_strict(ids, return_dtype=pl.String)
    return notices.handed_over(rows, shops).with_columns(
        conversation_id=pl.when(is_nobody).then(own), customer=pl.when(~is_nobody).then("customer")
    )
