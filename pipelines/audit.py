"""`qc senders`: what every row was taken for, and on what ground. A wrong sender kind poisons every figure."""

from __future__ import annotations

from pathlib import Path

from pipelines import settings, store, terminal
from qc import senders as kinds

LONGEST = 24  # characters of an example


def senders(home: Path, *, as_json: bool) -> None:
    """Print shop, channel, kind, ground, count, share and three texts of each, from the facts as they are."""
    patterns = settings.sender_patterns(home)
    with store.warehouse(home) as con:
        con.execute("CREATE OR REPLACE TEMP MACRO as_of() AS NULL::TIMESTAMP")
        messages = store.frame(con, (store.MODELS / "current_messages.sql").read_text(encoding="utf-8"))
    because = {p.id: p.reason for p in patterns} | {kinds.SOURCE: "来源自己写明"}
    rows = [
        [r["shop"], r["channel"], r["sender_kind"], r["sender_ground"], r["n"], f"{r['share']:.1%}",
         " | ".join(t[:LONGEST] for t in r["examples"]), because[r["sender_ground"]]]
        for r in kinds.audit(kinds.refine(messages, patterns)).iter_rows(named=True)
    ]  # fmt: skip
    terminal.table(
        ["店铺", "渠道", "发送方", "依据", "条数", "占比", "例子", "为什么"], rows, as_json=as_json, right=(4, 5)
    )
