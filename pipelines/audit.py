"""What every row was taken for, and on what ground: `qc senders`, and of the files just read `qc ingest --audit-senders`.

A wrong sender kind poisons every figure.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import polars as pl

from pipelines import settings, store, terminal
from qc import senders as kinds

HEAD = ("店铺", "渠道", "发送方", "依据", "条数", "占比", "例子", "为什么")
LONGEST = 24  # characters of an example


def senders(home: Path, *, as_json: bool) -> None:
    """Print what was decided of all that is stored."""
    terminal.table(HEAD, decided(home), as_json=as_json, right=(4, 5))


def decided(home: Path, sources: Collection[str] | None = None) -> list[list[object]]:
    """Shop, channel, kind, ground, count, share and three texts of each, from the facts as they are; see HEAD.

    Of rows of these `sources` only, if given; they are judged among all rows, since an account is told by how it behaves.
    """
    patterns = settings.sender_patterns(home)
    with store.warehouse(home) as con:
        con.execute("CREATE OR REPLACE TEMP MACRO as_of() AS NULL::TIMESTAMP")
        messages = store.frame(con, (store.MODELS / "current_messages.sql").read_text(encoding="utf-8"))
    because = {p.id: p.reason for p in patterns} | {kinds.SOURCE: "来源自己写明"}
    refined = kinds.refine(messages, patterns)
    asked = refined if sources is None else refined.filter(pl.col("source_id").is_in(list(sources)))
    return [
        [r["shop"], r["channel"], r["sender_kind"], r["sender_ground"], r["n"], f"{r['share']:.1%}",
         " | ".join(t[:LONGEST] for t in r["examples"]), because[r["sender_ground"]]]
        for r in kinds.audit(asked).iter_rows(named=True)
    ]  # fmt: skip
