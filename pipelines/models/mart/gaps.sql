-- 算不出的数字和原因:指标、店铺、原因代码;没有数据不等于 0
WITH shops AS (
    SELECT DISTINCT shop FROM conversations UNION SELECT DISTINCT shop FROM orders UNION SELECT DISTINCT shop FROM ratings
), has AS (
    SELECT s.shop,
           EXISTS (SELECT 1 FROM conversations c WHERE c.shop = s.shop) AS chats,
           EXISTS (SELECT 1 FROM conversations c WHERE c.shop = s.shop AND c.started_at IS NOT NULL) AS times,
           EXISTS (SELECT 1 FROM turns t WHERE t.shop = s.shop AND t.responsible IS NOT NULL) AS agents,
           EXISTS (SELECT 1 FROM orders o WHERE o.shop = s.shop) AS orders,
           EXISTS (SELECT 1 FROM orders o WHERE o.shop = s.shop AND o.customer IS NOT NULL) AS buyers,
           EXISTS (SELECT 1 FROM ratings r WHERE r.shop = s.shop) AS ratings,
           EXISTS (SELECT 1 FROM ratings r WHERE r.shop = s.shop AND r.invited_at IS NOT NULL) AS invitations
    FROM shops s
)
SELECT k.metric, h.shop, CASE
    WHEN k.metric IN ('sales', 'sales_net', 'paid_orders', 'sales_per_buyer', 'sales_per_order', 'items_per_buyer', 'refund_rate',
                      'refunded_orders', 'refund_time', 'sales_net_per_buyer', 'paid_order_rate') THEN CASE WHEN NOT h.orders THEN 'no_orders' ELSE 'no_observation' END
    WHEN k."group" = 'sales' AND NOT h.orders THEN 'no_orders'
    WHEN k."group" = 'sales' AND NOT h.buyers THEN 'no_buyer_ids'
    WHEN k.metric = 'predicted_csat' THEN CASE WHEN NOT h.chats THEN 'no_chats'
        WHEN EXISTS (SELECT 1 FROM predicted_csat p WHERE p.shop = h.shop AND p.p IS NOT NULL) THEN 'no_observation' ELSE 'no_satisfaction_model' END
    WHEN k."group" = 'satisfaction' AND NOT h.ratings THEN 'no_ratings'
    WHEN k.metric IN ('invited_rate', 'rated_rate') AND NOT h.invitations THEN 'no_invitations'
    WHEN k."group" = 'satisfaction' THEN 'no_observation'
    WHEN NOT h.chats THEN 'no_chats'
    WHEN (k."group" IN ('response', 'sales') OR k.metric IN ('solution_24h', 'recontact_72h')) AND NOT h.times THEN 'no_times'
    WHEN k.observed = 'concurrency' AND NOT h.agents THEN 'no_agents'
    ELSE 'no_observation' END AS reason
FROM kpis k, has h
ANTI JOIN (SELECT DISTINCT metric, shop FROM metrics JOIN profiles USING (profile) WHERE grain = 'shop' AND is_own) m ON m.metric = k.observed AND m.shop = h.shop
ORDER BY k.metric, h.shop
