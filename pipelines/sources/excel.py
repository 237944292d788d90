"""Workbooks (xlsx, xls) → fields as text: one table a sheet, the header wherever it stands, and no id that Excel rounded.

A cell is text as a person reads it: dates as ISO, whole numbers without a decimal point. Excel keeps 15 digits of a
number; an id that is longer and was stored as a number has lost its end, and nothing can bring it back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from pipelines.mapping import Column, Mapping, native
from pipelines.sources import archive
from pipelines.sources.lines import UnreadableFile, rejects
from pipelines.sources.table import Chunk
from qc.intake import ROUNDED, ROUNDED_REASON, TIMES

if TYPE_CHECKING:
    from fastexcel import ExcelReader, ExcelSheet

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
HEADER_WITHIN = 30  # rows in which the header must stand
IDS = ("order_id", "parent_order_id", "conversation_id", "message_id", "customer")
LONGEST = 15  # digits that Excel keeps of a number
ROWS = 200_000


def is_workbook(path: Path) -> bool:
    """Told by content: a zip that holds a workbook, or the container of old Excel."""
    with path.open("rb") as f:
        head = f.read(8)
    return head == OLE or (head.startswith(b"PK\x03\x04") and archive.is_workbook(path))


def sheets_in(path: Path) -> list[str]:
    """Names of the sheets that hold anything; UnreadableFile when the workbook cannot be opened."""
    names = [name for name in _book(path).sheet_names if _sheet(path, name, n_rows=1).total_height]
    if not names:
        raise UnreadableFile("工作簿是空的;请重新导出")
    return names


def header_in(path: Path, sheet: str, n_known: Callable[[list[str]], int]) -> tuple[int, list[str]]:
    """The row (from 0) with the most cells that are `n_known` as column names, and its cells, one a column of the sheet."""
    rows = _cells(path, sheet, n_rows=HEADER_WITHIN).select(pl.all().fill_null("").str.strip_chars()).rows()
    scores = [(n_known([c for c in row if c]), sum(map(bool, row)), -n) for n, row in enumerate(rows)]
    best = -max(scores)[2]
    return best, [re.sub(r"\s*\n\s*", "", cell) or f"列{n}" for n, cell in enumerate(rows[best], 1)]


def read(path: Path, sheet: str, header: int, names: Sequence[str], mapping: Mapping) -> Iterator[Chunk]:
    """The rows below the header as text; the row of the sheet stands for its line. Rounded ids are rejected by themselves."""
    cells = _cells(path, sheet)
    ids = {c: n for c, n in zip(cells.columns, names, strict=True) if n in _columns(mapping, IDS)}
    rounded = _rounded(path, sheet, cells, ids)
    fields = cells.rename(dict(zip(cells.columns, names, strict=True)))
    fields = fields.with_columns(_serial(n) for n in names if n in _columns(mapping, TIMES))
    fields = fields.select(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("_line"),
        pl.concat_str(pl.all().fill_null(""), separator=",").alias("_raw"), *names,
    )[header + 1 :]  # fmt: skip
    again = pl.all_horizontal(
        pl.col(n).fill_null(f"列{k}").str.replace_all(r"\s", "") == n for k, n in enumerate(names, 1)
    )
    fields = fields.filter(pl.any_horizontal(pl.col(n).str.strip_chars() != "" for n in names) & ~again)
    unnamed = [n for k, n in enumerate(names, 1) if n == f"列{k}" and fields[n].is_null().all()]
    for chunk in fields.drop(unnamed).iter_slices(ROWS):
        is_rounded = pl.col("_line").is_in(list(rounded))
        rows = chunk.filter(is_rounded).select("_line", "_raw").rows()
        yield Chunk(chunk.filter(~is_rounded), rejects([(line, raw, ROUNDED, rounded[line]) for line, raw in rows]))


def _columns(mapping: Mapping, natives: Sequence[str]) -> set[str]:
    """The file's columns that these native columns come from."""
    columns = mapping.columns or (native(mapping.kind).columns)
    found: set[str] = set()
    for name in natives:
        origin = columns.get(name, name)
        found |= {o.column if isinstance(o, Column) else o for o in (origin if isinstance(origin, list) else [origin])}
    return found


def _rounded(path: Path, sheet: str, cells: pl.DataFrame, ids: dict[str, str]) -> dict[int, str]:
    """line -> reason, where an id of more than 15 digits is a number in Excel; text of that length is whole.

    Whether a cell is a number only its refusal to be a duration tells, so it is asked only where the digits are too many.
    """
    suspect = [c for c in ids if cells[c].str.contains(rf"^\d{{{LONGEST + 1},}}").any()]
    if not suspect:
        return {}
    places = {cells.columns.index(c): c for c in suspect}
    _, errors = _sheet(path, sheet, dtypes=dict.fromkeys(places, "duration")).to_arrow_with_errors()
    found: dict[int, str] = {}
    for error in errors.errors if errors else ():
        (row, place), number = error.position, re.search(r"'(?:Float|Int)\(([\d.e+]+)\)'", error.detail)
        if place in places and number and float(number[1]) >= 10**LONGEST:
            column = places[place]
            found.setdefault(row + 1, f'「{ids[column]}」="{cells[column][row]}" {ROUNDED_REASON}')
    return found


def _serial(name: str) -> pl.Expr:
    """A date that Excel keeps as a bare number of days since 1899-12-30 (years 1990 to 2099), as ISO text."""
    days = pl.col(name).str.extract(r"^(\d{5}(?:\.\d+)?)$").cast(pl.Float64, strict=False)
    at = pl.datetime(1899, 12, 30, time_unit="us") + pl.duration(seconds=(days * 86_400).round(0).cast(pl.Int64))
    is_day = days.is_between(32_874, 73_050)
    return pl.when(is_day).then(at.dt.strftime("%Y-%m-%d %H:%M:%S")).otherwise(pl.col(name)).alias(name)


def _cells(path: Path, sheet: str, n_rows: int | None = None) -> pl.DataFrame:
    """Every cell as text, from the sheet's first row on."""
    return _sheet(path, sheet, n_rows=n_rows, dtypes="string").to_polars().select(pl.all().cast(pl.String))


def _sheet(path: Path, sheet: str, **how: Any) -> ExcelSheet:
    try:
        return _book(path).load_sheet(sheet, header_row=None, skip_rows=0, **how)
    except BaseException as e:
        raise _unreadable(e) from e


def _book(path: Path) -> ExcelReader:
    import fastexcel

    if archive.begins(path, b"PK") and (problem := archive.is_bomb(path)):
        raise UnreadableFile(problem)
    try:
        return fastexcel.read_excel(path)
    except BaseException as e:
        raise _unreadable(e) from e


def _unreadable(e: BaseException) -> BaseException:
    """calamine speaks through exceptions of its own, and through panics, which are none of Python's ordinary ones."""
    if isinstance(e, UnreadableFile | KeyboardInterrupt | SystemExit):
        return e
    said = (str(e).splitlines() or [type(e).__name__])[0]
    return UnreadableFile(f"工作簿打不开:已损坏,或加了密码({said});请去掉密码,另存为 xlsx")
