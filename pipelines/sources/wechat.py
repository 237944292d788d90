"""WeChat, «发送到邮箱» or «合并分享»: `名字HH:MM` and the text below, the date in lines like `—————2020-02-15—————`.

Times have minutes only: they stand at :00, `precision` in `extra` says so, and the order of the file decides. A line of
text may end like a head (`营业到22:00`), so a head is a line whose name is known: from the letter's first line
(`A 和 B 在微信上的聊天记录如下`), from the mapping, or because it is set off, comes again, or has a later time and a text.
Nothing tells who is the shop, unless one of the speakers is called as the shop is: the mapping's `senders` must say it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipelines.mapping import Mapping
from pipelines.sources import lines, talks
from pipelines.sources.table import Chunk
from qc.intake import Kind

if TYPE_CHECKING:
    from pipelines.sources import Head

NAME = "wechat"
TITLE = "微信聊天记录"
KIND: Kind = "messages"
ABSENT: tuple[str, ...] = ()

DATE = r"^\s*[—\-─–-]{3,}\s*(\d{4}[-/年]\d{1,2}[-/月]\d{1,2})日?\s*[—\-─–-]{3,}\s*$"
LETTER = r"^\s*(?:Dear[:：,，]?|.{0,80}(?:微信上|微信群上|微信群.{0,60})的聊天记录如下.*)\s*$"
BOTH = r"^\s*(.+?) 和 (.+?) 在微信上的聊天记录如下"
CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"
GLUED = rf"^\s*(.{{0,40}}\S)\s*({CLOCK})\s*$"
SET_OFF = rf"^\s*.{{0,40}}\S(?:\s{{2,}}|\x{{3000}})(?:{CLOCK}|\d:[0-5]\d)\s*$"
SHORT = r"^\s*(.{0,40}\S)\s+(\d:[0-5]\d)\s*$"
NO_NAME = (
    r"[,，。!！?？;；、…]|(?:上午|下午|晚上|早上|中午|今天|明天|后天|昨天|周.|星期.|到|至|在|点|时间|前|后|[:：~—-])$"
)
RECALL = r"^\s*(?:[\"“]?(.{1,40}?)[\"”]?\s*)撤回了一条消息[。.]?\s*$"
GREETING = r"^\s*(?:以上是打招呼的内容|你已添加了.{1,60}现在可以开始聊天了[。.]?|.{1,60}通过了你的朋友验证请求.*|.{1,40}\s?拍了拍\s?.{1,60})\s*$"


def fits(head: Head) -> bool:
    """A date between dashes or the letter's first line, and a line that ends with a time in minutes."""
    first = talks.first_lines(head)["raw"]
    if not len(first) or talks.is_delimited(first[0]):
        return False
    is_letter = (first.str.contains(DATE) | first.str.contains(BOTH) | first.str.contains(LETTER)).any()
    return is_letter and (first.str.contains(GLUED) | first.str.contains(SHORT)).any()


def read(path: Path, encoding: str, mapping: Mapping) -> Iterator[Chunk]:
    """Chunks of messages; UnreadableFile where nothing tells who of the speakers is the shop."""
    shop = talks.shop_told(mapping, TITLE)
    mark = partial(_mark, names=set(mapping.senders))
    told = partial(_told, mapping=mapping, shop=shop)
    for rows, bad, at in talks.settled(talks.records(lines.read(path, encoding), mark, ("day",)), told):
        yield talks.chunk(_finished(rows, shop), bad, "wechat", mapping, "precision")._replace(at=at)


def _mark(found: pl.DataFrame, *, names: set[str]) -> pl.DataFrame:
    """`names` grows by the speakers met."""
    raw = pl.col("raw")
    whose = raw.str.extract(RECALL, 1)
    marked = found.with_columns(
        day=raw.str.extract(DATE, 1).str.replace_all("[/年月]", "-"),
        name=pl.coalesce(raw.str.extract(GLUED, 1), raw.str.extract(SHORT, 1)).str.strip_chars(),
        clock_at=pl.coalesce(raw.str.extract(GLUED, 2), raw.str.extract(SHORT, 2)),
        who=whose,
        is_banner=raw.str.contains(DATE) | raw.str.contains(LETTER),
    )
    _learn(marked, names)
    is_head = pl.col("name").is_in(sorted(names)) & ~pl.col("is_banner")
    of_person = pl.col("who").is_in([*sorted(names), "你", "您", "我", "对方"])
    is_notice = (of_person.fill_null(False) | raw.str.contains(GREETING)) & ~is_head.fill_null(False)
    role = (
        pl.when("is_banner").then(pl.lit("before"))
        .when(is_head | is_notice).then(pl.lit("head"))
        .otherwise(pl.lit("body"))
    )  # fmt: skip
    return marked.with_columns(
        role=role,
        said=pl.when(~is_head.fill_null(False)).then("raw"),
        name=pl.when(is_head).then("name"),
        clock_at=pl.when(is_head).then("clock_at"),
    ).drop("is_banner")


def _learn(marked: pl.DataFrame, names: set[str]) -> None:
    """The names of those who speak: those the letter gives, if heads bear them; else whoever is set off or speaks again."""
    both = marked.select(pl.col("raw").str.extract_groups(BOTH).alias("both")).unnest("both").drop_nulls()
    given = {name for pair in both.rows() for name in pair} & set(marked["name"])
    if given:
        names |= given
        return
    has_text = (
        pl.col("raw").shift(-1).is_not_null() & pl.col("name").shift(-1).is_null() & ~pl.col("is_banner").shift(-1)
    )
    likely = marked.with_columns(has_text=has_text.fill_null(False), day=pl.col("day").forward_fill()).filter(
        pl.col("name").is_not_null() & ~pl.col("is_banner") & ~pl.col("name").str.contains(NO_NAME)
    )
    clock = pl.col("clock_at").str.zfill(5)
    goes_on = pl.col("has_text") & (clock >= clock.shift().over("day")).fill_null(True)
    is_off = pl.col("after_blank") | pl.col("raw").str.contains(SET_OFF)
    names |= set(likely.filter((pl.len().over("name") > 1) | is_off | goes_on)["name"])


def _told(rows: pl.DataFrame, last: pl.DataFrame | None, *, mapping: Mapping, shop: str) -> pl.DataFrame:
    """What each record says by itself: who speaks, when, and what."""
    you, body = ["你", "您", "我"], pl.col("body")
    named = pl.coalesce("name", pl.when(~pl.col("who").is_in([*you, "对方"])).then("who"))
    told = pl.lit(None, pl.String)
    if mapping.senders:
        told = named.replace_strict(mapping.senders, default="customer", return_dtype=pl.String)
    by_name = pl.when(named == shop).then(pl.lit("agent")).when(named.is_not_null()).then(pl.lit("customer"))
    rows = rows.with_columns(name=named, kind=pl.coalesce(told, by_name))
    if last is None and not mapping.senders and not (rows["kind"] == "agent").any():
        raise talks.senders_untold(
            rows["name"].drop_nulls().unique(maintain_order=True).to_list(), NAME, TITLE, mapping
        )
    is_recall = pl.col("who").is_not_null()
    sender = (
        pl.when(pl.col("name").is_not_null()).then("kind")
        .when(pl.col("who").is_in(you)).then(pl.lit("agent"))
        .when(pl.col("who") == "对方").then(pl.lit("customer"))
        .otherwise(pl.lit("system"))
    )  # fmt: skip
    at = pl.concat_str("day", pl.lit(" "), "clock_at")
    rows = rows.with_columns(
        sent_at=pl.coalesce(talks.clock_text(at, "%Y-%m-%d %H:%M"), "clock_at"),
        sender_kind=sender,
        customer=pl.when(pl.col("kind") == "customer").then("name"),
        holder=pl.when(pl.col("kind").is_in(talks.OURS)).then("name"),
        shop=pl.lit(None, pl.String),
        leads=pl.lit(False),
        text=pl.when(is_recall).then(pl.lit("")).otherwise(body),
        content_kind=pl.when(is_recall).then(pl.lit("recall")).otherwise(talks.content_kind(body)),
        speaker=pl.when(pl.col("who").is_null()).then("name"),
        precision=pl.lit("minute"),
    )
    return talks.by_time(rows, last)


def _finished(rows: pl.DataFrame, shop: str) -> pl.DataFrame:
    """Settled rows with shop and agent; 「你」 who recalled is the agent who spoke last."""
    if rows.is_empty():
        return rows
    spoke = pl.col("sender_kind").is_in(talks.OURS)
    return rows.with_columns(shop=pl.lit(shop), agent=pl.when(spoke).then(pl.coalesce("name", "holder")))
