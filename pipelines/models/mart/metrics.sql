-- 可加的指标:每个指标、口径、粒度(agent team shop channel hour)、店铺、客服、日一行,分子、分母、单位数;任何时段的比率都是 Σ分子 ÷ Σ分母
-- Added up once per cell, then once more per grain; as decimals, so that no sum depends on the order of rows.
WITH cells AS (
    SELECT metric, profile, grain, shop, agent, team, channel, hour, day, sum(num::DECIMAL(30, 8)) AS num, sum(den::DECIMAL(30, 8)) AS den,
           count(*) AS n, bool_and(is_mature) AS is_mature
    FROM observations GROUP BY ALL
), seen AS (
    SELECT unnest(['agent', 'team', 'shop', 'shop', 'shop']) AS grain, unnest(['agent', 'team', 'shop', 'channel', 'hour']) AS of
)
SELECT metric, profile, of AS grain, shop, agent,
       CASE of WHEN 'team' THEN team WHEN 'channel' THEN channel WHEN 'hour' THEN printf('%02d', hour) END AS part, day,
       sum(num)::DOUBLE AS num, sum(den)::DOUBLE AS den, sum(n)::BIGINT AS n, bool_and(is_mature) AS is_mature
FROM cells JOIN seen USING (grain) WHERE of IN ('agent', 'shop') OR part IS NOT NULL
GROUP BY ALL ORDER BY metric, profile, grain, shop, agent, part, day
