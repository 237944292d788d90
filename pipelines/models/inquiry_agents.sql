-- 询单里每位接待过的客服一行:这位客户之后付款的订单归不归他
SELECT i.shop, r.agent, i.customer, i.day, i.conversation_id, i.is_mature_d1, i.is_mature_d3, i.is_ordered_d3,
       coalesce(bool_or(a.paid_at < i.day + INTERVAL 2 DAY), false) AS is_credited_d1,
       coalesce(bool_or(a.paid_at < i.day + INTERVAL 4 DAY), false) AS is_credited_d3,
       coalesce(bool_or(a.paid_at < i.day + INTERVAL 4 DAY AND a.refunded_fen < a.paid_fen), false) AS is_kept
FROM mart.inquiries i
JOIN mart.receptions r ON r.shop = i.shop AND r.customer = i.customer AND r.day = i.day
LEFT JOIN mart.attributions a
  ON a.shop = i.shop AND a.customer = i.customer AND a.agent = r.agent AND a.is_primary AND a.paid_fen > 0 AND a.created_at > i.asked_at
GROUP BY ALL ORDER BY i.shop, i.day, r.agent, i.customer
