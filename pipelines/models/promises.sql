-- 三个承诺,每个会话、承诺一行:30 秒首答、5 分钟实质答复、投诉 24 小时方案;守约、失约,还是说不了
SELECT * FROM promises_ ORDER BY conversation_id, promise
