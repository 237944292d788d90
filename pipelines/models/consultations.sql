-- 咨询:客户日(店铺 × 客户 × 服务日),每个一行,从来问到接待、询单、下单、付款、不退走了多远;问的是什么话题、哪件商品
WITH asked AS (
    SELECT shop, customer, sent_at::DATE AS day, min(sent_at) AS asked_at,
           arg_min(conversation_id, (sent_at, conversation_id)) AS conversation_id, arg_min(channel, (sent_at, conversation_id)) AS channel
    FROM mart.messages
    WHERE sender_kind = 'customer' AND content_kind IN ('text', 'image', 'card', 'voice')
      AND sent_at IS NOT NULL AND customer IS NOT NULL
    GROUP BY ALL
), bought_before AS (
    SELECT DISTINCT a.shop, a.customer, a.day FROM asked a JOIN mart.orders o
      ON o.shop = a.shop AND o.customer = a.customer
     AND o.created_at < a.asked_at AND o.created_at >= a.asked_at - INTERVAL 30 DAY
), presale AS (
    SELECT DISTINCT m.shop, m.customer, m.sent_at::DATE AS day FROM mart.messages m JOIN mart.conversations c USING (conversation_id)
    WHERE c.phase = 'pre' AND m.sender_kind = 'customer' AND m.content_kind IN ('text', 'image', 'card', 'voice')
), shown AS (
    SELECT m.shop, m.customer, m.sent_at::DATE AS day, arg_min(p.product, (m.sent_at, m.conversation_id, m.seq)) AS product,
           arg_min(p.price_fen, (m.sent_at, m.conversation_id, m.seq)) AS price_fen
    FROM mart.messages m JOIN products_ p USING (conversation_id, seq)
    WHERE p.product IS NOT NULL AND m.customer IS NOT NULL AND m.sent_at IS NOT NULL GROUP BY ALL
), ordered AS (
    SELECT a.shop, a.customer, a.day, min(o.created_at) AS ordered_at
    FROM asked a JOIN mart.orders o ON o.shop = a.shop AND o.customer = a.customer
     AND o.created_at > a.asked_at AND o.created_at < a.day + INTERVAL 4 DAY
     AND (o.paid_at IS NULL OR o.paid_fen > 0)  -- a gift or an exchange at 0 yuan is nothing bought
    GROUP BY ALL
), paid AS (
    SELECT a.shop, a.customer, a.day, min(p.paid_at) AS paid_at, arg_min(p.order_id, (p.paid_at, p.order_id)) AS order_id,
           arg_min(p.refunded_fen < p.paid_fen, (p.paid_at, p.order_id)) AS is_kept
    FROM asked a JOIN paid_ p ON p.shop = a.shop AND p.customer = a.customer
     AND p.paid_fen > 0 AND p.created_at > a.asked_at AND p.paid_at < a.day + INTERVAL 4 DAY
    GROUP BY ALL
), with_buyers AS (
    SELECT DISTINCT shop FROM mart.orders WHERE customer IS NOT NULL
)
SELECT a.shop, a.channel, a.customer, a.day, a.asked_at, a.conversation_id, c.topic, s.product, s.price_fen,
       EXISTS (SELECT 1 FROM mart.receptions r WHERE r.shop = a.shop AND r.customer = a.customer AND r.day = a.day) AS is_received,
       b.day IS NOT NULL AS is_returning, CASE WHEN w.shop IS NOT NULL THEN b.day IS NULL OR p.day IS NOT NULL END AS is_inquiry,
       o.ordered_at, f.order_id, f.paid_at, o.ordered_at IS NOT NULL AS is_ordered_d3,
       coalesce(f.paid_at < a.day + INTERVAL 2 DAY, false) AS is_paid_d1, f.paid_at IS NOT NULL AS is_paid_d3,
       coalesce(f.is_kept, false) AS is_kept,
       a.day + INTERVAL 2 DAY <= as_of_.as_of AS is_mature_d1, a.day + INTERVAL 4 DAY <= as_of_.as_of AS is_mature_d3
FROM asked a CROSS JOIN as_of_ JOIN mart.conversations c USING (conversation_id)
LEFT JOIN with_buyers w ON w.shop = a.shop
LEFT JOIN shown s ON s.shop = a.shop AND s.customer = a.customer AND s.day = a.day
LEFT JOIN ordered o ON o.shop = a.shop AND o.customer = a.customer AND o.day = a.day
LEFT JOIN paid f ON f.shop = a.shop AND f.customer = a.customer AND f.day = a.day
LEFT JOIN bought_before b ON b.shop = a.shop AND b.customer = a.customer AND b.day = a.day
LEFT JOIN presale p ON p.shop = a.shop AND p.customer = a.customer AND p.day = a.day
ORDER BY a.shop, a.day, a.customer
