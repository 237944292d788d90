"""The words of the case mix: one lexicon an aspect, values with their cues; YAML in `data/lexicons`."""

from __future__ import annotations

import re
from itertools import product
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

TOPICS = ("商品", "价格", "促销", "库存", "物流", "支付", "退换", "退款", "质量", "投诉", "发票", "使用", "其他")
PHASES = ("pre", "mid", "after")
CUSTOMER_TYPES = ("agitated", "demanding", "confused", "plain")
NO_PHASE = "none"  # of the lexicon: an account, a merchant's question, money in the purse; no purchase has such a phase
ASPECTS: dict[str, tuple[str, ...]] = {"topic": TOPICS, "phase": (*PHASES, NO_PHASE), "customer_type": CUSTOMER_TYPES}

Weight = float  # a multiple of 1/4 in the lexicon, so that sums are exact whatever their order


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Cue(_Model):
    """Phrases that speak for a value; `(a|b|)` in a phrase stands for each of its branches."""

    who: Literal["customer", "agent"] = "customer"
    weight: Weight = Field(gt=0, multiple_of=0.25)
    phrases: list[str] = Field(alias="any", min_length=1)
    unless: list[str] = []


class OfOrders(_Model):
    """What the customer's orders say of the phase of a conversation."""

    days: int
    transit_days: int
    none: dict[str, Weight]
    within_transit: dict[str, Weight]
    after_transit: dict[str, Weight]


class Lexicon(_Model):
    """One aspect: its values with their cues, in order of preference when sums are equal."""

    aspect: Literal["topic", "phase", "customer_type"]
    least: Weight  # a sum below it decides nothing
    otherwise: str | None  # the value then; None: not known
    halved_each_message: bool  # the first message with a cue counts in full, each later one half of the one before
    values: dict[str, list[Cue]]
    of_topic: dict[str, dict[str, Weight]] = {}
    of_orders: OfOrders | None = None

    @model_validator(mode="after")
    def _known_values(self) -> Self:
        named = {*self.values, *self.of_topic.keys(), *([self.otherwise] if self.otherwise else [])}
        if strange := named - {*ASPECTS[self.aspect], *(TOPICS if self.of_topic else ())}:
            raise ValueError(f"没有「{'、'.join(sorted(strange))}」;可用的有:{'、'.join(ASPECTS[self.aspect])}")
        return self


def spelt_out(phrase: str) -> list[str]:
    """The phrases that one with branches stands for.

    >>> spelt_out("(改|换)(个|)地址")
    ['改个地址', '改地址', '换个地址', '换地址']
    """
    parts = re.split(r"\(([^()]*)\)", phrase)
    return ["".join(p) for p in product(*(part.split("|") if i % 2 else [part] for i, part in enumerate(parts)))]
