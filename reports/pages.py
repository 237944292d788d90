"""The report of a night: a folder of pages that stand alone. Same mart, same bytes; a reader never sees half a report."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from reports import evidence, mood, profiles, promises, pushes, queries, sales, scorecard, shop, standard, talk
from reports.facts import Links, gather, links
from reports.words import Words

GENERATOR = '<meta name="generator" content="qc">'


def write(mart: Path, out: Path, lang: str) -> Path:
    """The published mart -> out/index.html, out/profiles.html, out/sales.html, out/promises.html, out/mood.html, out/standard.html, out/agents/, out/conversations/; returns the index.

    Written beside `out` and put in its place when complete. Raises PermissionError when `out` holds something else.
    """
    out = out.absolute()
    _must_be_ours(out)
    fresh = out.with_name(f".{out.name}.writing")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        with queries.open_mart(mart) as con:
            _write_all(con, fresh, Words(lang))
        _replace(out, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return out / "index.html"


def _write_all(con: duckdb.DuckDBPyConnection, folder: Path, w: Words) -> None:
    compared = profiles.gather(con)
    queries.lay_out(con)
    facts = gather(con)
    where = links(facts)
    if facts.values["conversations"]:
        _save(folder / "profiles.html", profiles.render(facts, compared, w))
    _save(folder / "index.html", shop.render(facts, where, w))
    if facts.pace.promises:
        _save(folder / "promises.html", promises.render(facts, where, w))
    if facts.turning.counts:
        _save(folder / "mood.html", mood.render(facts, where, w))
    if assessed := standard.render(con, facts, w):
        _save(folder / "standard.html", assessed)
    if sold := sales.render(con, facts, where, w):
        _save(folder / "sales.html", sold)
    for agent in facts.agents:
        _save(folder / where.agents[agent["shop"], agent["agent"]], scorecard.render(facts, where, w, agent))
    by_gram = pushes.weights(con)
    for one in evidence.talks(con, set(where.talks)):
        _save(folder / _talk_path(where, one), talk.render(facts, where, w, one, by_gram))


def _talk_path(where: Links, one: evidence.Talk) -> str:
    return where.talks[one.conversation["conversation_id"]]


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def _must_be_ours(out: Path) -> None:
    """A folder is replaced whole: only an empty one or an earlier report may be."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    index = out / "index.html"
    if not (index.is_file() and GENERATOR in index.read_text(encoding="utf-8", errors="replace")):
        raise PermissionError(f"{out} 里有别的东西,不覆盖;换一个文件夹,或先移走里面的内容")


def _replace(out: Path, fresh: Path) -> None:
    """Put the finished folder in place: two renames, the old report away and the new one in."""
    old = out.with_name(f".{out.name}.before")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)
