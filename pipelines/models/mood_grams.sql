-- 情绪模型里每个字串的权重;一句话的得分 = 空串(基数)+ 句中各字串之和 ÷ 认得的字数的 0.75 次方,三类取 softmax
SELECT gram, negative, neutral, positive FROM mood_grams_ ORDER BY gram
