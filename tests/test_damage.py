"""Mojibake is told from what is only rare."""

import polars as pl
import pytest
from conftest import night

from pipelines import store
from pipelines.ingest import Outcome
from pipelines.terminal import files
from qc import damage

SAID = [
    "您好,有什么可以帮您",
    "请问这款什么时候发货",
    "谢谢亲",
    "红色L码还有吗",
    "退款什么时候到账",
    "我要投诉你们",
    "好的",
    "客户服务",
]


def is_damaged(text: str | None) -> bool:
    return bool(damage.is_damaged(pl.Series([text], dtype=pl.String))[0])


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize(
    ("written", "read"),
    [("utf-8", "gb18030"), ("utf-8", "gbk"), ("utf-8", "latin-1"), ("utf-8", "cp1252"), ("gbk", "latin-1")],
)
def test_text_read_in_the_wrong_encoding(said: str, written: str, read: str) -> None:
    assert is_damaged(said.encode(written).decode(read, "replace")) and not is_damaged(said)


@pytest.mark.parametrize(
    "text", ["锟斤拷锟斤拷", "烫烫烫烫", "屯屯屯", "你好�", "浣犲ソ", "鎮ㄥソ", "ä½ å¥½", "ÄãºÃ", "\x81\x8d"]
)
def test_damage_as_people_know_it(text: str) -> None:
    assert is_damaged(text)


@pytest.mark.parametrize(
    "text",
    ["茕茕孑立", "饕餮", "魑魅魍魉", "鏈接", "鐘錶", "鏡頭", "鐵盒", "鋼筆", "錦鯉", "café", "résumé", "naïve", "Ångström", "水烫烫的", "烫金", "浣熊", "浣纱", "涓涓细流", "鍵盤", "銀色", "錢包", "Müller", "São", "これは日本語", "한국어", "×××××", "°°°°", "¿¿¿¿", "屯溪", "斤斤计较", "鎌倉", "犇犇", "鑫鑫", "垚", "氕氘氚", "①②③", "㊣", "30℃", "50㎡", "100×", "½", "絕對", "鎂光燈", "鐳射", "閃電", "/:^_^", "#E-s57", "????", "😂👍"],
)  # fmt: skip
def test_rare_is_not_damaged(text: str) -> None:
    assert not is_damaged(text) and not is_damaged(f"亲,{text}有货的哦,今天能发")


def test_null_is_not_damaged() -> None:
    assert damage.is_damaged(pl.Series([None, "", "浣犲ソ"], dtype=pl.String)).to_list() == [False, False, True]


def test_damaged_rows_are_stored_flagged_and_judged_by_nobody(
    home, tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    broken = "您好欢迎光临".encode().decode("gbk", "replace")
    head = "shop,channel,conversation_id,sent_at,sender_kind,agent,customer,text"
    rows = [
        "甲店,jd,k1,2026-09-01 10:00:00,customer,,买家,在吗",
        f"甲店,jd,k1,2026-09-01 10:00:09,agent,小一,买家,{broken}",
        "甲店,jd,k2,2026-09-01 11:00:00,customer,,买家二,在吗",
        "甲店,jd,k2,2026-09-01 11:00:09,agent,小一,买家二,自己看",
    ]
    (tmp_path / "a.csv").write_text("\n".join([head, *rows]), encoding="utf-8")
    done = night(home, tmp_path / "a.csv")
    assert done.files[0].n_damaged == 1
    files(done.files, [], as_json=False)
    assert "4 条里有 1 条是乱码" in capsys.readouterr().err
    with store.open_mart(home) as con:
        assert con.execute("SELECT conversation_id FROM messages WHERE is_damaged").fetchall() == [("k1",)]
        assert con.execute("SELECT DISTINCT conversation_id FROM findings WHERE seq IS NULL").fetchall() == [("k2",)]
        assert con.execute("SELECT DISTINCT conversation_id FROM moments").fetchall() == [("k2",)]


def test_a_whole_file_s_warning_needs_more_than_a_stray(capsys: pytest.CaptureFixture[str]) -> None:
    files([Outcome("a.csv", "s", "messages", 10, 10, 0, 0, False, None, 1)], [], as_json=False)
    assert "乱码" not in capsys.readouterr().err
