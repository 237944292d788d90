"""Zip archives: each member read as what it is, Chinese names as they were, and nothing that swells or climbs out."""

import io
import zipfile
from pathlib import Path

import pytest
from conftest import quiet

from pipelines import nightly, store
from pipelines.ingest import Outcome
from pipelines.sources import archive

HEAD = "shop,channel,conversation_id,message_id,sent_at,sender_kind,agent,customer,text"


def table(*ids: int) -> str:
    rows = [f"甲店,taobao,s1,m{n},2026-09-01 10:00:{n:02},customer,,买家,第{n}句" for n in ids]
    return "\r\n".join([HEAD, *rows]) + "\r\n"


def ingest(home: Path, *files: Path) -> dict[str, Outcome]:
    found = nightly.read_in(list(files), nightly.Request(home), quiet)[0]
    assert all(o.n_rows == o.n_stored + o.n_duplicate + o.n_quarantined for o in found)
    return {o.file: o for o in found}


def pack(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as z:
        for name, content in members.items():
            z.writestr(name, content)
    return path


def as_windows_writes(path: Path, name: str, content: bytes) -> Path:
    """A member whose name is GBK bytes without the mark of UTF-8."""
    stand_in = "x" * len(name.encode("gbk"))
    pack(path, {stand_in: content}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(stand_in.encode(), name.encode("gbk")))
    return path


def test_members_have_their_own_encoding_and_overlap_counts_once(home: Path, tmp_path: Path) -> None:
    file = pack(tmp_path / "export.zip", {
        "a/utf8.csv": table(1, 2).encode(), "a/gbk.csv": table(2, 3).encode("gb18030"), "a/bom.csv": table(4).encode("utf-16"),
        "照片/1.jpg": b"\xff\xd8", "__MACOSX/a": b"x", "说明.pdf": b"%PDF",
    })  # fmt: skip
    found = ingest(home, file)
    assert set(found) == {"export.zip!a/utf8.csv", "export.zip!a/gbk.csv", "export.zip!a/bom.csv"}
    assert sum(o.n_stored for o in found.values()) == 4 and sum(o.n_duplicate for o in found.values()) == 1
    with store.warehouse(home) as con:
        assert con.execute("SELECT text FROM fact_messages ORDER BY text").fetchall() == [
            (f"第{n}句",) for n in (1, 2, 3, 4)
        ]
        encodings = dict(con.execute("SELECT file, encoding FROM sources").fetchall())
    assert encodings["export.zip!a/gbk.csv"] == "gb18030"


def test_a_member_is_its_content_whatever_it_is_called(home: Path, tmp_path: Path) -> None:
    plain = tmp_path / "chats.csv"
    plain.write_bytes(table(1, 2).encode())
    assert ingest(home, plain)["chats.csv"].n_stored == 2
    packed = ingest(home, pack(tmp_path / "z.zip", {"x.csv": table(1, 2).encode()}))["z.zip!x.csv"]
    assert packed.is_known and packed.n_stored == 0


def test_chinese_names_as_windows_writes_them(home: Path, tmp_path: Path) -> None:
    file = as_windows_writes(tmp_path / "w.zip", "九月会话.csv", table(1).encode())
    assert list(ingest(home, file)) == ["w.zip!九月会话.csv"]


def test_an_archive_within_an_archive_is_opened_once(home: Path, tmp_path: Path) -> None:
    deepest = pack(tmp_path / "c.zip", {"c.csv": table(3).encode()}).read_bytes()
    inner = pack(tmp_path / "b.zip", {"b.csv": table(2).encode(), "c.zip": deepest}).read_bytes()
    found = ingest(home, pack(tmp_path / "out.zip", {"a.csv": table(1).encode(), "b.zip": inner}))
    assert {n: (o.n_stored, bool(o.problem)) for n, o in found.items()} == {
        "out.zip!a.csv": (1, False), "out.zip!b.zip!b.csv": (1, False), "out.zip!b.zip!c.zip": (0, True),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "..\\evil.csv", "C:\\evil.csv"])
def test_a_path_that_climbs_out_is_refused_and_the_rest_is_read(home: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "deep").mkdir()
    found = ingest(home, pack(tmp_path / "deep" / "x.zip", {name: table(1).encode(), "good.csv": table(2).encode()}))
    assert found["x.zip!good.csv"].n_stored == 1
    (bad,) = (o for n, o in found.items() if n != "x.zip!good.csv")
    assert (
        "压缩包之外" in (bad.problem or "")
        and not list(tmp_path.rglob("evil.csv"))
        and not Path("/etc/evil.csv").exists()
    )


def test_a_bomb_is_refused_before_it_swells(home: Path, tmp_path: Path) -> None:
    found = ingest(home, pack(tmp_path / "bomb.zip", {"zeros.csv": b"0" * (64 << 20), "good.csv": table(1).encode()}))
    assert "压缩炸弹" in (found["bomb.zip!zeros.csv"].problem or "") and found["bomb.zip!good.csv"].n_stored == 1


def test_a_bomb_that_lies_about_its_size_is_stopped_on_the_way(tmp_path: Path) -> None:
    file = pack(tmp_path / "liar.zip", {"zeros.csv": b"0" * (64 << 20)})
    whole = file.read_bytes()
    real, told = (64 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    assert whole.count(real) >= 2
    file.write_bytes(whole.replace(real, told))
    (member,) = archive.members(file, tmp_path / "out")
    assert (
        member.problem and sum(p.stat().st_size for p in (tmp_path / "out").iterdir()) <= archive.FREE + archive.BLOCK
    )


def test_the_whole_archive_has_a_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 100)
    file = pack(tmp_path / "big.zip", {"a.csv": b"x" * 80, "b.csv": b"y" * 80})
    assert [bool(m.problem) for m in archive.members(file, tmp_path / "out")] == [False, True]


def test_a_locked_member_a_torn_one_and_a_torn_archive_are_on_record(home: Path, tmp_path: Path) -> None:
    locked = pack(tmp_path / "locked.zip", {"secret.csv": table(1).encode()}).read_bytes()
    at = locked.find(b"PK\x01\x02")
    (tmp_path / "locked.zip").write_bytes(locked[:6] + b"\x01" + locked[7 : at + 8] + b"\x01" + locked[at + 9 :])
    torn = pack(tmp_path / "torn.zip", {"a.csv": table(*range(9)).encode(), "b.csv": table(20).encode()}).read_bytes()
    (tmp_path / "torn.zip").write_bytes(torn[:60] + b"\xff\xff\xff" + torn[63:])
    (tmp_path / "half.zip").write_bytes(torn[: len(torn) // 2])
    (tmp_path / "packed.zip").write_bytes(b"Rar!\x1a\x07\x01\x00" + bytes(50))
    found = ingest(home, *(tmp_path / f"{n}.zip" for n in ("locked", "torn", "half", "packed")))
    assert "密码" in (found["locked.zip!secret.csv"].problem or "")
    assert "损坏" in (found["torn.zip!a.csv"].problem or "") and found["torn.zip!b.csv"].n_stored == 1
    assert "损坏" in (found["half.zip"].problem or "") and "RAR" in (found["packed.zip"].problem or "")


def test_a_workbook_in_an_archive(home: Path, tmp_path: Path) -> None:
    import xlsxwriter

    held = io.BytesIO()
    with xlsxwriter.Workbook(held) as made:
        sheet = made.add_worksheet("会话")
        for n, line in enumerate(table(1, 2).split("\r\n")[:3]):
            sheet.write_row(n, 0, line.split(","))
    found = ingest(home, pack(tmp_path / "z.zip", {"b.xlsx": held.getvalue()}))
    assert found["z.zip!b.xlsx#会话"].n_stored == 2
