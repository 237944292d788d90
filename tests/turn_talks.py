"""Transcripts for tests of turns: written lines and rows -> messages as ingested, without a seq."""

import re
from datetime import datetime
from typing import Any

import polars as pl

from qc import frames

RAW = {**{k: v for k, v in frames.Message.items() if k != "seq"}}
KINDS = {"客": "customer", "服": "agent", "助": "assist", "机": "bot", "自": "auto", "系": "system"}
LINE = re.compile(r"(?:(\d+) )?(\d\d:\d\d:\d\d) (.)>?([A-Z]?)(?:@(\S+))? (.*)")


def messages(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows with what is said of them, the rest filled in."""
    blank = dict.fromkeys(RAW) | {
        "shop": "店", "channel": "taobao", "customer": "甲", "content_kind": "text", "text": "?", "source_id": "f",
    }  # fmt: skip
    return pl.DataFrame([blank | {"source_row": n} | row for n, row in enumerate(rows, 1)], schema=RAW, orient="row")


def read(talk: str, conversation_id: str | None = None) -> list[dict[str, Any]]:
    """A talk as tests/turns/*.yaml write it."""
    day, rows = "1", []
    for line in talk.splitlines():
        match = LINE.fullmatch(line.strip())
        assert match, line
        day = match[1] or day
        rows.append({
            "sent_at": datetime.fromisoformat(f"2026-09-{day:0>2} {match[2]}"), "sender_kind": KINDS[match[3]], "agent": match[4] or None,
            "shop": match[5] or "店", "text": match[6], "content_kind": "recall" if match[6] == "[撤回]" else "text",
            "conversation_id": conversation_id,
        })  # fmt: skip
    return rows
