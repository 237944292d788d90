"""The bench of those who write rules: try a rule on the shop's own talks, see what a changed pack would move, start a new one.

Everything is read from the published mart, so a draft touches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from pipelines import rules, settings, store
from pipelines.mart import Book
from pipelines.resources import data_dir
from qc import detectors, frames, ledger, mutation, needs, rulebook, rulecheck
from qc.places import Beside
from qc.rulebook import Pack, rules_of
from qc.rulefile import RulebookError, closest

SEED = 20260901
_ROUND = 60  # characters of the bubbles around a quote


class Trial(NamedTuple):
    """What rules find in the shop's talks."""

    pack_hash: str
    counts: pl.DataFrame  # rule_id, title, n, n_conversations, of, share, low, high, unasked
    quotes: pl.DataFrame  # rule_id, conversation_id, seq, agent, before_by, before, quote, text, after_by, after


class Checked(NamedTuple):
    """What the examples of rules say of them."""

    pack_hash: str
    rules: pl.DataFrame  # rule_id, n_hit, n_miss, failures
    n_broken: int | None  # ways in which the rules were broken; None where nobody asked
    survivors: pl.DataFrame  # rule_id, mutation: of those, what no example noticed


class Moved(NamedTuple):
    """What another pack would change."""

    old_hash: str
    new_hash: str
    conversations: pl.DataFrame  # conversation_id, agent, old, new, change, why
    agents: pl.DataFrame  # shop, agent, n, n_moved, old, new, change


class Known(NamedTuple):
    """The talks of the mart."""

    messages: pl.DataFrame
    turns: pl.DataFrame
    beside: Beside


def check(home: Path, what: Path | None, *, mutate: bool) -> Checked:
    """The examples of the workspace's rules, or of those of a file or folder beside the others; broken ones too if asked."""
    book = settings.book(home, settings.load(home))
    packs = overlaid(book, what) if what else book.packs
    wanted = [r.id for p in (rules.read_all(what) if what else packs) for r in p.rules]
    checked = rulecheck.check(packs, book.pleasantries).filter(pl.col("rule_id").is_in(wanted))
    survived, n = pl.DataFrame(schema={"rule_id": pl.String, "mutation": pl.String}), None
    if mutate:
        survived = mutation.survivors(packs, book.pleasantries).filter(pl.col("rule_id").is_in(wanted))
        n = sum(1 for rule_id in wanted for _ in mutation.mutants(rules_of(packs)[rule_id]))
    return Checked(rulebook.pack_hash(packs), checked, n, survived)


def attempt(home: Path, what: str, since: date | None, n_quotes: int = 20) -> Trial:
    """A rule by its id, or the rules of a file or folder, over the talks of the mart from a day on."""
    book = settings.book(home, settings.load(home))
    path = Path(what)
    packs = overlaid(book, path) if path.exists() else book.packs
    wanted = [r.id for p in rules.read_all(path) for r in p.rules] if path.exists() else [what]
    if missing := [rule_id for rule_id in wanted if rule_id not in rules_of(packs)]:
        raise RulebookError(f"没有规则或文件「{missing[0]}」{closest(missing[0], rules_of(packs))}")
    with store.open_mart(home) as con:
        known = _known(con, since)
        found = detectors.inspect(known.messages, known.turns, packs, known.beside).findings
        found = found.filter(pl.col("rule_id").is_in(wanted))
        counts = [_count(con, known, packs, found, rule_id) for rule_id in wanted]
    quotes = [_quotes(known, found.filter(rule_id=rule_id), n_quotes) for rule_id in wanted]
    columns = ["rule_id", "title", "n", "n_conversations", "of", "share", "low", "high", "unasked"]
    return Trial(
        rulebook.pack_hash(packs), pl.DataFrame(counts, schema=columns, orient="row", infer_schema_length=None), pl.concat(quotes)
    )  # fmt: skip


def overlaid(book: Book, path: Path) -> tuple[Pack, ...]:
    """The workspace's packs with those of a file or folder in the place of their namesakes, and of rules of their ids."""
    new = rules.read_all(path)
    names, ids = {p.pack for p in new}, {r.id for p in new for r in p.rules}
    kept = [p._replace(rules=tuple(r for r in p.rules if r.id not in ids)) for p in book.packs if p.pack not in names]
    return rulebook.bind([*kept, *new])


def compare(home: Path, old: Path, new: Path) -> Moved:
    """Two packs over the same talks: whose scores move, by how much, and for which rules."""
    chosen = settings.load(home)
    book = settings.book(home, chosen)
    sides = [overlaid(book, path) for path in (old, new)]
    for packs in sides:
        settings.scorecards(home, chosen, packs)  # a rule that a scorecard charges must be there
    with store.open_mart(home) as con:
        known = _known(con, None)
        shops = store.frame(con, "SELECT conversation_id, shop FROM conversations")
    before, after = (_scored(known, packs, book) for packs in sides)
    key = ["conversation_id", "agent"]
    both = before.scores.select(*key, old="qa").join(after.scores.select(*key, new="qa"), on=key, nulls_equal=True)
    both = both.with_columns(change=(pl.col("new") - pl.col("old")).round(4)).join(shops, on="conversation_id")
    moved = both.filter(pl.col("change").fill_null(0) != 0).join(
        _why(before, after), on=key, how="left", nulls_equal=True
    )
    agents = both.group_by("shop", "agent").agg(
        pl.len().alias("n"), n_moved=(pl.col("change").fill_null(0) != 0).sum(),
        old=pl.col("old").mean().round(2), new=pl.col("new").mean().round(2),
    ).with_columns(change=(pl.col("new") - pl.col("old")).round(2))  # fmt: skip
    return Moved(
        *(rulebook.pack_hash(packs) for packs in sides),
        moved.select(*key, "old", "new", "change", "why").sort(pl.col("change").abs(), *key, descending=[True, False, False]),
        agents.sort(pl.col("change").abs(), "shop", "agent", descending=[True, False, False]),
    )  # fmt: skip


def template(rule_id: str) -> str:
    """A pack with one rule and the examples to fill in; it is refused until they are."""
    hits, misses = ("\n".join(f"        - {what}{n}" for n in range(1, 6)) for what in ("该命中的话", "相似而无害的话"))
    schema = (data_dir() / "rule.schema.json").resolve().as_uri()
    return TEMPLATE.format(schema=schema, id=rule_id, pack=rule_id.lower(), hits=hits, misses=misses)


def _known(con: duckdb.DuckDBPyConnection, since: date | None) -> Known:
    days = "WHERE conversation_id IN (SELECT conversation_id FROM conversations WHERE day >= ? OR ?::DATE IS NULL)"
    messages = frames.of(frames.Message, store.frame(con, f"SELECT * FROM messages {days}", [since, since]))
    turns = frames.of(frames.Turn, store.frame(con, f"SELECT * FROM turns {days}", [since, since]))
    orders = frames.of(frames.Order, store.frame(con, "SELECT * FROM orders"))
    moods = store.frame(
        con, "SELECT DISTINCT text, p_negative::DOUBLE AS p_negative FROM messages WHERE p_negative IS NOT NULL"
    )
    cases = store.frame(con, "SELECT conversation_id, phase, topic, customer_type FROM conversations")
    return Known(messages, turns, Beside(orders if orders.height else None, cases, moods))


def _count(
    con: duckdb.DuckDBPyConnection, known: Known, packs: Sequence[Pack], found: pl.DataFrame, rule_id: str
) -> tuple[object, ...]:
    """Hits, and the share of the talks in which the rule's speaker said something."""
    rule = rules_of(packs)[rule_id]
    mine = frames.is_effective() if rule.who == "agent" else frames.is_asking()
    of = known.messages.filter(mine)["conversation_id"].n_unique()
    hits = found.filter(rule_id=rule_id)
    n = hits["conversation_id"].n_unique()
    bounds = con.execute("SELECT wilson_low(?, ?), wilson_high(?, ?)", [n, of, n, of]).fetchone() or (None, None)
    unasked = needs.unasked(rules_of(packs), known.messages, known.beside).get(rule_id)
    return (rule_id, rule.title, hits.height, n, of, n / of if of else None, *bounds, unasked)


def _quotes(known: Known, found: pl.DataFrame, n: int) -> pl.DataFrame:
    """Random findings (the same for the same seed) with the bubbles before and after; what is absent has no quote."""
    # Drawn by a hash of the id, not by position: what else is in the mart does not change who is drawn.
    drawn = found.sort(pl.col("finding_id").hash(SEED), "finding_id").head(n).sort("finding_id")
    talk = known.messages.sort("conversation_id", "seq").select(
        "conversation_id", "seq", "text",
        before_by=pl.col("sender_kind").shift().over("conversation_id"),
        before=pl.col("text").shift().over("conversation_id").str.slice(0, _ROUND),
        after_by=pl.col("sender_kind").shift(-1).over("conversation_id"),
        after=pl.col("text").shift(-1).over("conversation_id").str.slice(0, _ROUND),
    )  # fmt: skip
    shown = drawn.join(talk, on=["conversation_id", "seq"], how="left", maintain_order="left")
    return shown.select("rule_id", "conversation_id", "seq", "agent", "before_by", "before", "quote", "text", "after_by", "after")


def _scored(known: Known, packs: Sequence[Pack], book: Book) -> ledger.Ledger:
    found = detectors.inspect(known.messages, known.turns, packs, known.beside)
    return ledger.score(found.findings, found.moments, known.messages, packs, book.scorecards, cases=known.beside.cases)


def _why(before: ledger.Ledger, after: ledger.Ledger) -> pl.DataFrame:
    """(conversation_id, agent, why): the rules and caps whose points differ."""
    key = ["conversation_id", "agent", "what"]
    what = pl.coalesce("rule_id", "item", pl.lit("cap"))
    sides = [
        side.entries.with_columns(what=what).group_by(key).agg(pl.col("points").sum().round(4))
        for side in (before, after)
    ]
    both = sides[0].join(sides[1], on=key, how="full", coalesce=True, nulls_equal=True).fill_null(0.0)
    both = both.with_columns(by=(pl.col("points_right") - pl.col("points")).round(2)).filter(pl.col("by") != 0)
    said = pl.format("{} {}", "what", "by").sort_by("what").str.join("、")
    return both.group_by("conversation_id", "agent").agg(why=said)


TEMPLATE = """\
# yaml-language-server: $schema={schema}
# 每个键是什么意思:docs/rules-language.md。填好以后:qc rules check 本文件,qc rules try 本文件,再放进 qc.toml 的 rules 文件夹。
pack: {pack}
title: 我的规则
title_en: My rules
rules:
  - id: {id}
    title: 这条规则叫什么
    title_en: What it is called
    any: [要找的词, 另一个词]
    unless: [包含它而无害的说法]
    category: negative_language
    severity: minor
    deduction: 5
    why: 为什么不好,写给客服看
    rewrite: 可以换成怎么说
    source: 谁定的
    tests:
      hit:
{hits}
      miss:
{misses}
"""
