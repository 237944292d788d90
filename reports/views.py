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

# The shop's key figures, in reading order.
TILES = (
    "conversations", "first_response", "first_response_30s", "unanswered", "qa_score", "politeness", "csat", "predicted_csat", "inquiries",
    "conversion_d3", "sales", "sales_net", "sales_per_buyer",
)  # fmt: skip

# Agents beside each other as dots with intervals.
COMPARED = ("first_response", "qa_score", "csat", "conversion_d3")

# Day by day; all of them additive, so that any seven days are Σnum ÷ Σden.
TRENDS = ("average_response", "unanswered", "qa_score", "csat", "conversion_d3", "sales")

# The four blocks of a scorecard, each with the number whose days are drawn beside it.
BLOCKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "response": ("average_response", (
        "conversations", "receptions", "first_response", "first_response_p90", "first_response_30s", "preliminary_5min",
        "average_response", "response_p50", "response_p90", "response_3min", "slow_response", "stalling", "unanswered",
        "concurrency", "concurrency_p90", "reply_ratio", "reply_ratio_chars", "handling_time")),
    "quality": ("qa_score", ("qa_score", "final_score", "negative_language", "politeness", "flow", "apology_first", "blame_shifting",
                             "solution_24h", "recontact_72h")),
    "satisfaction": ("csat", ("csat", "dsat", "rated_rate", "invited_rate", "mood_shift", "mood_end")),
    "sales": ("conversion_d3", (
        "inquiries", "conversion_d1", "conversion_d3", "sales", "sales_net", "paid_orders", "sales_per_buyer",
        "sales_per_order", "items_per_buyer", "refund_rate", "refunded_orders")),
}  # fmt: skip

# Under these an agent is not compared with anybody. KPI §5
LEAST_CONVERSATIONS = 50
LEAST_RATINGS = 30


LONG = 7200  # seconds from which on a time is written in hours


def shown(value: float | None, unit: str) -> str:
    """A stored value as people read it: fen as yuan, fractions as percent, seconds with s, two hours and more as hours.

    >>> shown(0.9512, "%"), shown(1027450, "fen"), shown(None, "s"), shown(87.5, "分"), shown(12, "count"), shown(119986, "s")
    ('95.1%', '¥10,274.50', '–', '87.5', '12', '33.3 h')
    """
    if value is None:
        return "–"
    value = float(value)
    forms = {
        "%": f"{value * 100:.1f}%", "fen": f"{'−' if value < 0 else ''}¥{abs(value) / 100:,.2f}", "s": f"{value:.0f} s" if value < LONG else f"{value / 3600:.1f} h", "x": f"{value:.2f}",
        "mood": f"{round(value, 2) + 0.0:+.2f}",  # never −0.00
    }  # fmt: skip
    if unit in forms:
        return forms[unit]
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def span(low: float | None, high: float | None, unit: str) -> str:
    """An interval in the unit of its value, short: the unit once, yuan whole.

    A mean's interval may reach beyond what its number can be (money under 0, a score over 100): it is cut there.

    >>> span(0.3761, 0.9644, "%"), span(-4500, 2028406, "fen"), span(97.2, 101.3, "分"), span(None, None, "%"), span(3600, 86400, "s")
    ('37.6–96.4%', '¥0–20,284', '97.2–100.0', '', '1.0–24.0 h')
    """
    if low is None or high is None:
        return ""
    if unit != "mood":
        low = max(low, 0)
    if unit == "fen":
        return f"¥{low / 100:,.0f}–{high / 100:,.0f}"
    if unit == "mood":
        return f"{low:+.2f} … {high:+.2f}"
    if unit == "s" and high >= LONG:
        return f"{low / 3600:.1f}–{shown(high, unit)}"
    if unit in ("%", "s"):
        return f"{shown(low, unit).removesuffix('%').removesuffix(' s')}–{shown(high, unit)}"
    if unit == "分":
        high = min(high, 100)
    return f"{low:,.1f}–{high:,.1f}"
