-- 询单:购买前来咨询的客户日(30 天内没有下过单,或当天有售前的会话),每个一行;之后下单并付款的第一笔(次日内 d1,3 日内 d3)写在旁边
SELECT shop, channel, customer, day, asked_at, conversation_id, topic, product, price_fen, is_received, is_returning, ordered_at, order_id,
       paid_at, is_ordered_d3, is_paid_d1, is_paid_d3, is_kept, is_mature_d1, is_mature_d3
FROM mart.consultations WHERE is_inquiry ORDER BY shop, day, customer
