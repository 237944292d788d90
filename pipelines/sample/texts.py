"""The sample shop's texts: `data/sample_texts.yaml` compiled into wordings that a talk can fill in quickly.

A wording is a tuple of bubbles; a bubble is a %-template over the slots of a talk. Agents' wordings exist twice,
with an address (您, 亲) and without one, so that politeness can be planted without a second set of texts.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pipelines.resources import data_dir, read_yaml

Wording = tuple[str, ...]
Spoken = tuple[tuple[Wording, ...], tuple[Wording, ...]]  # [is_addressed] → wordings

PHASES = ("pre", "mid", "after")

SLOT = re.compile(r"<(\w+)>")
ADDRESS = re.compile(r"您|亲")
VOCATIVE = re.compile("^亲\uff0c?|亲")  # 亲 with its full-width comma, where it opens the text


class Step(NamedTuple):
    """One question and its answer."""

    asks: tuple[Wording, ...]
    answers: Spoken
    has_image: bool


class Scenario(NamedTuple):
    """A talk as it usually runs: opening question, fitting answer, follow-up."""

    id: str
    phase: str  # pre, mid, after
    topic: str
    goods: str  # tea, ware, any
    ease: float  # an inquiry of an ordinary topic has 1, of a hard one less: a factor of the conversion
    is_complaint: bool
    has_more: bool  # a round of `more` may follow
    steps: tuple[Step, ...]


class Agent(NamedTuple):
    """A made-up agent with the truths planted in its talks; probabilities 0..1, wait_s in seconds."""

    id: str
    name: str
    team: str
    from_day: int  # 1 = the first day of the sample
    hours: tuple[int, int]
    pre: float  # share of the pre-sale talks, relative to the others on duty
    after: float  # the same of mid-sale and after-sale talks
    wait_s: float
    sigma: float
    late: float
    left: float
    greeting: float
    address: float
    apology: float
    farewell: float
    forbidden: float
    conversion: float  # of all its inquiries, hard and ordinary
    hard: float  # how much more often than chance it gets an inquiry of a hard topic
    satisfied: float
    invited: float
    rated: float

    def is_on_duty(self, day: int, hour: int) -> bool:
        start, end = self.hours
        in_shift = start <= hour < end if start < end else hour >= start or hour < end
        return in_shift and day + 1 >= self.from_day


class Book(NamedTuple):
    """Everything that can be said in the sample shop."""

    shop: str
    agents: list[dict[str, Any]]
    redlines: list[dict[str, Any]]
    goods: dict[str, list[tuple[str, int]]]
    slots: dict[str, list[str]]
    ease: dict[str, float]  # hard topic → factor of the conversion
    scenarios: dict[tuple[str, str], tuple[Scenario, ...]]  # phase, tea or ware → scenarios
    more: dict[str, tuple[Step, ...]]  # phase → one more round
    customer: dict[str, tuple[Wording, ...]]
    agent: dict[str, Spoken]
    forbidden: dict[str, tuple[tuple[str, Spoken], ...]]  # phase → phrases with their sentences
    note: dict[str, Any]  # auto, bot, assist, system, internal, content, tail
    traditional: dict[int, str]


def template(text: str) -> str:
    """`这款<product>` → `这款%(product)s`, ready for `%` with a dict of slots."""
    return SLOT.sub(r"%(\1)s", text.replace("%", "%%"))


def wording(text: str) -> Wording:
    return tuple(template(bubble) for bubble in str(text).split("|"))


def wordings(texts: list[str]) -> tuple[Wording, ...]:
    return tuple(map(wording, texts))


def spoken(texts: list[str], *, must_address: bool = False) -> Spoken:
    """An agent's wordings without and with an address; `must_address` puts 亲 where a text has none."""
    addressed = [f"亲\uff0c{text}" if must_address and not ADDRESS.search(text) else text for text in texts]
    plain = [VOCATIVE.sub("", text.replace("亲的", "您的")).replace("您", "你") for text in texts]
    return wordings(plain), wordings(addressed)


def step(raw: dict[str, Any], *, is_first: bool = False) -> Step:
    return Step(wordings(raw["ask"]), spoken(raw["answer"], must_address=is_first), raw.get("image", False))


def scenario(raw: dict[str, Any], ease: dict[str, float]) -> Scenario:
    steps = tuple(step(one, is_first=i == 0) for i, one in enumerate(raw["talk"]))
    return Scenario(
        raw["id"],
        raw["phase"],
        raw["topic"],
        raw.get("goods", "tea"),
        ease.get(raw["topic"], 1.0) if raw["phase"] == "pre" else 1.0,
        raw.get("complaint", False),
        raw.get("more", True),
        steps,
    )


def load() -> Book:
    """The book of texts, read from `data/sample_texts.yaml`."""
    raw = read_yaml(data_dir() / "sample_texts.yaml")
    scenarios = [scenario(one, raw["ease"]) for one in raw["scenarios"]]
    pairs = raw["traditional"]
    return Book(
        shop=raw["shop"],
        agents=raw["agents"],
        redlines=raw["redlines"],
        goods={kind: [(name, yuan * 100) for name, yuan in rows] for kind, rows in raw["goods"].items()},
        slots=raw["slots"],
        ease=raw["ease"],
        scenarios={
            (phase, goods): tuple(s for s in scenarios if s.phase == phase and s.goods in (goods, "any"))
            for phase in PHASES
            for goods in ("tea", "ware")
        },
        more={phase: tuple(step(one) for one in rounds) for phase, rounds in raw["more"].items()},
        customer=customer_lines(raw),
        agent=agent_lines(raw),
        forbidden={phase: forbidden(raw["forbidden"], "pre" if phase == "pre" else "after") for phase in PHASES},
        note=notes(raw),
        traditional=dict(zip(map(ord, pairs[::2]), pairs[1::2], strict=True)),
    )


def forbidden(raw: dict[str, dict[str, list[str]]], phase: str) -> tuple[tuple[str, Spoken], ...]:
    """Phrases and the sentences that fit the phase."""
    fitting = {phrase: by_phase.get("any", []) + by_phase.get(phase, []) for phrase, by_phase in raw.items()}
    return tuple((phrase, spoken(texts)) for phrase, texts in fitting.items() if texts)


def customer_lines(raw: dict[str, Any]) -> dict[str, tuple[Wording, ...]]:
    lines = {
        **raw["closing"],
        "left": raw["left"],
        "order_placed": raw["order_placed"]["ask"],
        "reminded": raw["reminder"]["reply"],
        "near_miss": raw["near_miss"]["customer"],
        "human_please": raw["human_please"],
    }
    return {name: wordings(texts) for name, texts in lines.items()}


def agent_lines(raw: dict[str, Any]) -> dict[str, Spoken]:
    lines = {
        **{name: raw[name] for name in ("greeting", "apology", "shrug", "handover", "handover_farewell")},
        **{f"farewell_{phase}": texts for phase, texts in raw["farewell"].items()},
        "order_placed": raw["order_placed"]["answer"],
        "reminded": raw["reminder"]["answer"],
        "near_miss_pre": raw["near_miss"]["pre"],
        "near_miss_mid": raw["near_miss"]["after"],
        "near_miss_after": raw["near_miss"]["after"],
        "greeting_again": [text for text in raw["greeting"] if "欢迎" not in text],  # nobody welcomes a complaint
    }
    opening = {"reminder": raw["reminder"]["open"], "takeover": raw["takeover"]}
    return {
        **{name: spoken(texts) for name, texts in lines.items()},
        **{name: spoken(texts, must_address=True) for name, texts in opening.items()},
    }


def notes(raw: dict[str, Any]) -> dict[str, Any]:
    """Lines that nobody speaks: automatic ones, notices, stand-ins for what is not text."""
    return {
        "auto_day": wordings(raw["auto"]["day"]),
        "auto_night": wordings(raw["auto"]["night"]),
        "bot": wordings(raw["bot"]),
        "assist": wordings(raw["assist"]),
        "enter": {phase: wordings(texts) for phase, texts in raw["system"]["enter"].items()},
        "transfer": template(raw["system"]["transfer"]),
        "internal": wordings(raw["internal"]),
        "content": {kind: template(text) for kind, text in raw["content"].items()},
        "tail": raw["tail"],
        "lead": raw["lead"],
    }
