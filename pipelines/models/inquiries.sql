-- 询单:购买前来咨询的客户日(30 天内没有下过单,或当天有售前的会话),每个一行;之后下单并付款的第一笔(次日内 d1,3 日内 d3)写在旁边
WITH asked AS (
    SELECT shop, customer, sent_at::DATE AS day, min(sent_at) AS asked_at, arg_min(conversation_id, sent_at) AS conversation_id
    FROM mart.messages
    WHERE sender_kind = 'customer' AND content_kind IN ('text', 'image', 'card', 'voice')
      AND sent_at IS NOT NULL AND customer IS NOT NULL
      AND shop IN (SELECT DISTINCT shop FROM mart.orders WHERE customer IS NOT NULL)
    GROUP BY ALL
), bought_before AS (
    SELECT DISTINCT a.shop, a.customer, a.day FROM asked a JOIN mart.orders o
      ON o.shop = a.shop AND o.customer = a.customer
     AND o.created_at < a.asked_at AND o.created_at >= a.asked_at - INTERVAL 30 DAY
), presale AS (
    SELECT DISTINCT m.shop, m.customer, m.sent_at::DATE AS day FROM mart.messages m JOIN mart.conversations c USING (conversation_id)
    WHERE c.phase = 'pre' AND m.sender_kind = 'customer' AND m.content_kind IN ('text', 'image', 'card', 'voice')
), paid AS (
    SELECT a.shop, a.customer, a.day, p.paid_at, p.order_id
    FROM asked a JOIN paid_ p ON p.shop = a.shop AND p.customer = a.customer
     AND p.paid_fen > 0 AND p.created_at > a.asked_at AND p.paid_at < a.day + INTERVAL 4 DAY
), first_paid AS (
    SELECT shop, customer, day, min(paid_at) AS paid_at, arg_min(order_id, (paid_at, order_id)) AS order_id
    FROM paid GROUP BY ALL
)
SELECT a.shop, a.customer, a.day, a.asked_at, a.conversation_id, f.order_id, f.paid_at,
       coalesce(f.paid_at < a.day + INTERVAL 2 DAY, false) AS is_paid_d1, f.paid_at IS NOT NULL AS is_paid_d3,
       b.day IS NOT NULL AS is_returning,
       a.day + INTERVAL 2 DAY <= as_of_.as_of AS is_mature_d1, a.day + INTERVAL 4 DAY <= as_of_.as_of AS is_mature_d3
FROM asked a CROSS JOIN as_of_
LEFT JOIN first_paid f USING (shop, customer, day)
LEFT JOIN bought_before b USING (shop, customer, day) LEFT JOIN presale p USING (shop, customer, day)
WHERE b.day IS NULL OR p.day IS NOT NULL
ORDER BY a.shop, a.day, a.customer
