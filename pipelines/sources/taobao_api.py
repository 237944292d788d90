"""Taobao open platform: chat logs as the API answers (wangwang.eservice.chatlog.get and its kin), one or many in a file.

`direction` is told relative to the two accounts asked for: 0 from_id → to_id, 1 to_id → from_id (SDK, domain MsgList).
Flattened exports repeat both ids in every message and keep that meaning; where the two ids change places within one talk
they are sender and receiver themselves. The account with a colon (`店铺:子账号`) is the shop's, else the one asked about.
The number `type` is a set of flags: 1 auto-reply, 4 broadcast, 32 system notice of a hand-over between sub-accounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.mapping import Mapping
from pipelines.sources import content, json_records, talks
from pipelines.sources.json_records import Record, Row, nearest
from pipelines.sources.json_walk import Plan
from pipelines.sources.table import Chunk
from qc.intake import Kind

if TYPE_CHECKING:
    from pipelines.sources import Head

NAME = "taobao_api"
TITLE = "淘宝开放平台聊天记录(JSON)"
KIND: Kind = "messages"
ABSENT: tuple[str, ...] = ()

WRAPPERS = {
    "msgs",
    "msg",
    "messages",
    "message",
    "msg_list",
    "message_list",
    "roaming_message",
    "result",
    "data",
    "list",
}
SITE = re.compile(r"^(?:cntaobao|cnalichn|enaliint|chntribe)")  # the site that an id is of stands before it
AUTO_REPLY, BROADCAST, HANDOVER = 1, 4, 32
HANDED_TO = re.compile(r"转交给\s*([^\s,,]+)")
SHOP_IDS, PEER_IDS = ("from_id", "user_id", "chat_id", "seller_nick", "from"), ("to_id", "uid", "buyer_nick", "to")


class Talkers(NamedTuple):
    """Who said it and who is who; ids without the site."""

    sender: str | None
    shop_side: str | None
    customer: str | None


def fits(head: Head) -> bool:
    """Whether messages carry direction and time, and none of the marks of another export."""
    keys = json_records.keys_of(head)
    return {"direction", "time"} <= keys and not keys & {"waiterSend", "message_type", "author_id"}


def read(path: Path, encoding: str, mapping: Mapping) -> Iterator[Chunk]:
    """Every message of every answer in the file."""
    for batch in json_records.read(path, encoding, Plan(_leads, _is_message)):
        said = [r for r in batch.records if _is_message(r.value)]
        turned = _turned(said)
        rows = [(r, _row(r, turned, mapping)) for r in said]
        yield json_records.chunk(rows, batch, ("type", "word_lists", "url_lists"))


def _leads(key: str) -> bool:
    return key in WRAPPERS or key.endswith(("_response", "_responce"))


def _is_message(value: dict[str, Any]) -> bool:
    return "time" in value and ("direction" in value or {"from_id", "to_id"} <= value.keys())


def _ids(record: Record) -> tuple[str | None, str | None]:
    return tuple(SITE.sub("", str(i)) if (i := nearest(record, *keys)) else None for keys in (SHOP_IDS, PEER_IDS))  # type: ignore[return-value]


def _turned(records: list[Record]) -> set[frozenset[str | None]]:
    """Pairs of accounts of which now the one, now the other stands first: there from and to are sender and receiver."""
    pairs = {_ids(r) for r in records}
    return {frozenset(p) for p in pairs if p[0] != p[1] and p[::-1] in pairs}


def _talkers(record: Record, turned: set[frozenset[str | None]]) -> Talkers:
    first, second = _ids(record)
    direction = str(record.value.get("direction", "")).strip()
    is_turned = frozenset((first, second)) in turned
    is_back = direction == "1"
    told_by_colon = (":" in (first or "")) != (":" in (second or ""))
    # Where no colon tells, the shop is the account that was asked about; among senders, the one whose direction is 0.
    is_second = ":" in (second or "") if told_by_colon else is_turned and is_back
    shop_side, customer = (second, first) if is_second else (first, second)
    return Talkers(second if is_back and not is_turned else first, shop_side, customer)


def _row(record: Record, turned: set[frozenset[str | None]], mapping: Mapping) -> Row:
    value = record.value
    who = _talkers(record, turned)
    text, kind = _content(value)
    sender = _sender_kind(value, who)
    shop = (who.shop_side or "").partition(":")[0] or None
    return {
        "shop": shop or talks.shop_told(mapping, TITLE),
        "channel": nearest(record, "channel") or "taobao",
        "conversation_id": nearest(record, "sid", "session_id", "conversation_id", "cid"),
        "message_id": next((value[k] for k in ("uuid", "msg_id", "message_id", "id") if value.get(k)), None),
        "sent_at": value.get("time"),
        "sender_kind": sender,
        "agent": _agent(sender, who, shop, text),
        "customer": None if sender == "internal" else who.customer,
        "text": text,
        "content_kind": kind,
        "type": value.get("type"),
        "word_lists": value.get("word_lists"),
        "url_lists": value.get("url_lists"),
    }


def _agent(sender: str | None, who: Talkers, shop: str | None, text: str) -> str | None:
    """Who sent it; of a hand-over the sub-account that takes over, which the notice names without its shop."""
    if sender != "system":
        return None if sender == "customer" else who.sender
    target = HANDED_TO.search(text)
    if target is None:
        return None
    return target[1] if ":" in target[1] or not shop else f"{shop}:{target[1]}"


def _sender_kind(value: dict[str, Any], who: Talkers) -> str | None:
    flags = _flags(value)
    if ":" in (who.customer or "") and ":" in (who.shop_side or ""):
        return "internal"
    if flags & HANDOVER:
        return "system"
    if who.sender is None:  # the answer does not name the accounts: it was asked for the shop's
        return {"0": "agent", "1": "customer"}.get(str(value.get("direction")))
    if who.sender == who.customer:
        return "customer"
    return "auto" if flags & (AUTO_REPLY | BROADCAST) else "agent"


def _flags(value: dict[str, Any]) -> int:
    written = str(value.get("type", "")).strip()
    return int(written) if written.isdecimal() and "content_list" not in value else 0


def _content(value: dict[str, Any]) -> tuple[str, str]:
    """Text and content kind. Of a customer's message some answers give only the length: that it was said still counts."""
    text = value.get("content")
    if text is None and (items := _items(value)):
        text = "".join(str(i.get("value", "")) for i in items)
    if not text and value.get("length"):
        return f"[原文未返回,{value['length']} 字]", "text"
    text = str(text or "")
    return text, content.of_word(value.get("type")) or content.of_text(text)


def _items(value: dict[str, Any]) -> list[dict[str, Any]]:
    held = value.get("content_list")
    items = held.get("roaming_message_item", []) if isinstance(held, dict) else held
    return [i for i in ([items] if isinstance(items, dict) else items or []) if isinstance(i, dict)]
