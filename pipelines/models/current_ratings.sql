-- 每次邀评的最新状态:评过的胜过未评的
SELECT f.shop, f.conversation_id, f.customer, f.agent, f.invited_at,
       CASE WHEN as_of() IS NULL OR f.rated_at IS NULL OR f.rated_at <= as_of() THEN f.rated_at END AS rated_at,
       CASE WHEN as_of() IS NULL OR f.rated_at IS NULL OR f.rated_at <= as_of() THEN f.stars END AS stars,
       f.source_id, f.source_row
FROM fact_ratings f JOIN sources s USING (source_id)
WHERE as_of() IS NULL OR coalesce(f.invited_at, f.rated_at) IS NULL OR coalesce(f.invited_at, f.rated_at) <= as_of()
QUALIFY row_number() OVER (
    PARTITION BY f.shop, f.conversation_id, f.customer, f.agent, coalesce(f.invited_at, f.rated_at)
    ORDER BY f.stars IS NULL, f.rated_at DESC NULLS LAST, s.newest_at DESC NULLS LAST, f.source_id DESC, f.source_row DESC) = 1
