-- 流失的询单:过了 3 日没有付款的,每个一行;从谈话里看得出的原因、凭哪句话、问的商品值多少钱,供回访
WITH lost AS (
    SELECT * FROM mart.inquiries WHERE is_mature_d3 AND NOT is_paid_d3
), talks AS (
    SELECT DISTINCT l.shop, l.customer, l.day, m.conversation_id FROM lost l JOIN mart.messages m
      ON m.shop = l.shop AND m.customer = l.customer AND m.sent_at::DATE = l.day AND m.sender_kind = 'customer'
), turned AS (
    SELECT k.shop, k.customer, k.day, max(t.wait_s) AS longest_wait_s, arg_max(t.asked_seq, (t.wait_s, t.conversation_id)) AS slow_seq,
           arg_max(t.conversation_id, (t.wait_s, t.conversation_id)) AS slow_conversation,
           arg_max(NOT t.is_answered AND t.is_counted, (t.asked_at, t.conversation_id, t.turn)) AS is_left_open,
           arg_max(t.asked_seq, (t.asked_at, t.conversation_id, t.turn)) AS open_seq,
           arg_max(t.conversation_id, (t.asked_at, t.conversation_id, t.turn)) AS open_conversation
    FROM talks k JOIN mart.turns t ON t.conversation_id = k.conversation_id AND t.day = k.day GROUP BY ALL
), said AS (
    SELECT k.shop, k.customer, k.day, arg_max(r.reason, (f.conversation_id, f.seq, f.rule_id)) AS reason,
           arg_max(f.conversation_id, (f.conversation_id, f.seq, f.rule_id)) AS conversation_id,
           arg_max(f.seq, (f.conversation_id, f.seq, f.rule_id)) AS seq
    FROM talks k JOIN mart.findings f USING (conversation_id)
    JOIN (VALUES ('MINDS_PRICE', 'price'), ('CUSTOMER_BARGAINS', 'price'), ('MINDS_STOCK', 'stock'), ('MINDS_QUALITY', 'quality'),
                 ('MINDS_SLOWNESS', 'slow'), ('MINDS_SIZE', 'size'), ('MINDS_SHIPPING', 'shipping'), ('JUST_LOOKING', 'looking')) r(rule_id, reason) USING (rule_id)
    GROUP BY ALL
), served AS (
    SELECT shop, customer, day, arg_max(agent, (last_at, agent)) AS agent FROM mart.receptions GROUP BY ALL
)
SELECT l.shop, s.agent, l.customer, l.day, l.conversation_id, l.topic, l.product, l.price_fen, l.is_ordered_d3,
       CASE WHEN l.is_ordered_d3 THEN 'unpaid' WHEN NOT l.is_received OR t.is_left_open THEN 'no_answer' WHEN w.reason IS NOT NULL THEN w.reason
            WHEN t.longest_wait_s > 300 THEN 'slow'
            WHEN l.topic = '库存' THEN 'stock' WHEN l.topic IN ('价格', '促销') THEN 'price' WHEN l.topic = '物流' THEN 'shipping'
            WHEN l.topic = '质量' THEN 'quality' ELSE 'unknown' END AS why,
       CASE WHEN l.is_ordered_d3 THEN 'orders' WHEN NOT l.is_received OR t.is_left_open THEN 'turns' WHEN w.reason IS NOT NULL THEN 'words'
            WHEN t.longest_wait_s > 300 THEN 'turns' WHEN l.topic IN ('库存', '价格', '促销', '物流', '质量') THEN 'topic' END AS basis,
       CASE WHEN l.is_ordered_d3 THEN NULL WHEN NOT l.is_received OR t.is_left_open THEN t.open_conversation WHEN w.reason IS NOT NULL THEN w.conversation_id
            WHEN t.longest_wait_s > 300 THEN t.slow_conversation END AS evidence_conversation_id,
       CASE WHEN l.is_ordered_d3 THEN NULL WHEN NOT l.is_received OR t.is_left_open THEN t.open_seq WHEN w.reason IS NOT NULL THEN w.seq
            WHEN t.longest_wait_s > 300 THEN t.slow_seq END AS evidence_seq
FROM lost l LEFT JOIN turned t USING (shop, customer, day) LEFT JOIN said w USING (shop, customer, day) LEFT JOIN served s USING (shop, customer, day)
ORDER BY l.shop, l.day, l.customer
