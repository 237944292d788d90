-- 每一轮问答一行:客户开口到客服下一次有效回复;等待多久(两个钟)、归谁、当时手上几轮、有没有实质答复、是否计入
SELECT t.*, p.* EXCLUDE (conversation_id, turn) FROM turns_ t JOIN pace_ p USING (conversation_id, turn) ORDER BY conversation_id, turn
