"""Zendesk: tickets with their comments, and live chats with their history, by the public API.

A comment is by its author's role (end-user: customer; agent, admin: agent), else by whether the author is the ticket's
requester; `public: false` is internal; an author below 0 is the system. Users, and tickets that stand apart from their
comments, are looked up wherever in the file up to there they are given. A chat's history is told by `sender_type`
(Visitor, Agent, Trigger, Bot), else by the nick; what is no `chat.msg` is a notice. A customer is known by e-mail, else
by phone, id or name, so that tickets and chats of one person meet. Times are ISO with `Z`, or Unix time.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
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

NAME = "zendesk"
TITLE = "Zendesk 工单与聊天(JSON)"
KIND: Kind = "messages"
ABSENT: tuple[str, ...] = ()

WRAPPERS = {"tickets", "ticket", "comments", "chats", "history", "results"}
WEB = {"web", "api", "chat", "web_widget", "native_messaging", "mobile", "mobile_sdk", "sample_ticket"}
SENDERS = {
    "visitor": "customer",
    "agent": "agent",
    "trigger": "auto",
    "bot": "bot",
    "answerbot": "bot",
    "system": "system",
}
NOTICES = {"chat.memberjoin": "加入会话", "chat.memberleave": "离开会话", "chat.rating": "评价", "chat.comment": "留言"}
TAG = re.compile(r"<[^>]{0,500}>")


class Known(NamedTuple):
    """What the file has said so far: users and tickets by their id."""

    users: dict[str, dict[str, Any]]
    tickets: dict[str, dict[str, Any]]


def fits(head: Head) -> bool:
    """Whether there are comments with authors, or a chat's history."""
    keys = json_records.keys_of(head)
    is_ticket = "author_id" in keys and "public" in keys and bool(keys & {"body", "plain_body", "html_body"})
    is_chat = {"history", "visitor", "timestamp"} <= keys or {"visitor", "message", "department_id"} <= keys
    return (is_ticket or is_chat) and "message_type" not in keys


def read(path: Path, encoding: str, mapping: Mapping) -> Iterator[Chunk]:
    """Every comment and every line of a chat in the file."""
    known = Known({}, {})
    for batch in json_records.read(path, encoding, Plan(WRAPPERS.__contains__, _is_message)):
        _learn(batch.records, known)
        said = [r for r in batch.records if _is_message(r.value)]
        yield json_records.chunk([(_nameless(r, known), _row(r, known, mapping)) for r in said], batch, ("status",))


def _is_message(value: dict[str, Any]) -> bool:
    return _is_comment(value) or _is_event(value) or _is_offline(value)


def _is_comment(value: dict[str, Any]) -> bool:
    return "author_id" in value and bool(value.keys() & {"body", "plain_body", "html_body"})


def _is_event(value: dict[str, Any]) -> bool:
    return str(value.get("type", "")).startswith("chat.") and "timestamp" in value


def _is_offline(value: dict[str, Any]) -> bool:
    return value.get("type") == "offline_msg" and "message" in value


def _learn(records: Iterable[Record], known: Known) -> None:
    places = {id(p): p for r in records for p in (r.value, *r.outer)}
    for place in places.values():
        users = place.get("users")
        for user in (u for u in (users if isinstance(users, list) else []) if isinstance(u, dict)):
            known.users[str(user.get("id"))] = user
        if "requester_id" in place:
            known.tickets[str(place.get("id"))] = place


def _ticket(record: Record, known: Known) -> dict[str, Any]:
    """The ticket around a comment, beside it, or named by it."""
    for place in reversed(record.outer):
        beside = place.get("ticket")
        if "requester_id" in place or (isinstance(beside, dict) and "requester_id" in beside):
            return place if "requester_id" in place else beside
    named = nearest(record, "ticket_id")
    return known.tickets.get(str(named), {"id": named})


def _person(user: dict[str, Any]) -> str | None:
    return next((str(v) for k in ("email", "phone", "id", "name") if (v := user.get(k)) not in (None, "")), None)


def _chat(record: Record) -> dict[str, Any]:
    return next((p for p in (record.value, *reversed(record.outer)) if isinstance(p.get("visitor"), dict)), {})


def _customer(record: Record, known: Known) -> dict[str, Any]:
    if not _is_comment(record.value):
        visitor = _chat(record).get("visitor")
        return visitor if isinstance(visitor, dict) else {}
    requester = _ticket(record, known).get("requester_id")
    if requester is not None:
        return known.users.get(str(requester), {"id": requester})
    author = known.users.get(str(record.value.get("author_id")), {})
    return author if author.get("role") == "end-user" else {}


def _nameless(record: Record, known: Known) -> Record:
    """The record without the customer's name and e-mail, which a rejected row would keep."""
    raw = record.raw
    for name in (_customer(record, known).get(k) for k in ("name", "email")):
        raw = raw.replace(name, "[客户]") if isinstance(name, str) and name else raw
    return record._replace(raw=raw)


def _row(record: Record, known: Known, mapping: Mapping) -> Row:
    value = record.value
    told = _comment(record, known) if _is_comment(value) else _event(record)
    address = nearest(record, "url") or _ticket(record, known).get("url")
    site = re.search(r"https?://([\w-]+)\.zendesk\.com", str(address))
    shop = site[1] if site else talks.shop_told(mapping, TITLE)
    return {"shop": shop, "customer": _person(_customer(record, known)), **told}


def _comment(record: Record, known: Known) -> Row:
    value, ticket = record.value, _ticket(record, known)
    sender = _author(value, ticket, known)
    author = known.users.get(str(value.get("author_id")), {})
    via = ticket.get("via") or value.get("via")
    channel = str(via.get("channel") or "web") if isinstance(via, dict) else "web"
    text = value.get("plain_body") or value.get("body") or html.unescape(TAG.sub("", str(value.get("html_body") or "")))
    is_staff = sender in ("agent", "internal")
    return {
        "channel": "web" if channel in WEB else channel,
        "conversation_id": ticket.get("id"),
        "message_id": value.get("id"),
        "sent_at": value.get("created_at"),
        "sender_kind": sender,
        "agent": (author.get("name") or value.get("author_id")) if is_staff else None,
        "text": text,
        "content_kind": _comment_kind(value, text),
        "status": ticket.get("status"),
    }


def _author(value: dict[str, Any], ticket: dict[str, Any], known: Known) -> str:
    author = value.get("author_id")
    if str(author).startswith("-"):
        return "system"
    if value.get("public") is False:
        return "internal"
    role = known.users.get(str(author), {}).get("role")
    if role is None:
        role = "end-user" if author is not None and author == ticket.get("requester_id") else "agent"
    return "customer" if role == "end-user" else "agent"


def _comment_kind(value: dict[str, Any], text: str) -> str:
    if value.get("type") == "VoiceComment":
        return "voice"
    files = [f for f in value.get("attachments") or [] if isinstance(f, dict)]
    return content.of_file(str(files[0].get("content_type"))) if files and not text.strip() else "text"


def _event(record: Record) -> Row:
    """A line of a chat's history, or a message left while nobody was there."""
    value, chat = record.value, _chat(record)
    text = value.get("msg") or value.get("message") or ""
    sender = "customer" if _is_offline(value) else _speaker(value)
    name = value.get("name") or value.get("nick")
    if not _is_offline(value) and value.get("type") not in ("chat.msg", "chat.file", "chat.attachment"):
        who = name if sender == "agent" else "访客" if sender == "customer" else ""
        detail = value.get("new_rating") or value.get("rating") or value.get("new_comment") or ""
        text = text or f"{who} {NOTICES.get(str(value.get('type')), str(value.get('type')))} {detail}".strip()
        joined = value.get("type") == "chat.memberjoin" and sender == "agent"
        return {**_event_row(value, chat), "sender_kind": "system", "agent": name if joined else None, "text": text}
    is_known = sender in ("agent", "auto", "bot")
    return {**_event_row(value, chat), "sender_kind": sender, "agent": name if is_known else None, "text": text}


def _event_row(value: dict[str, Any], chat: dict[str, Any]) -> Row:
    file = value.get("attachment") if isinstance(value.get("attachment"), dict) else None
    is_file = file is not None or value.get("type") in ("chat.file", "chat.attachment")
    mime = str((file or {}).get("mime_type") or value.get("mime_type") or "")
    return {
        "channel": "web",
        "conversation_id": chat.get("id"),
        "message_id": value.get("msg_id") or (value.get("id") if _is_offline(value) else None),
        "sent_at": value.get("timestamp"),
        "content_kind": content.of_file(mime) if is_file and not value.get("msg") else "text",
    }


def _speaker(value: dict[str, Any]) -> str | None:
    told = str(value.get("sender_type") or "").lower()
    if told:
        return SENDERS.get(told, told)
    nick = str(value.get("nick") or "").lower()
    if "trigger" in nick:
        return "auto"
    return next((kind for start, kind in SENDERS.items() if nick.startswith(start)), None)
