-- 客服花名册:名单里的,加上会话里出现而名单没有的(is_listed 为假)
WITH listed AS (
    SELECT shop, agent, arg_max(name, coalesce("from", DATE '1990-01-01')) AS name,
           arg_max(team, coalesce("from", DATE '1990-01-01')) AS team, true AS is_listed
    FROM roster_ GROUP BY shop, agent
), seen AS (
    SELECT DISTINCT shop, agent FROM mart.messages WHERE agent IS NOT NULL AND sender_kind IN ('agent', 'assist')
)
SELECT coalesce(l.shop, s.shop) AS shop, coalesce(l.agent, s.agent) AS agent, coalesce(l.name, l.agent, s.agent) AS name,
       l.team, coalesce(l.is_listed, false) AS is_listed
FROM listed l FULL JOIN seen s ON l.shop = s.shop AND l.agent = s.agent
ORDER BY shop, agent
