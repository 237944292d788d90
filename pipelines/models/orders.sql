-- 每个订单一行,取最新状态;金额以分为单位,paid_fen 是未减退款的实付
SELECT * FROM orders_ ORDER BY shop, order_id
