"""What is planted in a made-up shop, and what its intervals ought to hold.

Conversions and like-with-like come from the book. Money and reminders have no short formula: they are the mean of many
shops of the very size of those that are judged (with seeds of their own), by the generator's own functions, noted as
they are drawn; no night reads them back.
"""

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from pipelines.sample import COLUMNS, mix, orders, staff, texts
from pipelines.sample.month import Month

FIRST = 1_000_000  # seeds of the shops that truth is taken from
DAY = 86_400

Planted = dict[tuple[str, str], float]  # (what, the agent's name or "" for the shop) -> value


class Placed(NamedTuple):
    """An order as it was drawn; seconds of the month."""

    kind: str
    created: int
    paid: int | None
    contacted: int | None


class Noted(NamedTuple):
    """What one shop drew: kind of order -> buyer -> fen, and every order."""

    spent: dict[str, Counter[str]]
    placed: list[Placed]


def draw(shops: int, messages: int) -> list[Noted]:
    """What so many shops of that size draw."""
    book = texts.load()
    return [noted(month(book, FIRST + i, messages)) for i in range(shops)]


def planted(drawn: Sequence[Noted], *, messages: int) -> Planted:
    """Every planted value of a shop of so many messages; what has no formula is the mean of the shops drawn."""
    book = texts.load()
    people = staff(book, len(book.agents), seed=0)
    any_month = month(book, FIRST, messages)
    ratios = mix.like_with_like(book, people, any_month.asked())
    by_agent = {("conversion_d3", one.name): one.conversion for one in people}
    alike = {("like_with_like", one.name): ratio for one in people if (ratio := ratios[one.id]) is not None}
    as_much = {("alike_per_buyer", one.name): 1.0 for one in people}  # a basket does not depend on who was asked
    return {**by_agent, **alike, **as_much, **money(drawn), **reminded(drawn, any_month.end)}


def month(book: texts.Book, seed: int, messages: int) -> Month:
    """A shop that writes its files nowhere."""
    nowhere = {name: io.StringIO() for name in COLUMNS}
    return Month(book, staff(book, len(book.agents), seed), nowhere, messages=messages, seed=seed, days=30)


def noted(one: Month) -> Noted:
    """Run the month and note what it draws."""
    spent: dict[str, Counter[str]] = defaultdict(Counter)
    placed: list[Placed] = []
    count, place = orders.count, orders.place

    def counting(month_, customer, *, paid, fen, kind, **rest):
        if paid is not None:
            spent[kind][customer.name] += fen
        count(month_, customer, paid=paid, fen=fen, kind=kind, **rest)

    def placing(month_, customer, thing, created, *, paid, kind, contacted=None, **rest):
        if created < month_.end and (contacted is None or month_.is_in_time(contacted)):
            placed.append(Placed(kind, created, paid, contacted))
        place(month_, customer, thing, created, paid=paid, kind=kind, contacted=contacted, **rest)

    orders.count, orders.place = counting, placing
    try:
        one.run()
    finally:
        orders.count, orders.place = count, place
    return Noted(spent, placed)


def money(drawn: Iterable[Noted]) -> Planted:
    """Paid fen a buyer: of all orders, of the consulted, of the silent ones, and the ratio of the two."""
    fen: Counter[str] = Counter()
    buyers: Counter[str] = Counter()
    for shop in drawn:
        for kind, some in {**shop.spent, "all": sum(shop.spent.values(), Counter())}.items():
            fen[kind] += some.total()
            buyers[kind] += len(some)
    mean = {kind: fen[kind] / buyers[kind] for kind in fen}
    return {
        ("sales_per_buyer", ""): mean["all"],
        ("sales_per_buyer_consulted", ""): mean["consulted"],
        ("sales_per_buyer_silent", ""): mean["silent"],
        ("consulted_lift", ""): mean["consulted"] / mean["silent"],
    }


def reminded(drawn: Iterable[Noted], end: int) -> Planted:
    """Paid after a contact; and, of the orders nobody contacted, paid within 24 h of the ages the contacts came at."""
    placed = [one for shop in drawn for one in shop.placed]
    known = [one for one in placed if one.contacted is not None and one.contacted + DAY <= end]
    ages = np.array([one.contacted - one.created for one in known])
    alone = [one for one in placed if one.kind == "silent" and one.contacted is None and one.created + 4 * DAY <= end]
    paid_at = np.sort([one.paid - one.created for one in alone if one.paid is not None])
    left = len(alone) - np.searchsorted(paid_at, ages, side="right")
    came = np.searchsorted(paid_at, ages + DAY, side="right") - np.searchsorted(paid_at, ages, side="right")
    success = sum(one.paid is not None and one.paid < end for one in known) / len(known)
    control = float(np.mean(came / left))
    return {
        ("reminder_success", ""): success,
        ("reminder_expected", ""): control,
        ("reminder_effect", ""): success - control,
    }
