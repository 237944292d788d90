"""The registry of numbers: one entry a KPI, in the words of KPI.md. Pages, docs, macros and `qc metrics` read this list.

Kinds: `rate` Σnum/Σden with a Wilson interval · `mean` of the units with a skewness-corrected t interval · `p50`, `p90` of the units with
a distribution-free interval · `total` Σnum · `ratio` Σnum/Σden without an interval. `scale` is how it is shown, not stored.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["rate", "mean", "p50", "p90", "total", "ratio"]


class Kpi(NamedTuple):
    """One number: what it is called, how it is made, which way is good."""

    id: str
    zh: str
    en: str
    kind: Kind
    unit: str  # s, %, 分 (score points), fen, count, mood, x (times)
    observed: str  # the observation it is made of (models/observations.sql); several numbers may share one
    group: str  # response, quality, satisfaction, sales
    formula: str
    better: Literal["low", "high", ""] = ""
    target: float | None = None
    scale: float = 1.0


KPIS: tuple[Kpi, ...] = (
    Kpi("first_response", "首次响应时长(中位)", "First response (median)", "p50", "s", "first_response", "response",
        "会话首轮的等待秒数,已回复的取中位;未回复的看首次30秒应答率和未回复率", "low", 30),
    Kpi("first_response_p90", "首次响应时长(P90)", "First response (p90)", "p90", "s", "first_response", "response",
        "会话首轮的等待秒数,已回复的取第90百分位", "low"),
    Kpi("first_response_30s", "首次30秒应答率", "First response within 30 s", "rate", "%", "first_response_30s", "response",
        "首次等待不超过30秒的会话 ÷ 有首轮的会话;未回复算没做到", "high"),
    Kpi("average_response", "平均响应时长", "Average response", "mean", "s", "average_response", "response",
        "各轮 min(等待, 600) 的平均;未回复按600秒计(封顶和未回复怎么计随口径,见 profiles)", "low"),
    Kpi("response_p50", "响应时长(中位)", "Response (median)", "p50", "s", "response", "response",
        "已回复各轮的等待秒数,取中位", "low"),
    Kpi("response_p90", "响应时长(P90)", "Response (p90)", "p90", "s", "response", "response",
        "已回复各轮的等待秒数,取第90百分位", "low"),
    Kpi("response_3min", "3分钟响应率", "Answered within 3 min", "rate", "%", "response_3min", "response",
        "180秒内回复的轮次 ÷ 轮次", "high"),
    Kpi("preliminary_5min", "5分钟初步答复率", "Substantive answer within 5 min", "rate", "%", "preliminary_5min", "response",
        "第一个真正的问题之后300秒内有实质答复的会话 ÷ 有首轮的会话;问候、「稍等」、表情、单发卡片、纯致歉不算答复", "high"),
    Kpi("stalling", "敷衍率", "Stalling", "rate", "%", "stalling", "response",
        "回了「稍等」「在的」之类以后,超过300秒没有一句实质答复的轮次 ÷ 轮次", "low"),
    Kpi("slow_response", "慢响应率", "Slow responses", "rate", "%", "slow_response", "response",
        "等待超过100秒的轮次(含未回复)÷ 轮次", "low"),
    Kpi("unanswered", "未回复率", "Unanswered", "rate", "%", "unanswered", "response", "未回复轮次 ÷ 轮次", "low"),
    Kpi("reply_rate", "回复率", "Reply rate", "rate", "%", "reply_rate", "response",
        "至少得到一次有效回复的客户日 ÷ 来咨询的客户日", "high"),
    Kpi("reply_ratio", "答问比", "Reply ratio", "ratio", "x", "reply_ratio", "response", "客服消息数 ÷ 客户消息数"),
    Kpi("reply_ratio_chars", "答问比(字数)", "Reply ratio (characters)", "ratio", "x", "reply_ratio_chars", "response",
        "客服消息字数 ÷ 客户消息字数"),
    Kpi("concurrency", "并发会话(中位)", "Concurrency (median)", "p50", "count", "concurrency", "response",
        "客户开口时归同一客服、还等着的轮次(含本轮),取中位"),
    Kpi("concurrency_p90", "并发会话(P90)", "Concurrency (p90)", "p90", "count", "concurrency", "response",
        "客户开口时归同一客服、还等着的轮次(含本轮),取第90百分位"),
    Kpi("on_time", "按时回复率", "On time", "rate", "%", "on_time", "response",
        "口径自己的单位(轮次、首轮、会话或客户日)里,计入的每一轮都在它的时限内回复的 ÷ 单位;单位和时限见 profiles", "high"),
    Kpi("handling_time", "接待时长(中位)", "Handling time (median)", "p50", "s", "handling_time", "response",
        "首条客户消息到最后一条客服消息的秒数,取中位"),
    Kpi("qa_score", "质检分", "QA score", "mean", "分", "qa_score", "quality",
        "每个会话的质检分(100 + 全部扣分记录)的平均", "high"),
    Kpi("final_score", "最终分", "Final score", "mean", "分", "final_score", "quality",
        "经人工确认致命项之后的质检分的平均", "high"),
    Kpi("negative_language", "负面语言(每百会话)", "Negative language per 100 conversations", "mean", "count",
        "negative_language", "quality", "客服消息命中负面用语的次数 ÷ 会话数 × 100", "low", None, 100.0),
    Kpi("politeness", "礼貌覆盖率", "Politeness", "rate", "%", "politeness", "quality",
        "做到的礼貌时刻 ÷ 适用的礼貌时刻(问候、称呼、致歉、致谢道别)", "high"),
    Kpi("flow", "流程完整度", "Stages of the talk", "rate", "%", "flow", "quality",
        "售前会话里做到的步骤 ÷ 适用的步骤(打招呼、询问、推荐、议价、道别;顾客还价才要议价,顾客没等到答复就走了不要道别)", "high"),
    Kpi("apology_first", "先致歉率", "Apology before a refusal", "rate", "%", "apology_first", "quality",
        "投诉之后、第一次拒绝之前致过歉的会话 ÷ 投诉之后拒绝过的会话;归第一个说不的客服", "high"),
    Kpi("blame_shifting", "推责(每百售后会话)", "Blame per 100 after-sale conversations", "mean", "count",
        "blame_shifting", "quality", "推责、拖着不办、争吵的处数 ÷ 售后会话数 × 100", "low", None, 100.0),
    Kpi("solution_24h", "投诉24小时方案率", "Solution of a complaint within 24 h", "rate", "%", "solution_24h", "quality",
        "投诉后24小时内提出方案(退款、换货、补发、维修、补偿)的会话 ÷ 投诉会话;方案可以在后来的会话里", "high"),
    Kpi("mood_end", "客户情绪终值", "Customer mood at the end", "mean", "mood", "mood_end", "quality",
        "最后三分之一客户消息的平均情绪(−1..1);客户消息不足3条的不计"),
    Kpi("mood_shift", "客户情绪变化", "Customer mood shift", "mean", "mood", "mood_shift", "quality",
        "最后三分之一与最前三分之一客户消息的平均情绪之差;评价客服只看变化", "high"),
    Kpi("recontact_72h", "72小时再次咨询率", "Contacted again within 72 h", "rate", "%", "recontact_72h", "quality",
        "同一客户 72 小时内又为同一话题来的会话 ÷ 会话;话题为其他或不知的不计,结束未满 72 小时的还没到期", "low"),
    Kpi("csat", "满意率", "CSAT", "rate", "%", "csat", "satisfaction", "4–5星 ÷ 已评价;3星留在分母", "high"),
    Kpi("predicted_csat", "预计满意率(未评价的会话)", "Predicted CSAT (unrated talks)", "mean", "%", "predicted_csat", "satisfaction",
        "没有评价的会话里,模型给出的满意概率的平均;与满意率分开看、不混算:谁愿意评价不是随机的", "high"),
    Kpi("dsat", "不满意率", "DSAT", "rate", "%", "dsat", "satisfaction", "1–2星 ÷ 已评价", "low"),
    Kpi("invited_rate", "邀评率", "Invited to rate", "rate", "%", "invited_rate", "satisfaction", "收到邀评的会话 ÷ 会话"),
    Kpi("rated_rate", "参评率", "Rated when invited", "rate", "%", "rated_rate", "satisfaction", "已评价 ÷ 已邀评"),
    Kpi("conversations", "会话数", "Conversations", "total", "count", "conversations", "response", "会话(人次)"),
    Kpi("receptions", "接待人数", "Receptions", "total", "count", "receptions", "response", "店铺 × 客户 × 客服 × 服务日"),
    Kpi("inquiries", "询单人数", "Inquiries", "total", "count", "inquiries", "sales",
        "购买前来咨询的客户日:当天首问之前30天内没有下过单,或当天有售前的会话"),
    Kpi("consultations", "咨询人数", "Consultations", "total", "count", "consultations", "response", "有提问的客户日"),
    Kpi("received_rate", "接待率", "Received", "rate", "%", "received_rate", "response", "当天得到客服接待的咨询 ÷ 咨询", "high"),
    Kpi("ordering_rate", "询单→下单率", "Inquiry to order", "rate", "%", "ordering_rate", "sales",
        "首问之后3日内下单的询单 ÷ 询单(付没付都算)", "high"),
    Kpi("payment_rate", "下单→付款率", "Order to payment", "rate", "%", "payment_rate", "sales",
        "3日内付款的询单 ÷ 3日内下单的询单;客服的只算归属于本人的付款", "high"),
    Kpi("kept_rate", "付款→不退率", "Payment kept", "rate", "%", "kept_rate", "sales",
        "没有全额退款的(截至数据时点)÷ 3日内付款的询单", "high"),
    Kpi("conversion_d1", "询单→次日付款率", "Conversion by next day", "rate", "%", "conversion_d1", "sales",
        "首问之后下单并在次日结束前付款的询单 ÷ 询单;客服的只算归属于本人的", "high"),
    Kpi("conversion_d3", "询单→最终付款率", "Conversion within 3 days", "rate", "%", "conversion_d3", "sales",
        "首问之后下单并在第3日结束前付款的询单 ÷ 询单;客服的只算归属于本人的", "high"),
    Kpi("sales", "销售额", "Sales (gross)", "total", "fen", "sales", "sales", "已付款父订单的实付金额,未减退款", "high"),
    Kpi("sales_net", "净销售额", "Sales (net)", "total", "fen", "sales_net", "sales", "实付金额减去截至数据时点已知的退款", "high"),
    Kpi("paid_orders", "付款订单数", "Paid orders", "total", "count", "paid_orders", "sales", "已付款父订单"),
    Kpi("sales_per_buyer", "客单价", "Sales per buyer", "mean", "fen", "sales_per_buyer", "sales",
        "实付金额 ÷ 付款买家数(期间内去重);没有买家标识的订单各算一位买家", "high"),
    Kpi("sales_net_per_buyer", "净客单价", "Sales per buyer (net)", "mean", "fen", "sales_net_per_buyer", "sales",
        "(实付金额 − 截至数据时点已知的退款)÷ 付款买家数", "high"),
    Kpi("paid_order_rate", "订单付款率", "Orders paid", "rate", "%", "paid_order_rate", "sales", "已付款的父订单 ÷ 下单的父订单,按下单日", "high"),
    Kpi("sales_per_order", "笔单价", "Sales per order (AOV)", "mean", "fen", "sales_per_order", "sales",
        "实付金额 ÷ 付款订单数", "high"),
    Kpi("items_per_buyer", "客件数", "Items per buyer", "mean", "count", "items_per_buyer", "sales",
        "商品件数 ÷ 付款买家数"),
    Kpi("sales_per_buyer_consulted", "咨询客单价", "Sales per consulted buyer", "mean", "fen", "sales_per_buyer_consulted", "sales",
        "落实下单(下单前有客服接待)的实付金额 ÷ 其买家数"),
    Kpi("sales_per_buyer_silent", "静默客单价", "Sales per silent buyer", "mean", "fen", "sales_per_buyer_silent", "sales",
        "静默订单的实付金额 ÷ 其买家数;与咨询客单价之比见 consulted_lift 宏:谁来咨询不是随机的,差别不全是客服的功劳"),
    Kpi("reminder_success", "催付成功率", "Reminders that worked", "rate", "%", "reminder_success", "sales",
        "下单十分钟后仍未付、客服联系过的订单里,24小时内付款的 ÷ 联系过的", "high"),
    Kpi("reminder_expected", "催付对照", "Paid without a reminder", "ratio", "%", "reminder_expected", "sales",
        "没人联系、同样时刻仍未付的订单在随后24小时内付款的比例:催付成功率要和它比"),
    Kpi("repeat_90d", "回头率(90天)", "Repeat buyers (90 days)", "rate", "%", "repeat_90d", "sales",
        "首次付款之后90天内再次付款的买家 ÷ 买家;首次付款不足90天的不计", "high"),
    Kpi("refund_time", "退款时长(中位)", "Refund time (median)", "p50", "s", "refund_time", "sales",
        "退款申请到完成的秒数,取中位", "low"),
    Kpi("silent_share", "静默下单占比", "Silent orders", "rate", "%", "silent_share", "sales",
        "静默订单(下单付款前后都没有客服接待)÷ 付款订单"),
    Kpi("reminded_share", "催付落实占比", "Reminded orders", "rate", "%", "reminded_share", "sales",
        "静默下单、客服跟进后付款的订单 ÷ 付款订单"),
    Kpi("refund_rate", "退款率(金额)", "Refund rate (amount)", "ratio", "%", "refund_rate", "sales", "退款金额 ÷ 实付金额", "low"),
    Kpi("refunded_orders", "退款率(订单)", "Refund rate (orders)", "rate", "%", "refunded_orders", "sales",
        "有退款的订单 ÷ 付款订单", "low"),
    Kpi("match_rate", "身份匹配率", "Matched buyers", "rate", "%", "match_rate", "sales",
        "买家在会话里出现过的付款订单 ÷ 付款订单:销售类数字有多少依据"),
    Kpi("match_rate_quoted", "凭订单号匹配率", "Matched by a quoted order number", "rate", "%", "match_rate_quoted", "sales",
        "客户号对不上、但会话里报过订单号的付款订单 ÷ 付款订单;已含在身份匹配率里"),
)  # fmt: skip

BY_ID = {kpi.id: kpi for kpi in KPIS}

# Observations made of turns: there is one under every definition profile.
BY_PROFILE = frozenset({
    "first_response", "first_response_30s", "average_response", "response", "response_3min", "slow_response", "unanswered",
    "reply_rate", "on_time",
})  # fmt: skip

REASONS: dict[str, tuple[str, str]] = {
    "no_orders": ("没有订单数据", "no orders were given"),
    "no_buyer_ids": ("订单里没有买家标识,不能与会话对上", "orders carry no buyer id, so they cannot meet the chats"),
    "no_ratings": ("没有评价数据", "no ratings were given"),
    "no_invitations": ("评价数据里没有邀评时间", "ratings carry no invitation times"),
    "no_chats": ("没有会话数据", "no chats were given"),
    "no_times": ("会话数据没有时间,响应类数字不可知", "chats carry no times, so response cannot be known"),
    "no_cases": ("还没有会话分析,不知道阶段和话题", "no analysis of the talks, so their phase and topic are not known"),
    "no_sentiment": ("没有情绪模型的结果", "no moods were scored"),
    "no_satisfaction_model": (
        "还没有满意度模型;有了足够的评价后运行 qc train satisfaction",
        "no model of satisfaction yet: run qc train satisfaction when enough talks are rated",
    ),
    "no_agents": ("会话数据没有客服账号,不能分到人", "chats name no agents, so nothing can be told per person"),
    "no_observation": ("这段时间里没有可计的情况", "nothing to count in this period"),
    "censored": ("离数据截止不足10分钟,尚不能判", "less than 10 minutes before the data ends"),
    "not_yet": ("承诺还没到期", "the promise is not due yet"),
    "late": ("晚了", "late"),
    "stalled": ("只有敷衍,没有实质答复", "only stalls, no substantive answer"),
    "never": ("一直没有", "never"),
    "outside_hours": ("客户开口时不在这个口径的服务时段", "the customer asked outside the hours of this definition"),
    "session_outside_hours": (
        "会话开始时不在这个口径的服务时段",
        "the conversation began outside the hours of this definition",
    ),
    "exempt_day": ("这一天在这个口径里豁免", "this day is exempt under this definition"),
    "no_customer_text": ("客户没有说过话,阶段、话题、类型不可知", "the customer said nothing to judge by"),
    "not_a_purchase": (
        "与一笔买卖无关(账号、入驻、提现),没有阶段",
        "not about a purchase (account, merchant, wallet): no phase",
    ),
    "no_phase_cue": ("没有看得出阶段的话", "nothing said tells the phase"),
    "not_declared": ("店铺还没有自评", "the shop has not declared it yet"),
    "too_few": ("单位太少,不判", "too few units to judge by"),
    "not_assessed": ("没有一项有数据或自评", "nothing was measured or declared"),
    "pleasantry": ("客户只是道谢收尾,不需要回复", "the customer only said thanks; no reply was due"),
}
