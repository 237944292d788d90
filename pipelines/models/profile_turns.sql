-- 每个口径下的每一轮:同一轮在哪个口径计入、哪个不计入、为什么;本次运行的口径与 turns 相同
SELECT * FROM profile_turns_ ORDER BY profile, conversation_id, turn
