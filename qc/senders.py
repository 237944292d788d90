"""Who really speaks: bots, automatic replies and platform notices inside rows that a source calls 客服 or 客户. KPI §1.

A kind that the source itself marks (bot, auto, system, internal, assist) stands. The patterns are data
(`data/lexicons/sender_patterns.yaml`); this is a pure function of the messages, so a corrected pattern corrects the past.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from qc.dialogue import SESSION_GAP_S, seconds
from qc.text import fold

SOURCE = "source"
_VARIED = 6  # different sentences of an account that is told by its speed, lest a lone welcome text make it a bot. Ours


class Pattern(BaseModel):
    """One way to tell a kind: by text, by account, or by how a text or an account behaves. Units: seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    kind: Literal["bot", "auto", "system", "internal", "assist"]
    of: tuple[Literal["customer", "agent"], ...]  # the kinds it may refine
    reason: str
    rule: Literal["text", "account", "repeated", "speed"] = "text"
    text: str | None = None  # of `text`: linear-time regex on the folded text; its group `to` is who takes over
    account: str | None = None  # of `account`: linear-time regex on the folded account
    within_s: float | None = None  # after the customer's last words (`opens`: after the words that open the talk)
    late_s: float = 0.0  # of a text known to be automatic: how late a single one may come
    at_least: int = 0  # how often it must have come within `within_s`
    share: float = 0.0  # of all its comings
    min_characters: int = 0
    opens: bool = False
    beside: tuple[str, ...] = ()  # of `speed`: patterns that told at least one other row of the account
    hit: tuple[str, ...] = ()
    miss: tuple[str, ...] = ()


def refine(messages: pl.DataFrame, patterns: Sequence[Pattern]) -> pl.DataFrame:
    """Messages as ingested -> the same rows with `sender_kind` refined, plus `sender_ground`: `source` or a pattern's id.

    messages(shop, channel, conversation_id, customer, sent_at, sender_kind, agent, text, source_id, source_row). The `agent`
    of a transfer becomes the account that takes over, if the shop has it; that of other notices is emptied.
    """
    rows = messages.with_row_index("_i").with_columns(_ground=pl.lit(None, pl.Enum([p.id for p in patterns])))
    rows = rows.join(_by_text(rows["text"], patterns), on="text", how="left", maintain_order="left")
    accounts = rows.select("shop", "agent").unique().with_row_index("_account")
    rows = rows.join(accounts, on=["shop", "agent"], how="left", nulls_equal=True, maintain_order="left")
    # What the platform wrote in a customer's row opens no talk: it is known before anything is timed.
    rows = _decide(rows, [p for p in patterns if p.rule == "text" and p.within_s is None])
    rows = _timed(rows.with_columns(_told=_told(patterns)))
    rows = _decide(rows, [p for p in patterns if p.rule != "text" or p.within_s is not None])
    notice = (pl.col("_told") == "system") & (pl.col("sender_kind") != "system")
    rows = _successor(rows.with_columns(_told=_told(patterns))).sort("_i").with_columns(
        sender_kind="_told", agent=pl.when(notice).then("_to").otherwise("agent"), sender_ground=pl.col("_ground").cast(pl.String).fill_null(SOURCE)
    )  # fmt: skip
    return rows.select(*messages.columns, *(["sender_ground"] if "sender_ground" not in messages.columns else []))


def _told(patterns: Sequence[Pattern]) -> pl.Expr:
    """The kind that a pattern tells, or the source."""
    kinds = {p.id: p.kind for p in patterns}
    return pl.coalesce(pl.col("_ground").replace_strict(kinds, default=None, return_dtype=pl.String), "sender_kind")


def audit(refined: pl.DataFrame) -> pl.DataFrame:
    """Refined messages -> per shop, channel, kind and ground: how many, their share, and three of the texts."""
    place = ["shop", "channel"]
    counted = refined.group_by(*place, "sender_kind", "sender_ground").agg(
        n=pl.len(), examples=pl.col("text").filter(pl.col("text") != "").unique().sort().head(3)
    )
    return counted.with_columns(share=pl.col("n") / pl.col("n").sum().over(place)).sort(*place, "n", "sender_kind", "sender_ground",
                                                                                        descending=[False, False, True, False, False])  # fmt: skip


def _decide(rows: pl.DataFrame, patterns: Sequence[Pattern]) -> pl.DataFrame:
    """Each pattern in its order on the rows that no pattern before it has told."""
    for p in patterns:
        hit = RULES[p.rule](rows, p) & pl.col("_ground").is_null() & pl.col("sender_kind").is_in(list(p.of))
        rows = rows.with_columns(_ground=pl.when(hit).then(pl.lit(p.id, rows["_ground"].dtype)).otherwise("_ground"))
    return rows


def _by_text(texts: pl.Series, patterns: Sequence[Pattern]) -> pl.DataFrame:
    """Each distinct text with one truth a text pattern, whom a transfer names, and the number of what it folds to."""
    distinct = pl.DataFrame({"text": texts.unique()})
    distinct = distinct.with_columns(_fold=fold(distinct["text"]))
    distinct = distinct.with_columns(_said=pl.col("_fold").rank("dense"), _long=pl.col("_fold").str.len_chars())
    told = [p for p in patterns if p.text]
    hits = distinct.with_columns([pl.col("_fold").str.contains(p.text).alias(f"_is_{p.id}") for p in told if p.text])
    named = [
        pl.col("_fold").str.extract_groups(p.text).struct.field(g)
        for p in told
        if p.text
        for g in ("to", "to_")
        if f"(?P<{g}>" in p.text
    ]
    return hits.with_columns(_name=pl.coalesce(*named) if named else pl.lit(None, dtype=pl.String))


def _timed(rows: pl.DataFrame) -> pl.DataFrame:
    """Each row with the seconds since the customer's last words, and since the words (or the notice) that opened the talk."""
    stream = ["shop", "channel", "_talk"]
    rows = rows.with_columns(_talk=pl.coalesce("conversation_id", "customer")).sort(
        *stream, "sent_at", "source_id", "source_row"
    )
    at, asks = pl.col("sent_at"), pl.col("_told") == "customer"
    is_new = pl.any_horizontal(pl.col(c).ne_missing(pl.col(c).shift()) for c in stream)
    cut = is_new | (seconds(at.diff()) > SESSION_GAP_S).fill_null(True)
    rows = rows.with_columns(_session=cut.cum_sum())  # numbers: windows over names take many times longer
    first = seconds(at - at.filter(asks).min().over("_session"))
    return rows.with_columns(
        _since=seconds(at - pl.when(asks).then(at).forward_fill().over("_session")),
        _opened=pl.when(first >= 0).then(first).otherwise(seconds(at - at.min().over("_session"))),
    )


def _text(rows: pl.DataFrame, p: Pattern) -> pl.Expr:
    hit = pl.col(f"_is_{p.id}")
    return hit if p.within_s is None else hit & (pl.col("_since") <= p.within_s)


def _account(rows: pl.DataFrame, p: Pattern) -> pl.Expr:
    accounts = rows["agent"].drop_nulls().unique()
    return pl.col("agent").is_in(accounts.filter(fold(accounts).str.contains(p.account or "$^")).implode())


def _repeated(rows: pl.DataFrame, p: Pattern) -> pl.Expr:
    """A sentence that this account always says at once, where it comes at once."""
    wait = pl.col("_opened" if p.opens else "_since")
    mine = ["_account", "_said"]
    counts = (pl.col("sender_kind") == "agent") & (pl.col("_long") >= p.min_characters)
    prompt = (counts & (wait <= p.within_s)).fill_null(False).sum().over(mine)
    return counts & (wait <= p.late_s) & (prompt >= p.at_least) & (prompt >= p.share * counts.sum().over(mine))


def _speed(rows: pl.DataFrame, p: Pattern) -> pl.Expr:
    """An account that answers everything at once, in many different words: nobody types that fast."""
    mine = "_account"
    counts = (pl.col("sender_kind") == "agent") & pl.col("_since").is_not_null()
    prompt = (counts & (pl.col("_since") <= p.within_s)).sum().over(mine)
    enough = (prompt >= p.at_least) & (prompt >= p.share * counts.sum().over(mine)) & pl.col("agent").is_not_null()
    if p.beside:
        return enough & pl.col("_ground").is_in(list(p.beside)).any().over(mine)
    return enough & (pl.col("_said").n_unique().over(mine) >= _VARIED)


RULES = {"text": _text, "account": _account, "repeated": _repeated, "speed": _speed}


def _successor(rows: pl.DataFrame) -> pl.DataFrame:
    """`_to`: the shop's account that a transfer names, whole or by the part after the colon; NULL if none or several."""
    accounts = rows.select("shop", "agent").drop_nulls().unique()
    short = pl.col("agent").str.split(":").list.last()
    spelt = pl.concat(
        [accounts.with_columns(_name=fold(accounts["agent"])), accounts.with_columns(short.alias("_name"))]
    )
    spelt = spelt.with_columns(_name=fold(spelt["_name"])).unique()
    sure = spelt.group_by("shop", "_name").agg(_n=pl.len(), _to=pl.col("agent").first()).filter(pl.col("_n") == 1)
    return rows.join(sure.select("shop", "_name", "_to"), on=["shop", "_name"], how="left", maintain_order="left")
