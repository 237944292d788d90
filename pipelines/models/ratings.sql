-- 每次邀评或评价一行;评价归它点名的客服,没有点名的归评价前最后回复的人工客服
WITH said AS (
    SELECT m.conversation_id, m.shop, m.customer, m.agent, m.sent_at, m.seq FROM mart.messages m
    WHERE m.sender_kind IN ('agent', 'assist') AND m.content_kind NOT IN ('recall', 'empty') AND m.agent IS NOT NULL
), numbered AS (
    SELECT *, row_number() OVER (ORDER BY shop, conversation_id, customer, agent, invited_at, rated_at, source_id, source_row) AS k,
           coalesce(rated_at, invited_at) AS at FROM ratings_
), candidates AS (
    SELECT r.k, s.agent, s.conversation_id, s.sent_at, s.seq FROM numbered r JOIN said s
      ON s.conversation_id = r.conversation_id AND s.shop = r.shop AND (r.at IS NULL OR s.sent_at IS NULL OR s.sent_at <= r.at)
    UNION ALL
    SELECT r.k, s.agent, s.conversation_id, s.sent_at, s.seq FROM numbered r JOIN said s
      ON r.conversation_id IS NULL AND s.customer = r.customer AND s.shop = r.shop
     AND s.sent_at <= r.at AND s.sent_at >= r.at - INTERVAL 72 HOUR AND (r.agent IS NULL OR s.agent = r.agent)
), last_reply AS (
    SELECT k, arg_max(agent, (coalesce(sent_at, TIMESTAMP '1990-01-01'), seq)) AS agent,
           arg_max(conversation_id, (coalesce(sent_at, TIMESTAMP '1990-01-01'), seq)) AS conversation_id
    FROM candidates GROUP BY k
)
SELECT r.shop, coalesce(r.conversation_id, l.conversation_id) AS conversation_id, r.customer,
       coalesce(r.agent, l.agent) AS agent, r.invited_at, r.rated_at, coalesce(r.rated_at, r.invited_at)::DATE AS day, r.stars, r.order_id,
       CASE WHEN r.agent IS NOT NULL THEN 'named' WHEN l.agent IS NOT NULL THEN 'last_reply' ELSE 'unknown' END AS owner_by,
       r.source_id, r.source_row
FROM numbered r LEFT JOIN last_reply l USING (k)
ORDER BY r.k
