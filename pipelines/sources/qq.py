"""QQ's message manager, «导出为文本文件»: a banner per person, then `2019-09-23 8:43:38 PM 昵称(QQ)` and the text below.

The banner's 消息对象 is the customer; whoever else speaks under it is an agent. Where 消息对象 is the name of a group or a
remark that nobody speaks under, only the mapping's `senders` can tell. A customer is known by the QQ number or the mail
address where the line has it, since nicks change; times are in 12 or 24 hours, whichever the computer was set to.
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

NAME = "qq"
TITLE = "QQ 导出的聊天记录"
KIND: Kind = "messages"
ABSENT: tuple[str, ...] = ()

BANNER = r"^\s*(?:消息记录\s*[(（]此消息记录为文本格式.*|={20,}|消息分组[:：].*|消息对象[:：].*)\s*$"
OBJECT = r"^\s*消息对象[:：]\s*(.*?)\s*$"
DAY = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
CLOCK = r"\d{1,2}:\d{2}:\d{2}"
STAMP = rf"^\s*({DAY}) +(?:(上午|下午|AM|PM) *)?({CLOCK})(?: *(AM|PM|am|pm))?[ \t]+"
ID = r"(?:\((\d{5,12})\)|<([^<>\s]+@[^<>\s]+)>)\s*$"
WITH_ID = rf"{STAMP}.*{ID}"
# A discussion group's lines have no number; a line of text that begins with a time looks the same, but for the blank
# line that stands above every head.
WITHOUT_ID = rf"{STAMP}[^\s,，。!！?？]{{1,30}}\s*$"
ROLE_TAG = r"^(?:【[^】]*】\s*)+"
SYSTEM_IDS = ["10000", "1000000"]
RECALL = r"^\s*.{0,60}撤回了一条消息[。.]?\s*$"


def fits(head: Head) -> bool:
    """QQ's banner, or a time followed by a name with its number."""
    first = talks.first_lines(head)
    if not len(first) or talks.is_delimited(first["raw"][0]):
        return False
    raw = first["raw"]
    return (raw.str.contains("此消息记录为文本格式") | raw.str.contains(WITH_ID)).any()


def read(path: Path, encoding: str, mapping: Mapping) -> Iterator[Chunk]:
    """Chunks of messages; UnreadableFile where neither banner nor mapping tells who is the shop."""
    shop = talks.shop_told(mapping, TITLE)
    told = partial(_told, mapping=mapping, agents=set())
    for rows, bad, at in talks.settled(talks.records(lines.read(path, encoding), _mark, ("object",)), told):
        yield talks.chunk(_finished(rows, shop), bad, "qq", mapping)._replace(at=at)


def _mark(found: pl.DataFrame) -> pl.DataFrame:
    raw = pl.col("raw")
    is_head = raw.str.contains(WITH_ID) | (pl.col("after_blank") & raw.str.contains(WITHOUT_ID))
    is_banner = raw.str.contains(BANNER)
    role = pl.when(is_banner).then(pl.lit("before")).when(is_head).then(pl.lit("head")).otherwise(pl.lit("body"))
    return found.with_columns(
        object=raw.str.extract(OBJECT, 1),
        day=pl.when(is_head).then(raw.str.extract(STAMP, 1).str.replace_all("/", "-")),
        clock_at=raw.str.extract(STAMP, 3),
        half=pl.coalesce(raw.str.extract(STAMP, 2), raw.str.extract(STAMP, 4)).str.to_uppercase(),
        id=pl.coalesce(raw.str.extract(ID, 1), raw.str.extract(ID, 2)),
        whole=pl.when(is_head).then(raw.str.replace(STAMP, "").str.strip_chars()),
        role=role,
        said=pl.when(role == "body").then(raw),
    )


def _sent_at() -> pl.Expr:
    """Day and clock, of 12 or 24 hours, as the checks take them; what is no time stays as it is written."""
    written = pl.concat_str("day", pl.lit(" "), "clock_at")
    at = written.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    is_pm, is_am = pl.col("half").is_in(["PM", "下午"]), pl.col("half").is_in(["AM", "上午"])
    shift = (
        pl.when(is_pm & (at.dt.hour() < 12)).then(pl.duration(hours=12))
        .when(is_am & (at.dt.hour() == 12)).then(pl.duration(hours=-12))
        .otherwise(pl.duration(hours=0))
    )  # fmt: skip
    return pl.coalesce((at + shift).dt.strftime("%Y-%m-%d %H:%M:%S"), written)


def _told(rows: pl.DataFrame, last: pl.DataFrame | None, *, mapping: Mapping, agents: set[str]) -> pl.DataFrame:
    """What each record says by itself. `agents` grows by those who speak to a known customer."""
    nick = pl.col("whole").str.replace(ID, "").str.strip_chars().str.replace(ROLE_TAG, "")
    rows = rows.with_columns(sent_at=_sent_at(), nick=pl.when(nick == "").then("id").otherwise(nick))
    rows = rows.with_columns(name=_speaker(mapping), part=_part(rows, last), clock=pl.lit(None, pl.Datetime("us")))
    subject = pl.col("object").str.replace(ID, "").str.strip_chars()
    numbers = [pl.col("object").str.extract(ID, 1) == pl.col("id"), pl.col("object") == pl.col("id")]
    named = pl.any_horizontal(*(n.fill_null(False) for n in numbers), (subject == pl.col("nick")).fill_null(False))
    rows = rows.with_columns(
        is_object=named,
        is_system=(pl.col("id").is_in(SYSTEM_IDS) | (pl.col("nick") == "系统消息")).fill_null(False),
    )
    met = rows["is_object"].any() or bool(agents)
    mine = pl.col("is_object").any().over("part") & ~pl.col("is_object") & ~pl.col("is_system")
    agents.update(rows.filter(mine)["name"])
    rows = rows.with_columns(kind=_kind(mapping, agents))
    if last is None and not met:
        talks.agents_known(rows, NAME, TITLE, mapping)
    return _rows(rows)


def _speaker(mapping: Mapping) -> pl.Expr:
    """The name by which the mapping knows the speaker: 昵称(QQ), the QQ number or the nick; else the nick."""
    known = list(mapping.senders)
    spelled = [pl.when(pl.col(n).is_in(known)).then(n) for n in ("whole", "id", "nick")]
    return pl.coalesce(*spelled, "nick")


def _part(rows: pl.DataFrame, last: pl.DataFrame | None) -> pl.Series:
    """A number per banner: under each stands one talk."""
    objects = rows["object"] if last is None else pl.concat([last["object"], rows["object"]])
    changed = objects.ne_missing(objects.shift()).cast(pl.Int64)
    first = 0 if last is None else int(last["part"][0]) - int(changed[0])
    return (first + changed.cum_sum()).tail(len(rows)).alias("part")


def _kind(mapping: Mapping, agents: set[str]) -> pl.Expr:
    told = pl.lit(None, pl.String)
    if mapping.senders:
        told = pl.col("name").replace_strict(mapping.senders, default=None, return_dtype=pl.String)
    told = pl.coalesce(told, pl.when("is_system").then(pl.lit("system")), pl.when("is_object").then(pl.lit("customer")))
    unlisted = "customer" if set(mapping.senders.values()) & set(talks.OURS) else "agent" if mapping.senders else None
    mine = pl.when(pl.col("name").is_in(sorted(agents))).then(pl.lit("agent"))
    return pl.coalesce(told, mine, pl.lit(unlisted, pl.String))


def _rows(rows: pl.DataFrame) -> pl.DataFrame:
    is_recall = pl.col("body").str.contains(RECALL)
    return rows.with_columns(
        sender_kind="kind",
        customer=pl.when(pl.col("kind") == "customer").then(pl.coalesce("id", "name")),
        shop=pl.lit(None, pl.String),
        holder=pl.lit(None, pl.String),
        leads=pl.lit(False),
        text=pl.when(is_recall).then(pl.lit("")).otherwise("body"),
        content_kind=pl.when(is_recall).then(pl.lit("recall")).otherwise(talks.content_kind(pl.col("body"))),
        speaker=pl.when(pl.col("kind") != "system").then("name"),
    )


def _finished(rows: pl.DataFrame, shop: str) -> pl.DataFrame:
    """Settled rows with shop and agent; a talk in which the customer has not spoken is with the banner's 消息对象."""
    if rows.is_empty():
        return rows
    of_banner = pl.coalesce(pl.col("object").str.extract(ID, 1), "object")
    return rows.with_columns(
        shop=pl.lit(shop),
        customer=pl.coalesce("customer", of_banner),
        agent=pl.when(pl.col("kind").is_in(talks.OURS)).then("name"),
    )
