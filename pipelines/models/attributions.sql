-- 归属账:每个已付款父订单恰有一行主归属(consulted 落实下单 / reminded 落实付款 / silent 静默),加起来等于实付总额
WITH led_to AS (
    -- The inquiry that an order came of: the buyer's last one before it, if it was paid by the end of D+3.
    SELECT p.shop, p.order_id, i.day AS inquiry_day
    FROM paid_ p ASOF JOIN mart.inquiries i ON p.shop = i.shop AND p.customer = i.customer AND p.created_at > i.asked_at
    WHERE p.paid_at < i.day + INTERVAL 4 DAY
)
SELECT a.*, p.customer, p.created_at, p.paid_at, p.paid_at::DATE AS day, p.refunded_fen, p.items,
       CASE WHEN p.refunded_fen > 0 AND p.refund_finished_at >= p.refund_applied_at
            THEN epoch(p.refund_finished_at - p.refund_applied_at) END AS refund_s,
       l.inquiry_day
FROM attributions_ a JOIN paid_ p USING (shop, order_id) LEFT JOIN led_to l USING (shop, order_id)
ORDER BY shop, order_id, is_primary DESC, agent
