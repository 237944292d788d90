-- 别家绩效表(生意参谋、赤兔…)说的数:每位客服、时段、指标一行,与我们算的分开放;汇总、同行等尾部行不属于任何客服
WITH newest AS (
    SELECT f.*, s.file FROM fact_vendor f JOIN sources s USING (source_id)
    WHERE as_of() IS NULL OR f.day_from <= as_of()::DATE
    QUALIFY row_number() OVER (PARTITION BY f.row_key ORDER BY s.file DESC, f.source_id DESC, f.source_row DESC) = 1
), told AS (
    SELECT * EXCLUDE figures, unnest(from_json(figures,
        '[{"metric":"VARCHAR","value":"DOUBLE","unit":"VARCHAR","raw":"VARCHAR","reason":"VARCHAR","header":"VARCHAR"}]')) AS f
    FROM newest
)
SELECT vendor, shop, agent, label, label IS NOT NULL AS is_summary, day_from, day_to, f.metric AS metric,
       f.value AS value, f.unit AS unit, f.header AS header, f.raw AS raw, f.reason AS reason, source_id, source_row
FROM told ORDER BY vendor, shop, agent, label, day_from, day_to, metric, header
