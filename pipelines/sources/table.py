"""Lines → fields of a delimited table, by physical records: a quote that never closes costs its own line and no other."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.sources.lines import Block, rejects

csv.field_size_limit(1 << 30)
RETURN = "\x1e"
_LINE_END, _RETURN = ord("\n"), ord("\r")
MAX_JOINED = 500  # physical lines that one quoted record may span
Codes, Places = npt.NDArray[np.uint8], npt.NDArray[np.intp]


class Layout(NamedTuple):
    """How a delimited file is written: separator, quoting, column names (in the file's order), lines before the data."""

    separator: str
    quoted: bool
    names: list[str]
    header: str | None  # the header line as it stands, so that a repeated one is recognised


class Chunk(NamedTuple):
    """fields(_line, _raw, <the file's columns as text>); bad(line, raw, code, reason); how many bytes were read, if known."""

    fields: pl.DataFrame
    bad: pl.DataFrame
    at: int | None = None


def separator_of(line: str) -> str:
    """The delimiter of a header or first line: the one of tab, comma, semicolon, bar that occurs most."""
    return max("\t,;|", key=line.count)


def names_in(header: str, separator: str) -> list[str]:
    """Column names of a header line, trimmed; one that polars would take for a pattern (`*`, `^a$`) is put in quotes."""
    names = [name.strip() for name in next(csv.reader([header], delimiter=separator))]
    return [f"“{n}”" if n == "*" or (n.startswith("^") and n.endswith("$")) else n for n in names]


def read(blocks: Iterator[Block], layout: Layout) -> Iterator[Chunk]:
    """Blocks of lines -> chunks of fields; a record cut by the end of a block is finished in the next."""
    carried = rejects([]).select("line", "raw")
    for block in blocks:
        if carried.is_empty() and (fields := _whole(block, layout)) is not None:
            yield Chunk(fields, block.bad, block.at)
            continue
        lines = pl.concat([carried, block.lines])
        chunk, carried = _split(lines, layout, at_end=False)
        yield Chunk(chunk.fields, pl.concat([block.bad, chunk.bad]), block.at)
    if len(carried):
        yield _split(carried, layout, at_end=True)[0]


def _whole(block: Block, layout: Layout) -> pl.DataFrame | None:
    """The fields of a block without any oddity, parsed in one go; None when it has one and must be sorted out.

    Every quote encloses a whole field, none has too many fields (the parser refuses), and the separators outside quoted
    fields are as many as lines of the due width have: so none has too few. A quoted line break leaves fewer records than lines.
    """
    lines, text = block.lines, block.text
    if text is None or lines.is_empty():
        return None
    if lines["raw"][0] == layout.header:
        lines, text = lines[1:], text.partition(b"\n")[2]
    repeats_header = layout.header is not None and (lines["raw"] == layout.header).any()
    n_separators = _n_outside(text, layout)
    if repeats_header or n_separators != len(lines) * (len(layout.names) - 1):
        return None
    try:
        fields = _fields(text, layout)
    except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):
        return None
    return _typed(lines, fields) if len(fields) == len(lines) else None


def _n_outside(text: bytes, layout: Layout) -> int | None:
    """How many separators of a text are outside quoted fields; None where a quote does not enclose a whole field."""
    separator = layout.separator.encode()
    if not layout.quoted or b'"' not in text:
        return text.count(separator)
    codes = np.frombuffer(b"\n" + text + b"\n\n", dtype=np.uint8)  # as if lines stood before and after
    quotes = np.flatnonzero(codes == ord('"'))
    opening, closing = quotes[::2], quotes[1::2]
    if len(opening) != len(closing) or text.endswith(b"\r") or not _enclose(codes, opening, closing, ord(separator)):
        return None
    places = np.flatnonzero(codes == ord(separator))
    inside = np.searchsorted(places, closing) - np.searchsorted(places, opening)
    return len(places) - int(inside.sum())


def _enclose(codes: Codes, opening: Places, closing: Places, separator: int) -> bool:
    """Whether each pair of quotes is a whole field: a separator or line end on both sides, or the quote that it doubles."""
    before, after, then = codes[opening - 1], codes[closing + 1], codes[closing + 2]
    doubled = opening[1:] == closing[:-1] + 1
    begins = (before == separator) | (before == _LINE_END)
    ends = (after == separator) | (after == _LINE_END) | ((after == _RETURN) & (then == _LINE_END))
    begins[1:] |= doubled
    ends[:-1] |= doubled
    return bool(begins.all() and ends.all())


def _fields(text: bytes, layout: Layout) -> pl.DataFrame:
    columns = dict.fromkeys(layout.names, pl.String)
    if not text.strip():
        return pl.DataFrame(schema=columns)
    return pl.read_csv(
        io.BytesIO(text), has_header=False, separator=layout.separator, quote_char='"' if layout.quoted else None,
        schema=columns, infer_schema=False, empty_string_is_null=False,
    )  # fmt: skip


def _split(lines: pl.DataFrame, layout: Layout, *, at_end: bool) -> tuple[Chunk, pl.DataFrame]:
    lines = lines.filter(pl.lit(True) if layout.header is None else pl.col("raw") != layout.header)
    quotes = pl.col("raw").str.count_matches('"', literal=True)
    carried = lines.clear()
    joined: list[tuple[int, str]] = []
    if layout.quoted and lines.select((quotes % 2).sum()).item():
        lines, joined, carried = _rejoined(lines, layout, at_end=at_end)
    lines = lines.filter(pl.col("raw").str.contains(r"\S"))
    plain, odd = _sorted_out(lines, layout)
    slow, bad = _one_by_one([*joined, *odd.iter_rows()], layout)
    fields = pl.concat([_parsed(plain, layout), slow]).sort("_line")
    return Chunk(fields, bad), carried


def _well_formed(separator: str) -> str:
    """A whole record whose quotes, if any, enclose whole fields (linear-time pattern)."""
    sep = re.escape(separator)
    field = rf'(?:[^"{sep}]*|"(?:[^"]|"")*")'
    return rf"^{field}(?:{sep}{field})*$"


def _n_fields(layout: Layout) -> pl.Expr:
    bare = pl.col("raw").str.replace_all(r'"(?:[^"]|"")*"', "") if layout.quoted else pl.col("raw")
    return bare.str.count_matches(layout.separator, literal=True) + 1


def _sorted_out(lines: pl.DataFrame, layout: Layout) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines that the fast parser is sure to read right, and the others."""
    sure = _n_fields(layout) == len(layout.names)
    if layout.quoted:
        has_quote = pl.col("raw").str.contains('"', literal=True)
        sure &= ~has_quote | pl.col("raw").str.contains(_well_formed(layout.separator))
    marked = lines.with_columns(sure=sure)
    return marked.filter("sure").drop("sure"), marked.filter(~pl.col("sure")).drop("sure")


def _parsed(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    text = lines.select(pl.col("raw").str.join("\n")).item() if len(lines) else ""
    fields = _fields(f"{text}\n".encode(), layout)
    if len(fields) != len(lines):
        raise AssertionError(f"{len(lines)} lines gave {len(fields)} records")
    return _typed(lines, fields)


def _typed(lines: pl.DataFrame, fields: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([lines.select(_line="line", _raw="raw"), fields], how="horizontal")


def _one_by_one(records: list[tuple[int, str]], layout: Layout) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The few records that need a lenient reader: a quote inside a bare field is just a character."""
    good: list[tuple[int, str, list[str]]] = []
    bad: list[tuple[int, str, str, str]] = []
    for line, raw in records:
        fields = _lenient(raw, layout)
        if len(fields) == len(layout.names):
            good.append((line, raw, fields))
        elif not fields:
            bad.append((line, raw, "quote", "引号没有闭合;请补上引号或去掉多余的引号"))
        else:
            reason = f"应有 {len(layout.names)} 列,实有 {len(fields)} 列;请检查这一行的分隔符"
            bad.append((line, raw, "columns", reason))
    lines = pl.DataFrame([(n, r) for n, r, _ in good], schema={"line": pl.Int64, "raw": pl.String}, orient="row")
    table = pl.DataFrame([f for _, _, f in good], schema=dict.fromkeys(layout.names, pl.String), orient="row")
    return _typed(lines, table), rejects(bad)


def _lenient(raw: str, layout: Layout) -> list[str]:
    if not layout.quoted:
        return raw.split(layout.separator)
    # csv takes a bare carriage return for the end of the record; here it is a character like any other.
    held = io.StringIO(raw.replace("\r", RETURN), newline="")
    reader = csv.reader(held, delimiter=layout.separator, strict=raw.count('"') % 2 == 1)
    try:
        return [field.replace(RETURN, "\r") for field in next(reader, [])]
    except csv.Error:  # a field that opens with a quote and never closes, or is longer than csv takes
        return []


def _rejoined(
    lines: pl.DataFrame, layout: Layout, *, at_end: bool
) -> tuple[pl.DataFrame, list[tuple[int, str]], pl.DataFrame]:
    """Put records back together whose quoted text holds line breaks.

    Such a record begins and ends on a line with an odd number of quotes. Two odd lines are joined when what lies between
    them makes one well-formed record of the right width; else the first of them stands alone, to be judged by itself.
    """
    raw, number = lines["raw"].to_list(), lines["line"].to_list()
    odd = lines.select((pl.col("raw").str.count_matches('"', literal=True) % 2 == 1).arg_true()).to_series().to_list()
    pattern, joined, taken = re.compile(_well_formed(layout.separator)), [], set()
    k, carry_from = 0, len(raw)
    while k < len(odd):
        i = odd[k]
        j = odd[k + 1] if k + 1 < len(odd) else None
        if j is None and not at_end and len(raw) - i <= MAX_JOINED:
            carry_from = i
            break
        if j is not None and j - i < MAX_JOINED:
            record = "\n".join(raw[i : j + 1])
            if pattern.match(record) and len(_lenient(record, layout)) == len(layout.names):
                joined.append((number[i], record))
                taken.update(range(i, j + 1))
                k += 2
                continue
        k += 1
    kept = [n for n in range(carry_from) if n not in taken]
    return lines[kept], joined, lines[carry_from:]
