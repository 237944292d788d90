-- 每个数字的原料,逐条:指标、粒度(agent 客服 / shop 店铺)、哪天、哪一单位(轮次、会话、客户日、订单、买家)、分子、分母
WITH per_turn AS (
    SELECT shop, responsible AS agent, day, conversation_id || '#' || asked_seq AS unit, is_counted, is_first, is_answered, wait_s
    FROM turns
), negative AS (
    -- 消息数,不是命中数:一句话里两处只算一句;只提示、不扣分的规则不算
    SELECT f.conversation_id, f.agent, count(DISTINCT f.seq) AS n FROM findings f JOIN rules r USING (rule_id)
    WHERE r.category = 'negative_language' AND r.severity <> 'info' AND f.seq IS NOT NULL GROUP BY ALL
), per_conversation AS (
    SELECT s.shop, s.agent, s.day, s.conversation_id AS unit, s.qa, s.final, c.mood_end, c.mood_shift,
           coalesce(b.n, 0) AS n_negative
    FROM scores s JOIN conversations c USING (conversation_id)
    LEFT JOIN negative b ON b.conversation_id = s.conversation_id AND b.agent IS NOT DISTINCT FROM s.agent
), customer_day AS (
    SELECT shop, responsible AS agent, customer, day, bool_or(is_answered) AS is_answered
    FROM turns WHERE is_counted AND customer IS NOT NULL GROUP BY ALL
), sold AS (
    SELECT shop, agent, day, order_id, coalesce(customer, 'order ' || order_id) AS buyer, class, paid_fen, refunded_fen, items,
           identity_tier, refund_s
    FROM attributions WHERE is_primary AND paid_fen > 0  -- a gift order of 0 yuan is in the ledger and makes nobody a buyer
), with_buyers AS (
    SELECT DISTINCT shop FROM orders JOIN (SELECT DISTINCT shop FROM conversations) USING (shop) WHERE customer IS NOT NULL
), either AS (
    SELECT unnest(['agent', 'shop']) AS grain
), exchanged AS (
    -- 客户的话算在那一轮的负责客服名下,客服的话算在说的人名下
    SELECT shop, agent, day, conversation_id, sum(is_reply::INT) AS n_said, sum((NOT is_reply)::INT) AS n_heard,
           sum(CASE WHEN is_reply THEN n_chars ELSE 0 END) AS n_said_chars, sum(CASE WHEN is_reply THEN 0 ELSE n_chars END) AS n_heard_chars
    FROM (SELECT m.shop, c.day, m.conversation_id, m.sender_kind <> 'customer' AS is_reply,
                 CASE m.sender_kind WHEN 'customer' THEN t.responsible ELSE m.agent END AS agent,
                 CASE m.content_kind WHEN 'text' THEN length(m.text) ELSE 0 END AS n_chars
          FROM messages m JOIN conversations c USING (conversation_id)
          ASOF LEFT JOIN turns t ON t.conversation_id = m.conversation_id AND t.asked_seq <= m.seq
          WHERE (m.sender_kind = 'customer' AND m.content_kind IN ('text', 'image', 'card', 'voice'))
             OR (m.sender_kind IN ('agent', 'assist') AND m.content_kind NOT IN ('recall', 'empty')))
    GROUP BY ALL
), all_turns AS (
    SELECT grain, shop, CASE grain WHEN 'agent' THEN agent END AS agent, day, unit, is_first, is_answered, wait_s
    FROM per_turn, either WHERE is_counted AND (grain = 'shop' OR agent IS NOT NULL)
), all_sold AS (
    SELECT grain, shop, CASE grain WHEN 'agent' THEN agent END AS agent, day, order_id, buyer, class, paid_fen, refunded_fen, items, refund_s
    FROM sold, either WHERE grain = 'shop' OR agent IS NOT NULL
), all_ratings AS (
    SELECT grain, shop, CASE grain WHEN 'agent' THEN agent END AS agent, day, conversation_id, invited_at, rated_at, stars
    FROM ratings, either WHERE grain = 'shop' OR agent IS NOT NULL
), per_shop_conversation AS (
    SELECT 'shop' AS grain, c.shop, NULL AS agent, c.day, c.conversation_id AS unit, avg(s.qa) AS qa, avg(s.final) AS final,
           c.mood_end, c.mood_shift,
           coalesce((SELECT sum(n) FROM negative b WHERE b.conversation_id = c.conversation_id), 0) AS n_negative, c.handling_s
    FROM conversations c LEFT JOIN scores s USING (conversation_id) GROUP BY ALL
), all_conversations AS (
    SELECT 'agent' AS grain, p.shop, p.agent, p.day, p.unit, p.qa, p.final, p.mood_end, p.mood_shift, p.n_negative, c.handling_s
    FROM per_conversation p JOIN conversations c ON c.conversation_id = p.unit WHERE p.agent IS NOT NULL
    UNION ALL BY NAME SELECT * FROM per_shop_conversation
)
SELECT 'first_response' AS metric, grain, shop, agent, day, unit, wait_s::DOUBLE AS num, 1::DOUBLE AS den, true AS is_mature
FROM all_turns WHERE is_first AND is_answered
UNION ALL SELECT 'first_response_30s', grain, shop, agent, day, unit, coalesce(wait_s <= 30, false)::INT, 1, true FROM all_turns WHERE is_first
UNION ALL SELECT 'average_response', grain, shop, agent, day, unit, least(coalesce(wait_s, 600), 600), 1, true FROM all_turns
UNION ALL SELECT 'response', grain, shop, agent, day, unit, wait_s, 1, true FROM all_turns WHERE is_answered
UNION ALL SELECT 'response_3min', grain, shop, agent, day, unit, coalesce(wait_s <= 180, false)::INT, 1, true FROM all_turns
UNION ALL SELECT 'slow_response', grain, shop, agent, day, unit, coalesce(wait_s > 100, true)::INT, 1, true FROM all_turns
UNION ALL SELECT 'unanswered', grain, shop, agent, day, unit, (NOT is_answered)::INT, 1, true FROM all_turns
UNION ALL SELECT 'reply_rate', 'agent', shop, agent, day, customer, is_answered::INT, 1, true FROM customer_day WHERE agent IS NOT NULL
UNION ALL SELECT 'reply_rate', 'shop', shop, NULL, day, customer, bool_or(is_answered)::INT, 1, true FROM customer_day GROUP BY shop, day, customer
UNION ALL SELECT 'handling_time', grain, shop, agent, day, unit, handling_s, 1, true FROM all_conversations WHERE handling_s IS NOT NULL
UNION ALL SELECT 'conversations', grain, shop, agent, day, unit, 1, NULL, true FROM all_conversations
UNION ALL SELECT 'receptions', 'agent', shop, agent, day, customer, 1, NULL, true FROM receptions
UNION ALL SELECT 'receptions', 'shop', shop, NULL, day, customer || ' ' || agent, 1, NULL, true FROM receptions
UNION ALL SELECT 'qa_score', grain, shop, agent, day, unit, qa, 1, true FROM all_conversations WHERE qa IS NOT NULL
UNION ALL SELECT 'final_score', grain, shop, agent, day, unit, final, 1, true FROM all_conversations WHERE final IS NOT NULL
UNION ALL SELECT 'negative_language', grain, shop, agent, day, unit, n_negative, 1, true FROM all_conversations
UNION ALL SELECT 'mood_end', grain, shop, agent, day, unit, mood_end, 1, true FROM all_conversations WHERE mood_end IS NOT NULL
UNION ALL SELECT 'mood_shift', grain, shop, agent, day, unit, mood_shift, 1, true FROM all_conversations WHERE mood_shift IS NOT NULL
UNION ALL SELECT 'politeness', grain, c.shop, CASE grain WHEN 'agent' THEN m.agent END, c.day, m.conversation_id || ':' || m.rule_id || '@' || coalesce(m.agent, ''), m.is_met::INT, 1, true
FROM moments m JOIN conversations c USING (conversation_id), either WHERE grain = 'shop' OR m.agent IS NOT NULL
UNION ALL SELECT 'recontact_72h', a.grain, a.shop, a.agent, a.day, a.unit, c.is_recontacted::INT, 1, c.is_mature_recontact
FROM all_conversations a JOIN conversations c ON c.conversation_id = a.unit WHERE c.is_recontacted IS NOT NULL
UNION ALL SELECT 'csat', grain, shop, agent, day, conversation_id, (stars >= 4)::INT, 1, true FROM all_ratings WHERE stars IS NOT NULL
UNION ALL SELECT 'dsat', grain, shop, agent, day, conversation_id, (stars <= 2)::INT, 1, true FROM all_ratings WHERE stars IS NOT NULL
UNION ALL SELECT 'rated_rate', grain, shop, agent, day, conversation_id, (stars IS NOT NULL)::INT, 1, true FROM all_ratings WHERE invited_at IS NOT NULL
UNION ALL SELECT 'invited_rate', grain, c.shop, c.agent, c.day, c.unit, (r.conversation_id IS NOT NULL)::INT, 1, true
FROM all_conversations c
LEFT JOIN (SELECT DISTINCT conversation_id, agent FROM ratings WHERE invited_at IS NOT NULL AND conversation_id IS NOT NULL) r
  ON r.conversation_id = c.unit AND (c.grain = 'shop' OR r.agent = c.agent)
WHERE c.shop IN (SELECT shop FROM ratings WHERE invited_at IS NOT NULL)
UNION ALL SELECT 'inquiries', 'shop', shop, NULL, day, customer, 1, NULL, true FROM inquiries
UNION ALL SELECT 'inquiries', 'agent', shop, agent, day, customer, 1, NULL, true FROM inquiry_agents
UNION ALL SELECT 'conversion_d1', 'shop', shop, NULL, day, customer, is_paid_d1::INT, 1, is_mature_d1 FROM inquiries
UNION ALL SELECT 'conversion_d1', 'agent', shop, agent, day, customer, is_credited_d1::INT, 1, is_mature_d1 FROM inquiry_agents
UNION ALL SELECT 'conversion_d3', 'shop', shop, NULL, day, customer, is_paid_d3::INT, 1, is_mature_d3 FROM inquiries
UNION ALL SELECT 'conversion_d3', 'agent', shop, agent, day, customer, is_credited_d3::INT, 1, is_mature_d3 FROM inquiry_agents
UNION ALL SELECT 'sales', grain, shop, agent, day, order_id, paid_fen, NULL, true FROM all_sold
UNION ALL SELECT 'sales_net', grain, shop, agent, day, order_id, paid_fen - refunded_fen, NULL, true FROM all_sold
UNION ALL SELECT 'paid_orders', grain, shop, agent, day, order_id, 1, NULL, true FROM all_sold
UNION ALL SELECT 'sales_per_buyer', grain, shop, agent, day, buyer, paid_fen, 1, true FROM all_sold
UNION ALL SELECT 'sales_per_order', grain, shop, agent, day, order_id, paid_fen, 1, true FROM all_sold
UNION ALL SELECT 'items_per_buyer', grain, shop, agent, day, buyer, items, 1, true FROM all_sold WHERE items IS NOT NULL
UNION ALL SELECT 'refund_rate', grain, shop, agent, day, order_id, refunded_fen, paid_fen, true FROM all_sold
UNION ALL SELECT 'refunded_orders', grain, shop, agent, day, order_id, (refunded_fen > 0)::INT, 1, true FROM all_sold
UNION ALL SELECT 'silent_share', 'shop', shop, NULL, day, order_id, (class = 'silent')::INT, 1, true FROM sold WHERE shop IN (SELECT shop FROM with_buyers)
UNION ALL SELECT 'reminded_share', 'shop', shop, NULL, day, order_id, (class = 'reminded')::INT, 1, true FROM sold WHERE shop IN (SELECT shop FROM with_buyers)
UNION ALL SELECT 'match_rate', 'shop', shop, NULL, day, order_id, (identity_tier IS NOT NULL)::INT, 1, true FROM sold WHERE shop IN (SELECT shop FROM with_buyers)
UNION ALL SELECT 'match_rate_quoted', 'shop', shop, NULL, day, order_id, coalesce(identity_tier = 'order_number', false)::INT, 1, true
FROM sold WHERE shop IN (SELECT shop FROM with_buyers)
UNION ALL SELECT CASE promise WHEN 'preliminary' THEN 'preliminary_5min' ELSE 'solution_24h' END, grain, shop,
       CASE grain WHEN 'agent' THEN agent END, day, conversation_id || '#' || asked_seq, (status = 'kept')::INT, 1, true
FROM promises, either WHERE promise IN ('preliminary', 'solution') AND status IN ('kept', 'broken') AND (grain = 'shop' OR agent IS NOT NULL)
UNION ALL SELECT 'stalling', grain, shop, CASE grain WHEN 'agent' THEN responsible END, day, conversation_id || '#' || asked_seq, is_stalled::INT, 1, true
FROM turns, either WHERE is_counted AND is_stalled IS NOT NULL AND (grain = 'shop' OR responsible IS NOT NULL)
UNION ALL SELECT 'concurrency', grain, shop, CASE grain WHEN 'agent' THEN responsible END, day, conversation_id || '#' || asked_seq, n_open, 1, true
FROM turns, either WHERE is_counted AND n_open IS NOT NULL
UNION ALL SELECT what, grain, shop, CASE grain WHEN 'agent' THEN agent END, day, conversation_id,
       CASE what WHEN 'reply_ratio' THEN n_said ELSE n_said_chars END, CASE what WHEN 'reply_ratio' THEN n_heard ELSE n_heard_chars END, true
FROM exchanged, either, (SELECT unnest(['reply_ratio', 'reply_ratio_chars']) AS what) WHERE grain = 'shop' OR agent IS NOT NULL
UNION ALL SELECT 'sales_per_buyer_consulted', grain, shop, agent, day, buyer, paid_fen, 1, true FROM all_sold WHERE class = 'consulted'
UNION ALL SELECT 'sales_per_buyer_silent', 'shop', shop, NULL, day, buyer, paid_fen, 1, true FROM sold WHERE class = 'silent' AND shop IN (SELECT shop FROM with_buyers)
UNION ALL SELECT 'refund_time', grain, shop, agent, day, order_id, refund_s, 1, true FROM all_sold WHERE refund_s IS NOT NULL
UNION ALL SELECT 'repeat_90d', 'shop', shop, NULL, first_day, customer, is_repeat_90d::INT, 1, is_mature_90d FROM buyers
UNION ALL SELECT 'reminder_success', grain, shop, CASE grain WHEN 'agent' THEN agent END, day, order_id, is_paid_24h::INT, 1, is_mature FROM reminders, either
UNION ALL SELECT 'reminder_expected', grain, shop, CASE grain WHEN 'agent' THEN agent END, day, order_id, expected, 1, is_mature FROM reminders, either WHERE expected IS NOT NULL
UNION ALL SELECT 'consultations', 'shop', shop, NULL, day, customer, 1, NULL, true FROM consultations
UNION ALL SELECT 'received_rate', 'shop', shop, NULL, day, customer, is_received::INT, 1, true FROM consultations
UNION ALL SELECT 'ordering_rate', 'shop', shop, NULL, day, customer, is_ordered_d3::INT, 1, is_mature_d3 FROM inquiries
UNION ALL SELECT 'ordering_rate', 'agent', shop, agent, day, customer, is_ordered_d3::INT, 1, is_mature_d3 FROM inquiry_agents
UNION ALL SELECT 'payment_rate', 'shop', shop, NULL, day, customer, is_paid_d3::INT, 1, is_mature_d3 FROM inquiries WHERE is_ordered_d3
UNION ALL SELECT 'payment_rate', 'agent', shop, agent, day, customer, is_credited_d3::INT, 1, is_mature_d3 FROM inquiry_agents WHERE is_ordered_d3
UNION ALL SELECT 'kept_rate', 'shop', shop, NULL, day, customer, is_kept::INT, 1, is_mature_d3 FROM inquiries WHERE is_paid_d3
UNION ALL SELECT 'kept_rate', 'agent', shop, agent, day, customer, is_kept::INT, 1, is_mature_d3 FROM inquiry_agents WHERE is_credited_d3
