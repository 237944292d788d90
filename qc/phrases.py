"""Where words and patterns stand: one pass over distinct folded texts for all rules together, exact to a character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from qc import disguise
from qc.conditions import leaves
from qc.patterns import as_folded
from qc.rule import Rule
from qc.text import SMILEY, bare, fold

_BREAK = r",。!?;…~\s、"  # ends a clause, in folded text
_QUOTES = (("「", "」"), ("『", "』"), ("“", "”"), ("‘", "’"), ("《", "》"))
_REPORTED = (
    r"(?:您|你|妹子|客户|顾客|买家|用户|有人|别人|他|她)(?:们|这边|刚才|刚刚|是|之前|上面|的)?"
    rf"(?:说|讲|问|提到|反馈|反映|写|发的|意思是)(?:的|到|是)?[::]?[^{_BREAK}]*$"
)
_APART = "\U0010ffff"  # no character, so that no text has it
_HIT = {"text_id": pl.UInt32, "rule_id": pl.String, "leaf": pl.String, "at": pl.UInt32, "until": pl.UInt32}


def occurrences(
    texts: pl.Series, rules: Sequence[Rule], disguises: Mapping[str, Sequence[str]] | None = None
) -> pl.DataFrame:
    """Distinct texts -> (text_id, rule_id, leaf, start, end, clause, is_quoted); start and end in characters of the text.

    `leaf` is the path of the words or the pattern in its rule. Of an absent rule that is nothing but words one occurrence
    a text is kept, without its clause: only its presence matters. `is_quoted`: inside quotation marks or after 您说…;
    `clause` is the folded text around it up to the next punctuation.
    """
    plain = fold(texts)
    found = [_spans(plain, [r for r in rules if not r.disguise], None)]
    if hidden := [rule for rule in rules if rule.disguise]:
        key = disguise.key(disguises or {})
        found.append(_as_written(_spans(disguise.undisguise(texts, key), hidden, key), texts, key))
    return _surrounded(pl.concat(found), plain)


def _spans(folded: pl.Series, rules: Sequence[Rule], key: disguise.Key | None) -> pl.DataFrame:
    """(text_id, rule_id, leaf, start, end, is_once) in characters of the folded texts, without what is excused."""
    rows = pl.DataFrame({"folded": folded}).with_row_index("text_id")
    asked = [(rule.id, at, str(value)) for rule in rules for at, kind, value in leaves(rule, "") if kind == "regex"]
    matched = pl.concat([pl.DataFrame(schema=_HIT), *(_matches(rows, *pattern) for pattern in asked)])
    words = _words(rows, _book(rules, key), matched["text_id"].unique())
    found = pl.concat([matched, words.filter(~pl.col("is_unless")).select(matched.columns)])
    found = _exact(_excused(found, words.filter("is_unless")), [rule.id for rule in rules if rule.exact], rows)
    once = [rule.id for rule in rules if _is_once(rule)]
    found = found.with_columns(is_once=pl.col("rule_id").is_in(once))
    first = found.filter("is_once").unique(["text_id", "leaf", "rule_id"], keep="any").with_columns(start=0, end=0)
    return pl.concat([_in_characters(found.filter(~pl.col("is_once")), rows), first.select(_SPAN)])


_SPAN = [
    *(pl.col(name) for name in ("text_id", "rule_id", "leaf")),
    *(pl.col(name).cast(pl.Int32) for name in ("start", "end")),
    pl.col("is_once"),
]


def _is_once(rule: Rule) -> bool:
    return rule.by == "absent" and all(path == ".any" for path, _, _ in leaves(rule, ""))


def _book(rules: Sequence[Rule], key: disguise.Key | None) -> pl.DataFrame:
    """(phrase folded, rule_id, leaf, is_unless) of every word of every rule."""
    rows = [
        (word, rule.id, leaf, is_unless)
        for rule in rules
        for leaf, words, is_unless in [*((at, v, False) for at, kind, v in leaves(rule, "") if kind == "words"), ("", rule.unless, True)]
        for word in words
    ]  # fmt: skip
    schema = {"phrase": pl.String, "rule_id": pl.String, "leaf": pl.String, "is_unless": pl.Boolean}
    book = pl.DataFrame(rows, schema=schema, orient="row")
    phrase = disguise.undisguise(book["phrase"], key) if key else fold(book["phrase"])
    return book.with_columns(phrase=phrase).filter(pl.col("phrase") != "").unique()


def _words(rows: pl.DataFrame, book: pl.DataFrame, matched: pl.Series) -> pl.DataFrame:
    """The places of all words at once, in bytes; the excuses only of texts in which something is found."""
    sought = book.filter(~pl.col("is_unless"))["phrase"].unique()
    everything = book["phrase"].unique().sort().implode()
    rows = rows.filter(pl.col("folded").str.contains_any(sought.implode()) | pl.col("text_id").is_in(matched.implode()))
    # Both list the matches of the same automaton in the same order: the place and what stands there.
    at = pl.col("folded").str.find_many(everything, overlapping=True)
    phrase = pl.col("folded").str.extract_many(everything, overlapping=True)
    hits = rows.select("text_id", at=at, phrase=phrase).explode("at", "phrase").join(book, on="phrase")
    return hits.with_columns(until=pl.col("at") + pl.col("phrase").str.len_bytes()).select(*_HIT, "is_unless")


def _matches(rows: pl.DataFrame, rule_id: str, leaf: str, pattern: str) -> pl.DataFrame:
    """The places of a pattern, in bytes: what lies between the matches and the matches themselves, added up."""
    asked = as_folded(pattern)
    clean = pl.col("folded").str.replace_all(_APART, "\ufffd", literal=True)
    rows = rows.filter(pl.col("folded").str.contains(asked)).with_columns(clean)
    between = pl.col("folded").str.replace_all(asked, _APART).str.split(_APART)
    pairs = rows.select(
        "text_id", match=pl.col("folded").str.extract_all(asked), gap=between.list.head(between.list.len() - 1)
    )
    pairs = pairs.explode("match", "gap").with_columns(
        long=pl.col("match").str.len_bytes(), skipped=pl.col("gap").str.len_bytes()
    )
    until = (pl.col("long") + pl.col("skipped")).cum_sum().over("text_id")
    found = pairs.with_columns(until=until).filter(pl.col("long") > 0)
    return found.select(
        "text_id", pl.lit(rule_id).alias("rule_id"), pl.lit(leaf).alias("leaf"),
        (pl.col("until") - pl.col("long")).alias("at"), "until",
    ).cast(_HIT)  # type: ignore[arg-type]  # fmt: skip


def _excused(found: pl.DataFrame, excuses: pl.DataFrame) -> pl.DataFrame:
    """The hits that overlap no `unless` word of their rule in the same text."""
    key = ["text_id", "rule_id"]
    overlap = (pl.col("at") < pl.col("until_right")) & (pl.col("at_right") < pl.col("until"))
    excused = found.join(excuses.select(*key, "at", "until"), on=key).filter(overlap).select(*key, "at", "until")
    return found.join(excused, on=[*key, "at", "until"], how="anti")


def _exact(hits: pl.DataFrame, exact: Sequence[str], rows: pl.DataFrame) -> pl.DataFrame:
    """Of `exact` rules the hits that are the whole message; a face beside it makes it warm, so it is more than that."""
    is_exact = pl.col("rule_id").is_in(list(exact))
    asked = hits.filter(is_exact).join(rows, on="text_id")
    said = pl.col("folded").cast(pl.Binary).bin.slice(pl.col("at"), pl.col("until") - pl.col("at")).cast(pl.String)
    is_whole = (bare(asked["folded"]) == bare(asked.select(said).to_series())) & ~asked["folded"].str.contains(SMILEY)
    return pl.concat([hits.filter(~is_exact), asked.filter(is_whole).select(hits.columns)])


def _in_characters(hits: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Places in bytes → places in characters."""
    raw = pl.col("folded").cast(pl.Binary)
    start = raw.bin.slice(0, pl.col("at")).cast(pl.String).str.len_chars()
    long = raw.bin.slice(pl.col("at"), pl.col("until") - pl.col("at")).cast(pl.String).str.len_chars()
    return hits.join(rows, on="text_id").with_columns(start=start, end=start + long).select(_SPAN)


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
    found = ["text_id", "rule_id", "leaf", "start", "end"]
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
