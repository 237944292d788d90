-- 每个数字的原料,逐条:指标、口径、粒度(agent 客服 / team 小组 / shop 店铺)、渠道、钟点、哪天、哪一单位(轮次、会话、客户日、订单、买家)、分子、分母
-- Each source (all_…) stands there in three grains, whoever shares a unit settled; a line of the lists below names a number once.
-- Channel and hour are properties of a unit: metrics.sql and figures() turn them into grains, whatever the number.
WITH grains AS (
    SELECT unnest(['agent', 'team', 'shop']) AS grain
), all_turns AS NOT MATERIALIZED (
    SELECT profile, grain, t.shop, CASE grain WHEN 'agent' THEN t.responsible WHEN 'team' THEN a.team END AS who, t.channel,
           hour(t.asked_at) AS hour, t.day, t.conversation_id, t.conversation_id || '#' || t.asked_seq AS unit, t.customer,
           t.is_first, t.is_answered, t.wait_s
    FROM profile_turns t LEFT JOIN agents a ON a.shop = t.shop AND a.agent = t.responsible, grains
    WHERE t.is_counted AND (grain = 'shop' OR who IS NOT NULL)
), all_customer_days AS NOT MATERIALIZED (
    SELECT profile, grain, shop, who, min(channel) AS channel, min(hour) AS hour, day, customer AS unit, bool_or(is_answered) AS is_answered
    FROM all_turns WHERE customer IS NOT NULL GROUP BY ALL
), all_judged AS NOT MATERIALIZED (
    -- 口径自己的单位:其中计入的每一轮都按时才算按时
    SELECT t.profile, grain, shop, who, channel, hour, day, unit, is_answered AND wait_s <= on_time_s AS is_on_time
    FROM all_turns t JOIN profiles p ON p.profile = t.profile WHERE on_time_unit = 'turn' OR (on_time_unit = 'first_turn' AND is_first)
    UNION ALL
    SELECT t.profile, grain, shop, who, min(channel), min_by(hour, (day, hour)), min(day), CASE on_time_unit WHEN 'session' THEN conversation_id ELSE customer || ' ' || day END AS unit,
           bool_and(is_answered AND wait_s <= on_time_s)
    FROM all_turns t JOIN profiles p ON p.profile = t.profile
    WHERE on_time_unit = 'session' OR (on_time_unit = 'customer_day' AND customer IS NOT NULL) GROUP BY t.profile, grain, shop, who, 8
), negative AS (
    -- 消息数,不是命中数:一句话里两处只算一句;只提示、不扣分的规则不算
    SELECT f.conversation_id, f.agent, count(DISTINCT f.seq) AS n FROM findings f JOIN rules r USING (rule_id)
    WHERE r.category = 'negative_language' AND r.severity <> 'info' AND f.seq IS NOT NULL GROUP BY ALL
), blame AS (
    -- 推责、拖着不办、争吵,每处算一次
    SELECT f.conversation_id, f.agent, count(*) AS n FROM findings f JOIN rules r USING (rule_id)
    WHERE r.category IN ('blame_shifting', 'stalling', 'quarrel') AND r.severity <> 'info' GROUP BY ALL
), all_conversations AS NOT MATERIALIZED (
    SELECT grain, c.shop, CASE grain WHEN 'agent' THEN s.agent WHEN 'team' THEN a.team END AS who, c.channel, c.hour, c.day,
           c.conversation_id AS unit, avg(s.qa) AS qa, avg(s.final) AS final, c.mood_end, c.mood_shift, c.handling_s,
           c.is_recontacted, c.is_mature_recontact,
           coalesce(sum(n.n), 0) AS n_negative, coalesce(sum(b.n), 0) AS n_blame, c.phase
    FROM conversations c LEFT JOIN scores s USING (conversation_id) LEFT JOIN agents a ON a.shop = c.shop AND a.agent = s.agent
    LEFT JOIN negative n ON n.conversation_id = s.conversation_id AND n.agent IS NOT DISTINCT FROM s.agent
    LEFT JOIN blame b ON b.conversation_id = s.conversation_id AND b.agent IS NOT DISTINCT FROM s.agent, grains
    WHERE grain = 'shop' OR who IS NOT NULL GROUP BY ALL
), all_moments AS NOT MATERIALIZED (
    SELECT grain, c.shop, CASE grain WHEN 'agent' THEN m.agent WHEN 'team' THEN a.team END AS who, c.channel, c.hour, c.day,
           m.conversation_id || ':' || m.rule_id || '@' || coalesce(m.agent, '') AS unit, m.is_met
    FROM moments m JOIN rules r ON r.rule_id = m.rule_id AND r.severity <> 'info' AND r.category = 'politeness' JOIN conversations c USING (conversation_id)
    LEFT JOIN agents a ON a.shop = c.shop AND a.agent = m.agent, grains
    WHERE grain = 'shop' OR who IS NOT NULL
), all_stages AS NOT MATERIALIZED (
    -- 打招呼、询问、推荐、议价、道别:售前会话里适用的每一步一行,有一位做到就算做到
    SELECT grain, c.shop, CASE grain WHEN 'agent' THEN m.agent WHEN 'team' THEN a.team END AS who, c.channel, c.hour, c.day,
           m.conversation_id || ':' || m.rule_id AS unit, bool_or(m.is_met) AS is_met
    FROM moments m JOIN conversations c USING (conversation_id) LEFT JOIN agents a ON a.shop = c.shop AND a.agent = m.agent, grains
    WHERE m.rule_id IN ('NO_GREETING', 'NO_ASKING', 'NO_RECOMMENDATION', 'NO_BARGAIN_ANSWER', 'NO_FAREWELL') AND c.phase = 'pre'
      AND (grain = 'shop' OR who IS NOT NULL) GROUP BY ALL
), refused AS (
    -- 投诉之后第一次说不;在它之前(或同一句里先)致过歉没有,谁致的都算。算在说不的客服名下
    SELECT no.conversation_id, arg_min(no.agent, (no.seq, no."start", no.rule_id)) AS agent,
           coalesce(min((sorry.seq, sorry."start")) <= min((no.seq, no."start")), false) AS is_apology_first
    FROM (SELECT conversation_id, min(seq) AS seq FROM findings WHERE rule_id = 'CUSTOMER_COMPLAINS' GROUP BY ALL) complaint
    JOIN findings no ON no.conversation_id = complaint.conversation_id AND no.seq > complaint.seq
     AND no.rule_id IN ('GENTLE_REFUSAL', 'CANNOT', 'MAY_NOT', 'WILL_NOT', 'UNWILLING', 'NO_WAY', 'NOT_MY_JOB', 'HELPLESS', 'COLD_REFUSAL', 'UNFAIR_TERMS')
    LEFT JOIN findings sorry ON sorry.conversation_id = complaint.conversation_id AND sorry.seq > complaint.seq AND sorry.rule_id = 'APOLOGISES'
    GROUP BY no.conversation_id
), all_refused AS NOT MATERIALIZED (
    SELECT grain, c.shop, CASE grain WHEN 'agent' THEN r.agent WHEN 'team' THEN a.team END AS who, c.channel, c.hour, c.day,
           r.conversation_id AS unit, r.is_apology_first
    FROM refused r JOIN conversations c USING (conversation_id) LEFT JOIN agents a ON a.shop = c.shop AND a.agent = r.agent, grains
    WHERE grain = 'shop' OR who IS NOT NULL
), all_paces AS NOT MATERIALIZED (
    SELECT grain, t.shop, CASE grain WHEN 'agent' THEN t.responsible WHEN 'team' THEN a.team END AS who, t.channel, hour(t.asked_at) AS hour,
           t.day, t.conversation_id || '#' || t.asked_seq AS unit, t.is_stalled, t.n_open
    FROM turns t LEFT JOIN agents a ON a.shop = t.shop AND a.agent = t.responsible, grains
    WHERE t.is_counted AND (grain = 'shop' OR who IS NOT NULL)
), all_promises AS NOT MATERIALIZED (
    SELECT grain, p.shop, CASE grain WHEN 'agent' THEN p.agent WHEN 'team' THEN a.team END AS who, c.channel, hour(p.asked_at) AS hour,
           p.day, p.conversation_id || '#' || p.asked_seq AS unit, p.promise, p.status
    FROM promises p JOIN conversations c USING (conversation_id) LEFT JOIN agents a ON a.shop = p.shop AND a.agent = p.agent, grains
    WHERE p.status IN ('kept', 'broken') AND (grain = 'shop' OR who IS NOT NULL)
), all_exchanges AS NOT MATERIALIZED (
    -- 客户的话算在那一轮的负责客服名下,客服的话算在说的人名下
    SELECT grain, e.shop, CASE grain WHEN 'agent' THEN e.agent WHEN 'team' THEN a.team END AS who, e.channel, e.hour, e.day, e.conversation_id AS unit,
           sum(is_reply::INT) AS n_said, sum((NOT is_reply)::INT) AS n_heard,
           sum(CASE WHEN is_reply THEN n_chars ELSE 0 END) AS n_said_chars, sum(CASE WHEN is_reply THEN 0 ELSE n_chars END) AS n_heard_chars
    FROM (SELECT m.shop, c.channel, c.hour, c.day, m.conversation_id, m.sender_kind <> 'customer' AS is_reply,
                 CASE m.sender_kind WHEN 'customer' THEN t.responsible ELSE m.agent END AS agent,
                 CASE m.content_kind WHEN 'text' THEN length(m.text) ELSE 0 END AS n_chars
          FROM messages m JOIN conversations c USING (conversation_id)
          ASOF LEFT JOIN turns t ON t.conversation_id = m.conversation_id AND t.asked_seq <= m.seq
          WHERE (m.sender_kind = 'customer' AND m.content_kind IN ('text', 'image', 'card', 'voice'))
             OR (m.sender_kind IN ('agent', 'assist') AND m.content_kind NOT IN ('recall', 'empty'))) e
    LEFT JOIN agents a ON a.shop = e.shop AND a.agent = e.agent, grains WHERE grain = 'shop' OR who IS NOT NULL GROUP BY ALL
), all_receptions AS NOT MATERIALIZED (
    SELECT grain, r.shop, CASE grain WHEN 'agent' THEN r.agent WHEN 'team' THEN a.team END AS who, r.channel, hour(r.first_at) AS hour,
           r.day, r.customer || ' ' || r.agent AS unit
    FROM receptions r LEFT JOIN agents a USING (shop, agent), grains WHERE grain = 'shop' OR who IS NOT NULL
), all_ratings AS NOT MATERIALIZED (
    SELECT grain, r.shop, CASE grain WHEN 'agent' THEN r.agent WHEN 'team' THEN a.team END AS who, c.channel,
           hour(coalesce(r.rated_at, r.invited_at)) AS hour, r.day, r.conversation_id AS unit, r.invited_at, r.stars
    FROM ratings r LEFT JOIN agents a USING (shop, agent) LEFT JOIN conversations c ON c.conversation_id = r.conversation_id, grains
    WHERE grain = 'shop' OR who IS NOT NULL
), all_predicted AS NOT MATERIALIZED (
    SELECT grain, p.shop, CASE grain WHEN 'agent' THEN p.agent WHEN 'team' THEN a.team END AS who, c.channel, c.hour, p.day,
           p.conversation_id AS unit, p.p
    FROM predicted_csat p JOIN conversations c USING (conversation_id) LEFT JOIN agents a ON a.shop = p.shop AND a.agent = p.agent, grains
    WHERE NOT p.is_rated AND p.p IS NOT NULL AND (grain = 'shop' OR who IS NOT NULL)
), all_inquiries AS NOT MATERIALIZED (
    SELECT 'shop' AS grain, i.shop, NULL AS who, c.channel, hour(i.asked_at) AS hour, i.day, i.customer AS unit,
           i.is_paid_d1 AS is_hit_d1, i.is_paid_d3 AS is_hit_d3, i.is_mature_d1, i.is_mature_d3, i.is_ordered_d3, i.is_kept
    FROM inquiries i LEFT JOIN conversations c USING (conversation_id)
    UNION ALL
    SELECT grain, i.shop, CASE grain WHEN 'agent' THEN i.agent WHEN 'team' THEN a.team END AS who, c.channel, hour(q.asked_at), i.day,
           i.customer, bool_or(i.is_credited_d1), bool_or(i.is_credited_d3), i.is_mature_d1, i.is_mature_d3, i.is_ordered_d3, bool_or(i.is_kept)
    FROM inquiry_agents i JOIN inquiries q USING (shop, customer, day) LEFT JOIN conversations c ON c.conversation_id = q.conversation_id
    LEFT JOIN agents a ON a.shop = i.shop AND a.agent = i.agent, grains WHERE who IS NOT NULL GROUP BY ALL
), all_sold AS NOT MATERIALIZED (
    SELECT grain, s.shop, CASE grain WHEN 'agent' THEN s.agent WHEN 'team' THEN a.team END AS who, s.channel, hour(s.paid_at) AS hour,
           s.day, s.order_id AS unit, coalesce(s.customer, 'order ' || s.order_id) AS buyer, s.class, s.paid_fen, s.refunded_fen, s.items,
           s.identity_tier, s.refund_s
    FROM attributions s LEFT JOIN agents a USING (shop, agent), grains
    WHERE s.is_primary AND s.paid_fen > 0  -- a gift order of 0 yuan is in the ledger and makes nobody a buyer
      AND (grain = 'shop' OR who IS NOT NULL)
), matched_sold AS NOT MATERIALIZED (
    SELECT * FROM all_sold WHERE grain = 'shop' AND shop IN (
        SELECT shop FROM orders JOIN (SELECT DISTINCT shop FROM conversations) USING (shop) WHERE customer IS NOT NULL)
), all_reminders AS NOT MATERIALIZED (
    SELECT grain, r.shop, CASE grain WHEN 'agent' THEN r.agent WHEN 'team' THEN a.team END AS who, c.channel, hour(r.contacted_at) AS hour,
           r.day, r.order_id AS unit, r.is_paid_24h, r.expected, r.is_mature
    FROM reminders r LEFT JOIN agents a USING (shop, agent) LEFT JOIN conversations c USING (conversation_id), grains
    WHERE grain = 'shop' OR who IS NOT NULL
), by_profile AS NOT MATERIALIZED (
    SELECT 'first_response' AS metric, profile, grain, shop, who, channel, hour, day, unit, wait_s::DOUBLE AS num, 1::DOUBLE AS den
    FROM all_turns WHERE is_first AND is_answered
    UNION ALL SELECT 'first_response_30s', profile, grain, shop, who, channel, hour, day, unit, coalesce(wait_s <= 30, false)::INT, 1 FROM all_turns WHERE is_first
    UNION ALL SELECT 'average_response', t.profile, grain, shop, who, channel, hour, day, unit, least(coalesce(wait_s, unanswered_s), cap_s), 1
    FROM all_turns t JOIN profiles p ON p.profile = t.profile WHERE is_answered OR unanswered_s IS NOT NULL
    UNION ALL SELECT 'response', profile, grain, shop, who, channel, hour, day, unit, wait_s, 1 FROM all_turns WHERE is_answered
    UNION ALL SELECT 'response_3min', profile, grain, shop, who, channel, hour, day, unit, coalesce(wait_s <= 180, false)::INT, 1 FROM all_turns
    UNION ALL SELECT 'slow_response', profile, grain, shop, who, channel, hour, day, unit, coalesce(wait_s > 100, true)::INT, 1 FROM all_turns
    UNION ALL SELECT 'unanswered', profile, grain, shop, who, channel, hour, day, unit, (NOT is_answered)::INT, 1 FROM all_turns
    UNION ALL SELECT 'reply_rate', profile, grain, shop, who, channel, hour, day, unit, is_answered::INT, 1 FROM all_customer_days
    UNION ALL SELECT 'on_time', profile, grain, shop, who, channel, hour, day, unit, is_on_time::INT, 1 FROM all_judged
), the_same_for_all AS NOT MATERIALIZED (
    SELECT 'handling_time' AS metric, grain, shop, who, channel, hour, day, unit, handling_s::DOUBLE AS num, 1::DOUBLE AS den, true AS is_mature
    FROM all_conversations WHERE handling_s IS NOT NULL
    UNION ALL SELECT 'conversations', grain, shop, who, channel, hour, day, unit, 1, NULL, true FROM all_conversations
    UNION ALL SELECT 'receptions', grain, shop, who, channel, hour, day, unit, 1, NULL, true FROM all_receptions
    UNION ALL SELECT 'qa_score', grain, shop, who, channel, hour, day, unit, qa, 1, true FROM all_conversations WHERE qa IS NOT NULL
    UNION ALL SELECT 'final_score', grain, shop, who, channel, hour, day, unit, final, 1, true FROM all_conversations WHERE final IS NOT NULL
    UNION ALL SELECT 'negative_language', grain, shop, who, channel, hour, day, unit, n_negative, 1, true FROM all_conversations
    UNION ALL SELECT 'mood_end', grain, shop, who, channel, hour, day, unit, mood_end, 1, true FROM all_conversations WHERE mood_end IS NOT NULL
    UNION ALL SELECT 'mood_shift', grain, shop, who, channel, hour, day, unit, mood_shift, 1, true FROM all_conversations WHERE mood_shift IS NOT NULL
    UNION ALL SELECT 'recontact_72h', grain, shop, who, channel, hour, day, unit, is_recontacted::INT, 1, is_mature_recontact
    FROM all_conversations WHERE is_recontacted IS NOT NULL
    UNION ALL SELECT 'politeness', grain, shop, who, channel, hour, day, unit, is_met::INT, 1, true FROM all_moments
    UNION ALL SELECT 'flow', grain, shop, who, channel, hour, day, unit, is_met::INT, 1, true FROM all_stages
    UNION ALL SELECT 'apology_first', grain, shop, who, channel, hour, day, unit, is_apology_first::INT, 1, true FROM all_refused
    UNION ALL SELECT 'blame_shifting', grain, shop, who, channel, hour, day, unit, n_blame, 1, true FROM all_conversations WHERE phase = 'after'
    UNION ALL SELECT 'csat', grain, shop, who, channel, hour, day, unit, (stars >= 4)::INT, 1, true FROM all_ratings WHERE stars IS NOT NULL
    UNION ALL SELECT 'predicted_csat', grain, shop, who, channel, hour, day, unit, p::DOUBLE, 1, true FROM all_predicted
    UNION ALL SELECT 'dsat', grain, shop, who, channel, hour, day, unit, (stars <= 2)::INT, 1, true FROM all_ratings WHERE stars IS NOT NULL
    UNION ALL SELECT 'rated_rate', grain, shop, who, channel, hour, day, unit, (stars IS NOT NULL)::INT, 1, true FROM all_ratings WHERE invited_at IS NOT NULL
    UNION ALL SELECT 'invited_rate', c.grain, c.shop, c.who, c.channel, c.hour, c.day, c.unit, (r.unit IS NOT NULL)::INT, 1, true
    FROM all_conversations c LEFT JOIN (SELECT DISTINCT grain, who, unit FROM all_ratings WHERE invited_at IS NOT NULL) r
      ON r.unit = c.unit AND r.grain = c.grain AND r.who IS NOT DISTINCT FROM c.who
    WHERE c.shop IN (SELECT shop FROM ratings WHERE invited_at IS NOT NULL)
    UNION ALL SELECT 'inquiries', grain, shop, who, channel, hour, day, unit, 1, NULL, true FROM all_inquiries
    UNION ALL SELECT 'conversion_d1', grain, shop, who, channel, hour, day, unit, is_hit_d1::INT, 1, is_mature_d1 FROM all_inquiries
    UNION ALL SELECT 'conversion_d3', grain, shop, who, channel, hour, day, unit, is_hit_d3::INT, 1, is_mature_d3 FROM all_inquiries
    UNION ALL SELECT 'ordering_rate', grain, shop, who, channel, hour, day, unit, is_ordered_d3::INT, 1, is_mature_d3 FROM all_inquiries
    UNION ALL SELECT 'payment_rate', grain, shop, who, channel, hour, day, unit, is_hit_d3::INT, 1, is_mature_d3 FROM all_inquiries WHERE is_ordered_d3
    UNION ALL SELECT 'kept_rate', grain, shop, who, channel, hour, day, unit, is_kept::INT, 1, is_mature_d3 FROM all_inquiries WHERE is_hit_d3
    UNION ALL SELECT 'consultations', 'shop', shop, NULL, channel, hour(asked_at), day, customer, 1, NULL, true FROM consultations
    UNION ALL SELECT 'received_rate', 'shop', shop, NULL, channel, hour(asked_at), day, customer, is_received::INT, 1, true FROM consultations
    UNION ALL SELECT 'sales', grain, shop, who, channel, hour, day, unit, paid_fen, NULL, true FROM all_sold
    UNION ALL SELECT 'sales_net', grain, shop, who, channel, hour, day, unit, paid_fen - refunded_fen, NULL, true FROM all_sold
    UNION ALL SELECT 'sales_net_per_buyer', grain, shop, who, channel, hour, day, buyer, paid_fen - refunded_fen, 1, true FROM all_sold
    UNION ALL SELECT 'paid_order_rate', 'shop', shop, NULL, channel, hour(created_at), created_at::DATE, order_id, bool_or(paid_at IS NOT NULL)::INT, 1, true
    FROM (SELECT shop, coalesce(parent_order_id, order_id) AS order_id, min(channel) OVER o AS channel, min(created_at) OVER o AS created_at, paid_at
          FROM orders WHERE paid_at IS NULL OR paid_fen > 0 WINDOW o AS (PARTITION BY shop, coalesce(parent_order_id, order_id))) GROUP BY ALL
    UNION ALL SELECT 'paid_orders', grain, shop, who, channel, hour, day, unit, 1, NULL, true FROM all_sold
    UNION ALL SELECT 'sales_per_buyer', grain, shop, who, channel, hour, day, buyer, paid_fen, 1, true FROM all_sold
    UNION ALL SELECT 'sales_per_order', grain, shop, who, channel, hour, day, unit, paid_fen, 1, true FROM all_sold
    UNION ALL SELECT 'items_per_buyer', grain, shop, who, channel, hour, day, buyer, items, 1, true FROM all_sold WHERE items IS NOT NULL
    UNION ALL SELECT 'refund_rate', grain, shop, who, channel, hour, day, unit, refunded_fen, paid_fen, true FROM all_sold
    UNION ALL SELECT 'refunded_orders', grain, shop, who, channel, hour, day, unit, (refunded_fen > 0)::INT, 1, true FROM all_sold
    UNION ALL SELECT 'silent_share', grain, shop, who, channel, hour, day, unit, (class = 'silent')::INT, 1, true FROM matched_sold
    UNION ALL SELECT 'reminded_share', grain, shop, who, channel, hour, day, unit, (class = 'reminded')::INT, 1, true FROM matched_sold
    UNION ALL SELECT 'match_rate', grain, shop, who, channel, hour, day, unit, (identity_tier IS NOT NULL)::INT, 1, true FROM matched_sold
    UNION ALL SELECT 'match_rate_quoted', grain, shop, who, channel, hour, day, unit, coalesce(identity_tier = 'order_number', false)::INT, 1, true FROM matched_sold
    UNION ALL SELECT 'sales_per_buyer_consulted', grain, shop, who, channel, hour, day, buyer, paid_fen, 1, true FROM all_sold WHERE class = 'consulted'
    UNION ALL SELECT 'sales_per_buyer_silent', grain, shop, who, channel, hour, day, buyer, paid_fen, 1, true FROM matched_sold WHERE class = 'silent'
    UNION ALL SELECT 'refund_time', grain, shop, who, channel, hour, day, unit, refund_s, 1, true FROM all_sold WHERE refund_s IS NOT NULL
    UNION ALL SELECT 'repeat_90d', 'shop', shop, NULL, channel, hour(first_paid_at), first_day, customer, is_repeat_90d::INT, 1, is_mature_90d FROM buyers
    UNION ALL SELECT 'reminder_success', grain, shop, who, channel, hour, day, unit, is_paid_24h::INT, 1, is_mature FROM all_reminders
    UNION ALL SELECT 'reminder_expected', grain, shop, who, channel, hour, day, unit, expected, 1, is_mature FROM all_reminders WHERE expected IS NOT NULL
    UNION ALL SELECT CASE promise WHEN 'preliminary' THEN 'preliminary_5min' ELSE 'solution_24h' END, grain, shop, who, channel, hour, day, unit,
           (status = 'kept')::INT, 1, true FROM all_promises WHERE promise IN ('preliminary', 'solution')
    UNION ALL SELECT 'stalling', grain, shop, who, channel, hour, day, unit, is_stalled::INT, 1, true FROM all_paces WHERE is_stalled IS NOT NULL
    UNION ALL SELECT 'concurrency', grain, shop, who, channel, hour, day, unit, n_open, 1, true FROM all_paces WHERE n_open IS NOT NULL
    UNION ALL SELECT 'reply_ratio', grain, shop, who, channel, hour, day, unit, n_said, n_heard, true FROM all_exchanges
    UNION ALL SELECT 'reply_ratio_chars', grain, shop, who, channel, hour, day, unit, n_said_chars, n_heard_chars, true FROM all_exchanges
)
SELECT metric, profile, grain, shop, CASE grain WHEN 'agent' THEN who END AS agent, CASE grain WHEN 'team' THEN who END AS team, channel, hour,
       day, unit, num, den, is_mature
FROM (SELECT *, true AS is_mature FROM by_profile
      UNION ALL BY NAME SELECT *, (SELECT profile FROM profiles WHERE is_own) AS profile FROM the_same_for_all)
