-- 订单里的商品,每种(每行)一行:哪件、哪个卖家、这一行多少钱;付款行不在内;订单没有分行的,它自己那一行算一行
WITH articles AS (
    SELECT *, bool_or(line IS NOT NULL) OVER (PARTITION BY shop, channel, order_id) AS is_split FROM order_versions_
    WHERE version = 1 AND (product IS NOT NULL OR seller IS NOT NULL OR line_price_fen IS NOT NULL OR (line IS NOT NULL AND items IS NOT NULL))
)
SELECT a.shop, a.order_id, a.line, a.product, a.seller, a.line_price_fen AS price_fen, a.items, a.source_id, a.source_row
FROM articles a SEMI JOIN orders_ o ON o.shop = a.shop AND o.channel IS NOT DISTINCT FROM a.channel AND o.order_id = a.order_id
WHERE a.line IS NOT NULL OR NOT a.is_split ORDER BY a.shop, a.order_id, a.line, a.source_id, a.source_row
