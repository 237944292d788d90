-- 质检分的每一笔扣分一行;质检分 = 100 + 全部记录之和
SELECT * REPLACE (points::DECIMAL(10, 4) AS points) FROM entries_ ORDER BY conversation_id, agent, entry_id
