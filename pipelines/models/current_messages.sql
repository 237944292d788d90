-- 每条消息的有效版本:同一消息有几个版本时,取数据最晚的那个文件里的
WITH contested AS (
    SELECT row_key FROM fact_messages GROUP BY row_key HAVING count(*) > 1
), winner AS (
    SELECT f.row_key, f.content_key FROM fact_messages f JOIN contested USING (row_key) JOIN sources s USING (source_id)
    QUALIFY row_number() OVER (PARTITION BY f.row_key ORDER BY s.newest_at DESC NULLS LAST, f.source_id DESC, f.source_row DESC) = 1
)
SELECT shop, channel, conversation_id, message_id, sent_at, sender_kind, agent, customer, content_kind, text, source_id, source_row,
       coalesce(is_damaged, false) AS is_damaged
FROM fact_messages f
WHERE (sent_at IS NULL OR as_of() IS NULL OR sent_at <= as_of())
  AND (row_key NOT IN (SELECT row_key FROM contested)
       OR (row_key, content_key) IN (SELECT (row_key, content_key) FROM winner))
