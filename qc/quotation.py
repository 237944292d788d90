"""Whose words: what stands inside quotation marks, after 您说…, or merely repeats what the customer asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from qc.characters import Texts, as_series
from qc.compiled import Bools, Bytes, Integers, Ints, Small, compiled
from qc.rows import marked

_BREAK = r",。!?;…~\s、"  # ends a clause, in folded text
_QUOTES = (("「", "」"), ("『", "』"), ("“", "”"), ("‘", "’"), ("《", "》"))
_TELLING = ("说", "讲", "问", "提到", "反馈", "反映", "写", "发的", "意思是")
_REPORTED = (
    r"(?:您|你|妹子|客户|顾客|买家|用户|有人|别人|他|她)(?:们|这边|刚才|刚刚|是|之前|上面|的)?"
    rf"(?:{'|'.join(_TELLING)})(?:的|到|是)?[::]?[^{_BREAK}]*$"
)
_ECHO = 4  # characters of a clause that repeats the customer's last bubble, from which on it is a quotation: ours


SIGNS = ('"', *_TELLING, *(sign for pair in _QUOTES for sign in pair))  # a text without them quotes nobody


def own(places: pl.DataFrame, folded: Texts, doubtful: pl.Series) -> pl.DataFrame:
    """places(text_id, start, end, …) in distinct folded texts -> those in the speaker's own words.

    Not their own is what stands inside quotation marks and what they report of somebody else; that asks for one of SIGNS,
    which the doubtful texts have.
    """
    is_doubtful = pl.Series(marked(doubtful.to_numpy(), folded.begin.size - 1)[places["text_id"]])
    spots = places.filter(is_doubtful).select("text_id", "start", "end").unique()
    said = as_series(folded)[spots["text_id"]].str
    spots = spots.with_columns(ahead=said.slice(0, spots["start"]), behind=said.slice(spots["end"]))
    quoted = spots.filter(_is_quoted())
    return places.join(quoted, on=["text_id", "start", "end"], how="anti") if quoted.height else places


def echoes(said: pl.DataFrame, folded: Texts, asked: Texts) -> Ints:
    """said(text_id, start, end, last) -> the rows in which the clause around a place merely repeats what was said last.

    A place stands in a text of the folded ones; what the customer said last is number `last` of those asked, -1 nothing.
    """
    text, start, end, last = (said[name].to_numpy() for name in ("text_id", "start", "end", "last"))
    places = zip(*(np.array_split(column, pl.thread_pool_size()) for column in (text, start, end, last)), strict=True)
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        is_asked = threads.map(lambda some: _is_asked(folded, asked, *some), places)
    row = np.flatnonzero(np.concatenate(list(is_asked)))  # much cheaper than the clauses of all
    rows = said[row].with_columns(row=row, folded=as_series(folded)[text[row]], asked=as_series(asked)[last[row]])
    word = pl.col("folded").str.slice("start", pl.col("end") - pl.col("start"))
    clause = pl.concat_str(
        pl.col("folded").str.slice(0, pl.col("start")).str.extract(f"([^{_BREAK}]*)$"),
        word,
        pl.col("folded").str.slice(pl.col("end")).str.extract(f"^([^{_BREAK}]*)"),
    )
    repeats = rows.with_columns(clause=clause).filter(
        (pl.col("clause").str.len_chars() >= _ECHO) & pl.col("asked").str.contains(pl.col("clause"), literal=True)
    )
    return repeats["row"].to_numpy()


@compiled
def _is_asked(folded: Texts, asked: Texts, text: Integers, start: Small, end: Small, last: Small) -> Bools:
    """Whether the characters from start to end of a text stand in what was asked, too."""
    is_asked = np.zeros(text.size, np.bool_)
    of, at_start, since = -1, 0, 0  # places mostly come in order: a text is not counted from its beginning each time
    for row in range(text.size):
        if last[row] >= 0:
            if text[row] != of or start[row] < at_start:
                of, at_start, since = text[row], 0, folded.begin[text[row]]
            since, at_start = _byte(folded.data, since, start[row] - at_start), start[row]
            size = _byte(folded.data, since, end[row] - start[row]) - since
            head, tail = folded.data[since], folded.data[since + size - 1]
            for at in range(asked.begin[last[row]], asked.begin[last[row] + 1] - size + 1):
                if (asked.data[at] == head) & (asked.data[at + size - 1] == tail):
                    same = 1
                    while same < size and asked.data[at + same] == folded.data[since + same]:
                        same += 1
                    if same == size:
                        is_asked[row] = True
                        break
    return is_asked


@compiled
def _byte(data: Bytes, at: int, n: int) -> int:
    """The byte that n characters of UTF-8 end before."""
    while n > 0:
        at += 1
        while at < data.size and data[at] & 0xC0 == 0x80:
            at += 1
        n -= 1
    return at


def _is_quoted() -> pl.Expr:
    ahead, behind = pl.col("ahead").str, pl.col("behind").str
    pairs = [
        (ahead.count_matches(a, literal=True) > ahead.count_matches(z, literal=True)) & behind.contains(z, literal=True)
        for a, z in _QUOTES
    ]
    straight = (ahead.count_matches('"', literal=True) % 2 == 1) & behind.contains('"', literal=True)
    return pl.any_horizontal(*pairs, straight, ahead.contains(_REPORTED))
