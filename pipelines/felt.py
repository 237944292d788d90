"""Why a text was felt as it was: `qc explain --text` for any text, `qc explain conversation#seq` for a message of the mart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pipelines import scoring
from pipelines.terminal import table
from qc import sentiment, shop
from reports import pushes
from reports.queries import rows

ZH = dict(zip(shop.CLASSES, ("负面", "中性", "正面"), strict=True))
GRAM = "字串(空的是基数,┃是句子的头尾)"


def show(home: Path, backend: str, text: str, *, as_json: bool) -> None:
    """Any text by the workspace's model: the three probabilities, then every gram that made them, the strongest first."""
    model = scoring.model(home, backend)
    scored = sentiment.score([text], model=model).row(0, named=True)
    found = sentiment.explain(text, model=model)
    if as_json:
        print(json.dumps({"text": text, "model": model.version, **scored, "pushes": listed(found)}, ensure_ascii=False))
        return
    said = "、".join(f"{name} {scored[f'p_{key}']:.2f}" for key, name in ZH.items())
    print(f"「{text}」{said}(情绪 {scored['p_positive'] - scored['p_negative']:+.2f};{model.version})")
    if not scored["is_scored"]:
        print("没有可说的:空的、只有标点、表情或占位符的,按定义是中性")
        return
    _table(found)


def message(con: duckdb.DuckDBPyConnection, conversation: str, seq: int) -> dict[str, Any] | None:
    """text, mood and, where the mood comes from the shop model, pushes of a customer's message; None where it has no mood."""
    said = rows(
        con,
        "SELECT text, mood::DOUBLE AS mood FROM messages WHERE conversation_id = ? AND seq = ? AND mood IS NOT NULL",
        [conversation, seq],
    )
    if not said:
        return None
    by_gram = pushes.weights(con)
    return said[0] | {"pushes": shop.explain(said[0]["text"], by_gram) if said[0]["mood"] and by_gram else None}


def print_message(found: dict[str, Any] | None, seq: int) -> None:
    """The mood of one message and every gram that made it."""
    if found is None:
        return print(f"第 {seq} 条不是客户的文字,没有情绪")
    print(f"第 {seq} 条「{found['text']}」情绪 {found['mood']:+.2f}")
    if found["pushes"] is None:
        return print("没有可说的:这句话不含情绪,或者情绪不是 shop 模型评的")
    _table(found["pushes"])


def listed(found: pl.DataFrame | None) -> list[dict[str, Any]]:
    """(gram, class, contribution) as dictionaries, the strongest first."""
    return (
        [] if found is None else found.sort(pl.col("contribution").abs(), "gram", descending=[True, False]).to_dicts()
    )


def _table(found: pl.DataFrame) -> None:
    """A row a gram, a column a class, the strongest first; the sums last."""
    each = (
        found.group_by("gram", "class", maintain_order=True).sum().pivot("class", index="gram", values="contribution")
    )
    known = [c for c in shop.CLASSES if c in each.columns]
    total = each.select(pl.lit("合计").alias("gram"), *(pl.col(c).sum() for c in known))
    ordered = each.sort(pl.max_horizontal(pl.col(c).abs() for c in known), "gram", descending=[True, False])
    lines = [
        [gram, *(f"{v:+.3f}" for v in values)]
        for gram, *values in pl.concat([d.select("gram", *known) for d in (ordered, total)]).iter_rows()
    ]
    table([GRAM, *(ZH[c] for c in known)], lines, right=range(1, 1 + len(known)))
