"""What fills the slots of a talk: goods, prices, places, numbers; all made up."""

from __future__ import annotations

import math
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import NamedTuple

from pipelines.sample.texts import Book

KITS = 4096  # ready-made sets of the small slots: drawing thirty numbers per talk would cost more than the talk itself
NUMBERS = {  # slot → first, last, step
    "num": (2, 9, 1), "less": (1, 2, 1), "days": (2, 7, 1), "late_days": (8, 15, 1), "hours": (2, 48, 2),
    "minutes": (3, 15, 1), "clock": (12, 22, 1), "dom": (1, 28, 1), "month": (3, 8, 1), "age": (45, 78, 1),
    "temp": (80, 100, 1), "grams": (3, 8, 1), "ml": (100, 380, 10), "brew": (5, 45, 5), "shelf": (12, 36, 6),
    "lab": (28, 78, 1), "leaf": (1, 3, 1), "full": (99, 399, 20), "off": (10, 60, 5), "low": (3, 19, 1),
    "zhe": (7, 9, 1), "left_n": (6, 480, 1), "bulk": (20, 400, 10), "cm": (7, 24, 1), "cm2": (4, 12, 1),
    "years": (6, 15, 1), "no": (2, 288, 1),
}  # fmt: skip
DEAL = (0.75, 0.95)  # what is left of a price after coupons

Kit = dict[str, object]


class Item(NamedTuple):
    """What a talk or an order is about."""

    goods: str  # tea, ware
    name: str
    fen: int


def kits(rng: Random, book: Book) -> list[Kit]:
    """Sets of small slots that talks are given in turn."""
    return [kit(rng, book) for _ in range(KITS)]


def kit(rng: Random, book: Book) -> Kit:
    numbers = {name: rng.randrange(first, last + 1, step) for name, (first, last, step) in NUMBERS.items()}
    words = {name: rng.choice(book.slots[name]) for name in ("spec", "ware_spec", "express", "city", "road")}
    surname = rng.choice(book.slots["surname"])
    buyer = surname + rng.choice(["女士", "先生", "小姐"])
    return {**numbers, **words, "city2": rng.choice(book.slots["city"]), "buyer": buyer, "masked": f"{surname}**"}


def item(rng: Random, book: Book, goods: str) -> Item:
    rows = book.goods[goods]
    name, fen = rows[int(rng.random() * len(rows))]
    return Item(goods, name, fen)


def yuan(fen: int) -> str:
    """Money as people type it: 68, 59.5."""
    return f"{fen / 100:g}"


def fill(rng: Random, book: Book, base: Kit, thing: Item, *, order_id: str, paid_fen: int, me: str, today: str) -> Kit:
    """The slots of one talk; `today` as 2026-09-01."""
    random = rng.random
    low, high = DEAL
    phone = int(random() * 10_000)
    others = book.goods[thing.goods]
    price = thing.fen if random() < 0.6 else int(thing.fen * (1.5 + random())) // 100 * 100
    return base | {
        "product": thing.name,
        "other": others[int(random() * len(others))][0],
        "spec": base["spec"] if thing.goods == "tea" else base["ware_spec"],
        "price": yuan(price),
        "deal": yuan(math.floor(price * (low + (high - low) * random()) / 10) * 10),
        "refund": yuan(paid_fen or thing.fen),
        "order": order_id,
        "tail": order_id[-4:] or f"{phone:04d}",
        "track": f"SF{int(random() * 1e13):013d}",
        "mobile": f"1380013{phone:04d}",  # a made-up block, in the style of 13800138000
        "mobile_masked": f"138****{phone:04d}",
        "address": f"{base['city']}市{base['road']}{int(random() * 300) + 1}号{int(random() * 20) + 1}栋"
        f"{int(random() * 30) + 1}0{int(random() * 4) + 1}室",
        "date": in_days(today, int(random() * 6) + 1),
        "me": me,
    }


@lru_cache(maxsize=512)
def in_days(today: str, days: int) -> str:
    """A near date as people write it: 9月12日."""
    day = date.fromisoformat(today) + timedelta(days=days)
    return f"{day.month}月{day.day}日"
