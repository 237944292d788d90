"""JSON documents → records: one document or several in a row, wrapped as they come; of a torn one all but the tear.

A record is an innermost object: the walk goes down only under the keys that lead to records, everything else is context.
`line` is the physical line where a record begins as long as no two begin on the same one (pretty-printed, JSON Lines);
in a compact document it is the record's ordinal. The text is held in memory, so a file has a limit, MAX_BYTES; JSON
Lines have none.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from pipelines.sources import lines
from pipelines.sources.json_walk import DECODER, KEY, Found, Gap, Plan, units
from pipelines.sources.lines import UnreadableFile, rejects
from pipelines.sources.table import Chunk
from qc.intake import NATIVE

if TYPE_CHECKING:
    from pipelines.sources import Head

MAX_BYTES = 256 << 20  # text, records and rows of such a file stay under 2.5 GB
BATCH = 20_000  # records
PEEKED = 4 << 20  # bytes, to see whether every line is a document
SHOWN = 2_000  # characters of a torn piece that the quarantine keeps
UNDECODED = "\ufdd0"  # a noncharacter: no text has it
UNFIT = re.compile("[\0\ud800-\udfff]")  # no text of a table may hold them
TORN = "JSON 在此处断开,之后的内容读不出;请重新导出"
GAP = "这里的 JSON 不完整,已从下一条完整的记录接着读;请重新导出"
TOO_LARGE = f"JSON 超过 {MAX_BYTES >> 20} MB,一次读不下;请按天分开导出,或导出为一行一个对象的 JSON Lines"

Row = dict[str, Any]  # native columns and extra ones of one record


class Record(NamedTuple):
    """One object, what encloses it (outermost first, without the records), and where it stands."""

    value: dict[str, Any]
    outer: tuple[dict[str, Any], ...]
    line: int
    raw: str


class Batch(NamedTuple):
    """Records in their order; rejects as (line, raw, code, reason); how many of the file's bytes lie behind them."""

    records: list[Record]
    bad: list[tuple[int, str, str, str]]
    at: int | None = None


def keys_of(head: Head) -> frozenset[str]:
    """The keys in the beginning of a JSON text; none when it does not begin like one."""
    text = "\n".join(line[: 1 << 16] for line in head.lines)[: 1 << 16].lstrip()
    return frozenset(KEY.findall(text)) if text.startswith(("{", "[")) else frozenset()


def unknown(head: Head, titles: Iterable[str]) -> str:
    """What to say of a JSON document that no reader knows."""
    some = "、".join(sorted(keys_of(head))[:12])
    return (
        f"认不出这份 JSON(键:{some});认得的有:{'、'.join(titles)}。请转成 CSV 或一行一个对象的 JSON Lines,再写映射文件"
    )


def nearest(record: Record, *keys: str) -> Any:
    """The first of these keys that has a value in the record, else in what encloses it, innermost first."""
    places = (record.value, *reversed(record.outer))
    return next((p[k] for p in places for k in keys if p.get(k) not in (None, "")), None)


def plain(value: Any) -> str | None:
    """A value as text: numbers and truth as JSON writes them, lists and objects as JSON, half an emoji as U+FFFD."""
    if value is None:
        return None
    text = (
        value if isinstance(value, str) else str(value) if type(value) is int else json.dumps(value, ensure_ascii=False)
    )
    return text if UNFIT.search(text) is None else UNFIT.sub("\ufffd", text)


def chunk(rows: Iterable[tuple[Record, Row]], batch: Batch, extra: tuple[str, ...]) -> Chunk:
    """Rows of native columns, and of `extra` ones to be kept aside, as fields; rejects and place are the batch's."""
    names = [*NATIVE["messages"], *extra]
    table = [(r.line, plain(r.raw), *(plain(row.get(n)) for n in names)) for r, row in rows]
    schema = {"_line": pl.Int64, "_raw": pl.String, **dict.fromkeys(names, pl.String)}
    return Chunk(pl.DataFrame(table, schema=schema, orient="row"), rejects(batch.bad), batch.at)


class Piece(NamedTuple):
    """Text that holds whole documents, the line it begins on, and what of the file could not be read up to its end."""

    text: str
    first: int
    bad: list[tuple[int, str, str, str]]
    place: tuple[int, int] = (0, 0)  # of its first and its last byte in the file


def read(path: Path, encoding: str, plan: Plan) -> Iterator[Batch]:
    """The file's records in batches. Objects that are none (a ticket, an empty talk) come along: the reader judges."""
    number = 0
    for text, first, unread, (start, end) in _pieces(path, encoding):
        here, physical = 0, first
        batch = Batch([], [])
        for event in chain.from_iterable(units(text, plan)):
            physical += text.count("\n", here, event.start)
            number, here = max(number + 1, physical), event.start
            if reason := _reason(event, text):
                batch.bad.append((number, text[event.start : event.end][:SHOWN], *reason))
            elif isinstance(event, Found):
                value = event.value or DECODER.raw_decode(text, event.start)[0]
                batch.records.append(Record(value, event.outer, number, text[event.start : event.end]))
            if len(batch.records) >= BATCH:
                yield batch._replace(at=start + (end - start) * event.end // len(text))
                batch = Batch([], [])
        # A line keeps its number; what broke off stands behind everything that was read.
        batch.bad.extend(
            (max(line, number + 1) if code == "truncated" else line, raw, code, why) for line, raw, code, why in unread
        )
        yield batch._replace(at=end)


def _pieces(path: Path, encoding: str) -> Iterator[Piece]:
    """The text as a whole; of JSON Lines block by block, so that their length has no limit."""
    if not _is_json_lines(path, encoding):
        yield _whole(path, encoding)
        return
    start = 0
    for block in lines.read(path, encoding):
        blank = block.bad.select("line", raw=pl.lit(""))
        told = pl.concat([block.lines, blank]).sort("line")
        if len(told):
            end = block.at or start
            yield Piece("\n".join(told["raw"]), told["line"][0], block.bad.rows(), (start, end))
            start = end


def is_no_json(path: Path, encoding: str) -> bool:
    """Whether the text begins with neither an object nor a list."""
    return not _beginning(path, encoding).lstrip().startswith(("{", "["))


def _beginning(path: Path, encoding: str) -> str:
    with lines.open_bytes(path) as stream:
        try:
            return stream.read(PEEKED).decode(encoding, "replace").removeprefix("\ufeff")
        except (EOFError, OSError, zlib.error):
            return ""


def _is_json_lines(path: Path, encoding: str) -> bool:
    """Whether the first two lines that are not blank are a document each."""
    text = _beginning(path, encoding)
    first = [line for line in islice(text.splitlines(), 200) if line.strip()][:2]
    return len(first) == 2 and all(map(_is_whole, first))


def _is_whole(raw: str) -> bool:
    try:
        return raw.lstrip().startswith(("{", "[")) and bool(DECODER.decode(raw))
    except (ValueError, RecursionError):
        return False


def _reason(event: Found | Gap, text: str) -> tuple[str, str] | None:
    """Code and reason of a piece that cannot be used."""
    if isinstance(event, Gap):
        return "json", GAP if event.end < len(text) else TORN
    if text.find(UNDECODED, event.start, event.end) >= 0:
        return "encoding", "有字节不能按文件的编码解码;整个文件若是别的编码,请用 --encoding 指明"
    if text.find("\0", event.start, event.end) >= 0:
        return "nul", "记录里有 NUL 字节,文件可能已损坏;请重新导出"
    return None


def _whole(path: Path, encoding: str) -> Piece:
    held: list[bytes] = []
    broken: list[tuple[int, str, str, str]] = []
    try:
        for block in lines.bytes_of(path):
            held.append(block)
            if sum(map(len, held)) > MAX_BYTES:
                return Piece("", 1, [(1, "", "size", TOO_LARGE)])
    except UnreadableFile as e:
        broken = [(1, "", "truncated", str(e))]
    data = b"".join(held)
    held.clear()
    return Piece(_decoded(data, encoding).removeprefix("\ufeff"), 1, broken, (0, path.stat().st_size))


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:  # a customer may well have typed U+FFFD: what failed to decode gets a mark of its own
        if encoding.startswith("utf-16"):
            return data.decode(encoding, "replace")
        codecs.register_error("undecoded", lambda e: (UNDECODED, e.end if isinstance(e, UnicodeDecodeError) else 0))
        return data.decode(encoding, "undecoded")
