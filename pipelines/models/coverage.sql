-- 排班:每个店铺、星期、钟点一行,来了多少客户、多少人在答、多少没人回、多少轮是人手不够(多一个人就有人接)
WITH hours AS (
    SELECT shop, day, hour(asked_at) AS hour, count(DISTINCT customer) AS n_customers, count(*) AS n_turns,
           count(*) FILTER (WHERE NOT is_answered) AS n_unanswered, count(*) FILTER (WHERE coalesce(wait_s > 100, true)) AS n_late
    FROM mart.turns WHERE is_counted GROUP BY ALL
), answering AS (
    SELECT shop, sent_at::DATE AS day, hour(sent_at) AS hour, count(DISTINCT agent) AS n_agents
    FROM mart.messages
    WHERE sender_kind IN ('agent', 'assist') AND content_kind NOT IN ('recall', 'empty') AND agent IS NOT NULL AND sent_at IS NOT NULL
    GROUP BY ALL
), short AS (
    -- 等过 100 秒或没人回,而且开口时全店等着的轮次(含本轮)多于这一小时在答话的人
    SELECT t.shop, t.day, hour(t.asked_at) AS hour, count(*) AS n_short
    FROM mart.turns t LEFT JOIN answering a ON a.shop = t.shop AND a.day = t.day AND a.hour = hour(t.asked_at)
    WHERE t.is_counted AND coalesce(t.wait_s > 100, true) AND t.n_open_shop > coalesce(a.n_agents, 0) GROUP BY ALL
), span AS (
    SELECT shop, min(day) AS first_day, max(day) AS last_day FROM mart.turns WHERE day IS NOT NULL GROUP BY shop
), cells AS (
    SELECT shop, d::DATE AS day, h::INT AS hour
    FROM (SELECT shop, unnest(generate_series(first_day, last_day, INTERVAL 1 DAY)) AS d FROM span), range(24) r(h)
)
SELECT c.shop, isodow(c.day)::INT AS weekday, c.hour, count(*) AS n_days, coalesce(sum(n_customers), 0)::BIGINT AS n_customers,
       coalesce(sum(n_agents), 0)::BIGINT AS n_agent_hours, coalesce(sum(n_turns), 0)::BIGINT AS n_turns,
       coalesce(sum(n_unanswered), 0)::BIGINT AS n_unanswered, coalesce(sum(n_late), 0)::BIGINT AS n_late,
       coalesce(sum(n_short), 0)::BIGINT AS n_short, count(n_short) AS n_short_days
FROM cells c LEFT JOIN hours h ON h.shop = c.shop AND h.day = c.day AND h.hour = c.hour
LEFT JOIN answering a ON a.shop = c.shop AND a.day = c.day AND a.hour = c.hour
LEFT JOIN short s ON s.shop = c.shop AND s.day = c.day AND s.hour = c.hour
GROUP BY ALL ORDER BY c.shop, weekday, c.hour
