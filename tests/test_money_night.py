"""The money of a whole night: tables that must agree with each other, on the made-up shop and on real orders."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import SHARED, night

from pipelines import store
from pipelines.resources import data_dir

AGREE = {
    "every rule gives the whole of the shop's sales away": """
        SELECT r.rule FROM attribution_rules r LEFT JOIN (SELECT rule, sum(paid_fen) AS fen FROM attribution_shares GROUP BY rule) s USING (rule)
        WHERE s.fen IS DISTINCT FROM (SELECT sum(paid_fen) FROM attributions)""",
    "the first rule is the ledger": """
        SELECT order_id, agent, class, paid_fen FROM attribution_shares WHERE rule = (SELECT rule FROM attribution_rules WHERE nth = 1)
        EXCEPT SELECT order_id, agent, class, paid_fen FROM attributions WHERE is_primary""",
    "no step of the funnel is larger than the one before": """
        SELECT b, part FROM (SELECT 'shop' AS b, * FROM funnel('shop', NULL, NULL) UNION ALL SELECT 'topic', * FROM funnel('topic', NULL, NULL)
                             UNION ALL SELECT 'agent', * FROM funnel('agent', NULL, NULL) UNION ALL SELECT 'day', * FROM funnel('day', NULL, NULL)
                             UNION ALL SELECT 'team', * FROM funnel('team', NULL, NULL) UNION ALL SELECT 'product', * FROM funnel('product', NULL, NULL))
        WHERE n_received > n_consultations OR n_inquiries > n_consultations OR n_ordered > n_inquiries OR n_paid > n_ordered OR n_kept > n_paid""",
    "the funnel's parts add up to the shop": """
        SELECT by_what FROM funnel('shop', NULL, NULL) s JOIN (
            SELECT 'topic' AS by_what, * FROM funnel('topic', NULL, NULL) UNION ALL SELECT 'product', * FROM funnel('product', NULL, NULL)
            UNION ALL SELECT 'day', * FROM funnel('day', NULL, NULL)) t USING (shop)
        GROUP BY by_what, s.n_inquiries, s.n_paid HAVING s.n_inquiries <> sum(t.n_inquiries) OR s.n_paid <> sum(t.n_paid)""",
    "a team has what its agents have": """
        SELECT a.team FROM (SELECT a.team, sum(f.n_inquiries) AS i, sum(f.n_paid) AS p FROM funnel('agent', NULL, NULL) f
                            JOIN agents a ON a.shop = f.shop AND a.agent = f.part GROUP BY a.team) a
        FULL JOIN funnel('team', NULL, NULL) t ON t.part = a.team WHERE a.i IS DISTINCT FROM t.n_inquiries OR a.p IS DISTINCT FROM t.n_paid""",
    "the funnel's conversion is the headline's": """
        SELECT m.shop FROM metric('conversion_d3', NULL, NULL) m JOIN funnel('agent', NULL, NULL) f ON f.shop = m.shop AND f.part = m.agent
        WHERE m.n <> f.n_inquiries OR abs(m.value - f.n_paid / f.n_inquiries) > 1e-9""",
    "a mature inquiry is paid or lost": """
        SELECT shop FROM (SELECT shop, count(*) AS n, count(*) FILTER (WHERE is_paid_d3) AS paid FROM inquiries WHERE is_mature_d3 GROUP BY shop)
        JOIN (SELECT shop, count(*) AS lost FROM lost_inquiries GROUP BY shop) USING (shop) WHERE n <> paid + lost""",
    "a reason that rests on words or waits points at a message": """
        SELECT conversation_id FROM lost_inquiries l WHERE basis IN ('words', 'turns') AND is_received AND NOT EXISTS (
            SELECT 1 FROM messages m WHERE m.conversation_id = l.evidence_conversation_id AND m.seq = l.evidence_seq AND m.sender_kind = 'customer')""",
    "an order that came of an inquiry came after it": """
        SELECT a.order_id FROM attributions a JOIN inquiries i ON i.shop = a.shop AND i.customer = a.customer AND i.day = a.inquiry_day
        WHERE a.created_at <= i.asked_at OR a.paid_at >= i.day + INTERVAL 4 DAY""",
    "the terms of any two weeks add up to the change": """
        SELECT shop, agent FROM sales_change('2026-09-02', '2026-09-08', '2026-09-09', '2026-09-15')
        WHERE before_fen + traffic_fen + conversion_fen + value_fen + other_fen + silent_fen <> after_fen""",
    "and the sums are the sales of those weeks": """
        SELECT c.shop, c.agent FROM sales_change('2026-09-02', '2026-09-08', '2026-09-09', '2026-09-15') c
        JOIN metric('sales', '2026-09-09', '2026-09-15') m ON m.shop = c.shop AND m.agent IS NOT DISTINCT FROM c.agent WHERE m.value <> c.after_fen""",
}  # fmt: skip


@pytest.mark.parametrize("what", AGREE)
def test_the_tables_agree(sample_home: Path, what: str) -> None:
    with store.open_mart(sample_home) as con:
        asked = "SELECT count(*) FROM lost_inquiries JOIN attribution_shares ON true LIMIT 1"
        assert (con.execute(asked).fetchone() or (0,))[0], "nothing to compare"
        query = AGREE[what].replace("is_received", "why <> 'no_answer'") if "points at" in what else AGREE[what]
        assert con.execute(query).fetchall() == []


def test_the_reminders_planted_in_the_shop_are_found(sample_home: Path) -> None:
    """The sample plants 55 % paid after a reminder of a silent order and 25 % without; docs/coverage-of-intervals.md."""
    with store.open_mart(sample_home) as con:
        found = rows_of(con, "FROM reminder_effect(NULL, NULL)")
        told = dict(con.execute("SELECT id, value FROM (SELECT 'n' AS id, n AS value FROM metric('reminder_success', NULL, NULL) WHERE agent IS NULL "
            "UNION ALL SELECT 'expected', value FROM metric('reminder_expected', NULL, NULL) WHERE agent IS NULL)").fetchall())  # fmt: skip
    shop = found[0]
    assert shop["agent"] is None and sum(r["n"] for r in found[1:]) == shop["n"] == told["n"] > 80
    assert shop["expected"] == pytest.approx(told["expected"])
    assert shop["success_low"] < 0.484 < shop["success_high"] and shop["expected_low"] < 0.231 < shop["expected_high"]
    assert shop["low"] < 0.253 < shop["high"]
    surer = shop["success_high"] - shop["success_low"]
    assert shop["high"] - shop["low"] > surer, "the control is not known exactly"


def test_who_gets_the_hard_topics_is_worth_more_than_the_raw_figure_says(sample_home: Path) -> None:
    truth = json.loads((data_dir() / "sample" / "truth.json").read_text(encoding="utf-8"))["agents"]
    planted = {one["agent"]: one["planted"] for one in truth}
    with store.open_mart(sample_home) as con:
        found = rows_of(con, "FROM like_with_like WHERE metric = 'conversion_d3'")
        ((moved,),) = con.execute("""SELECT count(DISTINCT order_id) FROM (SELECT order_id FROM attribution_shares
            WHERE agent IS NOT NULL GROUP BY order_id HAVING count(DISTINCT agent) > 1)""").fetchall()
    held = [r["low"] <= planted[r["part"]]["like_with_like"] <= r["high"] for r in found]
    assert len(held) >= 11 and sum(held) >= len(held) - 2, "one of twenty misses its interval; more is a fault"
    hard = planted["山岚茶舍:阿青"]
    assert hard["hard"] > 1 and hard["worth"] > hard["conversion"]
    assert moved >= 5, "orders whose buyer two agents had talked to"


def rows_of(con: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found = con.execute(query)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


TMALL = SHARED / "orders_tmall" / "tmall_order_report_excelized.csv"


@pytest.mark.skipif(not TMALL.is_file(), reason="the real exports are not part of the product")
def test_a_month_of_a_real_shop_equals_five_lines_of_pandas(home: Path) -> None:
    import pandas as pd

    night(home, TMALL)
    told = pd.read_csv(TMALL)
    paid = told[told.订单付款时间.notna()].assign(gross=lambda d: d.买家实际支付金额 + d.退款金额)
    buys = paid[paid.gross > 0]
    with store.open_mart(home) as con:
        found = dict(con.execute("""
            SELECT 'orders', value FROM metric('paid_orders', NULL, NULL) UNION ALL SELECT 'sales', value FROM metric('sales', NULL, NULL)
            UNION ALL SELECT 'net', value FROM metric('sales_net', NULL, NULL) UNION ALL SELECT 'buyer', value FROM metric('sales_per_buyer', NULL, NULL)
            UNION ALL SELECT 'net_buyer', value FROM metric('sales_net_per_buyer', NULL, NULL)
            UNION ALL SELECT 'refunded', value FROM metric('refund_rate', NULL, NULL)
            UNION ALL SELECT 'payment', value FROM metric('paid_order_rate', NULL, NULL)""").fetchall())  # fmt: skip
    gross, back = round(buys.gross.sum() * 100), round(buys.退款金额.sum() * 100)
    assert (found["orders"], found["sales"], found["net"]) == (len(buys), gross, gross - back)
    assert found["buyer"] == pytest.approx(gross / len(buys)) and found["net_buyer"] == pytest.approx(
        (gross - back) / len(buys)
    )
    assert found["refunded"] == pytest.approx(back / gross) and found["payment"] == pytest.approx(len(paid) / len(told))
