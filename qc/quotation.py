"""Whose words: what stands inside quotation marks, after 您说…, or merely repeats what the customer asked."""

from __future__ import annotations

import polars as pl

_BREAK = r",。!?;…~\s、"  # ends a clause, in folded text
_QUOTES = (("「", "」"), ("『", "』"), ("“", "”"), ("‘", "’"), ("《", "》"))
_TELLING = ("说", "讲", "问", "提到", "反馈", "反映", "写", "发的", "意思是")
_REPORTED = (
    r"(?:您|你|妹子|客户|顾客|买家|用户|有人|别人|他|她)(?:们|这边|刚才|刚刚|是|之前|上面|的)?"
    rf"(?:{'|'.join(_TELLING)})(?:的|到|是)?[::]?[^{_BREAK}]*$"
)
_ECHO = 4  # characters of a clause that repeats the customer's last bubble, from which on it is a quotation: ours


def own(places: pl.DataFrame, folded: pl.Series) -> pl.DataFrame:
    """places(text_id, start, end, …) in distinct folded texts -> those in the speaker's own words.

    Not their own is what stands inside quotation marks and what they report of somebody else.
    """
    signs = [sign for pair in _QUOTES for sign in pair] + ['"', *_TELLING]
    ids = places["text_id"].unique()
    doubtful = ids.filter(folded[ids].str.contains_any(signs))
    spots = places.select("text_id", "start", "end").filter(places["text_id"].is_in(doubtful.implode())).unique()
    said = folded[spots["text_id"]].str
    spots = spots.with_columns(ahead=said.slice(0, spots["start"]), behind=said.slice(spots["end"]))
    quoted = spots.filter(_is_quoted())
    return places.join(quoted, on=["text_id", "start", "end"], how="anti") if quoted.height else places


def echoes(said: pl.DataFrame) -> pl.Series:
    """said(start, end, folded, asked) -> whether the clause around a place merely repeats the customer's last bubble, folded."""
    word = pl.col("folded").str.slice("start", pl.col("end") - pl.col("start"))
    rows = said.with_row_index("row").filter(pl.col("asked").str.len_chars() >= _ECHO)
    rows = rows.filter(pl.col("asked").str.contains(word, literal=True))  # much cheaper than the clauses of all
    clause = pl.concat_str(
        pl.col("folded").str.slice(0, pl.col("start")).str.extract(f"([^{_BREAK}]*)$"),
        word,
        pl.col("folded").str.slice(pl.col("end")).str.extract(f"^([^{_BREAK}]*)"),
    )
    repeats = rows.with_columns(clause=clause).filter(
        (pl.col("clause").str.len_chars() >= _ECHO) & pl.col("asked").str.contains(pl.col("clause"), literal=True)
    )
    return pl.repeat(False, said.height, eager=True).scatter(repeats["row"], True)


def _is_quoted() -> pl.Expr:
    ahead, behind = pl.col("ahead").str, pl.col("behind").str
    pairs = [
        (ahead.count_matches(a, literal=True) > ahead.count_matches(z, literal=True)) & behind.contains(z, literal=True)
        for a, z in _QUOTES
    ]
    straight = (ahead.count_matches('"', literal=True) % 2 == 1) & behind.contains('"', literal=True)
    return pl.any_horizontal(*pairs, straight, ahead.contains(_REPORTED))
