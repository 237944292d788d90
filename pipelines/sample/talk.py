"""One talk of the sample shop, bubble by bubble, with the truths that were planted in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from pipelines.sample.slots import Kit
from pipelines.sample.texts import Agent, Book, Scenario, Step, Wording

Bubble = tuple[int, str, str, str, str]  # second, sender_kind, agent, text, content_kind

LONGEST_WAIT = 1500  # stays under the 30 minutes that cut a conversation; only a late first answer goes beyond
LATE = (1860, 6 * 3600)
TAILS = 0.35  # share of bubbles that end in an emoji, a code or a particle
LEADS = 0.35  # share of questions and answers that begin with a filler
GREETS = "你在有请老麻问"  # an opening that begins so needs no filler before it
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F) if chr(code) not in '",'}


class Visit(NamedTuple):
    """What is settled before a word is said."""

    start: int  # seconds since the first day's midnight
    channel: str
    agent: Agent
    second: Agent | None  # to whom the talk is handed after the first answer
    scene: Scenario | None  # None: the agent opens, to remind of a payment
    phase: str
    mood: str  # buy, think, happy, unhappy: how the customer closes
    script: str  # plain, traditional, full
    places_order: bool  # within the talk
    must_close: bool  # leaves no turn open, so that a reminder a little later is not taken for its answer
    last_second: int  # a late answer comes before it
    is_night: bool
    redline: str | None


class Talk:
    """The talk while it goes on: `bubbles` grow, `facts` note what was planted as (agent id, what)."""

    def __init__(self, rng: Random, book: Book, visit: Visit, slots: Kit) -> None:
        self.rng, self.random, self.book, self.visit, self.slots = rng, rng.random, book, visit, slots
        self.bubbles: list[Bubble] = []
        self.facts: list[tuple[str, str]] = []
        self.clock = visit.start
        self.first_wait: int | None = None
        self.ordered_at: int | None = None
        self.agent = visit.agent
        self.has_spoken = False  # the current agent
        self.address = False

    # -- the two voices ------------------------------------------------------------------------------------------
    def pick(self, options: Sequence[Wording]) -> Wording:
        return options[int(self.random() * len(options))]

    def customer(
        self, wording: Wording, until: int, *, content: str = "text", lead: str = "", has_tail: bool = True
    ) -> None:
        """The customer's bubbles from the clock on, all of them before `until` and near each other."""
        gap = min(until - self.clock, 45) // (len(wording) + 1)
        for i, bubble in enumerate(wording):
            text = bubble % self.slots
            if lead and i == 0 and text[0] not in GREETS and self.random() < LEADS:
                leads = self.book.note["lead"][lead]
                text = leads[int(self.random() * len(leads))] + text
            if has_tail and content == "text" and self.random() < TAILS:
                tails = self.book.note["tail"]["customer"]
                text += tails[int(self.random() * len(tails))]
            if self.visit.script != "plain":
                text = text.translate(self.book.traditional if self.visit.script == "traditional" else FULL_WIDTH)
            self.bubbles.append((self.clock + i * gap, "customer", "", text, content))

    def note(self, kind: str, wording: Wording, at: int, agent: str = "", content: str = "text") -> None:
        self.bubbles.append((at, kind, agent, wording[0] % self.slots, content))

    def says(self, wording: Wording, *, has_tail: bool = True) -> None:
        """The agent's bubbles from the clock on; the clock stops after the last."""
        for bubble in wording:
            text = bubble % self.slots
            if has_tail and self.random() < TAILS:
                tails = self.book.note["tail"]["agent"]
                text += tails[int(self.random() * len(tails))]
            self.bubbles.append((self.clock, "agent", self.agent.id, text, "text"))
            self.clock += 2 + int(self.random() * 8)

    def line(self, name: str) -> Wording:
        return self.pick(self.book.agent[name][self.address])

    def fact(self, what: str) -> None:
        self.facts.append((self.agent.id, what))

    # -- time ----------------------------------------------------------------------------------------------------
    def wait(self) -> int:
        """Seconds until the agent answers: log-normal around the agent's median."""
        agent = self.agent
        return max(1, min(LONGEST_WAIT, round(agent.wait_s * math.exp(agent.sigma * self.rng.gauss(0.0, 1.0)))))

    def opening_wait(self) -> int:
        if self.random() < self.agent.late:
            late = LATE[0] + int(self.random() * (LATE[1] - LATE[0]))
            if self.visit.start + late < self.visit.last_second:
                return late
        return self.wait()

    def think(self) -> None:
        self.clock += 5 + int(self.random() * self.random() * 150)

    # -- an agent's part -----------------------------------------------------------------------------------------
    def answer(self, wording: Wording, *, complaint: bool = False) -> None:
        """An answer; the agent's first one carries the greeting, and the apology that a complaint asks for."""
        if not self.has_spoken:
            wording = self.with_courtesies(wording, complaint=complaint)
        elif self.random() < LEADS:
            leads = self.book.note["lead"]["agent"]
            wording = (leads[int(self.random() * len(leads))] + wording[0], *wording[1:])
        self.says(wording, has_tail=not complaint)  # a smile would mock a complaint

    def with_courtesies(self, wording: Wording, *, complaint: bool) -> Wording:
        self.has_spoken = True
        if complaint:
            self.fact("apology_applies")
            if self.random() < self.agent.apology:
                self.fact("apology")
                wording = (*self.line("apology"), *wording)
        if self.random() >= self.agent.greeting:
            return wording
        self.fact("greeting")
        greeting = self.line("greeting" if self.visit.phase == "pre" else "greeting_again")[0]
        if self.random() < 0.4:
            return (greeting, *wording)
        return (f"{greeting}\uff0c{wording[0]}", *wording[1:])

    def takes_seat(self, agent: Agent) -> None:
        """From here on `agent` speaks; what it will do in this conversation is drawn now."""
        self.agent, self.has_spoken = agent, False
        self.fact("conversations")
        self.address = self.random() < agent.address
        if self.address:
            self.fact("address")

    def slips(self) -> list[Wording]:
        """Forbidden sentences and harmless look-alikes that the agent drops into this conversation."""
        found = []
        if self.random() < self.agent.forbidden:
            self.fact("forbidden_conversations")
            for _ in range(1 + (self.random() < 0.15)):
                choice = self.book.forbidden[self.visit.phase]
                phrase, sentences = choice[int(self.random() * len(choice))]
                self.fact("forbidden_sentences")
                self.fact(f"phrase {phrase}")
                found.append(self.pick(sentences[self.address]))
        if self.visit.scene and self.random() < 0.06:
            self.fact("near_misses")
            found.append(self.line(f"near_miss_{self.visit.phase}"))
        return found

    def asides(self) -> None:
        """Now and then: a canned card, a recalled bubble, a word between colleagues, a file."""
        random, notes = self.random, self.book.note
        chance = random()
        if chance < 0.03:
            self.note("assist", self.pick(notes["assist"]), self.clock, self.agent.id)
        elif chance < 0.045:
            self.note("agent", ("",), self.clock, self.agent.id, "recall")
        elif chance < 0.05:
            self.note("internal", self.pick(notes["internal"]), self.clock, self.agent.id)
        elif chance < 0.4 and self.visit.scene and self.visit.scene.id == "invoice_after":
            self.note("agent", (notes["content"]["file"],), self.clock, self.agent.id, "file")

    # -- the course of a talk ------------------------------------------------------------------------------------
    def run(self) -> Talk:
        self.takes_seat(self.visit.agent)
        slips = self.slips()
        if self.visit.scene is None:
            self.remind()
            self.drop(slips)
        else:
            self.rounds(self.visit.scene, slips)
        if self.visit.places_order:
            self.place_order()
        self.close()
        return self

    def drop(self, slips: list[Wording]) -> None:
        for wording in slips:
            self.says(wording, has_tail=False)

    def rounds(self, scene: Scenario, slips: list[Wording]) -> None:
        steps = self.steps(scene)
        slip_at = 0 if self.visit.second else int(self.random() * len(steps))
        for i, step in enumerate(steps):
            if i:
                self.think()
            self.round(step, is_first=i == 0, complaint=scene.is_complaint)
            if i == 0 and self.visit.redline:
                self.fact("redlines")
                self.says((self.visit.redline,), has_tail=False)
            if i == slip_at:
                self.drop(slips)
            self.asides()
            if i == 0 and self.visit.second:
                self.hand_over(self.visit.second)

    def steps(self, scene: Scenario) -> tuple[Step, ...]:
        chance = self.random()
        if chance < 0.15 and not self.visit.second:
            return scene.steps[:1]
        if chance < 0.55 or not scene.has_more:
            return scene.steps
        more = self.book.more[scene.phase]
        return (*scene.steps, more[int(self.random() * len(more))])

    def round(self, step: Step, *, is_first: bool, complaint: bool) -> None:
        """One turn: the customer asks, and waits, and is answered."""
        wait = self.opening_wait() if is_first else self.wait()
        asked, answered = self.clock, self.clock + wait
        i = int(self.random() * len(step.asks))
        lead = "" if complaint else "opening" if is_first else "customer"
        self.customer(self.question(step.asks[i], is_first=is_first), answered, lead=lead, has_tail=not complaint)
        if is_first:
            self.first_wait = wait
            self.machines(asked, wait)
        if step.has_image and self.random() < 0.5:
            self.clock = min(answered - 1, asked + 60)
            self.customer((self.book.note["content"]["image"],), answered, content="image")
        self.clock = answered
        fitting = step.answers[self.address]
        self.answer(fitting[i % len(fitting)], complaint=complaint)

    def question(self, wording: Wording, *, is_first: bool) -> Wording:
        chance = self.random()
        if is_first and self.visit.phase == "pre" and chance < 0.12:
            self.customer((self.book.note["content"]["card"],), self.clock, content="card")
        elif not is_first and chance < 0.03:
            wording = (*wording, *self.pick(self.book.customer["near_miss"]))
        elif not is_first and chance < 0.04:
            self.customer((self.book.note["content"]["voice"],), self.clock, content="voice")
        elif not is_first and chance < 0.045:
            self.customer(("",), self.clock, content="empty")
        return wording

    def machines(self, asked: int, wait: int) -> None:
        """What answers before a human does: the entry notice, the automatic welcome, the bot."""
        random, notes = self.random, self.book.note
        if self.visit.channel == "jd" and random() < 0.25:
            enter = notes["enter"]["pre" if self.visit.phase == "pre" else "order"]
            self.bubbles.insert(0, (asked, "system", "", self.pick(enter)[0] % self.slots, "text"))
        if random() < 0.5:
            self.note("auto", self.pick(notes["auto_night" if self.visit.is_night else "auto_day"]), asked + 1)
        if wait > 20 and random() < 0.12:
            self.note("bot", self.pick(notes["bot"]), asked + 3)
            self.clock = asked + min(wait // 2, 60)
            self.customer(self.pick(self.book.customer["human_please"]), asked + wait)

    def hand_over(self, second: Agent) -> None:
        """The first agent says so and leaves politely or not; the second one introduces itself."""
        self.fact("transferred_out")
        self.says(self.line("handover"))
        self.farewell("handover_farewell")
        names = {"from_agent": self.agent.id, "to_agent": second.id}
        self.bubbles.append((self.clock, "system", second.id, self.book.note["transfer"] % names, "text"))
        self.takes_seat(second)
        self.slots = self.slots | {"me": second.name}
        slips = self.slips()
        self.clock += self.wait()
        self.answer(self.line("takeover"))
        self.drop(slips)

    def remind(self) -> None:
        """催付: the agent opens, the customer may answer."""
        self.answer(self.line("reminder"))
        if self.random() < 0.6:
            self.think()
            wait = self.first_wait = self.wait()
            self.customer(self.pick(self.book.customer["reminded"]), self.clock + wait)
            self.clock += wait
            self.answer(self.line("reminded"))

    def place_order(self) -> None:
        """The customer orders and pays while the window is open, then says so."""
        self.clock += 40 + int(self.random() * 200)
        self.ordered_at = self.clock - 25
        wait = self.wait()
        self.customer(self.pick(self.book.customer["order_placed"]), self.clock + wait)
        self.clock += wait
        self.answer(self.line("order_placed"))

    def farewell(self, name: str) -> bool:
        self.fact("farewell_applies")
        if self.random() >= self.agent.farewell:
            return False
        self.fact("farewell")
        self.says(self.line(name))
        return True

    def close(self) -> None:
        """Four endings: left on an open question; the agent's last word; thanks and a goodbye; thanks unanswered."""
        visit, lines, chance = self.visit, self.book.customer, self.random()
        farewell = f"farewell_{visit.phase}"
        if not visit.must_close and self.random() < self.agent.left:
            self.fact("left_open")
            self.think()
            self.customer(self.pick(lines["left"]), self.clock + 30)
        elif chance < 0.3 or visit.scene is None:
            self.farewell(farewell)
        elif chance < 0.85 or visit.must_close:
            self.think()
            wait = self.wait()
            self.customer(self.pick(lines[visit.mood]), self.clock + wait)
            self.clock += wait
            if not self.farewell(farewell):
                self.says(self.line("shrug"))
        else:
            self.farewell(farewell)
            self.think()
            self.customer(self.pick(lines[visit.mood]), self.clock + 30)
