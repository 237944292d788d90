-- 付款买家:店铺 × 买家每个一行;首次付款之后 90 天内有没有再买(首次付款距数据时点不足 90 天的,还不能判)
WITH paid AS (
    SELECT shop, customer, order_id, paid_at, paid_fen, row_number() OVER (PARTITION BY shop, customer ORDER BY paid_at, order_id) AS nth
    FROM paid_ WHERE customer IS NOT NULL AND paid_fen > 0
)
SELECT shop, customer, min(paid_at) AS first_paid_at, min(paid_at)::DATE AS first_day, count(*) AS n_orders,
       sum(paid_fen)::BIGINT AS paid_fen,
       coalesce(min(paid_at) FILTER (WHERE nth = 2) < min(paid_at) + INTERVAL 90 DAY, false) AS is_repeat_90d,
       min(paid_at)::DATE + INTERVAL 91 DAY <= any_value(as_of_.as_of) AS is_mature_90d
FROM paid CROSS JOIN as_of_ GROUP BY shop, customer ORDER BY shop, customer
