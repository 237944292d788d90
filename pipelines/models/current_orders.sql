-- 每个订单的最新状态:走得最远的版本(付款、退款最晚),再看来自数据最晚的文件;几行合成一单;数据时点之后的事还没有发生
WITH ranked AS (
    SELECT *, row_number() OVER (
        PARTITION BY shop, channel, order_id
        ORDER BY created_at IS NULL, went_to DESC NULLS LAST, newest_at DESC NULLS LAST, refunded_fen DESC, source_id DESC, source_row) AS k
    FROM order_versions_ WHERE version = 1
), whole AS (
    -- The order's own word on its amount and its items; else the sum of what its lines say (payments, articles).
    SELECT shop, channel, order_id,
           arg_min(parent_order_id, k) AS parent_order_id, arg_min(customer, k) AS customer, arg_min(created_at, k) AS created_at,
           arg_min(paid_at, k) AS paid_at, coalesce(arg_min(paid_fen, k), sum(line_paid_fen), 0)::BIGINT AS paid_fen,
           coalesce(arg_min(refunded_fen, k), 0) AS refunded_fen, arg_min(refund_applied_at, k) AS refund_applied_at,
           arg_min(refund_finished_at, k) AS refund_finished_at,
           coalesce(arg_min(items, k) FILTER (WHERE line IS NULL), sum(items) FILTER (WHERE line IS NOT NULL))::BIGINT AS items,
           arg_min(status, k) AS status, arg_min(source_id, k) AS source_id, arg_min(source_row, k) AS source_row
    FROM ranked GROUP BY shop, channel, order_id HAVING count(created_at) > 0
)
SELECT order_id, parent_order_id, shop, channel, customer, created_at,
       CASE WHEN as_of() IS NULL OR paid_at <= as_of() THEN paid_at END AS paid_at, paid_fen,
       CASE WHEN coalesce(refund_finished_at, refund_applied_at) > as_of() THEN 0 ELSE refunded_fen END AS refunded_fen,
       CASE WHEN as_of() IS NULL OR refund_applied_at <= as_of() THEN refund_applied_at END AS refund_applied_at,
       CASE WHEN as_of() IS NULL OR refund_finished_at <= as_of() THEN refund_finished_at END AS refund_finished_at,
       items, status, source_id, source_row
FROM whole
