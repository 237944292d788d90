-- 每个会话、客服、适用的礼貌时刻一行:做到没有
SELECT * FROM moments_ ORDER BY conversation_id, agent, rule_id
