"""Performance sheets of other tools (生意参谋, 赤兔 …) → what they say, kept apart from what we compute.

One row of a sheet is one row here: an agent, a period, and every figure that data/mappings/vendor knows, with its unit, its
text as it stood, and the reason where there is none. Rows below the agents (汇总, 同行同层优秀 …) keep their label and
belong to nobody.
"""

from __future__ import annotations

import json
import re
import unicodedata
from calendar import monthrange
from collections.abc import Sequence
from functools import cache
from typing import Any

import polars as pl

from pipelines.mapping import HIDDEN, Mapping, is_private
from pipelines.resources import data_dir, read_yaml
from pipelines.sources.lines import UnreadableFile

LEAST = 2  # figures that a header must name to be a performance sheet
_YEAR, _SEP = r"(20\d\d)", r"[-/.年_]?"
_DAY = re.compile(rf"(?<!\d){_YEAR}{_SEP}(0?[1-9]|1[0-2])[-/.月_]?(3[01]|[12]\d|0?[1-9])日?(?!\d)")
_REST = re.compile(r"^\s*[-~至到—_]+\s*(0?[1-9]|1[0-2])[-/.月](3[01]|[12]\d|0?[1-9])日?(?!\d)")
_MONTH = re.compile(rf"(?<!\d){_YEAR}[-/.年_]?(0[1-9]|1[0-2]|[1-9])月?(?!\d)")
_CLOCK = re.compile(r"^(?:1899-12-3[01] |1900-01-0[01] )?(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)$")
_SPOKEN = re.compile(r"^(?:(\d+)(?:小时|时|h))?(?:(\d+)(?:分钟|分|m|min))?(?:(\d+(?:\.\d+)?)(?:秒钟|秒|s))?$")
_TIMES = {"万": 1e4, "亿": 1e8, "千": 1e3}
_SECONDS = {"秒": 1, "s": 1, "分": 60, "分钟": 60, "min": 60, "小时": 3600, "h": 3600}


@cache
def lexicon() -> dict[str, Any]:
    """data/mappings/vendor/figures.yaml: the figures, their headers, units and tolerances."""
    return _yaml("figures")


@cache
def _headers() -> dict[str, dict[str, Any]]:
    return {plain(h): figure for figure in lexicon()["figures"] for h in figure["headers"]}


def plain(header: str) -> str:
    """A header as it is compared: half-width, lower case, without blanks; arrows alike.

    >>> plain("客单价（元）"), plain("询单→最终付款 转化率")
    ('客单价(元)', '询单->最终付款转化率')
    """
    text = re.sub(r"\s+", "", unicodedata.normalize("NFKC", header)).lower()
    return re.sub(r"→|-->|—>|=>", "->", text)


def figure_of(header: str) -> tuple[dict[str, Any] | None, str]:
    """The figure that a header names, and the unit in its brackets."""
    text = plain(header)
    if text in _headers():
        return _headers()[text], ""
    bare, _, unit = text.removesuffix(")").partition("(")
    return _headers().get(bare), unit


def words() -> set[str]:
    """Every header that a performance sheet may have."""
    places = (plain(w) for key in ("agent", "shop", "day") for w in lexicon()[key])
    return {*_headers(), *places}


def mapping_of(names: Sequence[str], file: str) -> Mapping | None:
    """The mapping of a performance sheet, if these are the columns of one; UnreadableFile when nobody can tell of which day."""
    known = [n for n in names if figure_of(n)[0]]
    if len(known) < LEAST or not (_column(names, "agent") or _column(names, "day")):
        return None
    days = days_in(file)
    if not _column(names, "day") and not days:
        raise UnreadableFile(
            "不知道是哪天的数字:表里没有日期列,文件名里也没有;请把日期写进文件名,如 客服绩效_20260901-20260930.xlsx"
        )
    bare = {plain(n).partition("(")[0] for n in names}
    vendors = [
        _yaml(p.stem) for p in sorted((data_dir() / "mappings" / "vendor").glob("*.yaml")) if p.stem != "figures"
    ]
    # Whose sheet the file's name says it is; else whose columns it has.
    known_by = {v["id"]: (v["title"] in file, len(bare & {plain(m) for m in v["marks"]})) for v in vendors}
    best = max(vendors, key=lambda v: known_by[v["id"]])
    is_told = any(known_by[best["id"]])
    who = (best["id"], best["title"]) if is_told else ("other", "别家绩效表")
    # The days are part of how the file is read: under a corrected name the same bytes are read anew.
    told = {"day_from": days[0], "day_to": days[-1]} if days else {}
    return Mapping(id=who[0], title=who[1], kind="vendor", constants=told)


def apply(fields: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """A whole sheet -> vendor, shop, agent, label, day_from, day_to, figures, with _line, _raw and extra."""
    names = [n for n in fields.columns if n not in HIDDEN]
    agent, shop, day = (_column(names, key) for key in ("agent", "shop", "day"))
    figures = {n: _figures(n, fields[n].to_list()) for n in names if figure_of(n)[0]}
    used = {agent, shop, day, *figures}
    spare = [n for n in names if n not in used and not is_private(n)]
    in_column = [_span(days_in(v or "")) for v in fields[day]] if day else [None] * len(fields)
    told = [d for d in in_column if d]
    named = (mapping.constants.get("day_from"), mapping.constants.get("day_to"))
    whole = named if named[0] else ((min(d[0] for d in told), max(d[1] for d in told)) if told else None)
    rows = []
    for n, row in enumerate(fields.to_dicts()):
        who = (row[agent] or "").strip() if agent else ""
        is_summary = bool(re.match(lexicon()["summary"], who)) or (agent is not None and not who)
        where = (row[shop] or "").strip() if shop else ""
        place = (
            where or mapping.constants.get("shop") or (who.partition(":")[0] if ":" in who and not is_summary else None)
        )
        first, last = in_column[n] or whole or (None, None)
        said = [f[n] for f in figures.values() if f[n] is not None]
        rows.append({
            "_line": row["_line"], "_raw": row["_raw"], "vendor": mapping.id, "shop": place,
            "agent": None if is_summary or not who else who, "label": (who or "(空)") if is_summary else None,
            "day_from": first, "day_to": last, "figures": json.dumps(said, ensure_ascii=False) if said else None,
            "extra": json.dumps({s: row[s] for s in spare}, ensure_ascii=False) if spare else None,
        })  # fmt: skip
    schema = {"_line": pl.Int64} | dict.fromkeys(
        ("_raw", "vendor", "shop", "agent", "label", "day_from", "day_to", "figures", "extra"), pl.String
    )
    made = pl.DataFrame(rows, schema=schema)
    shops = made["shop"].drop_nulls().unique()
    return made.with_columns(pl.col("shop").fill_null(shops[0])) if len(shops) == 1 else made


def _figures(header: str, cells: list[str | None]) -> list[dict[str, Any] | None]:
    """One column's figures; whether 0.625 or 62.5 is meant is decided for the column as a whole."""
    figure, bracket = figure_of(header)
    assert figure is not None
    read = [_number(c or "", figure["unit"], bracket) for c in cells]
    bare = [v for v, _, is_percent in read if v is not None and not is_percent]
    by_hundred = figure["unit"] == "%" and (bracket == "%" or any(abs(v) > 1 for v in bare))
    made = []
    for cell, (value, reason, is_percent) in zip(cells, read, strict=True):
        scale = 100 if figure["unit"] == "%" and (is_percent or by_hundred) else 1
        made.append({
            "metric": figure["metric"], "value": None if value is None else round(value / scale, 6), "unit": figure["unit"],
            "raw": cell, "reason": reason, "header": header,
        })  # fmt: skip
    return made


def _number(cell: str, unit: str, bracket: str) -> tuple[float | None, str | None, bool]:
    """(value in the unit of storage, reason why there is none, whether it was written with a percent sign)."""
    text = re.sub(r"[\s,¥￥]", "", unicodedata.normalize("NFKC", cell))
    if not text:
        return None, "empty", False
    if cell.strip() in lexicon()["nothing"] or text in lexicon()["nothing"]:
        return None, "no_data", False
    if unit == "s" and (seconds := _seconds(cell.strip(), text)) is not None:
        return seconds, None, False
    is_percent = text.endswith("%")
    match = re.fullmatch(
        r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)([万亿千]?)(?:元|人|个|次|条|件|单|笔|%)?", text, re.IGNORECASE
    )
    if not match:
        return None, "not_a_number", False
    value = float(match[1]) * _TIMES.get(match[2] or bracket[:1], 1)
    return value * {"fen": 100, "s": _SECONDS.get(bracket, 1)}.get(unit, 1), None, is_percent


def _seconds(cell: str, text: str) -> float | None:
    if clock := _CLOCK.match(cell):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    if (spoken := _SPOKEN.match(text)) and any(spoken.groups()):
        return int(spoken[1] or 0) * 3600 + int(spoken[2] or 0) * 60 + float(spoken[3] or 0)
    return None


def days_in(text: str) -> list[str]:
    """The first and the last day that a name or cell speaks of, as ISO dates; of `export.zip!九月.xlsx#0901` the innermost part.

    >>> days_in("客服绩效_20260901-20260930.xlsx"), days_in("2026年9月.xls"), days_in("订单1234567890123")
    (['2026-09-01', '2026-09-30'], ['2026-09-01', '2026-09-30'], [])
    """
    for piece in reversed(re.split(r"[!#]", text)):
        found = [(m, f"{m[1]}-{int(m[2]):02}-{int(m[3]):02}") for m in _DAY.finditer(piece)]
        if len(found) == 1 and (rest := _REST.match(piece[found[0][0].end() :])):
            return [found[0][1], f"{found[0][0][1]}-{int(rest[1]):02}-{int(rest[2]):02}"]
        if found:
            return [day for _, day in found[:2]]
        if month := _MONTH.search(piece):
            year, number = int(month[1]), int(month[2])
            return [f"{year}-{number:02}-01", f"{year}-{number:02}-{monthrange(year, number)[1]}"]
    return []


def _span(days: list[str]) -> tuple[str, str] | None:
    return (days[0], days[-1]) if days else None


def _column(names: Sequence[str], key: str) -> str | None:
    wanted = [plain(w) for w in lexicon()[key]]
    found = {plain(n): n for n in names}
    return next((found[w] for w in wanted if w in found), None)


def _yaml(name: str) -> dict[str, Any]:
    path = data_dir() / "mappings" / "vendor" / f"{name}.yaml"
    return dict(read_yaml(path))
