-- 定义口径,每个一行:服务时段、有效回复、封顶、未回复怎么算、转接归谁、怎样算按时;is_own 是本次运行用的那个
SELECT * REPLACE (opens::TIME AS opens, closes::TIME AS closes) FROM profiles_ ORDER BY profile
