-- 规则在会话里找到的每一处一行;缺失类没有 seq
SELECT finding_id, conversation_id, seq, agent, rule_id, "start", "end", quote, rewrite
FROM findings_ ORDER BY conversation_id, seq NULLS LAST, rule_id, finding_id
