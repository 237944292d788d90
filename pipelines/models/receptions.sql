-- 接待:店铺 × 客户 × 客服 × 服务日,每组一行
SELECT shop, arg_min(channel, (sent_at, channel)) AS channel, customer, agent, sent_at::DATE AS day, count(*) AS n_effective, min(sent_at) AS first_at, max(sent_at) AS last_at
FROM mart.messages
WHERE sender_kind IN ('agent', 'assist') AND content_kind NOT IN ('recall', 'empty')
  AND agent IS NOT NULL AND sent_at IS NOT NULL AND customer IS NOT NULL
GROUP BY ALL ORDER BY shop, day, agent, customer
