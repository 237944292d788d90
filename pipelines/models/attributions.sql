-- 归属账:每个已付款父订单恰有一行主归属(consulted 落实下单 / reminded 落实付款 / silent 静默),加起来等于实付总额
SELECT a.*, p.channel, p.customer, p.created_at, p.paid_at, p.paid_at::DATE AS day, p.refunded_fen, p.items
FROM attributions_ a JOIN paid_ p USING (shop, order_id) ORDER BY shop, order_id, is_primary DESC, agent
