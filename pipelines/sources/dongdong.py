"""JD 咚咚: chat logs as the open platform answers (sp-support dongdong-sessions/…/chat-logs, dongdong-chat-details), the
same as a list or as JSON Lines, and the table with these headers. Times are Unix milliseconds, or text.

`waiterSend`: 0 the customer, 1 the agent, 2 neither of them. The platform does not publish what 2 is; it is written by the
assistant that answers on its own, so it is `bot` here, and counts as no reply either way. Older answers have true and
false. `msgAssistFlag` 1 on an agent's message is text that the assistant offered: `assist`. `revokeFlag` 1: taken back.
Numbers in `msgType` are not published: the words of `contentType` and `msgType` count, an `imgUrl`, and a product
(`skuId`) that comes without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from pipelines.mapping import Mapping
from pipelines.sources import content, json_records, lines, table, talks
from pipelines.sources.json_records import plain
from pipelines.sources.json_walk import Plan
from pipelines.sources.lines import rejects
from pipelines.sources.table import Chunk
from qc.intake import Kind

if TYPE_CHECKING:
    from pipelines.sources import Head

NAME = "dongdong"
TITLE = "京东咚咚聊天记录(JSON 或表)"
KIND: Kind = "messages"
ABSENT: tuple[str, ...] = ()

FIELDS = (
    "sid", "waiter", "customer", "waiterSend", "createdTime", "created", "content", "msgType", "contentType", "type",
    "imgUrl", "url", "revokeFlag", "revokeTime", "skuId", "uuid", "mid", "msgAssistFlag", "shopName", "xidBuyer",
)  # fmt: skip
WRAPPERS = {"data", "dongdongChatLogList", "chatLogList", "chatlogs", "chatLogs", "result", "list", "resultList"}
MARKS = {"waiterSend", "waiter", "customer"}
SENDERS = {"0": "customer", "false": "customer", "1": "agent", "true": "agent", "2": "bot"}
IS_SET = ["1", "true"]


def fits(head: Head) -> bool:
    """Whether the objects, or the header of the table, have the marks of 咚咚."""
    return any(keys >= MARKS for keys in (json_records.keys_of(head), set(_header(head))))


def _header(head: Head) -> list[str]:
    first = next((line for line in head.lines if line.strip()), "")[: 1 << 12]
    return [] if first.lstrip().startswith(("{", "[")) else table.names_in(first, table.separator_of(first))


def read(path: Path, encoding: str, mapping: Mapping) -> Iterator[Chunk]:
    """Every message, whichever way the file is written."""
    chunks = _table(path, encoding) if json_records.is_no_json(path, encoding) else _objects(path, encoding)
    for chunk in chunks:
        yield chunk._replace(fields=_native(chunk.fields, mapping))


def _table(path: Path, encoding: str) -> Iterator[Chunk]:
    blocks = lines.read(path, encoding)
    first = next(blocks)
    header = next(raw for raw in first.lines["raw"] if raw.strip())
    separator = table.separator_of(header)
    layout = table.Layout(separator, True, table.names_in(header, separator), header)
    return table.read(chain([first], blocks), layout)


def _objects(path: Path, encoding: str) -> Iterator[Chunk]:
    for records, bad, at in json_records.read(path, encoding, Plan(WRAPPERS.__contains__, _is_message)):
        said = [r for r in records if _is_message(r.value)]
        rows = [(r.line, plain(r.raw), *map(plain, map(r.value.get, FIELDS))) for r in said]
        schema = {"_line": pl.Int64, "_raw": pl.String, **dict.fromkeys(FIELDS, pl.String)}
        yield Chunk(pl.DataFrame(rows, schema=schema, orient="row"), rejects(bad), at)


def _is_message(value: dict[str, Any]) -> bool:
    return "waiterSend" in value


def _native(fields: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """The platform's fields as text -> native columns, and those to be kept aside."""
    absent = [pl.lit(None, dtype=pl.String).alias(name) for name in FIELDS if name not in fields.columns]
    told = fields.with_columns(absent).with_columns(
        pl.col(n).str.strip_chars().str.to_lowercase() for n in ("waiterSend", "revokeFlag", "msgAssistFlag")
    )
    is_told = told["shopName"].is_not_null().all()
    shop = "" if is_told else talks.shop_told(mapping, TITLE)
    kind = pl.col("waiterSend").replace(SENDERS)
    sender = pl.when((kind == "agent") & pl.col("msgAssistFlag").is_in(IS_SET)).then(pl.lit("assist")).otherwise(kind)
    return told.select(
        "_line",
        "_raw",
        shop=pl.col("shopName").fill_null(shop),
        channel=pl.lit("jd"),
        conversation_id="sid",
        message_id=pl.coalesce("uuid", "mid"),
        sent_at=pl.coalesce("createdTime", "created"),
        sender_kind=sender,
        agent=pl.when(sender.is_in(["agent", "assist"])).then("waiter"),
        customer="customer",
        text=pl.col("content").fill_null(""),
        content_kind=_content_kind(),
        skuId="skuId",
        imgUrl="imgUrl",
        revokeTime="revokeTime",
    )


def _content_kind() -> pl.Expr:
    words, kinds = list(content.words()), list(content.words().values())
    named = [
        pl.col(n).str.strip_chars().str.to_lowercase().replace_strict(words, kinds, default=None)
        for n in ("contentType", "type", "msgType")
    ]
    is_bare = pl.col("content").fill_null("").str.strip_chars() == ""
    return (
        pl.when(pl.col("revokeFlag").is_in(IS_SET)).then(pl.lit("recall"))
        .when(pl.coalesce(*named, pl.lit("text")) != "text").then(pl.coalesce(*named))
        .when(pl.coalesce("imgUrl", pl.lit("")) != "").then(pl.lit("image"))
        .when(is_bare & (pl.coalesce("skuId", pl.lit("")) != "")).then(pl.lit("card"))
        .otherwise(pl.lit("text"))
    )  # fmt: skip
