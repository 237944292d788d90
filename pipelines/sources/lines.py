"""Bytes → physical lines: gzip, encoding, NUL bytes. Every line keeps its number; what cannot be read says why."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import polars as pl

BLOCK = 16 << 20
TABLE_BLOCK = 8 << 20  # of a table: 4 MB cost a sixteenth more (texts are repeated, and work is done once a block), 16 MB a tenth (the cache)
GZIP = b"\x1f\x8b"
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
REJECT = {"line": pl.Int64, "raw": pl.String, "code": pl.String, "reason": pl.String}


class Block(NamedTuple):
    """Lines of a file in their order: lines(line, raw); bad(line, raw, code, reason); the lines as UTF-8, if none is bad.

    `at`: how many of the file's bytes have been read so far.
    """

    lines: pl.DataFrame
    bad: pl.DataFrame
    text: bytes | None = None
    at: int | None = None


class UnreadableFile(Exception):
    """The whole file cannot be read; the message says why and what to do."""


def rejects(rows: list[tuple[int, str, str, str]]) -> pl.DataFrame:
    """(line, raw, code, reason) rows as a frame."""
    return pl.DataFrame(rows, schema=REJECT, orient="row")


def open_bytes(path: Path) -> BinaryIO:
    """The file's bytes, unpacked when it is gzipped (told by content, not by name)."""
    with path.open("rb") as f:
        packed = f.read(2) == GZIP
    return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")


def bytes_of(path: Path) -> Iterator[bytes]:
    """Blocks of bytes; ends with UnreadableFile where a gzip stream breaks off or is damaged."""
    return (data for data, _ in _placed(path, BLOCK))


def _placed(path: Path, size: int) -> Iterator[tuple[bytes, int]]:
    """Blocks of bytes, each with how far the file has been read, in bytes as they lie on the disk."""
    with open_bytes(path) as stream:
        place = (stream.fileobj if isinstance(stream, gzip.GzipFile) else stream).tell
        read = stream.read1 if isinstance(stream, gzip.GzipFile) else stream.read
        held: list[bytes] = []
        while True:
            try:
                data = read(size)
            except (EOFError, gzip.BadGzipFile, zlib.error) as e:
                yield b"".join(held), place()
                raise UnreadableFile("gzip 不完整或已损坏,此处之后的内容读不出;请重新导出或重新传输") from e
            held.append(data)
            if not data or sum(map(len, held)) >= size:
                if any(held):
                    yield b"".join(held), place()
                held = []
            if not data:
                return


def encoding_of(path: Path) -> str:
    """Byte order mark, else strict UTF-8, else GB18030; of two that both fail, the one with fewer damaged lines."""
    with open_bytes(path) as stream:
        try:
            head = stream.read(4096)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            head = b""
    for bom, name in BOMS:
        if head.startswith(bom):
            return name
    if head.count(b"\0") > len(head) // 10:
        raise UnreadableFile("像是没有 BOM 的 UTF-16 文件;请用 --encoding utf-16-le 指明编码")
    ladder = ("utf-8", "gb18030")
    return next((e for e in ladder if _decodes(path, e)), None) or min(ladder, key=lambda e: _damage(path, e))


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _checked(path) if encoding == "utf-8" else bytes_of(path):
            decoder.decode(block)
    except UnicodeDecodeError:
        return False
    except UnreadableFile:
        pass
    return True


def _checked(path: Path) -> Iterator[bytes]:
    """What is left to decode of a file: of blocks that polars finds to be UTF-8, the character that their end cuts."""
    rest = b""
    for block in bytes_of(path):
        data = rest + block
        cut = next((len(data) - n for n in (1, 2, 3) if data[-n:][:1] >= b"\xc0"), len(data))
        try:
            pl.Series([data[:cut]], dtype=pl.Binary).cast(pl.String)
            rest = data[cut:]
        except pl.exceptions.PolarsError:
            yield data
            rest = b""
    yield rest


def _damage(path: Path, encoding: str) -> int:
    return sum(len(block.bad) for block in read(path, encoding))


def read(path: Path, encoding: str, size: int | None = None) -> Iterator[Block]:
    """The file's lines block by block; a line that does not decode or holds a NUL byte is rejected by itself."""
    number, at, rest, broken, is_mac = 1, 0, b"", None, False
    newline = "\n".encode(encoding)
    blocks = _placed(path, size or BLOCK)
    first = True
    while True:
        try:
            data, at = next(blocks, (None, at))
        except UnreadableFile as e:
            data, broken = None, str(e)
        if data is None:
            break
        if first:
            data, first = _without_bom(data, encoding), False
            is_mac = b"\n" not in data and data.count(b"\r") > 1  # line ends of an old Macintosh
        data = rest + (data.replace(b"\r", b"\n") if is_mac else data)
        cut = _last_newline(data, newline)
        data, rest = data[:cut], data[cut:]
        if data:
            block, number = _decoded(data, encoding, number)
            yield block._replace(at=at)
    if broken:
        torn = rest.decode(encoding, "replace")
        yield Block(_lines([], number), rejects([(number, torn, "truncated", broken)]))
    elif rest:
        yield _decoded(rest, encoding, number)[0]._replace(at=at)


def _without_bom(data: bytes, encoding: str) -> bytes:
    return next((data[len(b) :] for b, name in BOMS if name == encoding and data.startswith(b)), data)


def _last_newline(data: bytes, newline: bytes) -> int:
    """Where the last whole line ends; a wide newline must lie on a character's boundary."""
    at = data.rfind(newline)
    while at > 0 and at % len(newline):
        at = data.rfind(newline, 0, at + len(newline) - 1)
    return at + len(newline) if at >= 0 else 0


def _lines(raw: list[str] | pl.Series, first: int) -> pl.DataFrame:
    lines = pl.DataFrame({"raw": raw}, schema={"raw": pl.String})
    return lines.select(line=pl.int_range(first, first + len(lines), dtype=pl.Int64), raw="raw")


def _decoded(data: bytes, encoding: str, first: int) -> tuple[Block, int]:
    try:
        text = data if encoding == "utf-8" else data.decode(encoding).encode()
        lines, bad = _lines(pl.read_lines(io.BytesIO(text))["line"], first), rejects([])
    except (UnicodeDecodeError, pl.exceptions.ComputeError):
        text, (lines, bad) = b"", _line_by_line(data, encoding, first)
    after = first + len(lines) + len(bad)
    if b"\0" in text:
        nul = pl.col("raw").str.contains("\0", literal=True)
        named = lines.filter(nul).with_columns(
            pl.col("raw").str.replace_all("\0", "␀", literal=True),
            code=pl.lit("nul"), reason=pl.lit("行内有 NUL 字节,文件可能已损坏;请重新导出"),
        )  # fmt: skip
        lines, bad = lines.filter(~nul), pl.concat([bad, named])
    return Block(lines, bad, text if bad.is_empty() else None), after


def _line_by_line(data: bytes, encoding: str, first: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    good: list[tuple[int, str]] = []
    bad: list[tuple[int, str, str, str]] = []
    pieces = data.split(b"\n")
    for number, piece in enumerate(pieces[:-1] if not pieces[-1] else pieces, first):
        line = piece.removesuffix(b"\r")
        try:
            good.append((number, line.decode(encoding)))
        except UnicodeDecodeError:
            reason = f"不能按 {encoding} 解码;整个文件若是别的编码,请用 --encoding 指明"
            bad.append((number, line.decode(encoding, "replace"), "encoding", reason))
    return pl.DataFrame(good, schema={"line": pl.Int64, "raw": pl.String}, orient="row"), rejects(bad)
