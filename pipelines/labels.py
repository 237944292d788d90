"""Labelled texts from any table: which column, which label means what, which rows belong together."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars.exceptions import PolarsError
from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml.error import YAMLError

from pipelines.resources import read_yaml
from pipelines.sources import lines
from qc.shop import CLASSES

# What people write when they label by hand; anything else wants a map.
USUAL = {
    "negative": "negative", "neutral": "neutral", "positive": "positive",
    "负面": "negative", "中性": "neutral", "正面": "positive", "消极": "negative", "积极": "positive",
    "差": "negative", "中": "neutral", "好": "positive",
}  # fmt: skip


class LabelsError(Exception):
    """A labelled file cannot be used as asked; the message says file, what and what to do."""


class Layout(BaseModel):
    """Where texts and labels stand in a table."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: str = "text"
    label: str = "label"
    map: dict[str, str] = USUAL
    group: str | None = None  # rows with the same value are never torn apart; without it every row stands alone
    where: str | None = None  # SQL condition on the file's columns


class EvaluationSet(Layout):
    """One entry of data/evaluation.yaml."""

    id: str
    title: str
    title_en: str
    file: str
    salt: str | None = None  # of the digest that splits the groups into those that were looked at and the others
    least: dict[str, float] = {}  # measure → what the shipped model is to reach at least …
    most: dict[str, float] = {}  # … or at most


class Labels(NamedTuple):
    """Labelled texts of one file."""

    name: str
    rows: pl.DataFrame  # text, label (index in CLASSES), group
    n_unknown: int  # rows whose label the map does not have, or without text


def read(path: Path, layout: Layout, name: str = "") -> Labels:
    """The labelled texts of a CSV, TSV, JSON Lines or Parquet file; LabelsError names what is missing."""
    if wrong := {c for c in layout.map.values() if c not in CLASSES}:
        raise LabelsError(f"标签只能对应到 {'、'.join(CLASSES)},不是 {'、'.join(sorted(wrong))}")
    table = _chosen(path, _table(path), layout.where)
    if missing := [c for c in (layout.text, layout.label, layout.group) if c and c not in table.columns]:
        raise LabelsError(
            f"{path}: 没有列 {'、'.join(missing)};有的列:{'、'.join(table.columns)}。用 --text、--label、--group 指明"
        )
    number = {key: CLASSES.index(value) for key, value in layout.map.items()}
    group = pl.col(layout.group) if layout.group else pl.int_range(pl.len()).cast(pl.String)
    rows = table.select(
        text=pl.col(layout.text),
        label=pl.col(layout.label).str.strip_chars().replace_strict(number, default=None, return_dtype=pl.Int64),
        group=group,
    ).drop_nulls()
    if rows["label"].n_unique() < 2:
        seen = "、".join(map(str, table[layout.label].unique().sort().head(8)))
        raise LabelsError(
            f"{path}: 可用的标签不足两种(列 {layout.label} 里有:{seen})。用 --map 对应,如 --map 0=negative,1=positive"
        )
    return Labels(name or path.name, rows, table.height - rows.height)


def unseen(found: Labels, salt: str) -> Labels:
    """The half that was never looked at: groups whose SHA-256, salted, ends in an odd digit."""
    groups = found.rows["group"].unique().to_list()
    odd = [g for g in groups if int(hashlib.sha256(f"{salt}:{g}".encode()).hexdigest()[-1], 16) % 2]
    return found._replace(rows=found.rows.filter(pl.col("group").is_in(odd)))


def sets(path: Path) -> list[EvaluationSet]:
    """The evaluation sets that a YAML file describes."""
    try:
        listed = read_yaml(path)["sets"]
        return [EvaluationSet.model_validate(one) for one in listed]
    except (ValidationError, YAMLError, KeyError, TypeError) as e:
        raise LabelsError(f"{path}: {e}") from e


def mapped(text: str | None) -> dict[str, str]:
    """`0=negative,1=neutral` as a map; the usual words without one."""
    if text is None:
        return USUAL
    pairs = [part.split("=", 1) for part in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise LabelsError(f"--map {text} 看不懂;写成 0=negative,1=neutral,2=positive")
    return {key.strip(): value.strip() for key, value in pairs}


def _table(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise LabelsError(f"没有文件 {path}")
    try:
        if path.suffix == ".parquet":
            found = pl.read_parquet(path)
        elif path.suffix in (".jsonl", ".ndjson"):
            found = pl.read_ndjson(path)
        else:
            text = path.read_bytes().decode(lines.encoding_of(path), errors="replace").removeprefix("\ufeff")
            found = pl.read_csv(text.encode(), separator="\t" if path.suffix == ".tsv" else ",", infer_schema=False,
                                quote_char=None if path.suffix == ".tsv" else '"')  # fmt: skip
    except PolarsError as e:
        raise LabelsError(f"{path}: 读不出表格:{e}") from e
    return found.with_columns(pl.all().cast(pl.String, strict=False))


def _chosen(path: Path, table: pl.DataFrame, where: str | None) -> pl.DataFrame:
    if not where:
        return table
    try:
        return table.sql(f"SELECT * FROM self WHERE {where}")
    except PolarsError as e:
        raise LabelsError(f"{path}: 条件「{where}」不能用:{e}") from e
