-- 每个成熟的询单:当天首轮等了多久、走到几个流程阶段、客户情绪怎么变,之后有没有付款、付了款的有没有退
WITH asked AS (
    SELECT i.*, coalesce(i.topic, '?') AS about, hour(i.asked_at) // 6 AS hour_band,
           CASE WHEN price_fen IS NULL THEN '?' WHEN price_fen < 5000 THEN '0' WHEN price_fen < 10000 THEN '50' WHEN price_fen < 30000 THEN '100'
                WHEN price_fen < 100000 THEN '300' ELSE '1000' END AS price_band
    FROM mart.inquiries i WHERE is_mature_d3
), stages AS (
    SELECT conversation_id, count(DISTINCT stage) AS n FROM (
        SELECT conversation_id, CASE rule_id WHEN 'FLOW_ASKS' THEN 'asks' WHEN 'FLOW_RECOMMENDS' THEN 'recommends' WHEN 'FLOW_BARGAINS' THEN 'bargains' END AS stage
        FROM mart.findings WHERE rule_id IN ('FLOW_ASKS', 'FLOW_RECOMMENDS', 'FLOW_BARGAINS')
        UNION ALL SELECT conversation_id, rule_id FROM mart.moments WHERE is_met AND rule_id IN ('NO_GREETING', 'NO_FAREWELL'))
    GROUP BY conversation_id
), factors AS (
    SELECT a.shop, a.customer, a.day, 'wait' AS factor,
           CASE WHEN NOT t.is_answered THEN '5_none' WHEN t.wait_s <= 30 THEN '1_30s' WHEN t.wait_s <= 60 THEN '2_60s' WHEN t.wait_s <= 180 THEN '3_180s' ELSE '4_over' END AS part
    FROM asked a JOIN mart.turns t USING (conversation_id) WHERE t.is_first AND t.is_counted
    UNION ALL SELECT a.shop, a.customer, a.day, 'stages', CASE WHEN coalesce(s.n, 0) <= 1 THEN '1_few' WHEN s.n = 2 THEN '2_two' ELSE '3_more' END
    FROM asked a LEFT JOIN stages s USING (conversation_id) WHERE a.is_received
    UNION ALL SELECT a.shop, a.customer, a.day, 'mood', CASE WHEN c.mood_shift < -0.1 THEN '1_worse' WHEN c.mood_shift <= 0.1 THEN '2_same' ELSE '3_better' END
    FROM asked a JOIN mart.conversations c USING (conversation_id) WHERE c.mood_shift IS NOT NULL
)
SELECT f.factor, 'conversion_d3' AS metric, f.shop, f.part, a.is_paid_d3::INT::DOUBLE AS value, a.about AS topic, a.price_band, a.is_returning, a.hour_band
FROM factors f JOIN asked a USING (shop, customer, day)
UNION ALL
SELECT f.factor, 'refunded_orders', f.shop, f.part, (p.refunded_fen > 0)::INT::DOUBLE, a.about, a.price_band, a.is_returning, a.hour_band
FROM factors f JOIN asked a USING (shop, customer, day) JOIN paid_ p ON p.shop = a.shop AND p.order_id = a.order_id
ORDER BY ALL
