"""Which column of an unknown table is which native one: by its name, and by what stands in it.

A name that the lexicon knows settles it, unless the values speak against it; a name that only contains a known word, or
values alone, make a guess that a person has to confirm (`is_sure` false).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping as Mapped
from functools import cache
from typing import Any, NamedTuple

import polars as pl

from pipelines.resources import data_dir, read_yaml
from qc.intake import NATIVE, SENDER_WORDS, TIMES, Kind, parse_fen, parse_time

SURE = 0.9  # a name from the lexicon; below it a person is asked
# What makes a table one of its kind.
SIGNATURE: dict[Kind, tuple[str, ...]] = {
    "messages": ("text", "sent_at", "sender_kind"),
    "orders": ("order_id", "created_at", "paid"),
    "ratings": ("stars", "rated_at", "customer"),
    "agents": ("agent", "name", "team"),
}
AMOUNTS = ("paid", "refunded", "line_price")
# Forms that native times do not have; the first that reads every value is taken, two that differ are a question.
TIME_FORMS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d %H:%M:%S", "%Y.%m.%d %H:%M", "%Y-%m-%d %I:%M:%S %p", "%Y/%m/%d %I:%M:%S %p",
    "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p",
    "%d/%m/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%d/%m/%Y %I:%M %p", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M", "%d-%b-%Y %H:%M:%S", "%b %d, %Y %I:%M %p",
)  # fmt: skip


class Guess(NamedTuple):
    """A native column and the one it is taken from."""

    column: str
    score: float

    @property
    def is_sure(self) -> bool:
        return self.score >= SURE


class Table(NamedTuple):
    """What is guessed of a table: its kind, and the columns by their native names."""

    kind: Kind
    columns: dict[str, Guess]


@cache
def lexicon() -> dict[str, Any]:
    """data/lexicons/columns.yaml."""
    loaded: dict[str, Any] = read_yaml(data_dir() / "lexicons" / "columns.yaml")
    return loaded


def plain(name: str) -> str:
    """A column name without width, case, spaces and the unit in brackets: 「支付金额(元)」 -> 支付金额, Paid_At -> paidat."""
    folded = unicodedata.normalize("NFKC", name).strip().lower()
    return re.sub(r"[\s_\-./:#]+", "", re.sub(r"[(\[【].*?[)\]】]", "", folded) or folded)


def guess(table: pl.DataFrame, kind: Kind | None = None) -> Table:
    """The kind that fits best (or as told) and its columns. `table`: every column as text."""
    kinds = [kind] if kind in SIGNATURE else list(SIGNATURE)
    found = {k: _columns(table, k) for k in kinds}
    best = max(kinds, key=lambda k: _likeness(k, found[k]))
    return Table(best, found[best])


def _likeness(kind: Kind, columns: dict[str, Guess]) -> float:
    first, *_ = SIGNATURE[kind]  # without its first column it is hardly one
    share = sum(columns[n].score for n in SIGNATURE[kind] if n in columns) / len(SIGNATURE[kind])
    return share if first in columns else share / 4


def _columns(table: pl.DataFrame, kind: Kind) -> dict[str, Guess]:
    scores = [
        (_score(name, column, table[column], kind), rank, -n, name, column)
        for rank, name in enumerate(reversed([*NATIVE[kind]]))
        for n, column in enumerate(table.columns)
    ]
    taken: dict[str, Guess] = {}
    for score, _, _, name, column in sorted(scores, reverse=True):
        if score > 0 and name not in taken and column not in {g.column for g in taken.values()}:
            taken[name] = Guess(column, score)
    if kind == "messages" and not taken.keys() & {"customer", "conversation_id"}:
        taken |= _whose(table, {g.column for g in taken.values()})
    return {name: taken[name] for name in NATIVE[kind] if name in taken}


def _whose(table: pl.DataFrame, used: set[str]) -> dict[str, Guess]:
    """Where nothing says whose talk a message is of: a column of short texts that repeat may be the customer."""
    free = [c for c in table.columns if c not in used and stated(table[c]).n_unique() < len(table)]
    named = [
        c for c in free if (stated(table[c]).str.len_chars().mean() or 99) <= 40 and not stated(table[c]).is_empty()
    ]  # type: ignore[operator]
    return {"customer": Guess(named[0], 0.05)} if named else {}


def _score(name: str, column: str, values: pl.Series, kind: Kind) -> float:
    told = stated(values)
    by_name = _by_name(column, (name, *lexicon()[kind].get(name, ())))
    if told.is_empty():
        return by_name / 2
    if by_name:
        return by_name if _allows(name, told) else 0.0
    return _by_values(name, told)


def stated(values: pl.Series) -> pl.Series:
    """The values that say something."""
    told = values.drop_nulls().str.strip_chars()
    return told.filter(told != "")


def _by_name(column: str, synonyms: tuple[str, ...]) -> float:
    """1 for the first name of the list, a little less for each further one; half for a name that contains one."""
    words, own = [plain(s) for s in synonyms], plain(column)
    if own in words:
        return 1 - 0.001 * words.index(own)
    held = (w in own for w in words if len(w) > (2 if w.isascii() else 1))
    return 0.5 if any(held) else 0.0


def _allows(name: str, told: pl.Series) -> bool:
    """Whether the values can be those of this native column."""
    if name in TIMES:
        return times(told) is not None
    if name in AMOUNTS:
        return _share(told.to_frame("paid").select(parse_fen(pl.col("paid"))).to_series()) > 0.9
    if name in ("stars", "sender_kind"):
        return translated(told, star_words() if name == "stars" else sender_words()) is not None
    if name == "text":
        return len(told) == 1 or (told.n_unique() > 1 and times(told) is None)
    return {
        "paid_fen": _share(told.cast(pl.Int64, strict=False)) > 0.9,
        "items": _share(told.cast(pl.Int64, strict=False)) > 0.9,
        "content_kind": told.n_unique() <= 20,
    }.get(name, True)


def _by_values(name: str, told: pl.Series) -> float:
    """How much the values alone speak for a native column; never enough to be sure."""
    is_number = _share(told.cast(pl.Float64, strict=False)) > 0.9
    if name in ("sent_at", "created_at"):
        is_unix = told.str.contains(r"^1\d{9}(?:\d{3})?$").all()
        return 0.3 if (is_unix or not is_number) and times(told) is not None else 0.0
    if name == "sender_kind":
        return 0.3 if 1 < told.n_unique() <= 6 and translated(told, sender_words()) is not None else 0.0
    if name == "stars":
        return 0.2 if told.is_in(list("12345")).all() and told.n_unique() > 2 else 0.0
    if name == "order_id":
        return 0.3 if told.str.contains(r"^\d{11,19}$").all() and told.n_unique() == len(told) else 0.0
    if name == "text" and not is_number and times(told) is None and told.n_unique() > len(told) / 2:
        return 0.1 + min(float(told.str.len_chars().mean() or 0), 100) / 1000  # type: ignore[arg-type]
    return 0.0


def _share(read: pl.Series) -> float:
    return 1 - read.null_count() / len(read) if len(read) else 0.0


class Times(NamedTuple):
    """How times are written: `form` is None for the usual ones; `other` reads them all as well, into other times."""

    form: str | None
    other: str | None


def times(told: pl.Series) -> Times | None:
    """How these texts are times, if they are."""
    if _share(parse_time(told)) > 0.9:
        return Times(None, None)
    read = [f for f in TIME_FORMS if _share(told.str.to_datetime(f, time_unit="us", strict=False)) > 0.99]
    if not read:
        return None
    first = told.str.to_datetime(read[0], time_unit="us", strict=False)
    others = (f for f in read[1:] if not told.str.to_datetime(f, time_unit="us", strict=False).equals(first))
    return Times(read[0], next(others, None))


def translated(told: pl.Series, words: Mapped[str, str]) -> dict[str, str | None] | None:
    """Each different value and what it means (None: unknown); None when they are no such words at all."""
    values = told.unique().sort().to_list()
    if len(values) > 12:
        return None
    meant = {v: words.get(v.lower()) for v in values}
    return meant if any(meant.values()) and sum(m is None for m in meant.values()) * 2 <= len(values) else None


@cache
def sender_words() -> dict[str, str]:
    """How senders are written -> sender kind; numbers and yes/no as they are most often meant."""
    listed = {str(w): kind for kind, words in lexicon()["senders"].items() for w in words}
    return {**listed, **lexicon()["numbers"], **{w.lower(): k for w, k in SENDER_WORDS.items()}}


@cache
def star_words() -> dict[str, str]:
    """How ratings are written -> stars."""
    return {str(w): star for star, words in lexicon()["stars"].items() for w in words} | {s: s for s in "12345"}


def channel_of(names: list[str]) -> str | None:
    """The platform that the column names tell of."""
    own = " ".join(plain(n) for n in names)
    return next((c for c, words in lexicon()["channels"].items() for w in words if plain(w) in own), None)
