import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qc.han import SIMPLIFIED, TRADITIONAL
from qc.text import fold, fold_text, is_pleasantry
from tests.talk import pleasantries

ANY = st.text(st.characters(exclude_categories=["Cs"]))


def folded(text: str) -> str:
    return fold(pl.Series([text])).item()


@given(ANY)
def test_a_fold_keeps_every_length_and_is_stable(text: str) -> None:
    once = folded(text)
    assert len(once) == len(text)
    assert folded(once) == once and fold_text(text) == once


@given(ANY, ANY)
def test_a_fold_goes_character_by_character(a: str, b: str) -> None:
    assert folded(a + b) == folded(a) + folded(b)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("我不能", "我不能"),
        ("妳們這邊,ＶＸ：１２３", "你们这边,vx:123"),
        ("感謝光臨　歡迎", "感谢光临 欢迎"),
        ("著作 瞭望 乾淨", "著作 瞭望 干净"),
        ("①②㎏ß", "12㎏ß"),
        ("İİ", "İİ"),
        ("👍🏻我不能", "👍🏻我不能"),
        ("", ""),
    ],
)
def test_what_a_fold_makes_equal(raw: str, expected: str) -> None:
    assert folded(raw) == expected


def test_nothing_to_fold_and_null_pass_through() -> None:
    assert fold(pl.Series(["好的", None])).to_list() == ["好的", None]
    assert fold(pl.Series([], dtype=pl.String)).to_list() == []


def test_the_table_is_one_to_one_and_ends_in_simplified() -> None:
    assert len(TRADITIONAL) == len(SIMPLIFIED) == len(set(TRADITIONAL))
    assert not set(TRADITIONAL) & set(SIMPLIFIED)


@pytest.mark.parametrize(
    "text",
    [
        *["好的", "谢谢", "好的谢谢", "好的,谢谢啦~", "嗯", "嗯嗯", "OK", "ok!", "知道了。", "謝謝妳", "好的呢"],
        *["😊", "👍🏻", "❤️", "🇨🇳", "/:^_^", "/:066", "/:^$^", "#E-s57", "#E-s[数字x]", "[微笑]"],
        *["好的#E-s[数字x]#E-s[数字x]", "/:Y谢谢", "谢谢您!再见", ":)", "O(∩_∩)O谢谢", "(*^__^*)"],
    ],
)  # fmt: skip
def test_a_pleasantry(text: str) -> None:
    assert is_pleasantry(pl.Series([text]), pleasantries()).item()


@pytest.mark.parametrize(
    "text",
    [
        *["", "  ", "。。。", "嗯?", "嗯？", "好的❓", "好的吗", "谢谢,什么时候发货", "可以", "是的", "1"],
        *["好的尺码", "不好", "知道了吗", "(不用)", "https://ok", "没有谢", "[疑问]", "[订单x]", "[数字x]"],
    ],
)  # fmt: skip
def test_not_a_pleasantry(text: str) -> None:
    assert not is_pleasantry(pl.Series([text]), pleasantries()).item()


def test_without_words_only_faces_are_pleasantries() -> None:
    assert is_pleasantry(pl.Series(["好的", "😊", None]), []).to_list() == [False, True, False]
