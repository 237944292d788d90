-- 每个会话的每位客服一行:质检分与最终分
SELECT s.* REPLACE (s.qa::DECIMAL(10, 4) AS qa, s.final::DECIMAL(10, 4) AS final), c.shop, c.day
FROM scores_ s JOIN mart.conversations c USING (conversation_id) ORDER BY conversation_id, agent
