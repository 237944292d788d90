-- 每位客服接待的成熟询单(转化)和由询单而来的买家(客单价),连同话题、价位、新老客、昼夜(0–8 点是夜)
WITH asked AS (
    SELECT shop, customer, day, coalesce(topic, '?') AS topic, is_returning,
           CASE WHEN price_fen IS NULL THEN '?' WHEN price_fen < 5000 THEN '0' WHEN price_fen < 10000 THEN '50' WHEN price_fen < 30000 THEN '100'
                WHEN price_fen < 100000 THEN '300' ELSE '1000' END AS price_band,
           hour(asked_at) < 8 AS is_night
    FROM mart.inquiries WHERE is_mature_d3
)
SELECT 'conversion_d3' AS metric, i.shop, i.agent AS part, i.is_credited_d3::INT::DOUBLE AS value, a.topic, a.price_band, a.is_returning, a.is_night
FROM mart.inquiry_agents i JOIN asked a USING (shop, customer, day)
UNION ALL
SELECT 'sales_per_buyer', s.shop, s.agent, s.fen::DOUBLE, a.topic, a.price_band, a.is_returning, a.is_night
FROM (SELECT shop, agent, customer, inquiry_day AS day, sum(paid_fen) AS fen FROM mart.attributions
      WHERE is_primary AND agent IS NOT NULL AND inquiry_day IS NOT NULL AND paid_fen > 0 GROUP BY ALL) s
JOIN asked a USING (shop, customer, day)
ORDER BY ALL
