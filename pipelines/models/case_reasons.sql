-- 阶段、话题、客户类型的每条线索一行:哪句话里的哪几个字、给哪个取值多少分;分数最高的取值胜出
SELECT r.* REPLACE (weight::DECIMAL(8, 5) AS weight) FROM case_reasons_ r
ORDER BY conversation_id, aspect, is_decisive DESC, weight DESC, seq NULLS FIRST, "start", "end", value, basis
