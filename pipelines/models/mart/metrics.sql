-- 可加的指标:每个指标、粒度、店铺、客服、日一行,分子、分母、单位数;任何时段的比率都是 Σ分子 ÷ Σ分母(先化为十进制再加:结果与行的顺序无关)
SELECT metric, (SELECT profile FROM run_) AS profile, grain, shop, agent, day, sum(num::DECIMAL(30, 8))::DOUBLE AS num, sum(den::DECIMAL(30, 8))::DOUBLE AS den,
       count(*) AS n, bool_and(is_mature) AS is_mature
FROM observations GROUP BY ALL ORDER BY metric, grain, shop, agent, day
