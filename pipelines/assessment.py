"""`qc standard`: a shop's self-assessment, item by item, each with its ground."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines import store, terminal
from qc.metrics import REASONS
from reports.standard import threshold
from reports.views import shown


def show(home: Path, *, as_json: bool) -> None:
    """Print every item with its points and ground, then the score of each shop."""
    with store.open_mart(home) as con:
        items = store.frame(con, "SELECT i.*, k.unit, k.zh FROM standard_items i LEFT JOIN kpis k USING (metric) ORDER BY shop, nth")
        scores = store.frame(con, "SELECT * FROM standard_scores ORDER BY shop")
    head = ["店铺", "部分", "项", "分", "得分", "凭什么"]
    terminal.table(head, [_line(r) for r in items.iter_rows(named=True)], as_json=as_json, right=(3, 4))
    if not as_json:
        for row in scores.iter_rows(named=True):
            print(told(row))


def _line(row: dict[str, Any]) -> list[object]:
    won = row["won"]
    return [row["shop"], row["section_title"], row["title"], f"{row['points']:g}", "–" if won is None else f"{won:g}", _ground(row)]


def _ground(row: dict[str, Any]) -> str:
    """Why an item has its points: the figure against its threshold, or who declared it when and on what."""
    if row["reason"]:
        value = f"{row['zh']}:" if row["zh"] else ""
        return f"不适用:{value}{REASONS[str(row['reason'])][0]}"
    if row["ground"] == "declared":
        return f"自评 {row['declared_on']} {row['declared_by']}:{row['evidence']}"
    return f"{row['zh']} {shown(row['value'], row['unit'])},{row['n']} 个,{threshold(row, row['unit'], '没到 {threshold}')}"


def told(row: dict[str, Any]) -> str:
    """A shop's score in a sentence."""
    if row["score"] is None:
        return f"{row['shop']}:没有得分,{REASONS[str(row['reason'])][0]}"
    rest = f";还有 {row['n_undeclared']} 项未自评,级别是暂定的" if row["n_undeclared"] else ""
    return f"{row['shop']}:100 × {row['won']:g} ÷ {row['applicable']:g} = {row['score']:g},{row['level_title']}(全部 {row['possible']:g} 分里适用 {row['applicable']:g} 分{rest})"
