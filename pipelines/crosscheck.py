"""`qc crosscheck`: our figure beside another tool's for the same agent and days, and the definition that comes nearest to it.

Every definition profile that is found is tried, and a few variants of the published one (only what was answered, an
unanswered turn as 600 s, bots as replies): where two tools differ, it is nearly always over what they count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import polars as pl

from pipelines import settings, store, terminal
from pipelines.query import QueryError
from pipelines.sources.vendor import lexicon
from qc import dialogue, frames
from qc.metrics import BY_ID
from reports.views import shown

UNANSWERED_S = 600.0
HEAD = (
    "店铺",
    "客服",
    "起",
    "止",
    "指标",
    "对方",
    "对方的数",
    "我们的数",
    "差",
    "容差",
    "一致",
    "最接近的定义",
    "按它算",
    "仍差",
)


class Definition(NamedTuple):
    """One way of counting: its turns(shop, agent, customer, conversation_id, day, is_first, is_answered, wait_s)."""

    title: str
    turns: pl.DataFrame
    cap_s: float | None  # the most that one wait counts; None: as long as it was
    unanswered_s: float | None  # what an unanswered turn counts as; None: not at all


class Figure(NamedTuple):
    """One figure of another tool."""

    vendor: str
    shop: str
    agent: str | None
    day_from: date
    day_to: date
    metric: str
    value: float
    unit: str


class Line(NamedTuple):
    """A figure of theirs beside ours; `nearest` is the definition whose value is closest to theirs."""

    figure: Figure
    agent: str | None  # as our chats name them
    ours: float | None
    tolerance: float
    nearest: str | None
    nearest_value: float | None

    @property
    def agrees(self) -> bool | None:
        """Whether ours lies within the tolerance; None where we have none."""
        return None if self.ours is None else abs(self.ours - self.figure.value) <= self.tolerance + 1e-9


def show(home: Path, agent: str | None, *, as_json: bool) -> None:
    """Print the comparison."""
    lines = [line for line in compare(home) if agent in (None, line.agent, line.figure.agent)]
    if not lines:
        raise QueryError("没有可核对的数:别家的绩效表里没有这位客服" if agent else NOTHING)
    terminal.table(HEAD, [_row(line, as_json=as_json) for line in lines], as_json=as_json, right=(6, 7, 8, 9, 12, 13))


NOTHING = "还没有读入别家的绩效表(生意参谋、赤兔…);把它放进 qc nightly 的输入再运行"


def compare(home: Path) -> list[Line]:
    """Every figure of the published `vendor_figures` that belongs to an agent or a shop, beside ours."""
    with store.open_mart(home) as con:
        try:
            told = con.execute(
                "SELECT vendor, shop, agent, day_from, day_to, metric, value, unit FROM vendor_figures "
                "WHERE value IS NOT NULL AND NOT is_summary ORDER BY ALL"
            ).fetchall()
        except duckdb.CatalogException as e:
            raise QueryError("发布的结果还是旧版做的,没有别家的数;再运行一次 qc nightly") from e
        figures = [Figure(*row) for row in told]
        ways = definitions(con, home) if figures else []
        agents = con.execute("SELECT shop, agent, name FROM agents ORDER BY ALL").fetchall()
        return [_line(con, f, _agent(f, agents), ways) for f in figures]


def definitions(con: duckdb.DuckDBPyConnection, home: Path) -> list[Definition]:
    """The published profile first, then its variants, then every other profile of the workspace and the product."""
    ((published, as_of),) = con.execute("SELECT profile, as_of FROM runs ORDER BY run_id DESC LIMIT 1").fetchall()
    messages = frames.of(frames.Message, store.frame(con, "FROM messages ORDER BY conversation_id, seq"))
    pleasantries = settings.book(home, settings.load(home)).pleasantries

    own = settings.profile(home, published)
    with_bots = own.model_copy(update={"effective_kinds": tuple(dict.fromkeys((*own.effective_kinds, "bot", "auto")))})
    profiles = [own, with_bots, *(p for p in settings.profiles(home) if p.id != published)]
    judged = dialogue.under_profiles(messages, profiles, as_of=as_of, pleasantries=pleasantries)
    counted = [found.filter("is_counted").rename({"responsible": "agent"}) for _, found in judged]
    turns = counted[0]
    return [
        Definition(own.title, turns, own.cap_s, own.unanswered_s),
        Definition(f"{own.title},只算已回复的", turns, None, None),
        Definition(f"{own.title},不封顶、未回复按 600 秒", turns, None, UNANSWERED_S),
        Definition(f"{own.title},机器人和自动回复也算回复", counted[1], own.cap_s, own.unanswered_s),
        *(
            Definition(p.title, found, p.cap_s, p.unanswered_s)
            for p, found in zip(profiles[2:], counted[2:], strict=True)
        ),
    ]


def _line(con: duckdb.DuckDBPyConnection, figure: Figure, agent: str | None, ways: Sequence[Definition]) -> Line:
    meaning = next(f for f in lexicon()["figures"] if f["metric"] == figure.metric)
    absolute, relative = lexicon()["tolerance"][figure.unit]
    tolerance = max(absolute, relative * abs(figure.value))
    if agent is None and figure.agent is not None:
        return Line(figure, None, None, tolerance, None, None)
    found = list(_values(con, figure, agent, meaning, ways))
    known = [(title, value) for title, value in found if value is not None]
    title, value = min(known, key=lambda k: abs(k[1] - figure.value), default=(None, None))
    return Line(figure, agent, found[0][1] if found else None, tolerance, title, value)


def _values(
    con: duckdb.DuckDBPyConnection,
    figure: Figure,
    agent: str | None,
    meaning: dict[str, Any],
    ways: Sequence[Definition],
) -> Iterator[tuple[str, float | None]]:
    """(definition, value), ours as published first; the other profiles by their turns, other metrics by their name."""
    if ours := meaning.get("ours"):
        yield (ways[0].title if "turns" in meaning else BY_ID[ours].zh), _published(con, ours, figure, agent)
    if turns := meaning.get("turns"):
        for way in ways[1:] if ours else ways:
            yield way.title, _of_turns(turns, way, figure, agent)
    for other in meaning.get("others", []):
        yield f"「{BY_ID[other].zh}」", _published(con, other, figure, agent)


def _published(con: duckdb.DuckDBPyConnection, metric: str, figure: Figure, agent: str | None) -> float | None:
    found = con.execute(
        "SELECT value FROM metric(?, ?, ?) WHERE agent IS NOT DISTINCT FROM ? AND (? IS NOT NULL OR shop = ?)",
        [metric, figure.day_from, figure.day_to, agent, agent, figure.shop],
    ).fetchall()
    return found[0][0] if found else None


def _of_turns(what: str, way: Definition, figure: Figure, agent: str | None) -> float | None:
    """What `turns:` of the lexicon says, by this definition; NULL without a turn."""
    whose = pl.col("agent") == agent if agent else pl.col("shop") == figure.shop
    turns = way.turns.filter(whose & pl.col("day").is_between(figure.day_from, figure.day_to))
    name, _, limit = what.partition(":")
    if name.startswith("first_"):
        turns, name = turns.filter("is_first"), name.removeprefix("first_")
    if name in ("replied", "unreplied", "people"):
        days = turns.group_by("shop", "customer", "day").agg(pl.col("is_answered").any())["is_answered"]
        value = {"replied": days.mean(), "unreplied": (~days).sum(), "people": len(days)}[name]
        return float(value) if len(days) else None  # type: ignore[arg-type]
    if way.unanswered_s is None or (what == "first_mean" and way.cap_s is not None):
        turns = turns.filter("is_answered")
    wait = pl.col("wait_s") if way.cap_s is None else pl.col("wait_s").clip(upper_bound=way.cap_s)
    wait = pl.when("is_answered").then(wait).otherwise(way.unanswered_s)
    hit = pl.col("is_answered") & (pl.col("wait_s") <= float(limit or 0))
    value = turns.select({"mean": wait.mean(), "share": hit.mean(), "slow": (~hit).mean()}[name]).item()
    return None if value is None else float(value)


def _agent(figure: Figure, agents: Sequence[tuple[str, str, str]]) -> str | None:
    """Our account of the agent that they name: the same, else the only one whose sub-account or name it is."""
    if figure.agent is None or any(a == figure.agent for _, a, _ in agents):
        return figure.agent
    alike = [(shop, a) for shop, a, name in agents if figure.agent in (a.rpartition(":")[2], name)]
    near = [a for shop, a in alike if shop == figure.shop] or [a for _, a in alike]
    return near[0] if len(set(near)) == 1 else None


def _row(line: Line, *, as_json: bool) -> list[Any]:
    f, unit = line.figure, line.figure.unit
    title = next(x["title"] for x in lexicon()["figures"] if x["metric"] == f.metric)

    def told(value: float | None) -> Any:
        return value if as_json or value is None else shown(value, unit)

    off, still = (None if v is None else v - f.value for v in (line.ours, line.nearest_value))
    agrees = {True: "是", False: "否", None: "我们没有数"}[line.agrees]
    return [
        f.shop, line.agent or f.agent or "全店", f.day_from, f.day_to, title, f.vendor, told(f.value), told(line.ours), told(off),
        told(line.tolerance), line.agrees if as_json else agrees, line.nearest, told(line.nearest_value), told(still),
    ]  # fmt: skip
