"""What pages and the terminal show: which numbers, in which order, in which words; read from the published mart only."""

from __future__ import annotations

# metric -> short heading (zh, en) of the side-by-side table
SUMMARY: dict[str, tuple[str, str]] = {
    "conversations": ("会话", "Chats"),
    "first_response": ("首响", "First resp."),
    "first_response_30s": ("30秒应答", "≤30 s"),
    "unanswered": ("未回复", "Unanswered"),
    "qa_score": ("质检分", "QA"),
    "politeness": ("礼貌", "Politeness"),
    "csat": ("满意率", "CSAT"),
    "inquiries": ("询单", "Inquiries"),
    "conversion_d3": ("转化率", "Conversion"),
    "sales": ("销售额", "Sales"),
    "sales_per_buyer": ("客单价", "Per buyer"),
}


def shown(value: float | None, unit: str) -> str:
    """A stored value as people read it: fen as yuan, fractions as percent, seconds with s.

    >>> shown(0.9512, "%"), shown(1027450, "fen"), shown(None, "s"), shown(87.5, "分"), shown(12, "count")
    ('95.1%', '¥10,274.50', '–', '87.5', '12')
    """
    if value is None:
        return "–"
    if unit == "%":
        return f"{value * 100:.1f}%"
    if unit == "fen":
        return f"¥{value / 100:,.2f}"
    if unit == "s":
        return f"{value:.0f} s"
    if unit == "mood":
        return f"{value:+.2f}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
