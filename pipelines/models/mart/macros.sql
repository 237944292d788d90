-- 宏:wilson_low / wilson_high(命中, 总数) 是比率的 Wilson 95% 区间;metric、metric_of、metric_by 见下
CREATE OR REPLACE MACRO wilson_low(k, n) AS
    greatest(0, (k / n + 1.9207294103470888 / n - 1.959963984540054 * sqrt((k / n * (1 - k / n) + 0.9603647051735444 / n) / n))
                / (1 + 3.8414588206941776 / n));
CREATE OR REPLACE MACRO wilson_high(k, n) AS
    least(1, (k / n + 1.9207294103470888 / n + 1.959963984540054 * sqrt((k / n * (1 - k / n) + 0.9603647051735444 / n) / n))
             / (1 + 3.8414588206941776 / n));
-- 由内向外读(旧版 DuckDB 不认存下来的 WITH):一单位一行 → 一位客服(小组、渠道、钟点)一行 → 区间。
-- 任一指标在任一时段(日期可为 NULL:不限,含没有日期的)的值、95% 区间、单位数;未成熟的日子不计。
-- seen_by:'agent' 每位客服和全店、'shop' 只要全店、'team'、'channel'、'hour'(part 是哪一个);wanted:哪些口径(列表),NULL 即本次运行的。
-- 编号去掉 _p50、_p90 就是原料的编号:写成常数,只算用得上的那一种原料。
CREATE OR REPLACE MACRO figures(seen_by, wanted, id, from_day, to_day) AS TABLE
SELECT profile, shop, agent, part,
       scale * CASE kind WHEN 'total' THEN num WHEN 'mean' THEN mean WHEN 'rate' THEN num / den WHEN 'ratio' THEN num / nullif(den, 0)
                    WHEN 'p50' THEN list_aggregate(ordered, 'quantile_cont', 0.5)
                    ELSE list_aggregate(ordered, 'quantile_cont', 0.9) END AS value,
       scale * CASE kind WHEN 'rate' THEN wilson_low(num, n) WHEN 'mean' THEN CASE WHEN reach IS NOT NULL THEN greatest(lowest, mean - reach) END
                    WHEN 'p50' THEN ordered[greatest(1, floor(n * q - reach)::BIGINT)]
                    WHEN 'p90' THEN ordered[greatest(1, floor(n * q - reach)::BIGINT)] END AS low,
       scale * CASE kind WHEN 'rate' THEN wilson_high(num, n) WHEN 'mean' THEN CASE WHEN reach IS NOT NULL THEN least(highest, mean + reach) END
                    WHEN 'p50' THEN ordered[least(n, ceil(n * q + reach)::BIGINT + 1)]
                    WHEN 'p90' THEN ordered[least(n, ceil(n * q + reach)::BIGINT + 1)] END AS high,
       n
FROM (SELECT *, 1.959963984540054 * CASE WHEN q IS NULL THEN sd / sqrt(n) ELSE sqrt(n * q * (1 - q)) END AS reach
      FROM (SELECT kind, scale, lowest, highest, profile, shop, agent, part, sum(num) AS num, sum(den) AS den,
                   CASE WHEN kind = 'rate' THEN sum(den) WHEN kind IN ('total', 'ratio') THEN sum(n_rows) ELSE count(*) END::BIGINT AS n,
                   avg(num) AS mean, stddev_samp(num) AS sd, CASE kind WHEN 'p50' THEN 0.5 WHEN 'p90' THEN 0.9 END AS q,
                   CASE WHEN kind IN ('p50', 'p90') THEN list_sort(list(num)) END AS ordered
            FROM (SELECT k.kind, k.scale, k.lowest, k.highest, o.profile, o.grain, o.shop, o.agent,
                         CASE seen_by WHEN 'team' THEN o.team WHEN 'channel' THEN o.channel WHEN 'hour' THEN printf('%02d', o.hour) END AS part,
                         o.unit, sum(o.num) AS num, sum(o.den) AS den, count(*) AS n_rows
                  FROM observations o JOIN kpis k ON k.observed = o.metric JOIN profiles p ON p.profile = o.profile
                  WHERE k.metric = id AND o.metric = regexp_replace(id, '_p(50|90)$', '') AND o.is_mature
                    AND CASE seen_by WHEN 'agent' THEN o.grain IN ('agent', 'shop') WHEN 'team' THEN o.grain = 'team' ELSE o.grain = 'shop' END
                    AND CASE WHEN k.is_by_profile AND wanted IS NOT NULL THEN list_contains(wanted, p.profile) ELSE p.is_own END
                    AND (from_day IS NULL OR o.day >= from_day::DATE) AND (to_day IS NULL OR o.day <= to_day::DATE)
                  GROUP BY ALL)
            WHERE seen_by IN ('agent', 'shop') OR part IS NOT NULL
            GROUP BY kind, scale, lowest, highest, profile, grain, shop, agent, part));
-- 本次运行的口径:每位客服一行,全店一行(agent 为空)
CREATE OR REPLACE MACRO metric(id, from_day, to_day) AS TABLE
SELECT shop, agent, value, low, high, n FROM figures('agent', NULL, id, from_day, to_day) ORDER BY shop, agent NULLS FIRST;
-- 另一个口径的同一指标,如 metric_of('jd', 'first_response_30s', NULL, NULL);与口径无关的指标各口径相同
CREATE OR REPLACE MACRO metric_of(profile_id, id, from_day, to_day) AS TABLE
SELECT shop, agent, value, low, high, n FROM figures('agent', [profile_id], id, from_day, to_day) ORDER BY shop, agent NULLS FIRST;
-- 按小组、渠道或钟点看,如 metric_by('hour', 'first_response', NULL, NULL)
CREATE OR REPLACE MACRO metric_by(seen_by, id, from_day, to_day) AS TABLE
SELECT shop, part, value, low, high, n FROM figures(seen_by, NULL, id, from_day, to_day) ORDER BY shop, part;
