"""What becomes of orders as shops have them: split, paid in parts, refunded, exchanged, given away, changed afterwards.

Every case is a shop of its own, where 甲 asks at ten on Taobao, is answered, and orders at eleven; one night reads them all.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import night

from pipelines import store

HEAD = "shop,channel,order_id,parent_order_id,customer,created_at,paid_at,paid,refunded,refund_finished_at,items,status,line,line_paid"
TALK = "shop,channel,conversation_id,message_id,sent_at,sender_kind,agent,customer,text"
ORDER = {"channel": "taobao", "order_id": "A1", "customer": "甲", "created_at": "2026-09-01 11:00:00",
         "paid_at": "2026-09-01 11:01:00", "paid": 30, "items": 1, "status": "交易成功"}  # fmt: skip
UNPAID = {"paid_at": "", "paid": "", "status": "等待买家付款"}
BACK = {"refunded": 30, "refund_finished_at": "2026-09-05 09:00:00"}
DEPOSIT = {"line": "定金", "line_paid": 50, "paid": "", "paid_at": "", "items": "", "status": "等待付尾款"}
TAIL = {"line": "尾款", "line_paid": 250, "paid": "", "paid_at": "2026-09-03 20:00:00", "items": ""}
PAID_TWICE = {"paid": "", "items": ""}
PART = {"parent_order_id": "P"}
# What each shop's order files say, file by file; a row is ORDER but for what it says itself.
SHOPS: dict[str, list[list[dict[str, object]]]] = {
    "one part unpaid": [[PART, {"order_id": "A2", "paid": 12} | PART, {"order_id": "A3"} | PART | UNPAID]],
    "parent beside its parts": [[{"order_id": "P", "paid": 42, "items": 2}, PART, {"order_id": "A2", "paid": 12} | PART]],
    "two payments": [[{"line": f"pay {n}", "line_paid": 10 * n, "paid_at": f"2026-09-01 11:0{n}:00"} | PAID_TWICE for n in (1, 2)]],
    "deposit": [[DEPOSIT]],
    "deposit and tail": [[DEPOSIT], [DEPOSIT, TAIL]],
    "part refunded": [[BACK | {"refunded": 10}]],
    "all refunded": [[BACK]],
    "cancelled": [[{"paid_at": "", "status": "交易关闭"}]],
    "gift": [[{"paid": 0, "status": "赠品"}]],
    "exchange": [[{"paid": 0, "status": "换货补发"}]],
    "difference": [[{}, {"order_id": "A2", "paid": 5, "created_at": "2026-09-04 09:00:00", "paid_at": "2026-09-04 09:01:00"}]],
    "two platforms": [[{}, {"order_id": "A2", "channel": "jd"}]],
    "changed": [[UNPAID], [{}], [BACK | {"status": "交易关闭"}]],
}  # fmt: skip


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("as they are")
    (folder / "models").symlink_to(models)
    talk = [TALK]
    for shop, files in SHOPS.items():
        talk += [f"{shop},taobao,{shop}一,1,2026-09-01 10:00:00,customer,,甲,有货吗",
                 f"{shop},taobao,{shop}一,2,2026-09-01 10:00:20,agent,店:小梅,甲,有的亲",
                 f"{shop},taobao,{shop}尾,9,2026-09-09 10:00:00,customer,,路人,在吗"]  # fmt: skip
        for n, rows in enumerate(files):
            told = [",".join(str((ORDER | {"shop": shop} | row).get(c, "")) for c in HEAD.split(",")) for row in rows]
            (folder / f"{shop} {n}.csv").write_text("\n".join([HEAD, *told]) + "\n", encoding="utf-8")
    (folder / "talk.csv").write_text("\n".join(talk) + "\n", encoding="utf-8")
    done = night(folder, *sorted(folder.glob("*.csv")))
    assert [o for o in done.files if o.n_quarantined] == []
    with store.open_mart(folder) as con:
        yield con


def ledger(mart: duckdb.DuckDBPyConnection, shop: str) -> list[tuple]:
    return mart.execute(
        "SELECT order_id, class, paid_fen, refunded_fen FROM attributions WHERE shop = ? AND is_primary ORDER BY ALL",
        [shop],
    ).fetchall()


def figure(mart: duckdb.DuckDBPyConnection, shop: str, metric: str) -> float | None:
    """The shop's own number over the whole time."""
    row = mart.execute(
        f"SELECT value FROM metric('{metric}', NULL, NULL) WHERE agent IS NULL AND shop = ?", [shop]
    ).fetchone()
    return row[0] if row else None


@pytest.mark.parametrize(
    ("shop", "rows"),
    [
        ("one part unpaid", [("P", "consulted", 4_200, 0)]),
        ("parent beside its parts", [("P", "consulted", 4_200, 0)]),
        ("two payments", [("A1", "consulted", 3_000, 0)]),
        ("deposit", []),
        ("deposit and tail", [("A1", "consulted", 30_000, 0)]),
        ("part refunded", [("A1", "consulted", 3_000, 1_000)]),
        ("all refunded", [("A1", "consulted", 3_000, 3_000)]),
        ("cancelled", []),
        ("gift", [("A1", "consulted", 0, 0)]),
        ("exchange", [("A1", "consulted", 0, 0)]),
        ("difference", [("A1", "consulted", 3_000, 0), ("A2", "consulted", 500, 0)]),
        ("two platforms", [("A1", "consulted", 3_000, 0), ("A2", "silent", 3_000, 0)]),
        ("changed", [("A1", "consulted", 3_000, 3_000)]),
    ],
)
def test_what_the_ledger_holds(mart: duckdb.DuckDBPyConnection, shop: str, rows: list[tuple]) -> None:
    assert ledger(mart, shop) == rows


@pytest.mark.parametrize(
    ("shop", "metric", "value"),
    [
        ("one part unpaid", "paid_orders", 1), ("one part unpaid", "conversion_d3", 1), ("one part unpaid", "paid_order_rate", 1),
        ("parent beside its parts", "items_per_buyer", 2), ("deposit", "paid_order_rate", 0), ("deposit and tail", "conversion_d3", 1),
        ("part refunded", "sales", 3_000), ("part refunded", "sales_net", 2_000), ("part refunded", "kept_rate", 1),
        ("all refunded", "sales", 3_000), ("all refunded", "sales_net", 0), ("all refunded", "kept_rate", 0),
        ("cancelled", "ordering_rate", 1), ("cancelled", "conversion_d3", 0),
        ("gift", "ordering_rate", 0), ("gift", "conversion_d3", 0), ("exchange", "conversion_d3", 0),
        ("difference", "sales_per_buyer", 3_500), ("difference", "paid_orders", 2), ("two platforms", "sales_per_buyer", 3_000),
    ],
)  # fmt: skip
def test_what_the_numbers_say(mart: duckdb.DuckDBPyConnection, shop: str, metric: str, value: float) -> None:
    assert figure(mart, shop, metric) == value


@pytest.mark.parametrize("shop", ["gift", "exchange"])
def test_at_zero_yuan_nobody_has_bought_and_nobody_left_an_order_unpaid(
    mart: duckdb.DuckDBPyConnection, shop: str
) -> None:
    assert mart.execute("SELECT count(*) FROM buyers WHERE shop = ?", [shop]).fetchone() == (0,)
    assert not figure(mart, shop, "sales_per_buyer") and not figure(mart, shop, "paid_orders")
    found = mart.execute("SELECT why FROM lost_inquiries WHERE shop = ?", [shop]).fetchall()
    assert len(found) == 1 and found != [("unpaid",)]


def test_several_payments_are_paid_at_the_last(mart: duckdb.DuckDBPyConnection) -> None:
    at = mart.execute("SELECT paid_at::VARCHAR FROM orders WHERE shop = 'two payments'").fetchall()
    assert at == [("2026-09-01 11:02:00",)]


def test_one_id_on_two_platforms_is_two_people(mart: duckdb.DuckDBPyConnection) -> None:
    bought = mart.execute("SELECT channel, n_orders FROM buyers WHERE shop = 'two platforms' ORDER BY 1").fetchall()
    assert bought == [("jd", 1), ("taobao", 1)]
    paid = mart.execute("SELECT order_id FROM inquiries WHERE shop = 'two platforms' AND is_paid_d3").fetchall()
    assert paid == [("A1",)]


def test_an_order_changed_afterwards_shows_what_it_was(mart: duckdb.DuckDBPyConnection) -> None:
    states = mart.execute("""
        SELECT version, is_current, status, paid_fen, refunded_fen FROM order_history WHERE shop = 'changed' ORDER BY version""").fetchall()
    assert states == [
        (1, True, "交易关闭", 3_000, 3_000),
        (2, False, "交易成功", 3_000, 0),
        (3, False, "等待买家付款", 0, 0),
    ]


def test_an_amount_net_of_refunds_is_made_gross_by_the_mapping(tmp_path: Path, home: Path) -> None:
    (tmp_path / "net.yaml").write_text("""
id: net
title: 净额
kind: orders
columns: {order_id: 单号, customer: 买家, created_at: 下单, paid_at: 付款, paid: {column: 净额, plus: [退款]}, refunded: 退款}
constants: {shop: 店, channel: taobao}
""", encoding="utf-8")  # fmt: skip
    (tmp_path / "net.csv").write_text(
        "单号,买家,下单,付款,净额,退款\nA1,甲,2026-09-01 11:00:00,2026-09-01 11:01:00,20.00,10.00\n", encoding="utf-8"
    )
    night(home, tmp_path / "net.csv", mapping=tmp_path / "net.yaml")
    with store.open_mart(home) as con:
        assert (figure(con, "店", "sales"), figure(con, "店", "sales_net")) == (3_000, 2_000)
