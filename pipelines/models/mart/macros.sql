-- 宏:wilson_low / wilson_high(命中, 总数) 是比率的 Wilson 95% 区间;mean_low / mean_high 是平均值的;metric、metric_of、metric_by 见下
CREATE OR REPLACE MACRO wilson_low(k, n) AS
    greatest(0, (k / n + 1.9207294103470888 / n - 1.959963984540054 * sqrt((k / n * (1 - k / n) + 0.9603647051735444 / n) / n))
                / (1 + 3.8414588206941776 / n));
CREATE OR REPLACE MACRO wilson_high(k, n) AS
    least(1, (k / n + 1.9207294103470888 / n + 1.959963984540054 * sqrt((k / n * (1 - k / n) + 0.9603647051735444 / n) / n))
             / (1 + 3.8414588206941776 / n));
-- 分位数的 95% 区间(次序统计量,二项分布的正态近似):ordered 是排好的值;值太少、两头够不着的时候为空,如中位数不到 8 个、P90 不到 50 来个
CREATE OR REPLACE MACRO quantile_reach(n, q) AS 1.959963984540054 * sqrt(n * q * (1 - q));
CREATE OR REPLACE MACRO quantile_is_held(n, q) AS n * q - quantile_reach(n, q) >= 1 AND n * q + quantile_reach(n, q) + 1 <= n;
CREATE OR REPLACE MACRO quantile_low(ordered, n, q) AS
    CASE WHEN quantile_is_held(n, q) THEN ordered[floor(n * q - quantile_reach(n, q))::BIGINT] END;
CREATE OR REPLACE MACRO quantile_high(ordered, n, q) AS
    CASE WHEN quantile_is_held(n, q) THEN ordered[ceil(n * q + quantile_reach(n, q))::BIGINT + 1] END;
-- t95(n):n-1 个自由度的 Student t 的 97.5% 分位,在正态分位上展开(Abramowitz & Stegun 26.7.5);n ≥ 4 时误差不到 1%
CREATE OR REPLACE MACRO t95(n) AS 1.959963984540054 + 2.372271230298562 / (n - 1) + 2.8224986157396112 / (n - 1) ** 2 + 2.555849679507722 / (n - 1) ** 3;
-- 平均值的 95% 区间按偏度改正:金额右偏,正态区间多半整个偏低。Hall 1992(Annals of Statistics 20:1)的三次变换,取 t 分位:
-- reach 是 ±t/√n,偏度为 0 或算不出时就是 t 区间;样本偏度至多 √n。只用可加的 n、Σx、Σx²、Σx³。比较过的几种见 DECISIONS.md「区间」
CREATE OR REPLACE MACRO unskewed(reach, skew, n) AS
    CASE WHEN abs(skew) > 1e-6 THEN 3 / skew * (cbrt(1 + skew * (reach - skew / (6 * n))) - 1) ELSE reach END;
CREATE OR REPLACE MACRO mean_low(mean, sd, skew, n) AS mean - sd * unskewed(t95(n) / sqrt(n), greatest(-sqrt(n), least(sqrt(n), coalesce(skew, 0))), n);
CREATE OR REPLACE MACRO mean_high(mean, sd, skew, n) AS mean - sd * unskewed(-t95(n) / sqrt(n), greatest(-sqrt(n), least(sqrt(n), coalesce(skew, 0))), n);
-- 由内向外读(旧版 DuckDB 不认存下来的 WITH):一单位一行 → 一位客服(小组、渠道、钟点)一行 → 区间。
-- 任一指标在任一时段(日期可为 NULL:不限,含没有日期的)的值、95% 区间、单位数;未成熟的日子不计。
-- seen_by:'agent' 每位客服和全店、'shop' 只要全店、'team'、'channel'、'hour'(part 是哪一个);wanted:哪些口径(列表),NULL 即本次运行的。
-- 编号去掉 _p50、_p90 就是原料的编号:写成常数,只算用得上的那一种原料。
CREATE OR REPLACE MACRO figures(seen_by, wanted, id, from_day, to_day) AS TABLE
SELECT profile, shop, agent, part,
       scale * CASE kind WHEN 'total' THEN num WHEN 'mean' THEN mean WHEN 'rate' THEN num / den WHEN 'ratio' THEN num / nullif(den, 0)
                    WHEN 'p50' THEN list_aggregate(ordered, 'quantile_cont', 0.5)
                    ELSE list_aggregate(ordered, 'quantile_cont', 0.9) END AS value,
       scale * CASE kind WHEN 'rate' THEN wilson_low(num, n) WHEN 'mean' THEN CASE WHEN sd > 0 THEN greatest(lowest, mean_low(mean, sd, skew, n)) END
                    ELSE quantile_low(ordered, n, q) END AS low,
       scale * CASE kind WHEN 'rate' THEN wilson_high(num, n) WHEN 'mean' THEN CASE WHEN sd > 0 THEN least(highest, mean_high(mean, sd, skew, n)) END
                    ELSE quantile_high(ordered, n, q) END AS high,
       n
FROM (SELECT kind, scale, lowest, highest, profile, shop, agent, part, sum(num) AS num, sum(den) AS den,
             CASE WHEN kind = 'rate' THEN sum(den) WHEN kind IN ('total', 'ratio') THEN sum(n_rows) ELSE count(*) END::BIGINT AS n,
             avg(num) AS mean, stddev_samp(num) AS sd, skewness(num) AS skew, CASE kind WHEN 'p50' THEN 0.5 WHEN 'p90' THEN 0.9 END AS q,
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
      GROUP BY kind, scale, lowest, highest, profile, grain, shop, agent, part);
-- 本次运行的口径:每位客服一行,全店一行(agent 为空)
CREATE OR REPLACE MACRO metric(id, from_day, to_day) AS TABLE
SELECT shop, agent, value, low, high, n FROM figures('agent', NULL, id, from_day, to_day) ORDER BY shop, agent NULLS FIRST;
-- 另一个口径的同一指标,如 metric_of('jd', 'first_response_30s', NULL, NULL);与口径无关的指标各口径相同
CREATE OR REPLACE MACRO metric_of(profile_id, id, from_day, to_day) AS TABLE
SELECT shop, agent, value, low, high, n FROM figures('agent', [profile_id], id, from_day, to_day) ORDER BY shop, agent NULLS FIRST;
-- 按小组、渠道或钟点看,如 metric_by('hour', 'first_response', NULL, NULL)
CREATE OR REPLACE MACRO metric_by(seen_by, id, from_day, to_day) AS TABLE
SELECT shop, part, value, low, high, n FROM figures(seen_by, NULL, id, from_day, to_day) ORDER BY shop, part;
-- 咨询/静默客单价比:两类买家各自的客单价、人数、比值和 95% 区间(对数正态近似)。谁来咨询不是随机的:比值是关联,不是客服的功劳
CREATE OR REPLACE MACRO consulted_lift(from_day, to_day) AS TABLE
SELECT shop, consulted, silent, consulted / nullif(silent, 0) AS lift,
       consulted / nullif(silent, 0) * exp(-1.959963984540054 * spread) AS low,
       consulted / nullif(silent, 0) * exp(1.959963984540054 * spread) AS high, n_consulted, n_silent
FROM (SELECT *, sqrt((consulted_sd / consulted) ** 2 / n_consulted + (silent_sd / silent) ** 2 / n_silent) AS spread
      FROM (SELECT shop, avg(fen) FILTER (WHERE class = 'consulted') AS consulted, avg(fen) FILTER (WHERE class = 'silent') AS silent,
                   stddev_samp(fen) FILTER (WHERE class = 'consulted') AS consulted_sd, stddev_samp(fen) FILTER (WHERE class = 'silent') AS silent_sd,
                   count(*) FILTER (WHERE class = 'consulted') AS n_consulted, count(*) FILTER (WHERE class = 'silent') AS n_silent
            FROM (SELECT shop, class, customer, sum(paid_fen) AS fen FROM attributions
                  WHERE is_primary AND paid_fen > 0 AND customer IS NOT NULL AND class IN ('consulted', 'silent')
                    AND (from_day IS NULL OR day >= from_day::DATE) AND (to_day IS NULL OR day <= to_day::DATE)
                  GROUP BY shop, class, customer)
            GROUP BY shop))
ORDER BY shop;
-- 催付效果:催付成功率减去没人联系时的对照,和 95% 区间;每位客服一行,全店一行(agent 为空)。两个 Wilson 区间合成差的区间(Newcombe 1998,方法 10);
-- 对照只有 n_comparable(平均)个没人联系的订单可比:只看成功率自己的区间会把差说得太准
CREATE OR REPLACE MACRO reminder_effect(from_day, to_day) AS TABLE
SELECT shop, agent, n, n_paid, success, success_low, success_high, n_comparable, expected, expected_low, expected_high, success - expected AS effect,
       success - expected - sqrt((success - success_low) ** 2 + (expected_high - expected) ** 2) AS low,
       success - expected + sqrt((success_high - success) ** 2 + (expected - expected_low) ** 2) AS high
FROM (SELECT *, wilson_low(n_paid, n) AS success_low, wilson_high(n_paid, n) AS success_high,
             wilson_low(expected * n_comparable, n_comparable) AS expected_low, wilson_high(expected * n_comparable, n_comparable) AS expected_high
      FROM (SELECT shop, agent, count(*) AS n, count(*) FILTER (WHERE is_paid_24h) AS n_paid, count(*) FILTER (WHERE is_paid_24h) / count(*) AS success,
                   sum(n_comparable) / count(*) AS n_comparable,
                   CASE WHEN count(expected) = count(*) THEN (sum(expected::DECIMAL(30, 8)) / count(*))::DOUBLE END AS expected
            FROM reminders WHERE is_mature AND (from_day IS NULL OR day >= from_day::DATE) AND (to_day IS NULL OR day <= to_day::DATE)
            GROUP BY GROUPING SETS ((shop, agent), (shop))))
ORDER BY shop, agent NULLS FIRST;
-- 销售额的几个因子:某段时间付款的销售额 = 询单 × 成交买家/询单 × 成交额/成交买家(由询单而来的)+ 其余归客服的 + 静默;店铺行的 agent 为空
CREATE OR REPLACE MACRO sales_factors(from_day, to_day) AS TABLE
SELECT shop, agent, n_inquiries, CASE WHEN n_inquiries > 0 THEN n_buyers ELSE 0 END AS n_buyers,
       CASE WHEN n_inquiries > 0 THEN inquiry_fen ELSE 0 END AS inquiry_fen,
       sales_fen - silent_fen - CASE WHEN n_inquiries > 0 THEN inquiry_fen ELSE 0 END AS other_fen, silent_fen, sales_fen
FROM (SELECT shop, agent, sum(asked)::BIGINT AS n_inquiries, count(DISTINCT buyer) AS n_buyers, coalesce(sum(fen) FILTER (WHERE buyer IS NOT NULL), 0)::BIGINT AS inquiry_fen,
             coalesce(sum(fen) FILTER (WHERE class = 'silent'), 0)::BIGINT AS silent_fen, sum(fen)::BIGINT AS sales_fen
      FROM (SELECT shop, NULL AS agent, day, 1 AS asked, NULL AS buyer, 0 AS fen, NULL AS class FROM inquiries
            UNION ALL SELECT shop, agent, day, 1, NULL, 0, NULL FROM inquiry_agents
            UNION ALL SELECT shop, NULL, day, 0, CASE WHEN inquiry_day IS NOT NULL THEN customer END, paid_fen, class FROM attributions WHERE is_primary AND paid_fen > 0
            UNION ALL SELECT shop, agent, day, 0, CASE WHEN inquiry_day IS NOT NULL THEN customer END, paid_fen, class FROM attributions
            WHERE is_primary AND paid_fen > 0 AND agent IS NOT NULL)
      WHERE (from_day IS NULL OR day >= from_day::DATE) AND (to_day IS NULL OR day <= to_day::DATE)
      GROUP BY shop, agent)
ORDER BY shop, agent NULLS FIRST;
-- 销售额为什么变:两段时间之差,按 Shapley 权重分给 流量(询单)、转化、客单价,加上其余归客服的与静默,分毫不差;某段没有的因子取另一段的
CREATE OR REPLACE MACRO sales_change(before_from, before_to, after_from, after_to) AS TABLE
SELECT shop, agent, s0 AS before_fen, s1 AS after_fen, s1 - s0 AS change_fen, traffic AS traffic_fen, conversion AS conversion_fen,
       i1 - i0 - traffic - conversion AS value_fen, o1 - o0 AS other_fen, q1 - q0 AS silent_fen, n0, n1, b0, b1, i0, i1
FROM (SELECT *, round((n1 - n0) * (c0 * v0 / 3 + (c0 * v1 + c1 * v0) / 6 + c1 * v1 / 3))::BIGINT AS traffic,
             round((c1 - c0) * (n0 * v0 / 3 + (n0 * v1 + n1 * v0) / 6 + n1 * v1 / 3))::BIGINT AS conversion
      FROM (SELECT *, coalesce(b0 / nullif(n0, 0), b1 / nullif(n1, 0), 0) AS c0, coalesce(b1 / nullif(n1, 0), b0 / nullif(n0, 0), 0) AS c1,
                   coalesce(i0 / nullif(b0, 0), i1 / nullif(b1, 0), 0) AS v0, coalesce(i1 / nullif(b1, 0), i0 / nullif(b0, 0), 0) AS v1
            FROM (SELECT shop, agent, sum(n0)::BIGINT AS n0, sum(n1)::BIGINT AS n1, sum(b0)::BIGINT AS b0, sum(b1)::BIGINT AS b1, sum(i0)::BIGINT AS i0,
                         sum(i1)::BIGINT AS i1, sum(o0)::BIGINT AS o0, sum(o1)::BIGINT AS o1, sum(q0)::BIGINT AS q0, sum(q1)::BIGINT AS q1,
                         sum(s0)::BIGINT AS s0, sum(s1)::BIGINT AS s1
                  FROM (SELECT shop, agent, n_inquiries AS n0, 0 AS n1, n_buyers AS b0, 0 AS b1, inquiry_fen AS i0, 0 AS i1, other_fen AS o0, 0 AS o1,
                               silent_fen AS q0, 0 AS q1, sales_fen AS s0, 0 AS s1 FROM sales_factors(before_from, before_to)
                        UNION ALL SELECT shop, agent, 0, n_inquiries, 0, n_buyers, 0, inquiry_fen, 0, other_fen, 0, silent_fen, 0, sales_fen
                        FROM sales_factors(after_from, after_to))
                  GROUP BY shop, agent)))
ORDER BY shop, agent NULLS FIRST;
-- 每种归属规则下,各客服在某段时间的销售额(分);agent 为空是静默
CREATE OR REPLACE MACRO attribution_by_rule(from_day, to_day) AS TABLE
SELECT rule, shop, agent, sum(paid_fen)::BIGINT AS fen, count(*) AS n_orders FROM attribution_shares
WHERE (from_day IS NULL OR day >= from_day::DATE) AND (to_day IS NULL OR day <= to_day::DATE)
GROUP BY rule, shop, agent ORDER BY rule, shop, agent;
-- 拿来比较的两段时间:最近 7 天(28 天)和紧挨着的前 7 天(28 天);只用过完的日子(数据到 23 点以后算过完),而且两段都要有数据
CREATE OR REPLACE MACRO sales_periods() AS TABLE
SELECT n_days, last_day - 2 * n_days + 1 AS before_from, last_day - n_days AS before_to, last_day - n_days + 1 AS after_from, last_day AS after_to
FROM (SELECT unnest([7, 28]) AS n_days, min(day) AS first_day, max(day) FILTER (WHERE day < over_at) AS last_day
      FROM attributions, (SELECT (as_of + INTERVAL 1 HOUR)::DATE AS over_at FROM runs ORDER BY run_id DESC LIMIT 1)
      WHERE is_primary)
WHERE first_day <= last_day - 2 * n_days + 1 ORDER BY n_days;
-- 漏斗:咨询 → 接待 → 询单 → 下单 → 付款 → 不退,按 shop 店铺、day 日、topic 话题、product 商品、agent 客服或 team 团队;只算成熟的日子。客服的付款只算归属本人的,咨询就是他接待的
CREATE OR REPLACE MACRO funnel(by_what, from_day, to_day) AS TABLE
SELECT shop, part, count(*) AS n_consultations, count(*) FILTER (WHERE is_received) AS n_received, count(*) FILTER (WHERE is_inquiry) AS n_inquiries,
       count(*) FILTER (WHERE is_inquiry AND is_ordered_d3) AS n_ordered, count(*) FILTER (WHERE is_inquiry AND is_paid) AS n_paid,
       count(*) FILTER (WHERE is_inquiry AND is_kept) AS n_kept
FROM (SELECT shop, day, CASE by_what WHEN 'day' THEN day::VARCHAR WHEN 'topic' THEN topic WHEN 'product' THEN product WHEN 'shop' THEN shop END AS part,
             is_received, coalesce(is_inquiry, false) AS is_inquiry, is_ordered_d3, is_paid_d3 AS is_paid, is_kept, is_mature_d3
      FROM consultations WHERE by_what IN ('shop', 'day', 'topic', 'product')
      UNION ALL
      SELECT r.shop, r.day, CASE by_what WHEN 'team' THEN a.team ELSE r.agent END, true, i.customer IS NOT NULL, coalesce(i.is_ordered_d3, false),
             coalesce(i.is_credited_d3, false), coalesce(i.is_kept, false), c.is_mature_d3
      FROM receptions r JOIN consultations c USING (shop, customer, day) LEFT JOIN agents a ON a.shop = r.shop AND a.agent = r.agent
      LEFT JOIN inquiry_agents i ON i.shop = r.shop AND i.agent = r.agent AND i.customer = r.customer AND i.day = r.day
      WHERE by_what IN ('agent', 'team'))
WHERE is_mature_d3 AND (from_day IS NULL OR day >= from_day::DATE) AND (to_day IS NULL OR day <= to_day::DATE)
GROUP BY shop, part ORDER BY shop, n_consultations DESC, part;
