"""The sample shop's month: customers come, ask, order, return; hour by hour, so that memory holds hours, not months."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from itertools import accumulate
from operator import itemgetter
from random import Random
from typing import TextIO

from pipelines.sample import mix, orders
from pipelines.sample.orders import DAY, HOUR, Customer, Later, Order
from pipelines.sample.slots import Item, fill, item, kits
from pipelines.sample.talk import Talk, Visit
from pipelines.sample.texts import Agent, Book, Scenario
from pipelines.sample.truth import Truth

FIRST_DAY = date(2026, 9, 1)
BY_HOUR = (5, 3, 2, 1, 1, 1, 2, 5, 14, 26, 34, 32, 26, 27, 32, 34, 33, 28, 25, 31, 38, 40, 30, 14)
BY_WEEKDAY = (1.0, 0.97, 0.96, 0.98, 1.02, 1.12, 1.1)  # Monday first
PROMOTION = {8: 1.8}  # day of the sample → factor; 9.9 is a shopping day
SECOND_CONTACT = 0.08  # inquirers who do not buy ask again, of another agent
SILENT_ORDERS = 0.3  # orders without a talk, per talk that a new customer opens
STARS = {True: ((5, 0.75), (4, 1.0)), False: ((3, 0.4), (2, 0.65), (1, 1.0))}


class Month:
    """State of the running sample: three outgoing files with rows held back until their hour."""

    def __init__(
        self, book: Book, agents: list[Agent], files: Mapping[str, TextIO], *, messages: int, seed: int, days: int
    ):
        self.book, self.agents, self.files = book, agents, files
        self.rng = Random(seed)
        self.random = self.rng.random
        self.messages, self.days, self.end = messages, days, days * DAY
        self.worth = {agent.id: mix.worth(book, agent) for agent in agents}
        self.truth = Truth(agents)
        self.kits = kits(self.rng, book)
        self.waiting: dict[str, defaultdict[int, list[tuple[int, str]]]] = {name: defaultdict(list) for name in files}
        self.later: defaultdict[int, list[Later]] = defaultdict(list)
        self.duty: dict[tuple[int, str], tuple[list[Agent], list[float]]] = {}
        self.redlines = sorted(book.redlines, key=itemgetter("day"))
        self.dates = [str(FIRST_DAY + timedelta(days=i)) for i in range(days + 1)]
        self.clock = [f"{s // HOUR:02d}:{s % HOUR // 60:02d}:{s % 60:02d}" for s in range(DAY)]
        self.n_rows = self.n_talks = self.n_customers = self.n_orders = self.n_arrivals = self.n_silent = 0

    # -- the course of the month ---------------------------------------------------------------------------------
    def run(self) -> None:
        shares = list(accumulate(self.traffic()))
        for hour, share in enumerate(shares):
            self.contacts(hour)
            while self.n_rows < self.messages * share / shares[-1]:
                self.arrival(hour)
            while self.n_silent < SILENT_ORDERS * self.n_arrivals:
                self.n_silent += 1
                orders.silent(self, self.moment(hour), self.new_customer(), self.item())
            self.contacts(hour)  # those that this hour's orders have led to
            self.flush(hour)

    def contacts(self, hour: int) -> None:
        while visits := self.later.pop(hour, None):
            for visit in visits:
                self.contact(visit)

    def traffic(self) -> list[float]:
        factors = [
            BY_WEEKDAY[(FIRST_DAY + timedelta(days=day)).weekday()] * PROMOTION.get(day, 1.0)
            for day in range(self.days)
        ]
        return [factor * weight for factor in factors for weight in BY_HOUR]

    def moment(self, hour: int) -> int:
        """A second of the hour; nobody opens a talk in the last half hour before midnight, so that days stay apart."""
        return hour * HOUR + int(self.random() * (HOUR // 2 if hour % 24 == 23 else HOUR))

    def day_time(self, day: int) -> int:
        """A second of the day when people are awake."""
        return self.moment(day * 24 + self.rng.choices(range(24), BY_HOUR)[0])

    def stamp(self, second: int) -> str:
        return f"{self.dates[second // DAY]} {self.clock[second % DAY]}"

    # -- people --------------------------------------------------------------------------------------------------
    def new_customer(self) -> Customer:
        self.n_customers += 1
        channel = "taobao" if self.random() < 0.6 else "jd"
        mixed = self.n_customers * 2_654_435_761 % 2**32  # odd factor: no two customers share a number
        nicks = self.book.slots["nick"]
        named = f"{nicks[int(self.random() * len(nicks))]}{mixed}" if self.random() < 0.5 else None
        chance = self.random()
        script = "traditional" if chance < 0.03 else "full" if chance < 0.04 else "plain"
        return Customer(channel, named or f"{'tb' if channel == 'taobao' else 'jd_'}{mixed}", script, False)

    def item(self) -> Item:
        return item(self.rng, self.book, "tea" if self.random() < mix.GOODS["tea"] else "ware")

    def on_duty(self, second: int, phase: str) -> Agent:
        """Who takes a talk that opens now, by the agents' shares of it."""
        agents, shares = self.present(second, phase)
        return self.rng.choices(agents, cum_weights=shares)[0]

    def present(self, second: int, phase: str) -> tuple[list[Agent], list[float]]:
        """Who is on duty, with running sums of their shares."""
        key = second // HOUR, "pre" if phase == "pre" else "after"
        if key not in self.duty:
            self.duty = {k: v for k, v in self.duty.items() if k[0] >= key[0] - 24}
            day, hour = divmod(key[0], 24)
            present = [agent for agent in self.agents if agent.is_on_duty(day, hour)] or self.agents[:1]
            self.duty[key] = present, list(accumulate(getattr(agent, key[1]) for agent in present))
        return self.duty[key]

    def asked(self) -> dict[str, float]:
        """agent id → inquiries that are expected, relative to each other."""
        due = dict.fromkeys((agent.id for agent in self.agents), 0.0)
        for hour, traffic in enumerate(self.traffic()):
            agents, sums = self.present(hour * HOUR, "pre")
            for agent, low, high in zip(agents, [0.0, *sums], sums, strict=False):
                due[agent.id] += traffic * (high - low) / sums[-1]
        return due

    # -- talks ---------------------------------------------------------------------------------------------------
    def arrival(self, hour: int) -> None:
        self.n_arrivals += 1
        self.inquiry(self.moment(hour), self.new_customer())

    def contact(self, visit: Later) -> None:
        if visit.kind == "pre":
            self.inquiry(visit.second, visit.customer, first=visit.agent)
        elif visit.kind == "silent":
            orders.silent(self, visit.second, visit.customer, self.item())
        else:
            self.service(visit)

    def inquiry(self, start: int, customer: Customer, first: Agent | None = None) -> None:
        """售前: a customer asks, and orders with the probability planted in the agent and the topic.

        `first` has already talked to the customer the day before; this time another agent does, or nobody.
        """
        thing = self.item()
        if first is None and self.random() < 0.012:
            self.nobody_answers(start, customer, thing)
            return
        agent = self.on_duty(start, "pre")
        if first is agent:
            return
        scene = mix.scene(self.rng, self.book.scenarios["pre", thing.goods], agent)
        is_converted = self.random() < self.worth[agent.id] * scene.ease
        in_talk = is_converted and self.random() < 0.4
        is_reminded = not in_talk and self.random() < 0.12
        mood = "happy" if in_talk else "buy" if is_converted else "think"
        talk = self.talk(
            start, customer, agent, "pre", mood, thing=thing, scene=scene, places_order=in_talk, must_close=is_reminded
        )
        day = start // DAY
        self.truth.shop["inquiries"] += 1
        self.truth.shop["second_contacts"] += first is not None
        self.truth.shop["second_contacts_converted"] += first is not None and is_converted
        self.inquired(agent, day, is_converted, customer)
        if is_converted:
            orders.consulted(self, customer, agent, thing, talk, is_reminded=is_reminded)
        elif is_reminded and self.random() < 0.5:
            created = talk.bubbles[-1][0] + 30 + int(self.random() * 3000)
            contacted = orders.awake(self, created + 2700)
            orders.place(self, customer, thing, created, paid=None, agent=agent, kind="consulted", contacted=contacted)
        elif first is None and self.random() < SECOND_CONTACT:  # both within the 72 hours of attribution
            self.schedule(orders.awake(self, self.day_time(day + 1)), "pre", customer, agent=agent)
        elif self.random() < 0.06:  # from the fourth day on, so that a late order is not credited to this day
            self.schedule(self.day_time(day + 4 + int(self.random() * 7)), "pre", customer)

    def inquired(self, agent: Agent, day: int, is_converted: bool, customer: Customer) -> None:
        add = self.truth.add
        add(agent.id, "inquiries")
        if customer.has_paid:
            add(agent.id, "returning_inquiries")
        if day + 4 < self.days:
            add(agent.id, "mature_inquiries")
            add(agent.id, "mature_converted", int(is_converted))

    def service(self, visit: Later) -> None:
        """售中, 售后 and 催付: the customer has an order."""
        assert visit.order
        agent = visit.agent or self.on_duty(visit.second, visit.kind)
        mood = "happy"  # settled by the rating below
        self.talk(visit.second, visit.customer, agent, visit.kind, mood, thing=visit.order.thing, order=visit.order)

    def talk(
        self,
        start: int,
        customer: Customer,
        agent: Agent,
        kind: str,
        mood: str,
        *,
        thing: Item,
        scene: Scenario | None = None,
        order: Order | None = None,
        places_order: bool = False,
        must_close: bool = False,
    ) -> Talk:
        phase = "mid" if kind == "remind" else kind
        if scene is None and kind != "remind":
            scene = self.rng.choice(self.book.scenarios[phase, thing.goods])
        second = None
        if scene and kind != "pre" and not scene.is_complaint and self.random() < 0.06:
            second = self.on_duty(start, kind)
        last = second if second and second is not agent else agent
        is_good = self.random() < last.satisfied
        if kind != "pre":
            mood = "happy" if is_good else "unhappy"
        elif not is_good and (mood == "think" or self.random() < 0.3):
            mood = "unhappy"
        visit = Visit(
            start,
            customer.channel,
            agent,
            last if last is not agent else None,
            scene,
            phase,
            mood,
            customer.script,
            places_order,
            must_close,
            # a late answer stays within the day: an inquiry counts on the day it was answered, too, and talks of days stay apart
            (start // DAY + 1) * DAY,
            start % DAY < 8 * HOUR or start % DAY > 23 * HOUR,
            self.redline(agent, start) if kind == "pre" else None,
        )
        order_id, fen = (order.order_id, order.fen) if order else ("", 0)
        if places_order:
            order_id = orders.order_id(self, customer.channel)
        base = self.kits[self.n_talks % len(self.kits)]
        slots = fill(
            self.rng,
            self.book,
            base,
            thing,
            order_id=order_id,
            paid_fen=fen,
            me=agent.name,
            today=self.dates[start // DAY],
        )
        talk = Talk(self.rng, self.book, visit, slots).run()
        self.publish(talk, customer, is_good)
        return talk

    def nobody_answers(self, start: int, customer: Customer, thing: Item) -> None:
        scenes = self.book.scenarios["pre", thing.goods]
        asks = self.rng.choice(scenes).steps[0].asks
        slots = fill(
            self.rng, self.book, self.kits[0], thing, order_id="0000", paid_fen=0, me="", today=self.dates[start // DAY]
        )
        bubbles = [
            (start + 5 * i, "customer", "", text % slots, "text") for i, text in enumerate(self.rng.choice(asks))
        ]
        self.truth.shop["inquiries"] += 1
        self.truth.shop["unanswered_conversations"] += 1
        self.post(bubbles, customer)

    def redline(self, agent: Agent, start: int) -> str | None:
        for i, line in enumerate(self.redlines):
            if line["agent"] == agent.name and start // DAY + 1 >= line["day"]:
                text: str = self.redlines.pop(i)["text"]
                return text.replace("<off>", "20").replace("<low>", "5")
        return None

    def publish(self, talk: Talk, customer: Customer, is_good: bool) -> None:
        for agent, what in talk.facts:
            self.truth.by_agent[agent][what] += 1
        if talk.first_wait is not None:
            self.truth.waited(talk.visit.agent.id, talk.first_wait)
        sid = self.post(talk.bubbles, customer)
        self.rate(talk, customer, sid, is_good)

    def post(self, bubbles: list[tuple[int, str, str, str, str]], customer: Customer) -> str:
        """Rows of messages.csv. 京东 names its conversations, 淘宝 does not."""
        self.n_talks += 1
        sid = f"{self.n_talks * 2_654_435_761 % 2**40:010x}" if customer.channel == "jd" else ""
        head, name, waiting = f"{self.book.shop},{customer.channel},{sid},m", customer.name, self.waiting["messages"]
        n = self.n_rows
        for second, kind, agent, text, content in bubbles:
            if second < self.end:
                n += 1
                when = f"{self.dates[second // DAY]} {self.clock[second % DAY]}"
                row = f'{head}{n},{when},{kind},{agent},{name},"{text}",{content}\n'
                waiting[second // HOUR].append((second, row))
        self.n_rows = n
        self.truth.shop["conversations"] += 1
        return sid

    def rate(self, talk: Talk, customer: Customer, sid: str, is_good: bool) -> None:
        """An invitation after the talk, perhaps answered. 京东 rates the conversation, 淘宝 the agent."""
        agent = talk.agent
        invited_at = talk.bubbles[-1][0] + 5 + int(self.random() * 60)
        if self.random() >= agent.invited or invited_at >= self.end:
            return
        self.truth.add(agent.id, "invited")
        rated_at = invited_at + 5 + int(math.exp(self.rng.gauss(5.0, 1.5)))
        rated, stars = "", ""
        if self.random() < agent.rated and rated_at < self.end:
            chance = self.random()
            rated, stars = self.stamp(rated_at), str(next(n for n, upto in STARS[is_good] if chance < upto))
            self.truth.add(agent.id, "rated")
            self.truth.add(agent.id, "satisfied", int(is_good))
        who = f"{sid},," if sid else f",{customer.name},{agent.id}"
        row = f"{self.book.shop},{who},{self.stamp(invited_at)},{rated},{stars}\n"
        self.hold("ratings", invited_at, row)

    # -- what waits for its hour ---------------------------------------------------------------------------------
    def is_in_time(self, second: int) -> bool:
        """A talk that opens now ends within the sample."""
        return second < self.end - HOUR // 2

    def schedule(
        self, second: int, kind: str, customer: Customer, order: Order | None = None, agent: Agent | None = None
    ) -> None:
        if self.is_in_time(second):
            self.later[second // HOUR].append(Later(second, kind, customer, order, agent))

    def hold(self, file: str, second: int, row: str) -> None:
        self.waiting[file][second // HOUR].append((second, row))

    def flush(self, hour: int) -> None:
        for name, file in self.files.items():
            rows = self.waiting[name].pop(hour, [])
            rows.sort(key=itemgetter(0))  # stable: bubbles of one second stay in the order they were said
            file.writelines(row for _, row in rows)
