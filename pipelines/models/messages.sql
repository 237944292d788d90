-- 每条消息(一个气泡)一行:在哪个会话、第几条、谁说的、说了什么、来自哪个文件哪一行
SELECT m.*, (CASE WHEN s.is_scored THEN s.p_positive - s.p_negative WHEN s.text IS NOT NULL THEN 0 END)::DECIMAL(9, 6) AS mood, s.p_negative::DECIMAL(9, 6) AS p_negative
FROM arranged m LEFT JOIN sentiment s ON m.text = s.text AND m.sender_kind = 'customer' AND m.content_kind = 'text'
ORDER BY conversation_id, seq
