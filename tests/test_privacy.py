"""What identifies a person is masked; what only looks like it stays. Levels measured on `privacy_lines.tsv` are the minimum."""

import hmac
import re
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qc import privacy

LINES = [
    (text.replace("\\n", "\n"), masked.replace("\\n", "\n"), category, split)
    for text, masked, category, split in (
        line.split("\t")
        for line in (Path(__file__).parent / "privacy_lines.tsv").read_text(encoding="utf-8").splitlines()[1:]
    )
]
PLACEHOLDER = re.compile("(" + "|".join(map(re.escape, privacy.PLACEHOLDERS)) + ")")


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
        ("加我微信 shanlan_yan,私下转我", "加我微信 [微信],私下转我"),
        ("加QQ 123456789", "加QQ [QQ]"),
        ("張三 13800138000 浙江省杭州市西湖區文三路1號", "[姓名] [电话] [地址]"),
        ('{"收货人姓名":"张三","收货地址":"杭州市西湖区文三路1号"}', '{"收货人姓名":"[姓名]","收货地址":"[地址]"}'),
        ("我的车浙AD12345", "我的车[车牌]"),
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
        "请勿加微信", "微信支付13800元", "400-800-1234", "发杭州几天到", "[数字x]号楼", "收货地址可以改吗",
    ],
)  # fmt: skip
def test_left_alone(text: str) -> None:
    assert privacy.mask(pl.Series([text]))[0] == text


PIECES = st.sampled_from(
    ["13800138000", "张三", " ", ",", "收货人:", "地址", "浙江省杭州市", "西湖区文三路", "100号", "微信", "QQ", ":", "tea_12", "浙A12345", "[电话]", "[姓名]", "电话", "\n", "0571-88012345"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=8).map("".join)))
def test_masking_twice_is_masking_once_and_a_text_without_digits_is_untouched(text: str) -> None:
    given_ = pl.Series([text], dtype=pl.String)
    once = privacy.mask(given_)
    assert given_[0] == text and privacy.mask(once).equals(once)
    assert once[0] == privacy.mask_text(text)


@st.composite
def edited(draw: st.DrawFn) -> str:
    """A labelled line with a piece of another one, or an odd character, put into it or a stretch taken out."""
    text, other = (draw(st.sampled_from(LINES))[0] for _ in range(2))
    at, end = sorted(draw(st.integers(0, len(text))) for _ in range(2))
    start, stop = sorted(draw(st.integers(0, len(other))) for _ in range(2))
    odd = draw(st.sampled_from(["", "\x1c", "\x85", "\u3000", "②", "#E-s12", "\ue000", "[qq]", "：", "9558", "-", " "]))
    return text[:at] + odd + other[start:stop] + text[end:]


@settings(max_examples=1000, suppress_health_check=list(HealthCheck))
@given(edited())
def test_what_the_column_patterns_leave_out_has_nothing_to_mask(text: str) -> None:
    """`mask` looks closely at few texts; where `is_suspect` lets a text through, it must mask what `mask_text` masks."""
    given_ = pl.Series([text], dtype=pl.String)
    assert not privacy.is_suspect(given_)[0] or privacy.mask(given_)[0] == privacy.mask_text(text)


def labelled(text: str, masked: str) -> list[privacy.Span]:
    """The spans that turn the text into its masked form."""
    parts = PLACEHOLDER.split(masked)
    m = re.fullmatch("".join("(.+?)" if i % 2 else re.escape(p) for i, p in enumerate(parts)), text, re.S)
    assert m, text
    spans = [privacy.Span(*m.span(i // 2 + 1), parts[i]) for i in range(1, len(parts), 2)]
    return [s for s in spans if text[s.start : s.end] != s.placeholder]


class Counts:
    """Labelled spans wholly masked, masks wholly on a labelled span of their type, lines exactly as expected."""

    def __init__(self, split: str) -> None:
        self.found = self.due = self.right = self.made = self.exact = self.lines = 0
        for text, masked, _, of in LINES:
            if split in (of, "all"):
                self._add(text, masked)

    def _add(self, text: str, masked: str) -> None:
        due = labelled(text, masked)
        suspect = privacy.is_suspect(pl.Series([text]))[0]
        made = [s for s in privacy.spans(text) if suspect and text[s.start : s.end] != s.placeholder]
        covered = {i for s in made for i in range(s.start, s.end)}
        kinds = {i: s.placeholder for s in due for i in range(s.start, s.end)}
        self.due += len(due)
        self.found += sum(covered >= set(range(s.start, s.end)) for s in due)
        self.made += len(made)
        self.right += sum(all(kinds.get(i) == s.placeholder for i in range(s.start, s.end)) for s in made)
        self.exact += privacy.mask(pl.Series([text]))[0] == masked
        self.lines += 1


def test_the_labelled_file_is_large_and_mostly_hard() -> None:
    assert len(LINES) >= 500 and len({text for text, *_ in LINES}) == len(LINES)
    assert sum(text == masked for text, masked, *_ in LINES) >= 0.4 * len(LINES)
    assert sum(split == "held_out" for *_, split in LINES) >= len(LINES) // 4


@pytest.mark.parametrize(("split", "recall", "precision"), [("tuned", 0.99, 0.98), ("held_out", 0.97, 0.97)])
def test_recall_and_precision_on_labelled_lines(split: str, recall: float, precision: float) -> None:
    """The held-out third was written before the patterns and not used to tune them.

    Measured when it was first looked at: tuned 257 of 257 found, 255 of 257 masks right; held out 111 of 114 found (97.4 %,
    Wilson 92.5–99.1 %), 109 of 111 right (98.2 %, 93.7–99.5 %). Two of the three misses were the suspect filter's and are
    mended since.
    """
    c = Counts(split)
    print(f"{split}: recall {c.found}/{c.due}, precision {c.right}/{c.made}, lines as expected {c.exact}/{c.lines}")
    assert c.found / c.due >= recall and c.right / c.made >= precision


def test_harmless_messages_pass_the_filter_fast() -> None:
    """Over a million a second on one core; a tenth of it is asserted, since test machines are busy."""
    harmless = pl.Series(["亲,这款有货的,今天下单明天发", "好的谢谢", "红色L码还有吗", "为什么还没有退款"] * 50_000)
    start = time.perf_counter()
    assert not privacy.is_suspect(harmless).any()
    assert len(harmless) / (time.perf_counter() - start) > 100_000


@pytest.mark.parametrize(
    "text",
    [
        "1" * 200_000,
        "a" * 200_000,
        "微信" * 50_000,
        "北京市" * 50_000,
        "收货人" * 50_000,
        "1 " * 100_000,
        "张" * 200_000,
    ],
)
def test_no_text_is_slow(text: str) -> None:
    start = time.perf_counter()
    privacy.mask(pl.Series([text]))
    assert time.perf_counter() - start < 5


def test_pseudonyms_are_stable_keyed_and_no_number() -> None:
    ids = pl.Series(["买家一", None, "买家二", "买家一"])
    one, other = privacy.pseudonym(ids, b"key"), privacy.pseudonym(ids, b"another")
    assert one[0] == one[3] != one[2] and one[1] is None
    assert not set(one.drop_nulls()) & set(other.drop_nulls())
    assert one.drop_nulls().str.contains(r"^c[a-z]{16}$").all()
    for key in (b"", b"key", b"k" * 64, b"k" * 65):
        due = hmac.new(key, "买家一".encode(), "sha256").hexdigest()[:16]
        assert privacy.pseudonym(ids, key)[0] == "c" + due.translate(str.maketrans("0123456789abcdef", "bcdfghjkmnpqrtvw"))
    many = privacy.pseudonym(pl.Series([str(n) for n in range(20_000)]), b"key")
    assert many.n_unique() == 20_000
