-- 订单的各个版本:订单文件里的一行每变一次就多一行,is_current 是算数的那一版;同一笔订单先后导出几次,怎么变的看这里
SELECT v.shop, v.order_id, v.line, v.version, v.version = 1 AS is_current, v.newest_at AS seen_at, v.status, v.created_at, v.paid_at, v.paid_fen,
       v.refunded_fen, v.refund_applied_at, v.refund_finished_at, v.line_paid_fen, v.line_price_fen, v.source_id, v.source_row
FROM order_versions_ v ORDER BY v.shop, v.order_id, v.line NULLS FIRST, v.version, v.channel, v.source_id, v.source_row
