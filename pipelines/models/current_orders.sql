-- 每个订单的最新状态:走得最远的版本(付款、退款最晚),再看来自数据最晚的文件;数据时点之后的事还没有发生
WITH newest AS (
    SELECT f.* FROM fact_orders f JOIN sources s USING (source_id)
    WHERE as_of() IS NULL OR f.created_at <= as_of()
    QUALIFY row_number() OVER (
        PARTITION BY f.row_key
        ORDER BY greatest(f.created_at, f.paid_at, f.refund_applied_at, f.refund_finished_at) DESC,
                 s.newest_at DESC NULLS LAST, f.refunded_fen DESC, f.source_id DESC, f.source_row DESC) = 1
)
SELECT order_id, parent_order_id, shop, channel, customer, created_at,
       CASE WHEN as_of() IS NULL OR paid_at <= as_of() THEN paid_at END AS paid_at, paid_fen,
       CASE WHEN coalesce(refund_finished_at, refund_applied_at) > as_of() THEN 0 ELSE refunded_fen END AS refunded_fen,
       CASE WHEN as_of() IS NULL OR refund_applied_at <= as_of() THEN refund_applied_at END AS refund_applied_at,
       CASE WHEN as_of() IS NULL OR refund_finished_at <= as_of() THEN refund_finished_at END AS refund_finished_at,
       items, status, source_id, source_row
FROM newest
