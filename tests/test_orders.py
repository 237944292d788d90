"""Order exports of the platforms: every row accounted for, money to the fen, no receiver's name or address anywhere."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from conftest import SHARED, night, quiet

from pipelines import mart, nightly, store
from pipelines.ingest import Outcome

GOLDEN = Path(__file__).parent / "golden" / "orders"


def ingest(home: Path, *files: Path, **wishes: object) -> list[Outcome]:
    return nightly.read_in(list(files), nightly.Request(home, **wishes), quiet)[0]  # type: ignore[arg-type]


def orders(home: Path) -> dict[str, dict]:
    with store.warehouse(home) as con:
        con.execute("CREATE OR REPLACE TEMP MACRO as_of() AS NULL::TIMESTAMP")
        found = mart.current_orders(con)
    return {row["order_id"]: row for row in found.to_dicts()}


def rejected(home: Path) -> list[tuple[int, str]]:
    with store.warehouse(home) as con:
        return con.execute("SELECT line, code FROM quarantine ORDER BY line").fetchall()


def everything(home: Path) -> str:
    with store.warehouse(home) as con:
        return "".join(
            str(con.execute(f"FROM {t}").fetchall()) for t in ("fact_orders", "fact_ratings", "quarantine", "sources")
        )


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    assert outcome.n_rows == outcome.n_stored + outcome.n_duplicate + outcome.n_quarantined
    return outcome.n_rows, outcome.n_stored, outcome.n_duplicate, outcome.n_quarantined


def test_taobao_in_full(home: Path) -> None:
    (outcome,) = ingest(home, GOLDEN / "taobao_orders.csv")
    assert counts(outcome) == (9, 6, 1, 2)
    assert rejected(home) == [(8, "order_time"), (9, "rounded")]
    found = {no[-3:]: row for no, row in orders(home).items()}
    money = {no: (r["paid_at"] is not None, r["paid_fen"], r["refunded_fen"], r["items"]) for no, r in found.items()}
    assert money == {
        "201": (True, 26_800, 0, 2), "202": (True, 9_990, 0, 1),
        "203": (True, 15_800, 15_800, 1),  # paid, then closed: 买家实际支付金额 says 0, the money had come
        "204": (False, 0 + 8_800, 0, 1),  # never paid
        "205": (False, 5_000, 0, 1),  # a deposit alone is no payment
        "206": (False, 4_550, 0, 1),  # 「null」 for no time
    }  # fmt: skip
    assert all(len(no) == 19 and no.isdigit() for no in orders(home))
    assert found["201"]["shop"] == "暖居家纺旗舰店" and found["201"]["status"] == "卖家已发货，等待买家确认"
    assert found["201"]["customer"] == found["202"]["customer"] != found["203"]["customer"]


def test_the_amount_net_of_refunds_becomes_gross_again(home: Path) -> None:
    assert counts(ingest(home, GOLDEN / "taobao_orders_refunds.csv")[0]) == (3, 3, 0, 0)
    assert [(r["paid_fen"], r["refunded_fen"]) for _, r in sorted(orders(home).items())] == [
        (15_800, 15_800),
        (20_000, 3_000),
        (6_600, 0),
    ]


def test_jd_has_a_row_for_each_article_and_one_order(home: Path) -> None:
    (outcome,) = ingest(home, GOLDEN / "jd_orders.csv", shop="京东店")
    assert counts(outcome) == (5, 4, 0, 1) and rejected(home) == [(6, "missing")]
    found = {no[-1]: r for no, r in orders(home).items()}
    assert [(r["paid_fen"], r["refunded_fen"], r["items"], r["paid_at"] is not None) for _, r in sorted(found.items())] == [
        (17_700, 0, 3, True), (5_900, 0, 1, False), (5_900, 5_900, 1, True),
    ]  # fmt: skip


def test_pinduoduo_knows_no_buyers(home: Path) -> None:
    (outcome,) = ingest(home, GOLDEN / "pdd_orders.csv", shop="拼多多店")
    assert counts(outcome) == (4, 3, 0, 1) and rejected(home) == [(5, "number")]
    found = [
        (r["paid_fen"], r["refunded_fen"], r["items"], r["paid_at"] is not None, r["customer"])
        for _, r in sorted(orders(home).items())
    ]
    assert found == [(3_490, 0, 1, True, None), (7_480, 7_480, 2, True, None), (3_490, 0, 1, False, None)]


def test_shopify_has_totals_on_the_first_row_only_and_times_with_a_zone(home: Path) -> None:
    (outcome,) = ingest(home, GOLDEN / "shopify_orders.csv", shop="暖居海外")
    assert counts(outcome) == (5, 4, 0, 1) and rejected(home) == [(6, "time")]
    found = orders(home)
    assert (found["#1001"]["paid_fen"], found["#1001"]["refunded_fen"], found["#1001"]["items"]) == (27_800, 7_900, 4)
    assert found["#1001"]["paid_at"] == datetime(2026, 9, 1, 10, 0, 30)
    assert found["#1002"]["created_at"] == datetime(2026, 9, 1, 10, 30) and found["#1002"]["paid_at"] is None


@pytest.mark.parametrize("name", ["taobao_orders.csv", "jd_orders.csv", "pdd_orders.csv", "shopify_orders.csv"])
def test_no_receiver_is_stored(home: Path, name: str) -> None:
    ingest(home, GOLDEN / name, shop="店")
    held = everything(home)
    for secret in (
        "欧阳小满", "诸葛大力", "端木磊", "Li Lei", "仓前街道", "酒仙桥路", "工业园", "Wenyi", "88156688", "li.lei@", "木子李", "jd_7d2f",
        "13912345678", "13800138000", "13712345678", "18612345678", "17012345678", "139 1234 5678",
    ):  # fmt: skip
        assert secret not in held, secret


def test_a_torn_line_of_an_order_file_leaves_no_address_behind(home: Path, tmp_path: Path) -> None:
    head, first, *_ = (GOLDEN / "jd_orders.csv").read_bytes().split(b"\r\n")
    (tmp_path / "torn.csv").write_bytes(b"\r\n".join([head, first, first + b",more"]))
    (outcome,) = ingest(home, tmp_path / "torn.csv", shop="店")
    assert counts(outcome) == (2, 1, 0, 1) and rejected(home) == [(3, "columns")]
    assert "诸葛大力" not in everything(home) and "酒仙桥" not in everything(home)


def test_the_same_export_a_day_later_brings_the_payment(home: Path, tmp_path: Path) -> None:
    ingest(home, GOLDEN / "jd_orders.csv", shop="店")
    later = (GOLDEN / "jd_orders.csv").read_bytes().decode("gb18030").replace("等待付款", "等待出库")
    later = later.replace("不开发票,,,0.00,\r\n", "不开发票,,,0.00,2026-09-01 23:59:00\r\n")
    (tmp_path / "later.csv").write_bytes(later.encode("gb18030"))
    (outcome,) = ingest(home, tmp_path / "later.csv", shop="店")
    assert counts(outcome) == (5, 1, 3, 1)
    assert orders(home)["298800000002"]["paid_at"] == datetime(2026, 9, 1, 23, 59)


def test_a_file_that_names_no_shop_asks_for_it(home: Path) -> None:
    assert "--shop" in (ingest(home, GOLDEN / "jd_orders.csv")[0].problem or "")


OLIST = SHARED / "orders_olist_5k"


@pytest.mark.skipif(not OLIST.is_dir(), reason="the real exports are not part of the product")
def test_olist_s_files_make_one_order(home: Path) -> None:
    import pandas as pd

    done = night(
        home, *(OLIST / f"olist_{n}_dataset.csv" for n in ("orders", "order_items", "order_payments", "order_reviews"))
    )
    assert [counts(o) for o in done.files] == [
        (n, n, 0, 0) for n in (5_000, 5_603, 5_160, 4_988)
    ] and done.exit_code == 0
    told, paid, items, reviews = (
        pd.read_csv(OLIST / f"olist_{n}_dataset.csv")
        for n in ("orders", "order_payments", "order_items", "order_reviews")
    )
    approved = told[told.order_approved_at.notna()].order_id
    with store.open_mart(home) as con:
        found = con.execute(
            "SELECT sum(paid_fen)::BIGINT, count(*), sum(items)::BIGINT FROM orders WHERE paid_at IS NOT NULL"
        ).fetchone()
        booked = con.execute("SELECT sum(paid_fen)::BIGINT FROM attributions").fetchone()
        stars = con.execute("SELECT stars, count(*), count(customer) FROM ratings GROUP BY 1 ORDER BY 1").fetchall()
    owed = round(paid[paid.order_id.isin(approved)].payment_value.sum() * 100)
    assert found == (owed, len(approved), items.order_id.isin(approved).sum()) and booked == (owed,) == (78_949_877,)
    once = reviews.sort_values("review_answer_timestamp").drop_duplicates(["order_id", "review_creation_date"])
    assert sum(n for _, n, _ in stars) == len(once) and all(n == known for _, n, known in stars)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real exports are not part of the product")
def test_tmall_s_report_is_gross_of_refunds(home: Path) -> None:
    import pandas as pd

    file = SHARED / "orders_tmall" / "tmall_order_report_excelized.csv"
    assert counts(ingest(home, file)[0]) == (28_010, 28_010, 0, 0)
    told = pd.read_csv(file).query("订单付款时间.notna()")
    found = pl.DataFrame(list(orders(home).values())).filter(pl.col("paid_at").is_not_null())
    assert (
        found["paid_fen"].sum()
        == round((told.买家实际支付金额 + told.退款金额).sum() * 100)
        == round(told.总金额.sum() * 100)
    )
    assert found["refunded_fen"].sum() == round(told.退款金额.sum() * 100)


UCI = SHARED / "orders_uci" / "OnlineRetail_10k_semicolon.csv"


@pytest.mark.skipif(not UCI.is_file(), reason="the real exports are not part of the product")
def test_lines_with_a_decimal_comma(home: Path) -> None:
    """Less the lines that repeat an article in one invoice without a number of their own: the export cannot tell them."""
    import pandas as pd

    (outcome,) = ingest(home, UCI)
    told = pd.read_csv(UCI, sep=";", decimal=",", dtype={"InvoiceNo": str, "StockCode": str}, keep_default_na=False)
    assert counts(outcome) == (10_000, len(told.drop_duplicates()), 10_000 - len(told.drop_duplicates()), 0)
    once = told.drop_duplicates()
    sold = once[~once.InvoiceNo.str.startswith("C")]
    with store.warehouse(home) as con:
        found = con.execute("SELECT sum(line_paid_fen), count(*) FILTER (created_at <> paid_at) FROM fact_orders").fetchone()
    assert found == (sum(round(q * p * 100) for q, p in zip(sold.Quantity, sold.UnitPrice, strict=True)), 0)


def test_an_amount_with_a_decimal_comma_is_not_a_hundredfold(home: Path, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        'id: m\ntitle: m\nkind: orders\nformat: {separator: ";", decimal: ","}\n'
        "columns: {order_id: no, created_at: at, paid_at: at, paid: {column: sum, plus: [post]}, items: n}\nconstants: {shop: 店}\n"
    )
    (tmp_path / "o.csv").write_text("no;at;sum;post;n\n1;2026-09-01 10:00:00;1.234,50;2,5;3\n2;2026-09-01 10:00:00;7;0;1\n")
    assert counts(ingest(home, tmp_path / "o.csv", mapping=tmp_path / "m.yaml")[0]) == (2, 2, 0, 0)
    with store.warehouse(home) as con:
        assert con.execute("SELECT paid_fen, items FROM fact_orders ORDER BY order_id").fetchall() == [(123_700, 3), (700, 1)]
