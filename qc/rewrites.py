"""What to say instead, with what the customer needs filled in where the talk tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from qc import frames
from qc.rule import REWRITE_HOLES, Rule

_LONGEST = 24  # characters of a question that fit into a sentence; a longer one is not repeated. Ours
# What makes a message a question; what is none («那退吧») is not put behind 「您问的」. Ours
_QUESTION = r"[??]|[吗呢嘛么不]\s*$|什么|怎么|怎样|咋|如何|多少|多久|多大|多长|哪|[第好]?几[天号个点时日件]|为啥|是啥|有没有|[能会是要行好可]不[能会是要行好可]|是否|谁|请问|想问|帮.*[查看]"
_TRIMMED = " ,,。.!!??~~、;;::"  # at the ends of a question before it is put into 「」


def filled(
    findings: pl.DataFrame,
    rules: Mapping[str, Rule],
    messages: pl.DataFrame,
    cases: pl.DataFrame,
    products: pl.DataFrame,
) -> pl.DataFrame:
    """frames.Finding -> the same rows with `rewrite`: the rule's wording, NULL where the rule has none.

    `rewrite_for` is used where everything in its braces is known: {topic} of the conversation (casemix.Case), {product}
    of the customer's last card before (products.shown_in), {asked}, what the customer said last where it is a question; of what is absent, in
    the whole talk. Else the plain `rewrite`. What a customer wrote is put in as it stands, braces and all.
    """
    wordings = [(rule.id, rule.rewrite, *_parts(rule.rewrite_for)) for rule in rules.values() if rule.rewrite]
    names = ["rule_id", "plain", *(f"part_{n}" for n in range(_MOST_PARTS))]
    known = pl.DataFrame(wordings, schema=dict.fromkeys(names, pl.String), orient="row")
    rows = findings.join(known, on="rule_id", how="left", maintain_order="left")
    rows = _with_needs(rows, messages, cases, products)
    said = [_said(pl.col(f"part_{n}")) for n in range(_MOST_PARTS)]
    special = pl.when(pl.col("part_0").is_not_null()).then(pl.concat_str(said))  # NULL where a part is
    return rows.select(*findings.columns, rewrite=pl.coalesce(special, "plain"))


_MOST_PARTS = 2 * len(REWRITE_HOLES) + 1  # each hole once at most, and what stands between


def _parts(wording: str) -> list[str | None]:
    """A wording cut at its holes, filled up with empty parts; all NULL where there is none."""
    if not wording:
        return [None] * _MOST_PARTS
    cut = re.split(r"(\{[a-z]+\})", wording)
    return [*cut, *[""] * (_MOST_PARTS - len(cut))]


def _said(part: pl.Expr) -> pl.Expr:
    said = part
    for hole in REWRITE_HOLES:
        said = pl.when(part == f"{{{hole}}}").then(pl.col(hole)).otherwise(said)
    return said


def _with_needs(
    rows: pl.DataFrame, messages: pl.DataFrame, cases: pl.DataFrame, products: pl.DataFrame
) -> pl.DataFrame:
    """`topic`, `product`, `asked` beside each finding; NULL where unknown. Row order is kept."""
    topics = cases.select("conversation_id", topic=pl.when(pl.col("topic") != "其他").then("topic"))
    is_name = pl.col("product").is_not_null() & ~pl.col("product").str.contains(
        r"^\d+$"
    )  # a number tells nobody anything
    shown = products.filter(is_name).select("conversation_id", "seq", "product")
    is_said = (pl.col("sender_kind") == "customer") & (pl.col("content_kind") == "text")
    asked = messages.filter(is_said & frames.is_asking()).select(
        "conversation_id", "seq", is_question=pl.col("text").str.contains(_QUESTION),
        asked=pl.col("text").str.replace_all(r"\s+", " ").str.strip_chars(_TRIMMED),
    )  # fmt: skip
    fits = pl.col("is_question") & pl.col("asked").str.len_chars().is_between(2, _LONGEST)
    asked = asked.select("conversation_id", "seq", pl.when(fits).then("asked"))
    end = pl.col("seq").fill_null(2**31 - 1).cast(pl.Int32)
    rows = (
        rows.join(topics, on="conversation_id", how="left", maintain_order="left")
        .with_columns(end)
        .with_row_index("nth")
    )
    for told in (shown, asked):
        rows = rows.sort("seq").join_asof(
            told.sort("seq"), on="seq", by="conversation_id", strategy="backward", check_sortedness=False
        )
    return rows.sort("nth").with_columns(seq=pl.when(pl.col("seq") < 2**31 - 1).then("seq"))
