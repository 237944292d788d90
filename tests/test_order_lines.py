"""The articles of orders: product, seller and price of each line, from the platforms' exports and our own layout."""

from pathlib import Path

import polars as pl
import pytest
from conftest import SHARED, night

from pipelines import store

GOLDEN = Path(__file__).parent / "golden" / "orders"
OLIST = SHARED / "orders_olist_5k"


def lines(home: Path) -> list[tuple]:
    with store.open_mart(home) as con:
        return con.execute(
            "SELECT order_id[-3:], line, product, seller, price_fen, items FROM order_lines ORDER BY ALL"
        ).fetchall()


def test_jd_prices_one_piece_and_we_the_line(home: Path) -> None:
    night(home, GOLDEN / "jd_orders.csv", shop="京东店")
    assert [(no, line, price, n) for no, line, _, _, price, n in lines(home)] == [
        ("001", "100012043978", 11_800, 2), ("001", "100012043979", 5_900, 1),
        ("002", "100012043978", 5_900, 1), ("003", "100012043978", 5_900, 1),
    ]  # fmt: skip
    assert {product for _, _, product, *_ in lines(home)} == {"保温杯 500ml"}


def test_shopify_and_taobao_name_the_article(home: Path) -> None:
    night(home, GOLDEN / "shopify_orders.csv", GOLDEN / "taobao_orders.csv", shop="店")
    found = {no: [] for no, *_ in lines(home)}
    for no, *rest in lines(home):
        found[no].append(tuple(rest))
    assert found["001"] == [
        ("Gift, wrapped", "Gift, wrapped", "Nuanju", 0, 1),
        ("Pillow", "Pillow", "Nuanju", 7_900, 2),
        ("Quilt - Queen", "Quilt - Queen", "Nuanju", 19_900, 1),
    ]
    assert found["201"] == [
        (None, "纯棉四件套", None, None, 2)
    ]  # the report has one row an order and no price of an article


def test_our_own_layout(home: Path, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(
        "shop,channel,order_id,customer,created_at,paid_at,paid,items,line,product,seller,line_price\n"
        "店,taobao,A1,甲,2026-09-01 10:00:00,2026-09-01 10:01:00,30.00,,,整单,,\n"
        "店,taobao,A1,甲,2026-09-01 10:00:00,,,1,1,「杯子」联系 13912345678,甲家,25.50\n"
        "店,taobao,A1,甲,2026-09-01 10:00:00,,,2,2,勺子,乙家,4.50\n"
        "店,taobao,A2,乙,2026-09-01 10:00:00,,,1,1,勺子,乙家,四块五\n",
        encoding="utf-8",
    )
    (outcome,) = night(home, tmp_path / "orders.csv").files
    assert (outcome.n_stored, outcome.n_quarantined) == (3, 1)
    assert lines(home) == [("A1", "1", "「杯子」联系 [电话]", "甲家", 2_550, 1), ("A1", "2", "勺子", "乙家", 450, 2)]
    with store.open_mart(home) as con:
        assert con.execute("SELECT paid_fen, items FROM orders").fetchall() == [(3_000, 3)]


@pytest.mark.skipif(not OLIST.is_dir(), reason="the real exports are not part of the product")
def test_every_seller_of_olist_as_pandas_has_them(home: Path) -> None:
    """Sales (price and freight of paid orders), order value, mean stars: for every seller, to the fen."""
    import pandas as pd

    names = ("orders", "order_items", "order_payments", "order_reviews")
    night(home, *(OLIST / f"olist_{n}_dataset.csv" for n in names))
    told, items, _, reviews = (pd.read_csv(OLIST / f"olist_{n}_dataset.csv") for n in names)
    items = items[items.order_id.isin(told[told.order_approved_at.notna()].order_id)]
    items["fen"] = ((items.price + items.freight_value) * 100).round().astype(int)
    # An invitation that was answered twice counts by its last answer.
    at = pd.to_datetime(reviews.review_answer_timestamp, format="%m/%d/%Y %H:%M")
    reviews = reviews.assign(at=at).sort_values("at").drop_duplicates(["order_id", "review_creation_date"], keep="last")
    rated = items[["seller_id", "order_id"]].drop_duplicates().merge(reviews, on="order_id")
    stars = rated.groupby("seller_id").review_score.mean().round(6)
    sellers = items.groupby("seller_id").agg(sales=("fen", "sum"), n=("order_id", "nunique"))
    expected = {s: (r.sales, r.n, round(r.sales / r.n, 6), stars.get(s)) for s, r in sellers.iterrows()}
    with store.open_mart(home) as con:
        found = store.frame(con, """
            WITH sold AS (
                SELECT l.seller, l.order_id, sum(l.price_fen)::BIGINT AS fen FROM order_lines l JOIN orders o USING (shop, order_id)
                WHERE o.paid_at IS NOT NULL GROUP BY ALL
            ), rated AS (
                SELECT s.seller, avg(r.stars) AS stars FROM sold s JOIN ratings r USING (order_id) GROUP BY ALL
            )
            SELECT seller, sum(fen)::BIGINT AS sales, count(*) AS n, round(sum(fen) / count(*), 6) AS value, any_value(round(stars, 6)) AS stars
            FROM sold LEFT JOIN rated USING (seller) GROUP BY seller""")  # fmt: skip
    assert found["seller"].n_unique() == len(expected) > 1_000 and found["sales"].sum() == items.fen.sum()
    wrong = [(row, expected[row[0]]) for row in found.iter_rows() if row[1:] != expected[row[0]]]
    assert wrong == [] and found.filter(pl.col("stars").is_not_null()).height > 1_000
