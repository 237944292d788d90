"""What identifies a person is masked; what only looks like it stays."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qc import privacy


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("打我电话13800138000谢谢", "打我电话[电话]谢谢"),
        ("+86 138 0013 8000", "[电话]"),
        ("138-0013-8000", "[电话]"),
        ("座机 010-12345678", "座机 [电话]"),
        ("１３８００１３８０００", "[电话]"),
        ("身份证11010519491231002x。", "身份证[身份证]。"),
        ("卡号 6222 0212 3456 7890 128", "卡号 [银行卡]"),
        ("寄到 tea_lover+1@example.com.cn 吧", "寄到 [邮箱] 吧"),
        ("甲13800138000乙13900139000", "甲[电话]乙[电话]"),
    ],
)
def test_masked(text: str, masked: str) -> None:
    assert privacy.mask_text(privacy.mask(pl.Series([text]))[0]) == masked
    assert privacy.mask(pl.Series([text, None])).to_list() == [masked, None]


@pytest.mark.parametrize(
    "text",
    [
        "订单 3309260002895933291", "订单号202609011234567890", "¥1380.00", "尺码170/92A", "快递SF2510121614729", "12800138000", "23800138000",
        "1380013800", "138001380001", "110105194912310021", "6222021234567890123", "2026-09-01 10:00:00", "买一送一@所有人", "7天无理由", "",
    ],
)  # fmt: skip
def test_left_alone(text: str) -> None:
    assert privacy.mask(pl.Series([text]))[0] == text


@given(st.text())
def test_masking_twice_is_masking_once_and_a_text_without_digits_is_untouched(text: str) -> None:
    once = privacy.mask(pl.Series([text], dtype=pl.String))
    assert privacy.mask(once).equals(once)
    if not any(c.isdigit() for c in text) and "@" not in text:
        assert once[0] == text


def test_pseudonyms_are_stable_keyed_and_no_number() -> None:
    ids = pl.Series(["买家一", None, "买家二", "买家一"])
    one, other = privacy.pseudonym(ids, b"key"), privacy.pseudonym(ids, b"another")
    assert one[0] == one[3] != one[2] and one[1] is None
    assert not set(one.drop_nulls()) & set(other.drop_nulls())
    assert one.drop_nulls().str.contains(r"^c[a-z]{16}$").all()
    many = privacy.pseudonym(pl.Series([str(n) for n in range(20_000)]), b"key")
    assert many.n_unique() == 20_000
