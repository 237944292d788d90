"""Orders of the sample shop: consulted, reminded, silent and unpaid ones, refunds, and the contacts they cause."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from pipelines.sample.slots import Item
from pipelines.sample.texts import Agent

if TYPE_CHECKING:
    from pipelines.sample.month import Month
    from pipelines.sample.talk import Talk

DAY, HOUR = 86_400, 3_600
LATEST_ORDER = 50 * HOUR  # after the talk: within the 72 hours of attribution, and paid by the end of D+3
CLOSED_AFTER = 3 * DAY  # an unpaid order is closed by the platform
MID_SALE, AFTER_SALE, REPEAT = 0.25, 0.36, 0.08  # contacts and second purchases per paid order


class Customer(NamedTuple):
    channel: str
    name: str
    script: str  # plain, traditional, full
    has_paid: bool


class Order(NamedTuple):
    """What a later talk knows of an order."""

    order_id: str
    thing: Item
    fen: int


class Later(NamedTuple):
    """A contact that is settled now and happens at `second`."""

    second: int
    kind: str  # pre, mid, after, remind, silent
    customer: Customer
    order: Order | None
    agent: Agent | None


def order_id(month: Month, channel: str) -> str:
    """A number nobody else has, in the channel's length."""
    month.n_orders += 1
    if channel == "taobao":
        return f"330926{month.n_orders * 7_368_787 % 10**13:013d}"
    return f"30{month.n_orders * 736_878_787 % 10**10:010d}"


def awake(month: Month, second: int) -> int:
    """The same moment, or the next morning: nobody is reminded of a payment at night."""
    if 9 * HOUR <= second % DAY < 22 * HOUR:
        return second
    morning = second - second % DAY + 9 * HOUR + int(month.random() * HOUR)
    return morning if morning > second else morning + DAY


def consulted(month: Month, customer: Customer, agent: Agent, thing: Item, talk: Talk, *, is_reminded: bool) -> None:
    """落实下单: one order, sometimes two, after the agent's last word or between two of them."""
    random, gauss = month.random, month.rng.gauss
    if talk.ordered_at is not None:
        created, paid = talk.ordered_at, talk.ordered_at + 5 + int(random() * 15)
    else:
        created = talk.bubbles[-1][0] + 5 + min(LATEST_ORDER, int(math.exp(gauss(6.0, 1.6))))
        paid = created + 5 + int(random() * 900)
    contacted = None
    if is_reminded:
        contacted = awake(month, created + 2400 + int(random() * 7200))
        paid = contacted + 600 + int(random() * 3 * HOUR)
    number = str(talk.slots["order"])  # quoted in the talk, if the order was placed in it
    place(month, customer, thing, created, paid=paid, agent=agent, kind="consulted", number=number, contacted=contacted)
    if random() < 0.06 and not is_reminded:
        again = max(paid, talk.bubbles[-1][0]) + 120 + int(random() * 1800)
        place(
            month,
            customer._replace(has_paid=True),
            thing,
            again,
            paid=again + 30,
            agent=agent,
            kind="consulted",
            is_last=True,
        )


def silent(month: Month, created: int, customer: Customer, thing: Item) -> None:
    """静默下单: paid at once; or left unpaid, and then reminded of by an agent, or not."""
    random = month.random
    if random() < 0.82:
        place(month, customer, thing, created, paid=created + 4 + int(random() * 600), agent=None, kind="silent")
    elif random() < 0.6:
        contacted = awake(month, created + 1200 + int(random() * 7200))
        agent = month.on_duty(contacted, "pre")
        paid = contacted + 600 + int(random() * 5 * HOUR) if random() < 0.55 else None
        place(month, customer, thing, created, paid=paid, agent=agent, kind="reminded", contacted=contacted)
    else:
        paid = created + 1800 + int(random() * 20 * HOUR) if random() < 0.25 else None
        place(month, customer, thing, created, paid=paid, agent=None, kind="silent")


def place(
    month: Month,
    customer: Customer,
    thing: Item,
    created: int,
    *,
    paid: int | None,
    agent: Agent | None,
    kind: str,
    number: str = "",
    contacted: int | None = None,
    is_last: bool = False,
) -> None:
    """One row of orders.csv, what it adds to the truth, and the contacts that follow from it."""
    if created >= month.end:
        return
    if paid is not None and paid >= month.end:
        paid = None
    if contacted is not None and not month.is_in_time(contacted):
        contacted = paid = None  # nobody was left to remind of it
    items = basket(month, is_consulted=kind == "consulted")
    fen = int(thing.fen * items * (0.82 + 0.18 * month.random()))
    order = Order(number or order_id(month, customer.channel), thing, fen)
    if contacted is not None and agent is not None:
        month.schedule(contacted, "remind", customer, order, agent)
        month.truth.add(agent.id, "contacted_unpaid")
        month.truth.add(agent.id, "contacted_paid", int(paid is not None))
    after = after_sale(month, paid) if paid is not None and not is_last else None
    refund = refunded(month, paid, after, fen)
    count(month, customer, paid=paid, fen=fen, back=refund[0], agent=agent, kind=kind)
    write(month, customer, order, created=created, paid=paid, refund=refund, items=items)
    if paid is not None and not is_last:
        follow(month, customer._replace(has_paid=True), order, paid, after)


def basket(month: Month, *, is_consulted: bool) -> int:
    """Items of an order: a talk makes the basket a little larger."""
    chance = month.random()
    if is_consulted:
        chance += 0.12
    return 1 if chance < 0.68 else 2 if chance < 0.93 else 3 + int(month.random() * 4)


def after_sale(month: Month, paid: int) -> int | None:
    """When the buyer comes back with a problem, if so."""
    if month.random() >= AFTER_SALE:
        return None
    return month.day_time(paid // DAY + 3 + int(month.random() * 7))


def refunded(month: Month, paid: int | None, after: int | None, fen: int) -> tuple[int, int | None, int | None]:
    """Refunded fen, applied at, finished at; nothing is refunded before it is finished."""
    random = month.random
    if paid is None or random() >= (0.2 if after else 0.02):
        return 0, None, None
    applied = (after if after else paid) + 600 + int(random() * DAY)
    finished = applied + HOUR + int(random() * 3 * DAY)
    if applied >= month.end:
        return 0, None, None
    if finished >= month.end:
        return 0, applied, None
    return (fen if random() < 0.6 else max(100, int(fen * (0.1 + 0.5 * random())))), applied, finished


def count(
    month: Month, customer: Customer, *, paid: int | None, fen: int, back: int, agent: Agent | None, kind: str
) -> None:
    shop = month.truth.shop
    shop["orders"] += 1
    if paid is None:
        shop["unpaid_orders"] += 1
        return
    shop["paid_orders"] += 1
    shop["buyers"] += not customer.has_paid
    shop["sales_fen"] += fen
    shop["refunded_fen"] += back
    shop["refunded_orders"] += back > 0
    shop[f"{kind}_orders"] += 1
    shop[f"{kind}_fen"] += fen
    if agent:
        month.truth.add(agent.id, f"{kind}_orders")
        month.truth.add(agent.id, f"{kind}_fen", fen)


def write(
    month: Month,
    customer: Customer,
    order: Order,
    *,
    created: int,
    paid: int | None,
    refund: tuple[int, int | None, int | None],
    items: int,
) -> None:
    back, applied, finished = refund

    def stamp(second: int | None) -> str:
        return "" if second is None else month.stamp(second)

    row = ",".join([
        order.order_id, "", month.book.shop, customer.channel, customer.name, stamp(created), stamp(paid),
        money(order.fen if paid is not None else 0), money(back), stamp(applied), stamp(finished), str(items),
        status(month, created, paid, back, order.fen),
    ])  # fmt: skip
    month.hold("orders", created, row + "\n")


def money(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def status(month: Month, created: int, paid: int | None, back: int, fen: int) -> str:
    """As the platform would show it when the month is exported."""
    if paid is None:
        return "交易关闭" if created + CLOSED_AFTER < month.end else "等待买家付款"
    if back == fen:
        return "已退款"
    days = (month.end - paid) // DAY
    return "等待发货" if days < 1 else "已发货" if days < 7 else "交易成功"


def follow(month: Month, customer: Customer, order: Order, paid: int, after: int | None) -> None:
    """Contacts of later days: never on the day of the order, so that an inquiry stays the business of one agent."""
    day = paid // DAY
    if month.random() < MID_SALE:
        month.schedule(month.day_time(day + 1 + int(month.random() * 2)), "mid", customer, order)
    if after is not None:
        month.schedule(after, "after", customer, order)
    if month.random() < REPEAT:  # at least five days after the last contact, beyond the 72 hours of attribution
        again = month.day_time((after or paid) // DAY + 7 + int(month.random() * 10))
        month.schedule(again, "silent" if month.random() < 0.5 else "pre", customer)
