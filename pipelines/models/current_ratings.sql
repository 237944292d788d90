-- 每次邀评的最新状态:评过的胜过未评的;只写了订单号的评价,客户就是下单的人
WITH buyers AS (
    SELECT shop, order_id, min(customer) AS customer FROM fact_orders
    GROUP BY shop, order_id HAVING count(DISTINCT customer) = 1
)
SELECT f.shop, f.conversation_id, coalesce(f.customer, b.customer) AS customer, f.agent, f.invited_at,
       CASE WHEN as_of() IS NULL OR f.rated_at IS NULL OR f.rated_at <= as_of() THEN f.rated_at END AS rated_at,
       CASE WHEN as_of() IS NULL OR f.rated_at IS NULL OR f.rated_at <= as_of() THEN f.stars END AS stars,
       f.order_id, f.source_id, f.source_row
FROM fact_ratings f JOIN sources s USING (source_id) LEFT JOIN buyers b ON b.shop = f.shop AND b.order_id = f.order_id
WHERE as_of() IS NULL OR coalesce(f.invited_at, f.rated_at) IS NULL OR coalesce(f.invited_at, f.rated_at) <= as_of()
QUALIFY row_number() OVER (
    PARTITION BY f.shop, f.conversation_id, f.customer, f.agent, f.order_id, coalesce(f.invited_at, f.rated_at)
    ORDER BY f.stars IS NULL, f.rated_at DESC NULLS LAST, s.newest_at DESC NULLS LAST, f.source_id DESC, f.source_row DESC) = 1
