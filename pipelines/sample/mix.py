"""The planted case mix: hard topics convert less, some agents get more of them, and each agent's worth stays known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random

from pipelines.sample.texts import Agent, Book, Scenario

GOODS = {"tea": 0.78, "ware": 0.22}  # what inquiries and orders are about


def weights(scenes: Sequence[Scenario], agent: Agent) -> list[float]:
    """How often the agent gets each of the scenes, relative to each other."""
    return [agent.hard if scene.ease < 1 else 1.0 for scene in scenes]


def scene(rng: Random, scenes: Sequence[Scenario], agent: Agent) -> Scenario:
    return rng.choices(scenes, cum_weights=list(accumulate(weights(scenes, agent))))[0]


def topics(book: Book, agent: Agent) -> dict[str, float]:
    """topic → its share of the agent's inquiries."""
    shares: dict[str, float] = {}
    for goods, share in GOODS.items():
        scenes = book.scenarios["pre", goods]
        likely = weights(scenes, agent)
        for one, weight in zip(scenes, likely, strict=True):
            shares[one.topic] = shares.get(one.topic, 0.0) + share * weight / sum(likely)
    return shares


def worth(book: Book, agent: Agent) -> float:
    """What the agent converts of ordinary topics, so that over its own mix it converts `conversion`."""
    mean = sum(share * book.ease.get(topic, 1.0) for topic, share in topics(book, agent).items())
    return agent.conversion / mean


def like_with_like(book: Book, agents: Sequence[Agent], asked: Mapping[str, float]) -> dict[str, float | None]:
    """agent id → its conversion ÷ what the others convert of the same topics; `asked`: expected inquiries by agent."""
    by_topic = {one.id: {t: asked[one.id] * s for t, s in topics(book, one).items()} for one in agents}
    values = {one.id: worth(book, one) for one in agents}
    found: dict[str, float | None] = {}
    for one in agents:
        due = 0.0
        for topic, n in by_topic[one.id].items():
            others = {other: cases[topic] for other, cases in by_topic.items() if other != one.id}
            total = sum(others.values())
            due += n * book.ease.get(topic, 1.0) * sum(values[o] * m for o, m in others.items()) / total if total else 0
        found[one.id] = round(asked[one.id] * one.conversion / due, 4) if due else None
    return found
