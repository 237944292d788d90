-- 每一轮问答一行:客户开口到客服下一次有效回复;等待多久、归谁、是否计入
SELECT * FROM turns_ ORDER BY conversation_id, turn
