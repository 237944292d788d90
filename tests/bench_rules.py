"""How fast are the rules, and against what? `python tests/bench_rules.py 1000000` prints the table; nothing is asserted.

300 rules (the shipped ones and made-up ones of the same shape, some disguised, some patterns) over a million bubbles,
against one `contains_any` pass of polars with the same words over the same bubbles, in the same run; beside it all places
of the same words (`find_many`). Four times: a made-up shop's months with its turns, as `dialogue.arrange` leaves them and
with their texts laid side by side, which is twice as fast to read; the small sample said over and over; and that with every
bubble different.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from pipelines import rules, settings
from pipelines.sample import generate
from qc import dialogue, frames
from qc.conditions import leaves
from qc.detectors import inspect
from qc.phrases import occurrences
from qc.rule import Rule
from qc.rulebook import Pack, disguises_of, rules_of

DATA = Path(__file__).parent.parent / "data"
N_RULES, N_DISGUISED, N_PATTERNS, N_WORDS = 300, 30, 20, 20


def book() -> tuple[Pack, ...]:
    """The shipped packs, filled up to 300 rules with words made of their characters."""
    shipped, dice = rules.load(DATA / "rules"), random.Random(1)
    model = rules_of(shipped)["CANNOT"]
    characters = sorted({c for _, word in _words(shipped) for c in word})
    made = []
    for n in range(N_RULES - len(rules_of(shipped))):
        words = {"".join(dice.choices(characters, k=dice.randint(2, 5))) for _ in range(N_WORDS)}
        more = {
            "disguise": n < N_DISGUISED,
            "regex": None if n >= N_PATTERNS else f"{next(iter(sorted(words)))}.{{0,6}}[0-9]{{3,6}}",
        }
        made.append(model.model_copy(update={"id": f"MADE_{n}", "any_of": sorted(words), "unless": []} | more))
    return (*shipped, Pack("made.yaml", "made", "made", "made", tuple(made), {}))


def _words(packs: tuple[Pack, ...]) -> list[tuple[Rule, str]]:
    return [(r, w) for r in rules_of(packs).values() for _, kind, ws in leaves(r, "") if kind == "words" for w in ws]


def shop(n: int, *, is_repeated: bool) -> pl.DataFrame:
    """n bubbles of the sample shop as frames.Message; with a tail of their own where none may be repeated."""
    texts = pl.read_csv(DATA / "sample" / "messages.csv", infer_schema=False)["text"].drop_nulls()
    texts = texts.sample(n, with_replacement=True, seed=1)
    tail = pl.DataFrame({"t": texts}).with_row_index().select(pl.format("{} {}", "t", "index")).to_series()
    i = pl.int_range(n, eager=True)
    rows = pl.DataFrame({"text": texts if is_repeated else tail}).with_columns(
        conversation_id=pl.format("c{}", i // 12), seq=i % 12 + 1, shop=pl.lit("s"), channel=pl.lit("web"),
        sender_kind=pl.when(i % 2 == 0).then(pl.lit("customer")).otherwise(pl.lit("agent")), agent=pl.lit("a"),
        customer=pl.lit("k"), content_kind=pl.lit("text"), source_id=pl.lit("s"), source_row=i,
        message_id=pl.lit(None), sent_at=pl.lit(None),
    )  # fmt: skip
    return frames.of(frames.Message, rows)


def months(n: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """frames.Message and frames.Turn of a made-up shop with n messages."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), messages=n, seed=1)
        rows = pl.read_csv(Path(folder) / "messages.csv", infer_schema=False)
    rows = rows.with_columns(pl.col("sent_at").str.to_datetime(), source_id=pl.lit("s")).with_row_index("source_row", 1)
    messages = dialogue.arrange(rows)
    return messages, dialogue.turns(messages, settings.profile(Path(), "fair"), as_of=None)


class Spent(NamedTuple):
    """Seconds, of the clock and of the processors: the latter hold on a machine that others use too."""

    clock: float
    cpu: float

    def times(self, other: Spent) -> str:
        return f"{self.cpu:.2f} CPU s = {self.cpu / other.cpu:.1f} times (by the clock {self.clock:.2f} s = {self.clock / other.clock:.1f})"


def spent(work: Callable[[], object]) -> Spent:
    """The better of three."""

    def once() -> Spent:
        clock, cpu = time.perf_counter(), time.process_time()
        work()
        return Spent(time.perf_counter() - clock, time.process_time() - cpu)

    return Spent(*(min(each) for each in zip(once(), once(), once(), strict=True)))


def main() -> None:
    """One paragraph a shop. `contains_any` stops at the first word of a bubble; `find_many` goes on to the last."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    packs = book()
    words = pl.Series(sorted({w for _, w in _words(packs)})).implode()
    everyone, disguises = list(rules_of(packs).values()), disguises_of(packs)
    no_turns, (sold, asked) = frames.empty(frames.Turn), months(n)
    side_by_side = pl.Series(pl.from_arrow(sold["text"].to_arrow(compat_level=pl.CompatLevel.oldest())))
    for title, (messages, turns) in {
        "a shop's months": (sold, asked),
        "a shop's months, texts side by side": (sold.with_columns(text=side_by_side), asked),
        "the sample over and over": (shop(n, is_repeated=True), no_turns),
        "no text twice": (shop(n, is_repeated=False), no_turns),
    }.items():
        texts = messages["text"]
        one = spent(lambda: texts.str.contains_any(words))  # noqa: B023
        every = spent(lambda: texts.str.find_many(words, overlapping=True))  # noqa: B023
        found = spent(lambda: occurrences(texts.unique(), everyone, disguises))  # noqa: B023
        whole = spent(lambda: inspect(messages, turns, packs))  # noqa: B023
        print(
            f"{title}: {n:,} bubbles, {texts.n_unique() / n:.1%} distinct, {texts.str.contains_any(words).mean():.0%} with a word, "
            f"{len(everyone)} rules, {len(words[0])} words: one contains_any {one.cpu:.2f} CPU s\n"
            f"  find_many {every.times(one)}\n  all occurrences {found.times(one)}\n  findings and moments {whole.times(one)}"
        )


if __name__ == "__main__":
    main()
