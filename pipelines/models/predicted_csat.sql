-- 每个会话一行:按本店评价学来的模型,客户满意(4–5 星)的概率;有没有评价分开标着,从不与满意率混算;没有模型的为空并写明原因
WITH replied AS (
    SELECT conversation_id, max(seq) AS seq FROM mart.messages
    WHERE sender_kind IN ('agent', 'assist') AND content_kind NOT IN ('recall', 'empty') AND agent IS NOT NULL GROUP BY conversation_id
)
SELECT c.conversation_id, c.shop, m.agent, c.day, CASE WHEN c.n_customer > 0 THEN p.p::DECIMAL(9, 6) END AS p, p.model,
       EXISTS (SELECT 1 FROM mart.ratings r WHERE r.conversation_id = c.conversation_id AND r.stars IS NOT NULL) AS is_rated,
       CASE WHEN p.model IS NULL THEN 'no_satisfaction_model' WHEN c.n_customer = 0 THEN 'no_customer_text' END AS reason
FROM mart.conversations c LEFT JOIN predicted_ p USING (conversation_id) LEFT JOIN replied USING (conversation_id)
LEFT JOIN mart.messages m ON m.conversation_id = replied.conversation_id AND m.seq = replied.seq
ORDER BY c.conversation_id
