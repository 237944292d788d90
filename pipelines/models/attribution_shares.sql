-- 每种归属规则下,每单的钱归谁:同一规则各行加起来都等于实付总额;计算用的那一种见 attributions
SELECT s.rule, s.shop, s.order_id, s.agent, s.class, s.paid_fen, p.paid_at::DATE AS day
FROM shares_ s JOIN paid_ p USING (shop, order_id) ORDER BY s.rule, s.shop, s.order_id, s.agent
