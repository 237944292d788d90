-- 催付:下单后十分钟仍未付、客服联系过的订单,每单一行;旁边是没人联系、同样时刻仍未付的订单 24 小时内付款的比例
SELECT * FROM reminders_ ORDER BY shop, order_id
