"""The shop's self-assessment by a standard: its file, the shop's answers, its tables in the mart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from pipelines import store
from qc import standard as standards
from qc.rulefile import RulebookError
from qc.standard import Answer, Standard

ANSWERS = "standard.yaml"
FIGURES = "SELECT ?::VARCHAR AS metric, shop, value, n, NULL AS reason FROM figures('shop', NULL, ?, NULL, NULL)"


class Book(NamedTuple):
    """A standard and what the workspace declares under it."""

    standard: Standard
    answers: Sequence[Answer]


def load(path: Path, home: Path) -> Book:
    """The standard of a file and the workspace's answers; none are as good as unanswered. Raises RulebookError."""
    standard = standards.load_standard(_text(path), str(path))
    file = home / ANSWERS
    return Book(standard, standards.load_answers(_text(file), str(file), standard) if file.is_file() else ())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RulebookError(f"{path}:1 不是 UTF-8 文字;请另存为 UTF-8") from error


def write(con: duckdb.DuckDBPyConnection, book: Book) -> None:
    """standard_items and standard_scores of a built mart, from its own figures() of whole shops."""
    metrics = sorted({item.measured.metric for _, item in book.standard.items() if item.measured})
    asked = [store.frame(con, FIGURES, [m, m]) for m in metrics]
    asked.append(store.frame(con, "SELECT metric, shop, NULL::DOUBLE AS value, 0 AS n, reason FROM gaps WHERE list_contains(?, metric)", [metrics]))
    shops = [s for (s,) in con.execute("SELECT DISTINCT shop FROM conversations WHERE shop IS NOT NULL ORDER BY shop").fetchall()]
    made = standards.assess(book.standard, book.answers, pl.concat(a.cast(standards.FIGURES) for a in asked), shops)
    for name, frame in (("standard_items", made.items), ("standard_scores", made.scores)):
        con.register("rows_", frame)
        con.execute(f"CREATE TABLE {name} AS SELECT * FROM rows_")
        con.unregister("rows_")


def template(book: Book) -> str:
    """standard.yaml with every item that a shop has to answer, commented out."""
    lines = [f"# {book.standard.title}:{book.standard.source}", "# 去掉 # 并改好;每项写明哪天、谁、凭什么。没有写的不适用,不给分。",
             f"standard: {book.standard.standard}", "answers: []", "# answers:"]  # fmt: skip
    for part, item in book.standard.items():
        if not item.measured:
            lines += [f"#   # {part.title} · {item.title}(0–{item.points:g} 分)",
                      f"#   - {{item: {item.id}, points: {item.points:g}, day: 2026-09-01, by: 店长, evidence: 文件或记录在哪里}}"]  # fmt: skip
    return "\n".join(lines)
