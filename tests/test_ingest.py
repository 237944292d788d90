"""Files into facts: nothing vanishes, nothing counts twice, whatever the format, the name or the order."""

import gzip
import json
import os
import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from conftest import SHARED, quiet

from pipelines import facts as fact_tables
from pipelines import nightly, store
from pipelines.ingest import Outcome

HEAD = "shop,channel,conversation_id,message_id,sent_at,sender_kind,agent,customer,text,content_kind"
ROWS = [
    f"甲店,taobao,,,2026-09-01 10:00:{n:02d},{kind},{agent},买家{n % 3},{text},text"
    for n, (kind, agent, text) in enumerate(
        [
            ("customer", "", "在吗"),
            ("agent", "甲店:小一", "在的亲"),
            ("customer", "", "有货吗"),
            ("agent", "甲店:小一", "有的"),
        ]
        * 5
    )
]
ORDERS = "order_id,shop,channel,customer,created_at,paid_at,paid,refunded,items"
RATINGS = "shop,conversation_id,rated_at,stars"
GOOD = {HEAD: ROWS[1], ORDERS: "2,甲店,,买家,2026-09-01 10:00,,0,,", RATINGS: "甲店,2,2026-09-01 10:00,5"}


def ingest(home: Path, *files: Path, **wishes: object) -> list[Outcome]:
    return nightly.read_in(list(files), nightly.Request(home, **wishes), quiet)[0]  # type: ignore[arg-type]


def facts(home: Path, kind: str = "messages") -> pl.DataFrame:
    with store.warehouse(home) as con:
        return store.frame(
            con, f"SELECT * EXCLUDE (source_id, source_row, row_key, content_key) FROM fact_{kind}"
        ).sort(pl.all())


def quarantine(home: Path) -> list[tuple]:
    with store.warehouse(home) as con:
        return con.execute("SELECT line, code, reason FROM quarantine ORDER BY line").fetchall()


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def adds_up(outcomes: list[Outcome]) -> bool:
    return all(o.n_rows == o.n_stored + o.n_duplicate + o.n_quarantined for o in outcomes)


def test_the_same_bytes_and_a_renamed_copy_change_nothing(home: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "chats.csv", HEAD, *ROWS)
    assert ingest(home, first)[0].n_stored == len(ROWS)
    before = facts(home)
    again = ingest(home, first)[0]
    copy = first.rename(tmp_path / "renamed.csv")
    for outcome in (again, ingest(home, copy)[0]):
        assert (outcome.n_rows, outcome.n_stored, outcome.n_duplicate, outcome.is_known) == (
            len(ROWS),
            0,
            len(ROWS),
            True,
        )
    assert facts(home).equals(before)


def test_two_copies_in_one_run_count_once(home: Path, tmp_path: Path) -> None:
    files = [write(tmp_path / name, HEAD, *ROWS) for name in ("a.csv", "b.csv")]
    assert sorted(o.n_stored for o in ingest(home, *files)) == [0, len(ROWS)]


def test_overlapping_exports_add_only_what_is_new(home: Path, tmp_path: Path) -> None:
    ingest(home, write(tmp_path / "week1.csv", HEAD, *ROWS[:12]))
    (second,) = ingest(home, write(tmp_path / "week2.csv", HEAD, *ROWS[5:]))
    assert (second.n_stored, second.n_duplicate) == (len(ROWS) - 12, 7)
    assert len(facts(home)) == len(ROWS)


def test_two_equal_bubbles_in_one_file_are_two_messages_and_stay_two(home: Path, tmp_path: Path) -> None:
    twice = [ROWS[0], ROWS[0], ROWS[1]]
    assert ingest(home, write(tmp_path / "a.csv", HEAD, *twice))[0].n_stored == 3
    assert ingest(home, write(tmp_path / "b.csv", HEAD, *twice, ROWS[2]))[0].n_stored == 1


def test_a_corrected_message_becomes_the_message_and_the_old_one_is_kept(home: Path, tmp_path: Path) -> None:
    def row(text: str, at: str) -> str:
        return (
            f"甲店,jd,s1,m1,2026-09-01 10:00:00,agent,小一,买家,{text},text\n甲店,jd,s1,m9,{at},customer,,买家,好,text"
        )

    newer = write(tmp_path / "z.csv", HEAD, row("改过的", "2026-09-03 10:00:00"))
    older = write(tmp_path / "a.csv", HEAD, row("原来的", "2026-09-02 10:00:00"))
    ingest(home, newer)
    ingest(home, older)
    with store.warehouse(home) as con:
        con.execute("CREATE TEMP MACRO as_of() AS NULL::TIMESTAMP")
        current = store.frame(con, (store.MODELS / "current_messages.sql").read_text(encoding="utf-8"))
        kept = con.execute("SELECT count(*) FROM fact_messages WHERE message_id = 'm1'").fetchone()
    assert current.filter(pl.col("message_id") == "m1")["text"].to_list() == ["改过的"]
    assert kept == (2,)


def as_tsv(rows: list[list[str]]) -> bytes:
    return "\n".join("\t".join(r) for r in rows).encode()


def as_jsonl(rows: list[list[str]]) -> bytes:
    return "\n".join(json.dumps(dict(zip(rows[0], r, strict=True)), ensure_ascii=False) for r in rows[1:]).encode()


def as_parquet(rows: list[list[str]]) -> bytes:
    frame = pl.DataFrame(rows[1:], schema=rows[0], orient="row").with_columns(pl.col("sent_at").str.to_datetime())
    path = Path(os.environ["PYTEST_TMP"]) / "t.parquet"
    frame.write_parquet(path)
    return path.read_bytes()


def as_csv(encoding: str) -> Callable[[list[list[str]]], bytes]:
    return lambda rows: "\r\n".join(",".join(r) for r in rows).encode(encoding)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("written", "name"),
    [
        (as_csv("utf-8"), "x.csv"), (as_csv("utf-8-sig"), "x.csv"), (as_csv("gb18030"), "x.csv"), (as_csv("utf-16"), "x.csv"),
        (as_tsv, "x.tsv"), (as_jsonl, "x.jsonl"), (as_parquet, "x.parquet"), (as_csv("utf-8"), "x.jsonl"),
    ],
)  # fmt: skip
def test_every_format_gives_the_same_facts(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: Callable, name: str, packed: bool
) -> None:
    monkeypatch.setenv("PYTEST_TMP", str(tmp_path))
    content = written([HEAD.split(","), *(r.split(",") for r in ROWS)])
    path = tmp_path / (name + ".gz" if packed else name)
    path.write_bytes(gzip.compress(content) if packed else content)
    (outcome,) = ingest(home, path)
    assert (outcome.n_stored, outcome.n_quarantined) == (len(ROWS), 0)
    found = facts(home)
    assert found["sent_at"].min() == datetime(2026, 9, 1, 10) and set(found["agent"]) == {None, "甲店:小一"}
    assert found["customer"].str.contains(r"^c[a-z]{16}$").all() and found["customer"].n_unique() == 3


def test_columns_in_any_order_and_extra_ones_are_kept_aside(home: Path, tmp_path: Path) -> None:
    names = HEAD.split(",")
    random.Random(1).shuffle(names)
    row = dict(zip(HEAD.split(","), ROWS[1].split(","), strict=True))
    ingest(
        home,
        write(tmp_path / "a.csv", ",".join([*names, "备注"]), ",".join([*(row[n] for n in names), "打 13800138000"])),
    )
    (found,) = facts(home).to_dicts()
    assert (found["agent"], found["text"]) == ("甲店:小一", "在的亲")
    assert json.loads(found["extra"]) == {"备注": "打 [电话]"}


@pytest.mark.parametrize(
    ("lines", "code", "says"),
    [
        ([HEAD, ROWS[0].replace("2026-09-01 10:00:00", "昨天")], "time", '「sent_at」="昨天" 不是时间'),
        ([HEAD, ROWS[0].replace("2026-09-01 10:00:00", "2026-02-30 10:00:00")], "time", "不是时间"),
        ([HEAD, ROWS[0].replace("2026-09-01 10:00:00", "")], "missing", "「sent_at」是空的"),
        ([HEAD, ROWS[0].replace("customer", "路人", 1)], "sender", '「sender_kind」="路人"'),
        ([HEAD, ROWS[0].replace(",text", ",hologram")], "content", '「content_kind」="hologram"'),
        ([HEAD, ROWS[0].replace("买家0", "")], "missing", "不知道这句话属于谁"),
        ([HEAD, ROWS[0].replace("在吗", "在\0吗")], "nul", "NUL"),
        ([HEAD, ROWS[0] + ",多一列"], "columns", "应有 10 列,实有 11 列"),
        ([ORDERS, "1,甲店,,买家,2026-09-01 10:00,2026-09-01 09:00,5,,"], "order_time", "早于下单时间"),
        ([ORDERS, "1,甲店,,买家,2026-09-01 10:00,2026-09-01 11:00,五块,,"], "number", '「paid」="五块" 不是数'),
        ([ORDERS, "1,甲店,,买家,2026-09-01 10:00,2026-09-01 11:00,-5,,"], "amount", "是负数"),
        ([ORDERS, "1,甲店,,买家,2026-09-01 10:00,2026-09-01 11:00,,,"], "amount", "没有「paid」金额"),
        ([RATINGS, "甲店,1,2026-09-01 10:00,7"], "stars", '「stars」="7" 不在 1 到 5 之间'),
        ([RATINGS, "甲店,,2026-09-01 10:00,5"], "missing", "不知道评的是哪次服务"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason_and_the_good_one_beside_it_goes_through(
    home: Path, tmp_path: Path, lines: list[str], code: str, says: str
) -> None:
    (outcome,) = ingest(home, write(tmp_path / "f.csv", *lines, GOOD[lines[0]]))
    assert (outcome.n_rows, outcome.n_stored, outcome.n_quarantined) == (2, 1, 1)
    ((line, found, reason),) = quarantine(home)
    assert (line, found) == (2, code) and says in reason


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "文件是空的"),
        ("blank.csv", b"\n \n", "没有一行可读"),
        ("lacks.csv", "shop,channel,sender_kind,customer,text\n甲,jd,customer,乙,在\n".encode(), "缺少列 sent_at"),
        ("unknown.csv", b"foo,bar\n1,2\n", "认不出这是什么表"),
        ("twice.csv", HEAD.replace("message_id", "text").encode() + b"\n" + ROWS[0].encode(), "表头有重名的列"),
        ("torn.parquet", b"PAR1 torn", "Parquet 文件不完整"),
    ],
)
def test_an_unreadable_file_stops_no_other_and_stays_on_record(
    home: Path, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    bad, good = ingest(home, tmp_path / name, write(tmp_path / "good.csv", HEAD, *ROWS))
    assert says in (bad.problem or "") and good.n_stored == len(ROWS)
    assert [(r[1], says in r[2]) for r in quarantine(home)] == [("file", True)]
    assert adds_up([bad, good])


def test_a_directory_without_a_known_file_says_so(home: Path, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "notes.docx").write_text("x")
    with pytest.raises(FileNotFoundError, match="没有认得的文件"):
        ingest(home, tmp_path / "d")
    with pytest.raises(FileNotFoundError, match="没有这个文件"):
        ingest(home, tmp_path / "nowhere")


def test_headers_that_look_like_patterns_and_halves_of_emoji_are_only_text(home: Path, tmp_path: Path) -> None:
    odd = write(tmp_path / "a.csv", HEAD + ",*,^text$", ROWS[1] + ",一,二")
    half = write(
        tmp_path / "b.jsonl",
        json.dumps(dict(zip(HEAD.split(","), ROWS[2].split(","), strict=True)) | {"text": "在\ud83d吗"}),
    )
    assert [o.n_stored for o in ingest(home, odd, half)] == [1, 1]
    texts, extras = facts(home)["text"].to_list(), [e for e in facts(home)["extra"] if e]
    assert "在吗" in {t.replace("\ufffd", "") for t in texts} and sorted(json.loads(extras[0]).values()) == ["一", "二"]


def test_a_mapping_corrected_later_reads_the_same_bytes_anew(home: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "t.csv", "谁,何时,说,是客服", "买家,2026-09-01 10:00,在吗,0", "买家,2026-09-01 10:01,在,1")
    base = "id: mine\ntitle: 我的\nkind: messages\nconstants: {{shop: 甲, channel: qq}}\ncolumns: {{customer: 谁, sent_at: 何时, text: 说, sender_kind: {{column: 是客服, values: {}}}}}\n"
    wrong, right = tmp_path / "wrong.yaml", tmp_path / "right.yaml"
    wrong.write_text(base.format('{"0": customer}'), encoding="utf-8")
    right.write_text(base.format('{"0": customer, "1": agent}'), encoding="utf-8")
    assert ingest(home, data, mapping=wrong)[0].n_quarantined == 1
    (second,) = ingest(home, data, mapping=right)
    assert (second.n_stored, second.n_quarantined) == (2, 0)
    assert len(facts(home)) == 2 and quarantine(home) == []


def test_no_number_and_no_name_of_a_customer_is_stored(home: Path, tmp_path: Path) -> None:
    rows = [
        "甲店,qq,,,2026-09-01 10:00:00,customer,,张三丰,我电话13800138000 身份证11010519491231002X 卡6222021234567890128,text",
        "甲店,qq,,,坏时间,customer,,张三丰,张三丰的电话 13900139000,text",
    ]
    ingest(home, write(tmp_path / "a.csv", HEAD, *rows))
    with store.warehouse(home) as con:
        held = str(con.execute("FROM fact_messages").fetchall()) + str(con.execute("FROM quarantine").fetchall())
    assert "[电话]" in held and "[身份证]" in held and "[银行卡]" in held
    for secret in ("138001", "139001", "11010519491231002X", "6222021234567890128", "张三丰"):
        assert secret not in held
    assert (home / "customer.key").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real exports are not part of the product")
def test_real_exports_are_read_whole(home: Path) -> None:
    chats, orders = ingest(
        home, SHARED / "jddc_raw" / "chat_0.1per.txt", SHARED / "orders_tmall" / "tmall_order_report_excelized.csv"
    )
    assert (chats.kind, chats.n_rows, chats.n_stored) == ("messages", 12_136, 12_136)
    assert (orders.kind, orders.n_rows, orders.n_stored) == ("orders", 28_010, 28_010)
    kinds = dict(facts(home)["sender_kind"].value_counts().rows())
    assert kinds["agent"] == 6029 and 90 <= kinds["system"] <= 120
    paid = facts(home, "orders").filter(pl.col("paid_at").is_not_null())
    assert (len(paid), paid["paid_fen"].sum()) == (24_087, 247_482_307)


def as_before(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    """Keys as they were: the md5 read as text; a table without today's comment."""
    content = fact_tables._content_of(con, kind).replace("md5_number", "md5")
    key = fact_tables._digest_of(fact_tables.KEYS[kind], fact_tables.LATER.get(kind, ())).replace("md5_number", "md5")
    con.execute(f"""
        CREATE OR REPLACE TABLE fact_{kind} AS SELECT * EXCLUDE (content, nth) REPLACE (
            content AS content_key,
            CASE WHEN {fact_tables.HAS_KEY[kind]} THEN {key} WHEN nth = 1 THEN content
                 ELSE md5(content::VARCHAR || nth)::UUID END AS row_key)
        FROM (SELECT *, {content} AS content, row_number() OVER (PARTITION BY content_key ORDER BY source_row) AS nth
              FROM fact_{kind})""")


def test_rows_with_keys_of_the_old_form_get_todays(home: Path, tmp_path: Path) -> None:
    lines = [*ROWS, ROWS[0], ROWS[0], GOOD[HEAD].replace("taobao,,", "taobao,c,m1")]
    ingest(home, write(tmp_path / "a.csv", HEAD, *lines), write(tmp_path / "b.csv", ORDERS, GOOD[ORDERS]))
    with store.warehouse(home) as con:
        rows = {kind: store.frame(con, f"FROM fact_{kind} ORDER BY source_row") for kind in ("messages", "orders")}
        for kind, known in rows.items():
            as_before(con, kind)
            assert not store.frame(con, f"FROM fact_{kind} ORDER BY source_row").equals(known)
    with store.warehouse(home) as con:
        assert all(store.frame(con, f"FROM fact_{k} ORDER BY source_row").equals(v) for k, v in rows.items())
    again = ingest(home, write(tmp_path / "c.csv", HEAD, *lines, GOOD[HEAD]))[0]
    assert (again.n_stored, again.n_duplicate) == (1, len(lines))
