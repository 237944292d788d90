"""Zip archives → their members on disk, each to be read as a file of its own. What cannot be unpacked says why.

Sizes are counted while unpacking, never believed: an archive that swells beyond all proportion is refused, and so is a
member whose path climbs out of the archive. Nothing is ever written under a member's own name.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipelines.sources.lines import UnreadableFile

# Ours: chats and orders pack 5 to 30 times; deflate can reach 1 032 times, and only a bomb comes near it.
MAX_RATIO = 200
FREE = 16 << 20  # a member this small may pack as well as it likes
MAX_BYTES = 20 << 30  # of an archive, unpacked
MAX_MEMBERS = 20_000
DEPTH = 2  # an archive within the archive is opened; one within that is not
BLOCK = 1 << 20
UTF8_NAME, ENCRYPTED = 0x800, 0x1
OTHER_PACKERS = {b"Rar!": "RAR", b"7z\xbc\xaf": "7z"}
# Beside the tables lie pictures and notes: not ours to read, as in a folder.
OTHERS = {
    ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".mp3", ".mp4", ".amr", ".wav", ".silk", ".avi", ".mov",
    ".pdf", ".doc", ".docx", ".ppt", ".pptx", ".md", ".html", ".htm", ".ini", ".db", ".ds_store", ".css", ".js",
}  # fmt: skip
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)


class Member(NamedTuple):
    """One file of an archive: unpacked to `path`, or the problem why not."""

    name: str  # as its maker saw it: 九月/会话.csv
    path: Path
    problem: str | None = None


def is_zip(path: Path) -> bool:
    """Told by content; a workbook (xlsx) is a zip too, and is not one here."""
    if begins(path, b"PK\x03\x04") or begins(path, b"PK\x05\x06"):
        return not is_workbook(path)
    return False


def is_workbook(path: Path) -> bool:
    """Whether the zip holds a workbook of Excel."""
    try:
        with zipfile.ZipFile(path) as z:
            names = set(z.namelist())
    except DAMAGED:
        return False
    return "[Content_Types].xml" in names and any(n.startswith("xl/workbook.") for n in names)


def refuse_others(path: Path) -> None:
    """UnreadableFile for packers that cannot be opened here."""
    for mark, name in OTHER_PACKERS.items():
        if begins(path, mark):
            raise UnreadableFile(f"这是 {name} 压缩包,打不开;请解开后再读,或改用 zip")


def is_bomb(path: Path) -> str | None:
    """Why a zip (a workbook, for one) must not be opened at all, by its own table of contents."""
    with zipfile.ZipFile(path) as z:
        return next((p for i in z.infolist() if (p := _swollen(i.file_size, i.compress_size))), None)


def members(path: Path, folder: Path, depth: int = 1) -> Iterator[Member]:
    """Every file of the archive, unpacked into `folder`; UnreadableFile when there is no archive to speak of."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGED as e:
        raise UnreadableFile(f"压缩包不完整或已损坏({e});请重新打包或重新传输") from e
    with archive:
        infos = [i for i in archive.infolist() if not i.is_dir() and not _is_passed_over(name_of(i))]
        if len(infos) > MAX_MEMBERS:
            raise UnreadableFile(f"压缩包里有 {len(infos):,} 个文件(最多 {MAX_MEMBERS:,});请分开打包")
        left = MAX_BYTES
        for n, info in enumerate(infos):
            member = _unpack(archive, info, folder / str(n), left)
            left -= 0 if member.problem else member.path.stat().st_size
            yield from _opened(member, folder / f"{n}-in", depth)


def _opened(member: Member, folder: Path, depth: int) -> Iterator[Member]:
    """The member, or what is in it where it is an archive itself."""
    if member.problem or not is_zip(member.path):
        yield member
    elif depth >= DEPTH:
        yield member._replace(problem="压缩包里的压缩包里还有压缩包,不再往里打开;请解开一层再读")
    else:
        try:
            for inner in members(member.path, folder, depth + 1):
                yield inner._replace(name=f"{member.name}!{inner.name}")
        except UnreadableFile as e:
            yield member._replace(problem=str(e))


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, left: int) -> Member:
    name = name_of(info)
    if problem := _refusal(info, name, left):
        return Member(name, target, problem)
    written = 0
    try:
        with archive.open(info) as packed, target.open("wb") as out:
            while block := packed.read(BLOCK):
                written += len(block)
                if problem := _swollen(written, info.compress_size) or _too_much(written, left):
                    return Member(name, target, problem)
                out.write(block)
    except DAMAGED as e:
        return Member(name, target, f"压缩包里的这个文件已损坏({e});请重新打包")
    return Member(name, target)


def _refusal(info: zipfile.ZipInfo, name: str, left: int) -> str | None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or name[1:2] == ":":
        return "路径指向压缩包之外,不解开;这个压缩包来历可疑"
    if info.flag_bits & ENCRYPTED:
        return "这个文件加了密码,打不开;请去掉密码重新打包"
    return _swollen(info.file_size, info.compress_size) or _too_much(info.file_size, left)


def _swollen(size: int, packed: int) -> str | None:
    if size > FREE and size > MAX_RATIO * max(packed, 1):
        return f"解开后是压缩时的 {size // max(packed, 1):,} 倍(最多 {MAX_RATIO} 倍),像是压缩炸弹,不解开;若确是数据,请解开后再读"
    return None


def _too_much(size: int, left: int) -> str | None:
    if size <= left:
        return None
    return f"整个压缩包解开后超过 {MAX_BYTES >> 30} GB,余下的不解开;请分开打包"


def name_of(info: zipfile.ZipInfo) -> str:
    """The member's name: UTF-8 where the archive says so or it is valid UTF-8; else GB18030, as Windows writes it here."""
    if info.flag_bits & UTF8_NAME:
        return info.filename
    try:
        raw = info.filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return info.filename


def _is_passed_over(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    if ".." in path.parts or path.is_absolute():
        return False
    hidden = path.name.startswith(".") or path.name == "Thumbs.db" or "__MACOSX" in path.parts
    return hidden or path.suffix.lower() in OTHERS


def begins(path: Path, mark: bytes) -> bool:
    """Whether these are the file's first bytes."""
    with path.open("rb") as f:
        return f.read(len(mark)) == mark
