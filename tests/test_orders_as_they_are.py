"""What becomes of orders as shops have them: split, paid in parts, refunded, exchanged, given away, changed afterwards."""

from pathlib import Path

import pytest
from conftest import night

from pipelines import store

HEAD = "shop,channel,order_id,parent_order_id,customer,created_at,paid_at,paid,refunded,refund_finished_at,items,status,line,line_paid"
TALK = "shop,channel,conversation_id,message_id,sent_at,sender_kind,agent,customer,text\n"
ASKED = "2026-09-01 10:00:00"


def shop(tmp_path: Path, home: Path, *orders: str, name: str = "orders.csv", channel: str = "taobao") -> None:
    """A night of these orders, and of 甲 who asks at ten and is answered (a week passes after it)."""
    talk = [f"店,{channel},甲一,1,{ASKED},customer,,甲,有货吗", f"店,{channel},甲一,2,2026-09-01 10:00:20,agent,店:小梅,甲,有的亲"]
    late = [f"店,{channel},尾,9,2026-09-09 10:00:00,customer,,路人,在吗"]
    (tmp_path / "talk.csv").write_text(TALK + "\n".join([*talk, *late]) + "\n", encoding="utf-8")
    (tmp_path / name).write_text("\n".join([HEAD, *orders]) + "\n", encoding="utf-8")
    done = night(home, tmp_path / "talk.csv", tmp_path / name)
    assert [o.n_quarantined for o in done.files] == [0, 0]


def order(no: str = "A1", **said: object) -> str:
    """A row of our layout: 甲 orders at 11:00 and pays 30 yuan a minute later, unless it says otherwise."""
    row = {"shop": "店", "channel": "taobao", "order_id": no, "customer": "甲", "created_at": "2026-09-01 11:00:00",
           "paid_at": "2026-09-01 11:01:00", "paid": "30", "items": "1", "status": "交易成功"} | said  # fmt: skip
    return ",".join(str(row.get(c, "")) for c in HEAD.split(","))


def asked(home: Path, query: str) -> list[tuple]:
    with store.open_mart(home) as con:
        return con.execute(query).fetchall()


def figures(home: Path) -> dict[str, float]:
    """The shop's own numbers about money."""
    names = ("paid_orders", "sales", "sales_net", "sales_per_buyer", "conversion_d3", "ordering_rate", "kept_rate", "paid_order_rate")
    told = {m: asked(home, f"SELECT value FROM metric('{m}', NULL, NULL) WHERE agent IS NULL") for m in names}
    return {m: v[0][0] for m, v in told.items() if v}


def ledger(home: Path) -> list[tuple]:
    return asked(home, "SELECT order_id, class, paid_fen, refunded_fen FROM attributions ORDER BY ALL")


UNPAID = {"paid_at": "", "paid": "", "status": "等待买家付款"}


def test_a_parent_counts_by_what_of_it_is_paid(tmp_path: Path, home: Path) -> None:
    part = {"parent_order_id": "P"}
    shop(tmp_path, home, order("A1", **part), order("A2", **part, paid=12), order("A3", **part, **UNPAID))
    assert ledger(home) == [("P", "consulted", 4_200, 0)]
    found = figures(home)
    assert (found["paid_orders"], found["sales"], found["conversion_d3"], found["paid_order_rate"]) == (1, 4_200, 1, 1)


def test_a_parent_with_a_row_of_its_own_is_not_counted_twice(tmp_path: Path, home: Path) -> None:
    part = {"parent_order_id": "P"}
    shop(tmp_path, home, order("P", paid=42, items=2), order("A1", **part), order("A2", **part, paid=12))
    assert ledger(home) == [("P", "consulted", 4_200, 0)] and figures(home)["sales"] == 4_200
    assert asked(home, "SELECT sum(items)::BIGINT FROM attributions") == [(2,)]


def test_several_payments_are_one_order_paid_at_the_last(tmp_path: Path, home: Path) -> None:
    paid = [{"line": f"pay {n}", "line_paid": n * 10, "paid_at": f"2026-09-01 11:0{n}:00", "paid": "", "items": ""} for n in (1, 2)]
    shop(tmp_path, home, *(order(**p) for p in paid))
    assert ledger(home) == [("A1", "consulted", 3_000, 0)]
    assert asked(home, "SELECT paid_at::VARCHAR FROM orders") == [("2026-09-01 11:02:00",)]


def test_a_deposit_alone_is_no_payment_and_its_tail_is(tmp_path: Path, home: Path) -> None:
    deposit = {"line": "定金", "line_paid": 50, "paid": "", "paid_at": "", "items": "", "status": "等待付尾款"}
    tail = {"line": "尾款", "line_paid": 250, "paid": "", "paid_at": "2026-09-03 20:00:00", "items": ""}
    shop(tmp_path, home, order(**deposit))
    assert ledger(home) == [] and figures(home)["paid_order_rate"] == 0
    shop(tmp_path, home, order(**deposit), order(**tail), name="later.csv")
    assert ledger(home) == [("A1", "consulted", 30_000, 0)] and figures(home)["conversion_d3"] == 1


@pytest.mark.parametrize(("back", "kept"), [(10, 1), (30, 0)])
def test_a_refund_is_seen_beside_the_gross(tmp_path: Path, home: Path, back: int, kept: int) -> None:
    shop(tmp_path, home, order(refunded=back, refund_finished_at="2026-09-05 09:00:00"))
    found = figures(home)
    assert (found["sales"], found["sales_net"], found["kept_rate"]) == (3_000, 3_000 - back * 100, kept)


def test_a_cancelled_order_was_ordered_and_not_paid(tmp_path: Path, home: Path) -> None:
    shop(tmp_path, home, order(paid_at="", status="交易关闭"))
    found = figures(home)
    assert ledger(home) == [] and (found["ordering_rate"], found["conversion_d3"]) == (1, 0)
    assert asked(home, "SELECT why FROM lost_inquiries WHERE is_ordered_d3") == [("unpaid",)]


@pytest.mark.parametrize("status", ["赠品", "换货补发"])
def test_at_zero_yuan_nobody_has_bought(tmp_path: Path, home: Path, status: str) -> None:
    shop(tmp_path, home, order(paid=0, status=status))
    assert ledger(home) == [("A1", "consulted", 0, 0)] and asked(home, "SELECT count(*) FROM buyers") == [(0,)]
    found = figures(home)
    assert (found["conversion_d3"], found["ordering_rate"]) == (0, 0)
    assert "sales_per_buyer" not in found or found["sales_per_buyer"] is None
    assert asked(home, "SELECT DISTINCT why = 'unpaid' FROM lost_inquiries") == [(False,)]


def test_an_exchange_costs_its_difference(tmp_path: Path, home: Path) -> None:
    later = {"created_at": "2026-09-04 09:00:00", "paid_at": "2026-09-04 09:01:00", "status": "换货补差价"}
    shop(tmp_path, home, order("A1"), order("A2", paid=5, **later))
    found = figures(home)
    assert (found["sales"], found["paid_orders"], found["sales_per_buyer"]) == (3_500, 2, 3_500)


def test_one_id_on_two_platforms_is_two_people(tmp_path: Path, home: Path) -> None:
    shop(tmp_path, home, order("A1"), order("A2", channel="jd"))
    assert asked(home, "SELECT channel, n_orders FROM buyers ORDER BY 1") == [("jd", 1), ("taobao", 1)]
    assert sorted(ledger(home)) == [("A1", "consulted", 3_000, 0), ("A2", "silent", 3_000, 0)]
    assert figures(home)["sales_per_buyer"] == 3_000
    assert asked(home, "SELECT order_id FROM inquiries WHERE is_paid_d3") == [("A1",)]


def test_an_order_changed_afterwards_counts_as_it_is_now_and_shows_what_it_was(tmp_path: Path, home: Path) -> None:
    shop(tmp_path, home, order(**UNPAID))
    shop(tmp_path, home, order(), name="second.csv")
    shop(tmp_path, home, order(refunded=30, refund_finished_at="2026-09-05 09:00:00", status="交易关闭"), name="third.csv")
    shop(tmp_path, home, order(**UNPAID), name="old.csv")
    assert ledger(home) == [("A1", "consulted", 3_000, 3_000)]
    assert asked(home, "SELECT version, is_current, status, paid_fen, refunded_fen FROM order_history ORDER BY version") == [
        (1, True, "交易关闭", 3_000, 3_000), (2, False, "交易成功", 3_000, 0), (3, False, "等待买家付款", 0, 0),
    ]  # fmt: skip


def test_an_amount_net_of_refunds_is_made_gross_by_the_mapping(tmp_path: Path, home: Path) -> None:
    mapping = """
id: net
title: 净额
kind: orders
columns: {order_id: 单号, customer: 买家, created_at: 下单, paid_at: 付款, paid: {column: 净额, plus: [退款]}, refunded: 退款}
constants: {shop: 店, channel: taobao}
"""
    (tmp_path / "net.yaml").write_text(mapping, encoding="utf-8")
    (tmp_path / "net.csv").write_text(
        "单号,买家,下单,付款,净额,退款\nA1,甲,2026-09-01 11:00:00,2026-09-01 11:01:00,20.00,10.00\n", encoding="utf-8"
    )
    night(home, tmp_path / "net.csv", mapping=tmp_path / "net.yaml")
    found = figures(home)
    assert (found["sales"], found["sales_net"]) == (3_000, 2_000)
