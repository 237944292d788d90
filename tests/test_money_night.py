"""The money of a whole night: tables that must agree with each other, on the made-up shop and on real orders."""

from pathlib import Path

import pytest
from conftest import SHARED, night

from pipelines import store

AGREE = {
    "every rule gives the whole of the shop's sales away": """
        SELECT r.rule FROM attribution_rules r LEFT JOIN (SELECT rule, sum(paid_fen) AS fen FROM attribution_shares GROUP BY rule) s USING (rule)
        WHERE s.fen IS DISTINCT FROM (SELECT sum(paid_fen) FROM attributions)""",
    "the first rule is the ledger": """
        SELECT order_id, agent, class, paid_fen FROM attribution_shares WHERE rule = (SELECT rule FROM attribution_rules WHERE nth = 1)
        EXCEPT SELECT order_id, agent, class, paid_fen FROM attributions WHERE is_primary""",
    "no step of the funnel is larger than the one before": """
        SELECT b, part FROM (SELECT 'shop' AS b, * FROM funnel('shop', NULL, NULL) UNION ALL SELECT 'topic', * FROM funnel('topic', NULL, NULL)
                             UNION ALL SELECT 'agent', * FROM funnel('agent', NULL, NULL) UNION ALL SELECT 'day', * FROM funnel('day', NULL, NULL))
        WHERE n_received > n_consultations OR n_inquiries > n_consultations OR n_ordered > n_inquiries OR n_paid > n_ordered OR n_kept > n_paid""",
    "the funnel's parts add up to the shop": """
        SELECT s.shop FROM funnel('shop', NULL, NULL) s JOIN (SELECT shop, sum(n_inquiries) AS i, sum(n_paid) AS p FROM funnel('topic', NULL, NULL) GROUP BY shop) t
        USING (shop) WHERE s.n_inquiries <> t.i OR s.n_paid <> t.p""",
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
    """The sample plants 55 % paid after a reminder and 25 % without; 60 % of the unpaid are reminded of."""
    with store.open_mart(sample_home) as con:
        ((n, rate, low, high),) = con.execute(
            "SELECT n, value, low, high FROM metric('reminder_success', NULL, NULL) WHERE agent IS NULL"
        ).fetchall()
        ((expected,),) = con.execute(
            "SELECT value FROM metric('reminder_expected', NULL, NULL) WHERE agent IS NULL"
        ).fetchall()
    assert n > 80 and low < rate < high and 0.1 < expected < low


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
