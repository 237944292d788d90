"""Workbooks in: the header wherever it stands, every sheet, dates as dates, and no id that Excel rounded."""

import random
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest
import xlsxwriter
from conftest import quiet

from pipelines import nightly, store
from pipelines.ingest import Outcome, files_in

GOLDEN = Path(__file__).parent / "golden" / "excel"
MESSAGES = ["shop", "channel", "conversation_id", "message_id", "sent_at", "sender_kind", "agent", "customer", "text"]
ORDERS = ["order_id", "shop", "customer", "created_at", "paid_at", "paid", "items"]
LONG = "3309260002895933201"


def ingest(home: Path, *files: Path, **wishes: object) -> list[Outcome]:
    found = nightly.read_in(files_in(files)[0], nightly.Request(home, **wishes), quiet)[0]  # type: ignore[arg-type]
    assert all(o.n_rows == o.n_stored + o.n_duplicate + o.n_quarantined for o in found)
    return found


def ask(home: Path, query: str) -> list[tuple]:
    with store.warehouse(home) as con:
        return con.execute(query).fetchall()


def book(path: Path, **sheets: Callable[[xlsxwriter.Workbook, object], None] | list[list[object]]) -> Path:
    """A workbook; a list of rows is written as it is, texts as texts."""
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm:ss", "strings_to_numbers": False}) as made:
        for name, rows in sheets.items():
            sheet = made.add_worksheet(name)
            for n, row in enumerate(rows):
                sheet.write_row(n, 0, row)
    return path


def test_a_header_below_titles_and_typed_dates(home: Path, tmp_path: Path) -> None:
    at = datetime(2026, 9, 1, 10, 0, 5)
    file = book(tmp_path / "chats.xlsx", 会话=[
        ["暖居家纺 聊天记录"], ["导出时间", datetime(2026, 9, 3)], [],
        MESSAGES,
        ["甲店", "taobao", "s1", "m1", at, "customer", "", "买家", "在吗 <b>"],
        ["甲店", "taobao", "s1", "m2", "2026-09-01 10:00:20", "agent", "甲店:小一", "买家", "=1+1"],
        [],
        MESSAGES,
        ["甲店", "taobao", "s1", "m3", "昨天", "agent", "甲店:小一", "买家", "好"],
    ])  # fmt: skip
    (outcome,) = ingest(home, file)
    assert (outcome.file, outcome.n_rows, outcome.n_stored, outcome.n_quarantined) == ("chats.xlsx#会话", 3, 2, 1)
    assert ask(home, "SELECT source_row, sent_at FROM fact_messages ORDER BY 1") == [
        (5, at),
        (6, datetime(2026, 9, 1, 10, 0, 20)),
    ]
    assert ask(home, "SELECT line, code FROM quarantine") == [(9, "time")]


def test_every_sheet_is_a_source_of_its_own(home: Path, tmp_path: Path) -> None:
    rows = [
        ["甲店", "qq", "s", f"m{n}", f"2026-09-01 10:00:{n:02}", "customer", "", "买家", f"第{n}句"] for n in range(4)
    ]
    file = book(
        tmp_path / "b.xlsx",
        一日=[MESSAGES, *rows[:2]],
        二日=[MESSAGES, *rows[1:]],
        空=[],
        说明=[["这是说明"], ["别的话"]],
    )
    found = {o.file: (o.n_rows, o.n_stored, o.n_duplicate, o.n_quarantined) for o in ingest(home, file)}
    assert set(found) == {"b.xlsx#一日", "b.xlsx#二日", "b.xlsx#说明"} and found["b.xlsx#说明"] == (1, 0, 0, 1)
    assert sum(f[1] for f in found.values()) == 4 and sum(f[2] for f in found.values()) == 1
    again = ingest(home, file)
    assert all(o.is_known and o.n_stored == 0 for o in again if not o.problem)


def test_ids_that_excel_rounded_are_named_and_those_kept_as_text_are_whole(home: Path, tmp_path: Path) -> None:
    at = datetime(2026, 9, 1, 10)
    file = book(tmp_path / "o.xlsx", 订单=[
        ORDERS,
        [LONG, "甲店", "买家", at, at, 12.5, 1],
        [int(LONG), "甲店", "买家", at, at, 99, 1],
        [123456789012345, "甲店", "买家", at, at, "1,288.00", 2],  # 15 digits: Excel keeps them all
        ["1234567890123456", "甲店", 1234567890123456, at, "", 0, 1],
    ])  # fmt: skip
    (outcome,) = ingest(home, file)
    assert (outcome.n_rows, outcome.n_stored, outcome.n_quarantined) == (4, 2, 2)
    assert ask(home, "SELECT order_id, paid_fen FROM fact_orders ORDER BY 2") == [
        (LONG, 1250),
        ("123456789012345", 128_800),
    ]
    found = ask(home, "SELECT line, code, reason FROM quarantine ORDER BY line")
    assert [(line, code) for line, code, _ in found] == [(3, "rounded"), (5, "rounded")]
    assert "「order_id」" in found[0][2] and "超过 15 位" in found[0][2] and "「customer」" in found[1][2]


def test_a_date_kept_as_a_bare_number_is_still_a_date(home: Path, tmp_path: Path) -> None:
    serial = (datetime(2026, 9, 1, 10, 30) - datetime(1899, 12, 30)).total_seconds() / 86_400
    ingest(home, book(tmp_path / "o.xlsx", 订单=[ORDERS, ["1", "甲店", "买家", serial, serial + 1 / 1440, 5, 1]]))
    assert ask(home, "SELECT created_at, paid_at FROM fact_orders") == [
        (datetime(2026, 9, 1, 10, 30), datetime(2026, 9, 1, 10, 31))
    ]


def test_columns_without_a_name_are_kept_aside(home: Path, tmp_path: Path) -> None:
    ingest(
        home,
        book(
            tmp_path / "o.xlsx",
            订单=[[*ORDERS, "", "备注"], ["1", "甲店", "买家", date(2026, 9, 1), "", 0, 1, "插队", "急"]],
        ),
    )
    assert ask(home, "SELECT extra FROM fact_orders") == [('{"列8":"插队","备注":"急"}',)]


def test_a_workbook_of_old_excel(home: Path) -> None:
    (outcome,) = ingest(home, GOLDEN / "orders.xls")
    assert (outcome.n_rows, outcome.n_stored, outcome.n_quarantined) == (2, 1, 1)
    assert ask(home, "SELECT order_id, created_at, paid_fen FROM fact_orders") == [
        ("3309260002895933401", datetime(2026, 9, 1, 10), 1250)
    ]
    assert ask(home, "SELECT line, code FROM quarantine") == [(3, "rounded")]


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_torn_workbook_is_on_record(home: Path, tmp_path: Path, cut: float) -> None:
    whole = book(tmp_path / "o.xlsx", 订单=[ORDERS, ["1", "甲店", "买家", date(2026, 9, 1), "", 0, 1]]).read_bytes()
    (tmp_path / "torn.xlsx").write_bytes(whole[: int(len(whole) * cut)])
    (outcome,) = ingest(home, tmp_path / "torn.xlsx")
    assert outcome.problem and (outcome.n_rows, outcome.n_quarantined) == (1, 1)


def test_a_table_in_old_clothes_is_told_by_content(home: Path, tmp_path: Path) -> None:
    """Platforms call a plain table .xls."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "orders.xls").write_bytes(
        ("\t".join(ORDERS) + "\n1\t甲店\t买家\t2026-09-01 10:00:00\t\t0\t1\n").encode("gb18030")
    )
    (outcome,) = ingest(home, folder)
    assert outcome.n_stored == 1


@pytest.mark.parametrize("seed", range(16))
def test_a_damaged_workbook_never_stops_the_night(home: Path, tmp_path: Path, seed: int) -> None:
    """Bytes of the workbook's parts, not of its packing: what a bad exporter writes, not what a bad line does."""
    chance = random.Random(seed)
    at = datetime(2026, 9, 1, 10)
    whole = book(tmp_path / "o.xlsx", 订单=[ORDERS, *([str(n), "甲店", "买家", at, "", 0, 1] for n in range(20))])
    with zipfile.ZipFile(whole) as z:
        parts = {n: bytearray(z.read(n)) for n in z.namelist()}
    for _ in range(chance.randint(1, 4)):
        content = parts[chance.choice([n for n in parts if n.startswith("xl/")])]
        a = chance.randrange(len(content))
        content[a : a + chance.randint(0, 30)] = bytes(chance.randrange(256) for _ in range(chance.randint(0, 20)))
    with zipfile.ZipFile(tmp_path / "damaged.xlsx", "w") as z:
        for name, content in parts.items():
            z.writestr(name, bytes(content))
    assert sum(o.n_rows for o in ingest(home, tmp_path / "damaged.xlsx")) >= 1
