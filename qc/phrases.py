"""Where the rules' phrases stand: one pass over distinct folded texts for all rules together, exact to a character."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import polars as pl

from qc.text import SMILEY, bare, fold

_BREAK = r",。!?;…~\s、"  # ends a clause, in folded text
_QUOTES = (("「", "」"), ("『", "』"), ("“", "”"), ("‘", "’"), ("《", "》"))
_REPORTED = (
    r"(?:您|你|妹子|客户|顾客|买家|用户|有人|别人|他|她)(?:们|这边|刚才|刚刚|是|之前|上面|的)?"
    rf"(?:说|讲|问|提到|反馈|反映|写|发的|意思是)(?:的|到|是)?[::]?[^{_BREAK}]*$"
)


class Sought(Protocol):
    """What is looked for: a rule of a pack, or a cue of a lexicon."""

    @property
    def id(self) -> str: ...
    @property
    def phrases(self) -> Sequence[str]: ...
    @property
    def unless(self) -> Sequence[str]: ...
    @property
    def exact(self) -> bool: ...
    @property
    def by(self) -> str: ...


def occurrences(texts: pl.Series, rules: Sequence[Sought]) -> pl.DataFrame:
    """Distinct texts -> (text_id, rule_id, start, end, clause, is_quoted); start and end in characters.

    Of an absent rule one occurrence a text is kept: only its presence matters. `is_quoted`: inside quotation marks or
    after 您说…; `clause` is the folded text around it up to the next punctuation.
    """
    book = _book(rules)
    sought = book.filter(~pl.col("is_unless"))["phrase"].unique()
    everything = book["phrase"].unique().sort().implode()
    rows = pl.DataFrame({"folded": fold(texts)}).with_row_index("text_id")
    rows = rows.filter(pl.col("folded").str.contains_any(sought.implode()))
    # Both list the matches of the same automaton in the same order: the place and what stands there.
    at = pl.col("folded").str.find_many(everything, overlapping=True)
    phrase = pl.col("folded").str.extract_many(everything, overlapping=True)
    hits = rows.with_columns(at=at, phrase=phrase).explode("at", "phrase").join(book, on="phrase")
    hits = _exact(_excused(hits.with_columns(until=pl.col("at") + pl.col("phrase").str.len_bytes())))
    once = hits.filter("is_absent").unique(["text_id", "rule_id"], keep="any")
    return _placed(pl.concat([hits.filter(~pl.col("is_absent")), once]))


def _book(rules: Sequence[Sought]) -> pl.DataFrame:
    """(phrase folded, rule_id, is_unless, is_exact, is_absent) of every phrase of every rule."""
    rows = [
        (phrase, rule.id, is_unless, rule.exact, rule.by == "absent")
        for rule in rules
        for is_unless, phrases in ((False, rule.phrases), (True, rule.unless))
        for phrase in phrases
    ]
    schema = {"phrase": pl.String, "rule_id": pl.String}
    flags = {"is_unless": pl.Boolean, "is_exact": pl.Boolean, "is_absent": pl.Boolean}
    book = pl.DataFrame(rows, schema={**schema, **flags}, orient="row")
    return book.with_columns(phrase=fold(book["phrase"]))


def _excused(hits: pl.DataFrame) -> pl.DataFrame:
    """The hits that overlap no `unless` phrase of their rule in the same text."""
    key = ["text_id", "rule_id"]
    found, excuses = hits.filter(~pl.col("is_unless")), hits.filter("is_unless").select(*key, "at", "until")
    overlap = (pl.col("at") < pl.col("until_right")) & (pl.col("at_right") < pl.col("until"))
    excused = found.join(excuses, on=key).filter(overlap).select(*key, "at", "until")
    return found.join(excused, on=[*key, "at", "until"], how="anti")


def _exact(hits: pl.DataFrame) -> pl.DataFrame:
    """Of `exact` rules the hits that are the whole message; a face beside it makes it warm, so it is more than that."""
    exact = hits.filter("is_exact")
    is_whole = (bare(exact["folded"]) == bare(exact["phrase"])) & ~exact["folded"].str.contains(SMILEY)
    return pl.concat([hits.filter(~pl.col("is_exact")), exact.filter(is_whole)])


def _placed(hits: pl.DataFrame) -> pl.DataFrame:
    """Byte places → character places, with the clause around and whether it is somebody else's words."""
    raw = pl.col("folded").cast(pl.Binary)
    ahead, behind = raw.bin.slice(0, pl.col("at")).cast(pl.String), raw.bin.slice(pl.col("until")).cast(pl.String)
    hits = hits.with_columns(ahead=ahead, behind=behind)
    start = pl.col("ahead").str.len_chars().cast(pl.Int32)
    clause = pl.concat_str(
        pl.col("ahead").str.extract(f"([^{_BREAK}]*)$"), "phrase", pl.col("behind").str.extract(f"^([^{_BREAK}]*)")
    )
    return hits.select(
        "text_id",
        "rule_id",
        start=start,
        end=start + pl.col("phrase").str.len_chars().cast(pl.Int32),
        clause=clause,
        is_quoted=_is_quoted(),
    )


def _is_quoted() -> pl.Expr:
    ahead, behind = pl.col("ahead").str, pl.col("behind").str
    pairs = [
        (ahead.count_matches(a, literal=True) > ahead.count_matches(z, literal=True)) & behind.contains(z, literal=True)
        for a, z in _QUOTES
    ]
    straight = (ahead.count_matches('"', literal=True) % 2 == 1) & behind.contains('"', literal=True)
    return pl.any_horizontal(*pairs, straight, ahead.contains(_REPORTED))
