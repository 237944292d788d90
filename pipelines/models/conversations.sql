-- 每个会话一行:何时、谁和谁、多少条、售前售中售后、什么话题、哪一类客户、客户情绪从哪到哪
WITH spoken AS (
    SELECT conversation_id, mood, seq,
           row_number() OVER (PARTITION BY conversation_id ORDER BY seq) AS i,
           count(*) OVER (PARTITION BY conversation_id) AS n
    FROM mart.messages WHERE mood IS NOT NULL
), moods AS (
    SELECT conversation_id,
           avg(mood) FILTER (WHERE i <= greatest(1, n // 3)) AS mood_first,
           avg(mood) FILTER (WHERE i > greatest(1, n // 3) AND i <= n - greatest(1, n // 3)) AS mood_middle,
           avg(mood) FILTER (WHERE i > n - greatest(1, n // 3)) AS mood_end,
           min(mood) AS mood_low, arg_min(seq, (mood, seq)) AS low_seq
    FROM spoken WHERE n >= 3 GROUP BY conversation_id, n
), before_low AS (
    SELECT l.conversation_id, max(m.seq) AS seq FROM moods l JOIN mart.messages m ON m.conversation_id = l.conversation_id AND m.seq < l.low_seq
    WHERE m.sender_kind IN ('agent', 'assist') AND m.content_kind = 'text' GROUP BY l.conversation_id
), counted AS (
    SELECT conversation_id, any_value(shop) AS shop, any_value(channel) AS channel, any_value(customer) AS customer,
           min(sent_at) AS started_at, max(sent_at) AS ended_at, count(*) AS n_messages,
           count(*) FILTER (WHERE sender_kind = 'customer') AS n_customer,
           count(*) FILTER (WHERE is_effective) AS n_effective,
           min(sent_at) FILTER (WHERE sender_kind = 'customer') AS first_customer_at,
           max(sent_at) FILTER (WHERE is_effective) AS last_effective_at
    FROM (SELECT *, sender_kind IN ('agent', 'assist') AND content_kind NOT IN ('recall', 'empty') AS is_effective
          FROM mart.messages)
    GROUP BY conversation_id
), again AS (
    -- 其他是「哪类都不像」,两个其他不算同一话题
    SELECT c.conversation_id, coalesce(lead(c.started_at) OVER same <= c.ended_at + INTERVAL 72 HOUR, false) AS is_recontacted,
           c.ended_at + INTERVAL 72 HOUR <= as_of_.as_of AS is_mature_recontact
    FROM counted c JOIN cases_ k USING (conversation_id) CROSS JOIN as_of_
    WHERE k.topic <> '其他' AND c.customer IS NOT NULL AND c.started_at IS NOT NULL
    WINDOW same AS (PARTITION BY c.shop, c.channel, c.customer, k.topic ORDER BY c.started_at, c.conversation_id)
)
SELECT c.conversation_id, c.shop, c.channel, c.customer, c.started_at, c.ended_at,
       coalesce(c.first_customer_at, c.started_at)::DATE AS day, hour(coalesce(c.first_customer_at, c.started_at)) AS hour,
       c.n_messages, c.n_customer, c.n_effective,
       CASE WHEN c.last_effective_at >= c.first_customer_at
            THEN epoch(c.last_effective_at - c.first_customer_at) END AS handling_s,
       k.phase, k.topic, k.customer_type, k.case_reason, a.is_recontacted, a.is_mature_recontact,
       m.mood_first, m.mood_middle, m.mood_end, m.mood_end - m.mood_first AS mood_shift,
       m.mood_low, m.low_seq, b.seq AS before_low_seq, s.agent AS before_low_agent,
       CASE WHEN c.started_at IS NULL THEN 'no_times' END AS reason
FROM counted c LEFT JOIN moods m USING (conversation_id) LEFT JOIN before_low b USING (conversation_id)
LEFT JOIN mart.messages s ON s.conversation_id = b.conversation_id AND s.seq = b.seq
LEFT JOIN cases_ k USING (conversation_id) LEFT JOIN again a USING (conversation_id)
ORDER BY conversation_id
