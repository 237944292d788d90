-- 订单文件里每一行的全部版本,version = 1 是现在的:走得最远的(付款、退款最晚),再看来自数据最晚的文件
SELECT f.*, greatest(f.created_at, f.paid_at, f.refund_applied_at, f.refund_finished_at) AS went_to, s.newest_at,
       row_number() OVER (
           PARTITION BY f.row_key
           ORDER BY went_to DESC NULLS LAST, s.newest_at DESC NULLS LAST, f.refunded_fen DESC, f.source_id DESC, f.source_row DESC) AS version
FROM fact_orders f JOIN sources s USING (source_id)
WHERE as_of() IS NULL OR f.created_at IS NULL OR f.created_at <= as_of()
