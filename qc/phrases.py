"""Where words and patterns stand: one pass over distinct folded texts for all rules together, exact to a character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from qc import disguise, frames
from qc.conditions import Sought, leaves
from qc.patterns import as_folded
from qc.text import SMILEY, bare, fold

_BREAK = r",。!?;…~\s、"  # ends a clause, in folded text
_QUOTES = (("「", "」"), ("『", "』"), ("“", "”"), ("‘", "’"), ("《", "》"))
_REPORTED = (
    r"(?:您|你|妹子|客户|顾客|买家|用户|有人|别人|他|她)(?:们|这边|刚才|刚刚|是|之前|上面|的)?"
    rf"(?:说|讲|问|提到|反馈|反映|写|发的|意思是)(?:的|到|是)?[::]?[^{_BREAK}]*$"
)
_APART = "\U0010ffff"  # no character, so that no text has it


class _Leaf(NamedTuple):
    """Words or a pattern of a rule or a cue; rules and leaves go by numbers, since a million hits are joined by them."""

    leaf: int
    rule_no: int
    rule: Sought
    path: str
    kind: str
    value: Any


_HIT: frames.Noun = {"text_id": pl.UInt32, "rule_no": pl.UInt16, "leaf": pl.UInt32, "at": pl.UInt32, "until": pl.UInt32}
_SPAN: frames.Noun = {
    "text_id": pl.UInt32,
    "leaf": pl.UInt32,
    "start": pl.Int32,
    "end": pl.Int32,
    "is_once": pl.Boolean,
}


def occurrences(
    texts: pl.Series, rules: Sequence[Sought], disguises: Mapping[str, Sequence[str]] | None = None
) -> pl.DataFrame:
    """Distinct texts -> (text_id, rule_id, leaf, start, end, clause, is_quoted); start and end in characters of the text.

    `leaf` is the path of the words or the pattern in its rule. Of an absent rule that is nothing but words one occurrence
    a text is kept, without its clause: only its presence matters. `is_quoted`: inside quotation marks or after 您说…;
    `clause` is the folded text around it up to the next punctuation.
    """
    plain, sought = fold(texts), _sought(rules)
    found = [_spans(plain, [leaf for leaf in sought if not leaf.rule.disguise], None)]
    if hidden := [leaf for leaf in sought if leaf.rule.disguise]:
        key = disguise.key(disguises or {})
        found.append(_as_written(_spans(disguise.undisguise(texts, key), hidden, key), texts, key))
    names = [(leaf.leaf, leaf.rule.id, leaf.path) for leaf in sought]
    named = pl.DataFrame(names, schema={"leaf": pl.UInt32, "rule_id": pl.String, "path": pl.String}, orient="row")
    spans = _surrounded(pl.concat(found), plain).join(named, on="leaf", maintain_order="left")
    return spans.select("text_id", "rule_id", pl.col("path").alias("leaf"), "start", "end", "clause", "is_quoted")


def _sought(rules: Sequence[Sought]) -> list[_Leaf]:
    found = [(n, r, *leaf) for n, r in enumerate(rules) for leaf in leaves(r, "") if leaf[1] in ("words", "regex")]
    return [_Leaf(number, *leaf) for number, leaf in enumerate(found)]


def _spans(folded: pl.Series, sought: Sequence[_Leaf], key: disguise.Key | None) -> pl.DataFrame:
    """_SPAN, in characters of the folded texts, without what is excused."""
    rows = pl.DataFrame({"folded": folded}).with_row_index("text_id")
    patterns = [_matches(rows, leaf) for leaf in sought if leaf.kind == "regex"]
    words = _words(rows, _book(sought, key))
    found = pl.concat([pl.DataFrame(schema=_HIT), *patterns, words.filter(~pl.col("is_unless")).select(*_HIT)])
    found = _exact(_excused(found, words.filter("is_unless")), sought, rows)
    once = pl.col("leaf").is_in([leaf.leaf for leaf in sought if _is_once(leaf.rule)])
    first = found.filter(once).unique(["text_id", "leaf"], keep="any")
    first = first.with_columns(start=0, end=0, is_once=True)
    rest = _in_characters(found.filter(~once), rows).with_columns(is_once=False)
    return pl.concat([frames.of(_SPAN, rest), frames.of(_SPAN, first)])


def _is_once(rule: Sought) -> bool:
    return rule.by == "absent" and all(path == ".any" for path, _, _ in leaves(rule, ""))


def _book(sought: Sequence[_Leaf], key: disguise.Key | None) -> pl.DataFrame:
    """(phrase folded, rule_no, leaf, is_unless) of every word of every rule."""
    words = [(w, leaf.rule_no, leaf.leaf, False) for leaf in sought if leaf.kind == "words" for w in leaf.value]
    excuses = [
        (w, number, 0, True)
        for number, rule in {leaf.rule_no: leaf.rule for leaf in sought}.items()
        for w in rule.unless
    ]
    schema = {"phrase": pl.String, "rule_no": pl.UInt16, "leaf": pl.UInt32, "is_unless": pl.Boolean}
    book = pl.DataFrame(words + excuses, schema=schema, orient="row")
    phrase = disguise.undisguise(book["phrase"], key) if key else fold(book["phrase"])
    return book.with_columns(phrase=phrase).filter(pl.col("phrase") != "").unique()


def _words(rows: pl.DataFrame, book: pl.DataFrame) -> pl.DataFrame:
    """_HIT and is_unless: the places of all words and excuses at once, in bytes."""
    everything = book["phrase"].unique().sort().implode()
    # Both list the matches of the same automaton in the same order: the place and what stands there.
    rows = rows.with_columns(at=pl.col("folded").str.find_many(everything, overlapping=True)).filter(
        pl.col("at").list.len() > 0
    )
    phrase = pl.col("folded").str.extract_many(everything, overlapping=True)
    hits = rows.select("text_id", "at", phrase=phrase).explode("at", "phrase").join(book, on="phrase")
    return hits.with_columns(until=pl.col("at") + pl.col("phrase").str.len_bytes()).select(*_HIT, "is_unless")


def _matches(rows: pl.DataFrame, leaf: _Leaf) -> pl.DataFrame:
    """_HIT of a pattern: what lies between its matches and the matches themselves, added up."""
    asked = as_folded(leaf.value)
    clean = pl.col("folded").str.replace_all(_APART, "\ufffd", literal=True)
    rows = rows.filter(pl.col("folded").str.contains(asked)).with_columns(clean)
    between = pl.col("folded").str.replace_all(asked, _APART).str.split(_APART)
    pairs = rows.select(
        "text_id", match=pl.col("folded").str.extract_all(asked), gap=between.list.head(between.list.len() - 1)
    )
    pairs = pairs.explode("match", "gap").with_columns(long=pl.col("match").str.len_bytes())
    until = (pl.col("long") + pl.col("gap").str.len_bytes()).cum_sum().over("text_id")
    found = pairs.with_columns(until=until, at=until - pl.col("long")).filter(pl.col("long") > 0)
    return frames.of(_HIT, found.with_columns(rule_no=pl.lit(leaf.rule_no), leaf=pl.lit(leaf.leaf)))


def _excused(found: pl.DataFrame, excuses: pl.DataFrame) -> pl.DataFrame:
    """The hits that overlap no `unless` word of their rule in the same text."""
    near = found.join(excuses.select("text_id", "rule_no", "at", "until"), on=["text_id", "rule_no"])
    overlap = (pl.col("at") < pl.col("until_right")) & (pl.col("at_right") < pl.col("until"))
    excused = near.filter(overlap).select(*_HIT)
    return found.join(excused, on=list(_HIT), how="anti") if excused.height else found


def _exact(hits: pl.DataFrame, sought: Sequence[_Leaf], rows: pl.DataFrame) -> pl.DataFrame:
    """Of `exact` rules the hits that are the whole message; a face beside it makes it warm, so it is more than that."""
    is_exact = pl.col("leaf").is_in([leaf.leaf for leaf in sought if leaf.rule.exact])
    asked = hits.filter(is_exact).join(rows, on="text_id")
    said = pl.col("folded").cast(pl.Binary).bin.slice(pl.col("at"), pl.col("until") - pl.col("at")).cast(pl.String)
    # Most hits stand in longer messages: counting is cheaper than taking the marks and faces away.
    n_han = pl.col("folded", "said").str.count_matches(r"\p{Han}").name.prefix("n_")
    asked = asked.with_columns(said=said).with_columns(n_han).filter(pl.col("n_folded") == pl.col("n_said"))
    is_whole = (bare(asked["folded"]) == bare(asked["said"])) & ~asked["folded"].str.contains(SMILEY)
    return pl.concat([hits.filter(~is_exact), asked.filter(is_whole).select(hits.columns)])


def _in_characters(hits: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Places in bytes → places in characters."""
    raw = pl.col("folded").cast(pl.Binary)
    start = raw.bin.slice(0, pl.col("at")).cast(pl.String).str.len_chars()
    long = raw.bin.slice(pl.col("at"), pl.col("until") - pl.col("at")).cast(pl.String).str.len_chars()
    return hits.join(rows, on="text_id").with_columns(start=start, end=start + long)


def _as_written(spans: pl.DataFrame, texts: pl.Series, key: disguise.Key) -> pl.DataFrame:
    """Places in undisguised texts → places in the texts as they were written."""
    once, placed = spans.filter("is_once"), spans.filter(~pl.col("is_once"))
    maps = {n: disguise.in_raw(texts[n], key) for n in placed["text_id"].unique().to_list()}
    found = placed.select("text_id", "start", "end").rows()
    start = pl.Series([maps[n][0][a] for n, a, _ in found], dtype=pl.Int32)
    end = pl.Series([max(maps[n][1][a:z]) for n, a, z in found], dtype=pl.Int32)
    return pl.concat([placed.with_columns(start=start, end=end).unique(), once])


def _surrounded(spans: pl.DataFrame, plain: pl.Series) -> pl.DataFrame:
    """The spans with their clause, and whether they are somebody else's words."""
    rows = pl.DataFrame({"folded": plain}).with_row_index("text_id")
    hits = spans.filter(~pl.col("is_once")).join(rows, on="text_id")
    ahead, behind = pl.col("folded").str.slice(0, pl.col("start")), pl.col("folded").str.slice(pl.col("end"))
    hits = hits.with_columns(ahead=ahead, behind=behind)
    said = pl.col("folded").str.slice("start", pl.col("end") - pl.col("start"))
    clause = pl.concat_str(
        pl.col("ahead").str.extract(f"([^{_BREAK}]*)$"), said, pl.col("behind").str.extract(f"^([^{_BREAK}]*)")
    )
    found = ["text_id", "leaf", "start", "end"]
    once = spans.filter("is_once").select(*found, clause=pl.lit(""), is_quoted=pl.lit(False))
    return pl.concat([hits.select(*found, clause=clause, is_quoted=_is_quoted()), once])


def _is_quoted() -> pl.Expr:
    ahead, behind = pl.col("ahead").str, pl.col("behind").str
    pairs = [
        (ahead.count_matches(a, literal=True) > ahead.count_matches(z, literal=True)) & behind.contains(z, literal=True)
        for a, z in _QUOTES
    ]
    straight = (ahead.count_matches('"', literal=True) % 2 == 1) & behind.contains('"', literal=True)
    return pl.any_horizontal(*pairs, straight, ahead.contains(_REPORTED))
