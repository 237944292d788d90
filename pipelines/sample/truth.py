"""What was planted in the sample and what came of it: counted while it is written, never read back."""

from __future__ import annotations

import math
from collections import Counter
from statistics import NormalDist
from typing import Any

from pipelines.sample.talk import LONGEST_WAIT
from pipelines.sample.texts import Agent

PLANTED = (
    "greeting",
    "address",
    "apology",
    "farewell",
    "forbidden",
    "conversion",
    "hard",
    "satisfied",
    "invited",
    "rated",
)

MEANING = {
    "conversations": "conversations in which the agent sent at least one effective message (reminders included)",
    "first_wait_p50_s": "median wait of first turns, from the customer's first bubble to the agent's first",
    "first_waits": "first turns that the agent answered",
    "greeting": "conversations with a greeting in the agent's first two messages ÷ conversations",
    "address": "conversations in which the agent says 您 or 亲 ÷ conversations; without it, it says 你 or nothing",
    "apology": "conversations with an apology in the first answer to a complaint ÷ complaints first answered",
    "farewell": "conversations with thanks or a farewell in the agent's last two messages ÷ "
    "conversations that were not left on an open question (farewell_applies)",
    "forbidden": "conversations with at least one planted forbidden sentence ÷ conversations",
    "forbidden_sentences": "planted forbidden sentences; `phrases` splits them by phrase",
    "near_misses": "harmless sentences that contain a forbidden word; none of them may be flagged",
    "redlines": "planted steering off the platform or cash for praise",
    "left_open": "conversations whose last question, which needs a reply, got none",
    "transferred_out": "conversations handed to another agent after the first answer",
    "conversion": "conversion_d3, KPI §4: inquiry customer-days whose order was paid by the end of D+3 and credited "
    "to the agent ÷ inquiry customer-days; mature days only",
    "hard": "how much more often than chance the agent gets an inquiry of a hard topic (`ease` in sample_texts.yaml)",
    "worth": "what the agent converts of ordinary topics; of a hard one it converts worth × its ease",
    "like_with_like": "conversion ÷ what the other agents, by their planted worth, convert of the same topics",
    "inquiries": "inquiry customer-days that the agent answered, mature or not; of them returning_inquiries have an "
    "order in the 30 days before and are inquiries by their pre-sale topic",
    "mature_inquiries": "inquiries of days D with D+4 00:00 not after the last instant of the sample",
    "mature_converted": "of mature_inquiries, those converted by the end of D+3",
    "satisfied": "ratings of 4 or 5 stars ÷ rated",
    "invited": "conversations invited to rate ÷ conversations (the last agent of the conversation)",
    "rated": "rated ÷ invited",
    "consulted_fen": "paid by orders credited to the agent as consulted (落实下单)",
    "reminded_fen": "paid by orders credited to the agent as reminded (静默下单本人落实付款)",
    "contacted_unpaid": "unpaid orders that the agent reminded of",
    "contacted_paid": "of contacted_unpaid, those paid within 24 hours of the reminder",
    "shop.messages": "rows of messages.csv",
    "shop.conversations": "all conversations, those that nobody answered (unanswered_conversations) included",
    "shop.inquiries": "inquiry customer-days, answered or not",
    "shop.second_contacts": "inquiries of customers who had asked another agent the day before; of them "
    "second_contacts_converted ordered, so that two agents had talked to the buyer",
    "shop.sales_fen": "paid amount of all orders of the sample, gross; consulted_fen + reminded_fen + silent_fen",
    "shop.net_fen": "sales_fen − refunded_fen",
    "shop.refunded_fen": "refunds finished within the sample",
    "shop.buyers": "distinct customers with a paid order",
    "shop.sales_per_buyer_fen": "sales_fen ÷ buyers (客单价)",
    "shop.sales_per_order_fen": "sales_fen ÷ paid_orders (笔单价)",
}


class Truth:
    """Counters of the shop and of each agent; memory does not grow with the sample."""

    def __init__(self, agents: list[Agent]) -> None:
        self.agents = {agent.id: agent for agent in agents}
        self.shop: Counter[str] = Counter()
        self.by_agent: dict[str, Counter[str]] = {agent.id: Counter() for agent in agents}
        self.waits: dict[str, list[int]] = {agent.id: [0] * (LONGEST_WAIT + 2) for agent in agents}

    def add(self, agent: str, what: str, n: int = 1) -> None:
        self.by_agent[agent][what] += n

    def waited(self, agent: str, seconds: int) -> None:
        self.waits[agent][min(seconds, LONGEST_WAIT + 1)] += 1

    def document(self, mixed: dict[str, dict[str, float | None]], **facts: Any) -> dict[str, Any]:
        """The whole truth, ready for JSON; `mixed`: what the case mix plants in each agent."""
        return {
            **facts,
            "meaning": MEANING,
            "shop_truth": shop_document(self.shop),
            "agents": [self.agent_document(agent, mixed[agent.id]) for agent in self.agents.values()],
        }

    def agent_document(self, agent: Agent, mixed: dict[str, float | None]) -> dict[str, Any]:
        counts, waits = self.by_agent[agent.id], self.waits[agent.id]
        planted = {name: getattr(agent, name) for name in PLANTED}
        return {
            "agent": agent.id,
            "name": agent.name,
            "team": agent.team,
            "planted": {
                "first_wait_p50_s": planted_median(agent),
                "sigma": agent.sigma,
                "late": agent.late,
                **planted,
                **mixed,
            },
            "realised": {
                "first_waits": sum(waits),
                "first_wait_p50_s": median(waits),
                **{what: n for what, n in sorted(counts.items()) if not what.startswith("phrase ")},
                "phrases": {what[7:]: n for what, n in sorted(counts.items()) if what.startswith("phrase ")},
            },
        }


def shop_document(shop: Counter[str]) -> dict[str, Any]:
    sales, orders, buyers = shop["sales_fen"], shop["paid_orders"], shop["buyers"]
    return {
        **dict(sorted(shop.items())),
        "net_fen": sales - shop["refunded_fen"],
        "sales_per_buyer_fen": round(sales / buyers, 2) if buyers else None,
        "sales_per_order_fen": round(sales / orders, 2) if orders else None,
    }


def planted_median(agent: Agent) -> float:
    """Median of the log-normal once a share `late` of the waits lies far beyond it."""
    z = NormalDist().inv_cdf(0.5 / (1 - agent.late))
    return round(agent.wait_s * math.exp(agent.sigma * z), 2)


def median(histogram: list[int]) -> float | None:
    """Median of whole seconds counted by value."""
    n = sum(histogram)
    if n == 0:
        return None
    return (rank(histogram, (n - 1) // 2) + rank(histogram, n // 2)) / 2


def rank(histogram: list[int], k: int) -> int:
    """The value of the k-th smallest, from 0."""
    seen = 0
    for value, n in enumerate(histogram):
        seen += n
        if seen > k:
            return value
    raise IndexError(k)
