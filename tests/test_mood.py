"""The customer's mood over a talk: thirds, the lowest point, what was said before it; and the page that shows where talks turn."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from pipelines import store
from reports import mood, queries
from reports.facts import gather, links
from reports.words import Words
from tests.conftest import night

HEAD = "shop,channel,conversation_id,sent_at,sender_kind,agent,customer,text"


def talk(name: str, *said: tuple[str, str]) -> list[str]:
    return [f"店,taobao,{name},2026-09-01 10:{n:02d}:00,{who},{'小满' if who == 'agent' else ''},客{name},{text}"
            for n, (who, text) in enumerate(said)]  # fmt: skip


@pytest.fixture(scope="module")
def con(models: Path, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    home = tmp_path_factory.mktemp("mood")
    (home / "models").symlink_to(models)
    calm, angry = ("customer", "好的谢谢"), ("customer", "太差了 骗子 垃圾 我要投诉")
    lines = [
        *talk("c1", calm, ("agent", "不能退"), angry, ("agent", "抱歉"), calm),
        *talk("c2", calm, ("agent", "不能退"), angry),
        *talk("c3", angry, ("agent", "您好"), calm, calm),
        *talk("c4", calm, ("bot", "机器人在"), ("agent", "不能退"), calm, angry, angry),
    ]
    (home / "messages.csv").write_text("\n".join([HEAD, *lines]), "utf-8")
    night(home, home / "messages.csv")
    return store.open_mart(home)


def one(con: duckdb.DuckDBPyConnection, talk: str, columns: str) -> tuple[object, ...]:
    return con.execute(f"SELECT {columns} FROM conversations WHERE conversation_id = ?", [talk]).fetchone() or ()


def test_the_lowest_point_and_the_sentence_before_it(con: duckdb.DuckDBPyConnection) -> None:
    assert one(con, "c1", "low_seq, before_low_seq, before_low_agent") == (3, 2, "小满")
    assert one(con, "c4", "low_seq, before_low_seq, before_low_agent") == (5, 3, "小满"), (
        "the earliest of equals; no bot"
    )
    assert one(con, "c3", "low_seq, before_low_seq, before_low_agent") == (1, None, None), "nothing was said before it"


def test_under_three_messages_of_the_customer_nothing_is_told(con: duckdb.DuckDBPyConnection) -> None:
    columns = "mood_first, mood_middle, mood_end, mood_shift, mood_low, low_seq, before_low_seq, before_low_agent"
    assert one(con, "c2", columns) == (None,) * 8


def test_thirds_and_lowest_point_follow_from_the_messages(sample_home: Path) -> None:
    with store.open_mart(sample_home) as con:
        talks = con.execute("SELECT conversation_id, mood_first, mood_middle, mood_end, mood_shift, mood_low, low_seq, before_low_seq "
                            "FROM conversations").fetchall()  # fmt: skip
        said: dict[str, list[tuple[int, float]]] = {}
        for c, seq, m in con.execute(
            "SELECT conversation_id, seq, mood FROM messages WHERE mood IS NOT NULL ORDER BY ALL"
        ).fetchall():
            said.setdefault(c, []).append((seq, float(m)))
    assert sum(t[1] is not None for t in talks) > 500
    for c, first, middle, end, shift, low, low_seq, before in talks:
        moods = [m for _, m in said.get(c, [])]
        if len(moods) < 3:
            assert first is middle is end is shift is low is low_seq is before is None
            continue
        k = len(moods) // 3
        parts = moods[:k], moods[k:-k], moods[-k:]
        assert (first, middle, end) == pytest.approx([sum(p) / len(p) for p in parts])
        assert shift == pytest.approx(end - first) and float(low) == min(moods)
        assert (low_seq, float(low)) == min(said[c], key=lambda at: (at[1], at[0]))
        assert before is None or before < low_seq


def test_the_page_counts_sentences_and_names_nobody(sample_home: Path) -> None:
    with queries.open_mart(sample_home / "mart.duckdb") as con:
        queries.lay_out(con)
        facts = gather(con)
        source = mood.render(facts, links(facts), Words("zh"))
    with store.open_mart(sample_home) as con:
        told = con.execute("SELECT count(*), count(*) FILTER (WHERE mood_shift > 0.1), count(*) FILTER (WHERE mood_shift < -0.1) "
                           "FROM conversations WHERE mood_shift IS NOT NULL").fetchone() or ()  # fmt: skip
        names = [n for (n,) in con.execute("SELECT name FROM agents").fetchall()]
    assert "{} 个会话可看变化:好转 {},变差 {}".format(*told) in source
    table = source[source.index("变差的会话里最低点之前的话") :]
    heads = re.findall(r"<th [^>]*>(.*?)<", table)
    assert heads[:2] == ["客服说的", "最低点之前"]
    assert names and not any(f">{name}</a>" in table for name in names)
