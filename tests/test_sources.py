"""Bytes → lines → fields: damaged files lose their damaged rows and nothing else."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources import jsonl, lines, table
from pipelines.sources.lines import UnreadableFile

NAMES = ["a", "b", "c"]


def read(path: Path, content: bytes, encoding: str | None = None) -> tuple[list[tuple], list[tuple[int, str]]]:
    """(line, a, b, c) of the good records and (line, code) of the bad ones."""
    path.write_bytes(content)
    layout = table.Layout(",", True, NAMES, "a,b,c")
    chunks = list(table.read(lines.read(path, encoding or lines.encoding_of(path)), layout))
    good = [r for c in chunks for r in c.fields.select("_line", *NAMES).rows()]
    bad = [r for c in chunks for r in c.bad.select("line", "code").rows()]
    return good, bad


@pytest.mark.parametrize(
    ("body", "good", "bad"),
    [
        ("1,2,3\n", [(2, "1", "2", "3")], []),
        ("1,2,3", [(2, "1", "2", "3")], []),
        ("1,2,3\r\n4,5,6\r\n", [(2, "1", "2", "3"), (3, "4", "5", "6")], []),
        ('1,"x, ""y""",3\n', [(2, "1", 'x, "y"', "3")], []),
        ('1,"two\nlines",3\n4,5,6\n', [(2, "1", "two\nlines", "3"), (4, "4", "5", "6")], []),
        ('1,"a blank\n\nline",3\n', [(2, "1", "a blank\n\nline", "3")], []),
        ('1,5" screen,3\n', [(2, "1", '5" screen', "3")], []),
        ('"abc"def,2,3\n', [(2, "abcdef", "2", "3")], []),
        ("1,2\n4,5,6\n", [(3, "4", "5", "6")], [(2, "columns")]),
        ("1,2,3,4\n4,5,6\n", [(3, "4", "5", "6")], [(2, "columns")]),
        ('1,"open,3\n4,5,6\n7,8,9\n', [(3, "4", "5", "6"), (4, "7", "8", "9")], [(2, "quote")]),
        ('1,"open,3\n4,"x\ny",6\n7,8,9\n', [(3, "4", "x\ny", "6"), (5, "7", "8", "9")], [(2, "quote")]),
        ("1,\0,3\n4,5,6\n", [(3, "4", "5", "6")], [(2, "nul")]),
        ("1,2,3\na,b,c\n4,5,6\n", [(2, "1", "2", "3"), (4, "4", "5", "6")], []),
        ("\n\n1,2,3\n\n", [(4, "1", "2", "3")], []),
    ],
)
@pytest.mark.parametrize("block", [1 << 20, 7])
def test_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, body: str, good: list, bad: list) -> None:
    monkeypatch.setattr(lines, "BLOCK", block)
    assert read(tmp_path / "f.csv", f"a,b,c\n{body}".encode()) == (good, bad)


def test_a_quote_that_never_closes_costs_one_row_of_a_hundred_thousand(tmp_path: Path) -> None:
    body = "a,b,c\n" + "1,2,3\n" * 5 + '1,"open,3\n' + '1,"quoted, text",3\n' * 100_000
    good, bad = read(tmp_path / "f.csv", body.encode())
    assert (len(good), bad) == (100_005, [(7, "quote")])


CELL = st.text(st.sampled_from('ab,"\n 你好😀'), max_size=6).filter(lambda t: t.strip() == t)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(CELL, CELL, st.text(st.sampled_from("xy中"), min_size=1, max_size=3)), max_size=8),
    st.sampled_from([1 << 20, 9]),
)
def test_what_a_spreadsheet_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list, block: int
) -> None:
    written = pl.DataFrame(rows, schema=dict.fromkeys(NAMES, pl.String), orient="row").write_csv(quote_style="always")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", block)
        good, bad = read(tmp_path_factory.mktemp("csv") / "f.csv", written.replace('"a","b","c"', "a,b,c", 1).encode())
    assert [r[1:] for r in good] == rows and not bad


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("你好,世界".encode(), "utf-8"),
        ("\ufeff你好".encode(), "utf-8"),
        ("你好,在吗".encode("gb18030"), "gb18030"),
        ("\ufeff你好".encode("utf-16-le"), "utf-16-le"),
        ("\ufeff你好".encode("utf-16-be"), "utf-16-be"),
        (b"", "utf-8"),
    ],
)
def test_the_ladder_of_encodings(tmp_path: Path, content: bytes, encoding: str) -> None:
    (tmp_path / "f").write_bytes(content)
    assert lines.encoding_of(tmp_path / "f") == encoding


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_same_table_in_every_encoding(tmp_path: Path, encoding: str, packed: bool) -> None:
    content = "a,b,c\r\n你,好,啊\r\n1,2,3\r\n".encode(encoding)
    found = read(tmp_path / "f.csv", gzip.compress(content) if packed else content)
    assert found == ([(2, "你", "好", "啊"), (3, "1", "2", "3")], [])


def test_one_damaged_line_in_a_gb18030_file_is_rejected_by_itself(tmp_path: Path) -> None:
    content = "a,b,c\n你,好,啊\n".encode("gb18030") + b"\x81,\xff\xff,x\n" + "再,来,过\n".encode("gb18030")
    good, bad = read(tmp_path / "f.csv", content)
    assert [r[1] for r in good] == ["你", "再"] and bad == [(3, "encoding")]


def test_utf16_without_a_mark_is_named_and_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes("a,b,c\n1,2,3\n".encode("utf-16-le"))
    with pytest.raises(UnreadableFile, match="--encoding utf-16-le"):
        lines.encoding_of(tmp_path / "f")


def test_a_half_written_gzip_keeps_what_can_be_read_and_rejects_the_rest(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b,c\n" + b"".join(b"%d,x,y\n" % n for n in range(50_000)))
    good, bad = read(tmp_path / "f.csv.gz", whole[: len(whole) // 2])
    assert 1_000 < len(good) < 50_000
    assert [c for _, c in bad] == ["truncated"] and bad[0][0] == good[-1][0] + 1
    assert [r[1] for r in good] == [str(n) for n in range(len(good))]


def test_json_lines_reject_a_torn_line_and_keep_nested_values(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"a": 1, "b": {"c": [2]}}\n{"a": "x"\n[1]\n\n{"b": null, "a": "好"}\n', encoding="utf-8")
    (chunk,) = jsonl.read(lines.read(path, "utf-8"), ["a", "b"])
    assert chunk.fields.rows() == [
        (1, '{"a": 1, "b": {"c": [2]}}', "1", '{"c": [2]}'),
        (5, '{"b": null, "a": "好"}', "好", None),
    ]
    assert chunk.bad["line"].to_list() == [2, 3]
