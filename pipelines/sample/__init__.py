"""The sample shop 山岚茶舍: a made-up month of talks, orders and ratings, with every truth known.

`generate` writes messages.csv, orders.csv, ratings.csv, agents.csv in the native columns, and truth.json: what was
planted and what came of it. The same arguments give the same bytes; rows stream out hour by hour.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from pipelines.sample import mix, texts
from pipelines.sample.month import FIRST_DAY, Month
from pipelines.sample.texts import Agent

COLUMNS = {
    "messages": "shop,channel,conversation_id,message_id,sent_at,sender_kind,agent,customer,text,content_kind",
    "orders": "order_id,parent_order_id,shop,channel,customer,created_at,paid_at,paid,refunded,"
    "refund_applied_at,refund_finished_at,items,status",
    "ratings": "shop,conversation_id,customer,agent,invited_at,rated_at,stars",
}


def generate(
    out: Path, *, messages: int = 12_000, seed: int = 20260901, agents: int = 12, days: int = 30
) -> dict[str, Any]:
    """Write the sample shop into `out` and return its truth; about `messages` rows, never fewer than asked for."""
    out.mkdir(parents=True, exist_ok=True)
    book = texts.load()
    people = staff(book, agents, seed)
    with ExitStack() as stack:
        files = {
            name: stack.enter_context((out / f"{name}.csv").open("w", encoding="utf-8", newline="")) for name in COLUMNS
        }
        for name, header in COLUMNS.items():
            files[name].write(header + "\n")
        month = Month(book, people, files, messages=messages, seed=seed, days=days)
        month.run()
    write_agents(out / "agents.csv", book.shop, people)
    month.truth.shop["messages"] = month.n_rows
    ratios = mix.like_with_like(book, people, month.asked())
    truth = month.truth.document(
        {one.id: {"worth": round(month.worth[one.id], 4), "like_with_like": ratios[one.id]} for one in people},
        shop=book.shop,
        seed=seed,
        messages_asked=messages,
        first_day=str(FIRST_DAY),
        last_day=str(FIRST_DAY + timedelta(days=days - 1)),
    )
    (out / "truth.json").write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return truth


def staff(book: texts.Book, n: int, seed: int) -> list[Agent]:
    """The first `n` agents of the book; beyond it, their likes under new names and slightly different."""
    rng, known = Random(seed), book.agents
    people = []
    for i in range(n):
        row, copy = known[i % len(known)], i // len(known)
        name = row["name"] + (str(copy + 1) if copy else "")
        factor = rng.uniform(0.85, 1.15) if copy else 1.0
        rest = {key: value for key, value in row.items() if key not in ("name", "hours")}
        rest = {"from_day": 1, "hard": 1.0, **rest, "wait_s": row["wait_s"] * factor}
        people.append(Agent(id=f"{book.shop}:{name}", name=name, hours=tuple(row["hours"]), **rest))
    return people


def write_agents(path: Path, shop: str, people: list[Agent]) -> None:
    rows = [
        f"{shop},{one.id},{one.name},{one.team},{FIRST_DAY + timedelta(days=one.from_day - 1)},\n" for one in people
    ]
    path.write_text("shop,agent,name,team,from,to\n" + "".join(rows), encoding="utf-8", newline="")
