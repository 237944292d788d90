"""`qc profiles compare`: the published nights, or one conversation, under every definition profile side by side."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from pipelines import store
from pipelines.query import QueryError
from pipelines.terminal import table
from reports import profiles, queries
from reports.profiles import Compared
from reports.queries import Row, Value
from reports.views import shown, span
from reports.words import Words


def show(
    home: Path, conversation: str | None, first: date | None, last: date | None, lang: str, *, as_json: bool
) -> None:
    """Print the comparison."""
    with store.open_mart(home) as con:
        if conversation:
            return _talk(con, conversation, Words(lang), as_json=as_json)
        compared, kpis = profiles.gather(con, first, last), queries.kpis(con)
        if not compared.shops:
            raise QueryError("这段时间里没有一轮问答;看看 --from、--to,或先运行 qc nightly")
        if as_json:
            return print(json.dumps(_told(compared), ensure_ascii=False, default=str))
        for shop in compared.shops:
            _shop(compared, kpis, Words(lang), shop)


def _told(compared: Compared) -> list[dict[str, Any]]:
    """One object a figure: shop, profile, metric, value, low, high, n, is_headline."""
    headlines = {p["profile"]: p["headline"] for p in compared.profiles}
    return [
        {"shop": shop, "profile": profile, "metric": metric, **value._asdict(), "is_headline": metric in headlines[profile]}
        for (metric, profile, shop), value in sorted(compared.values.items(), key=lambda item: (item[0][2], item[0]))
    ]  # fmt: skip


def _shop(compared: Compared, kpis: dict[str, Row], w: Words, shop: str) -> None:
    head = [shop, *(f"{w.title(p)} {p['profile']}" for p in compared.profiles)]
    lines = [
        [w.kpi(kpis[m]), *(_cell(compared.values.get((m, p["profile"], shop)), kpis[m]["unit"], m in p["headline"])
                           for p in compared.profiles)]
        for m in compared.metrics
    ]  # fmt: skip
    counts = [{t["reason"]: t["n"] for t in compared.turns.get((shop, p["profile"]), [])} for p in compared.profiles]
    lines.append([w.turns_counted, *(f"{c.get(None, 0)} / {sum(c.values())}" for c in counts)])
    table(head, lines, right=range(1, len(head)))
    rules = [profiles.said(w, p) for p in compared.profiles]
    table([w.definitions, *head[1:]], [[getattr(w, key), *(r[key] for r in rules)] for key in ("hours", "replies")]
          + [[w.on_time_rule, *(r["on_time"] for r in rules)], [w.status, *(r["status"] for r in rules)]])  # fmt: skip
    print(w.headline_marked)


def _cell(value: Value | None, unit: str, is_headline: bool) -> str:
    if value is None or value.value is None:
        return "–"
    interval = span(value.low, value.high, unit)
    return f"{'★ ' if is_headline else ''}{shown(value.value, unit)} ({interval}) n {value.n}"


def _talk(con: duckdb.DuckDBPyConnection, conversation: str, w: Words, *, as_json: bool) -> None:
    """Each question of the conversation: counted where, and why not."""
    turns = queries.rows(
        con, "SELECT * FROM profile_turns WHERE conversation_id = ? ORDER BY profile, turn", [conversation]
    )
    if not turns:
        raise QueryError(f"会话「{conversation}」里没有一轮问答,或没有这个会话")
    if as_json:
        return print(json.dumps(turns, ensure_ascii=False, default=str))
    listed, reasons = queries.profiles(con), queries.reasons(con)

    def told(turn: Row | None) -> str:
        if turn is None:
            return w.joined
        waited = shown(turn["wait_s"], "s") if turn["is_answered"] else w.unanswered
        return f"✓ {waited}" if turn["is_counted"] else f"✗ {waited} {w.reason(reasons, turn['reason'])}"

    rows = [
        [q["asked_seq"], q["asked_at"], *(told(found.get(p["profile"])) for p in listed)]
        for q, found in profiles.of_talk(turns)
    ]
    table(["seq", w.asked, *(f"{w.title(p)} {p['profile']}" for p in listed)], rows, right=(0,))
    print(w.under_profiles_caption)
