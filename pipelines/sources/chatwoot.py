"""Chatwoot: messages of a conversation, conversations with their messages, and message webhooks, by the public API.

`message_type` 0 incoming, 1 outgoing, 2 activity, 3 template, or these words. A private note is internal; what an agent
bot sends is `bot`; templates (greeting, away, survey) and outgoing messages that nobody sent (automations, campaigns) are
`auto`. A deleted message is a recalled one. The contact is known by the shop's own `identifier`, else e-mail, phone, id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.mapping import Mapping
from pipelines.sources import content, json_records, talks
from pipelines.sources.json_records import Record, Row
from pipelines.sources.json_walk import Plan
from pipelines.sources.table import Chunk
from qc.intake import Kind

if TYPE_CHECKING:
    from pipelines.sources import Head

NAME = "chatwoot"
TITLE = "Chatwoot 会话(JSON)"
KIND: Kind = "messages"
ABSENT: tuple[str, ...] = ()

WRAPPERS = {"data", "payload", "messages", "conversations"}
MESSAGE_TYPES = {"0": "incoming", "1": "outgoing", "2": "activity", "3": "template"}
CHANNELS = {"webwidget": "web", "api": "web"}  # Channel::WebWidget …; any other under its own name
FILE_TYPES = {"image": "image", "audio": "voice", "location": "card", "contact": "card"}
ASSIGNED = re.compile(r"Assigned to (.+?) (?:by|via) |^(.+?) self-assigned this conversation")


def fits(head: Head) -> bool:
    """Whether messages have Chatwoot's type, and a conversation or an inbox."""
    keys = json_records.keys_of(head)
    return {"message_type", "content", "created_at"} <= keys and bool(
        keys & {"conversation_id", "inbox_id", "conversation"}
    )


def read(path: Path, encoding: str, mapping: Mapping) -> Iterator[Chunk]:
    """Every message of every conversation in the file."""
    contacts: dict[str, str] = {}
    for batch in json_records.read(path, encoding, Plan(WRAPPERS.__contains__, _is_message)):
        said = [r for r in batch.records if _is_message(r.value)]
        for record in said:
            if (talk := _talk(record)) and (customer := _customer(record)):
                contacts.setdefault(talk, customer)
        yield json_records.chunk([(_nameless(r), _row(r, contacts, mapping)) for r in said], batch, ("content_type",))


def _is_message(value: dict[str, Any]) -> bool:
    return "message_type" in value and bool(value.keys() & {"content", "attachments"})


def _talk(record: Record) -> str | None:
    places = [record.value, *reversed(record.outer)]
    told = [p.get("conversation_id") or _dict(p, "conversation").get("id") for p in places]
    talks = [p.get("id") for p in reversed(record.outer) if "messages" in p or "inbox_id" in p]
    return next((str(t) for t in (*told, *talks) if t is not None), None)


def _contact(record: Record) -> dict[str, Any]:
    """The customer's record: of the conversation, else the sender of what came in."""
    for place in reversed((*record.outer, _dict(record.value, "conversation"))):
        meta = _dict(place, "meta")
        if found := _dict(meta, "sender") or _dict(meta, "contact"):
            return found
    sender = _dict(record.value, "sender")
    return sender if _kind(record.value) == "incoming" or sender.get("type") == "contact" else {}


def _customer(record: Record) -> str | None:
    contact = _contact(record)
    known = (contact.get(k) for k in ("identifier", "email", "phone_number", "id"))
    return next((str(v) for v in known if v not in (None, "")), None)


def _nameless(record: Record) -> Record:
    """The record without the contact's name, which a rejected row would keep."""
    names = [n for n in (_contact(record).get(k) for k in ("name", "email", "identifier")) if isinstance(n, str) and n]
    raw = record.raw
    for name in names:
        raw = raw.replace(name, "[客户]")
    return record._replace(raw=raw)


def _row(record: Record, contacts: dict[str, str], mapping: Mapping) -> Row:
    value, talk = record.value, _talk(record)
    sender = _sender_kind(value)
    shop = next((n for p in (value, *record.outer) if (n := _dict(p, "account").get("name"))), None)
    return {
        "shop": shop or talks.shop_told(mapping, TITLE),
        "channel": _channel(record),
        "conversation_id": talk,
        "message_id": value.get("id"),
        "sent_at": value.get("created_at"),
        "sender_kind": sender,
        "agent": _agent(value, sender),
        "customer": contacts.get(talk or "") or _customer(record),
        "text": value.get("content") or "",
        "content_kind": _content_kind(value),
        "content_type": value.get("content_type"),
    }


def _kind(value: dict[str, Any]) -> str:
    written = str(value.get("message_type")).lower()
    return MESSAGE_TYPES.get(written, written)


def _sender_kind(value: dict[str, Any]) -> str | None:
    kind = _kind(value)
    if value.get("private") is True:
        return "internal"
    if kind != "outgoing":
        return {"incoming": "customer", "activity": "system", "template": "auto"}.get(kind, kind)
    sender = str(_dict(value, "sender").get("type") or value.get("sender_type") or "").lower()
    if "bot" in sender or "captain" in sender:  # AgentBot, agent_bot, Captain::Assistant
        return "bot"
    return "agent" if sender or value.get("sender") else "auto"


def _agent(value: dict[str, Any], sender: str | None) -> str | None:
    """Who sent it; of a notice, whom the talk was handed to."""
    if sender == "system":
        handed = ASSIGNED.search(str(value.get("content") or ""))
        return (handed[1] or handed[2]) if handed else None
    who = _dict(value, "sender")
    named = who.get("name") or who.get("available_name") or who.get("id") or value.get("sender_id")
    return None if sender == "customer" else str(named) if named else None


def _content_kind(value: dict[str, Any]) -> str:
    if _dict(value, "content_attributes").get("deleted") is True:
        return "recall"
    kind = content.of_word(value.get("content_type")) or "text"
    files = [f for f in value.get("attachments") or [] if isinstance(f, dict)]
    if kind == "text" and files and not (value.get("content") or "").strip():
        return FILE_TYPES.get(str(files[0].get("file_type")), "file")
    return kind


def _channel(record: Record) -> str:
    places = [
        p for o in (record.value, *reversed(record.outer)) for p in (o, _dict(o, "meta"), _dict(o, "conversation"))
    ]
    told = next((c for p in places if isinstance(c := p.get("channel"), str) and c), "web")
    name = told.rpartition(":")[2].lower()
    return CHANNELS.get(name, name)


def _dict(place: dict[str, Any], key: str) -> dict[str, Any]:
    held = place.get(key)
    return held if isinstance(held, dict) else {}
