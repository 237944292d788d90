"""Find and mask what identifies a person; keyed pseudonyms for customer ids.

A number is masked for what it is, not for how long it is: identity cards and bank cards must pass their checksums, mobile
numbers must have a mainland prefix and stand alone, ids of WeChat and QQ must be called so; order numbers, prices and sizes
stay readable. The word that calls an id stays too: 「加微信:[微信]」 is still 「加微信」 to the rules.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import polars as pl

from qc import delivery
from qc.loosened import loosened
from qc.text import fold, fold_text

PHONE, ID_CARD, BANK_CARD, EMAIL = "[电话]", "[身份证]", "[银行卡]", "[邮箱]"
WECHAT, QQ, NAME, ADDRESS, PLATE = "[微信]", "[QQ]", "[姓名]", "[地址]", "[车牌]"
# In this order they are private characters of the working copy: \ue000 is a phone number, \ue007 an address.
PLACEHOLDERS = (PHONE, ID_CARD, BANK_CARD, EMAIL, WECHAT, QQ, NAME, ADDRESS, PLATE)


class Span(NamedTuple):
    """Characters of a text that identify somebody, and what they are."""

    start: int
    end: int
    placeholder: str


_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK = "10X98765432"


def is_id_card(number: str) -> bool:
    """GB 11643-1999: 18 characters, a plausible birth date, ISO 7064 MOD 11-2 check character.

    >>> is_id_card("11010519491231002X"), is_id_card("110105194912310021")
    (True, False)
    """
    if not re.fullmatch(r"[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]", number):
        return False
    total = sum(w * int(d) for w, d in zip(_ID_WEIGHTS, number[:17], strict=True))
    return _ID_CHECK[total % 11] == number[17].upper()


# UnionPay, Visa, Mastercard, JCB and the old 9558 and 60 cards of mainland banks.
_CARD = re.compile(r"62\d{14,17}|4\d{15}|5[1-5]\d{14}|35\d{14}|9558\d{12,15}|60\d{14,17}")


def is_bank_card(number: str) -> bool:
    """The prefix and length of a card scheme, and the Luhn check (ISO/IEC 7812-1). An order number rarely has both.

    >>> is_bank_card("6222021234567890128"), is_bank_card("6222021234567890123"), is_bank_card("3309260002895933298")
    (True, False, False)
    """
    if not _CARD.fullmatch(number):
        return False
    digits = [int(d) for d in reversed(number)]
    return (sum(digits[0::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])) % 10 == 0


# What stands right before a number that is not a person's: the shop's and the carrier's own numbers, amounts, codes.
_SHOP_NUMBER = re.compile(
    r"(?:订单(?:尾号)?|[单编货款批工券码户裹本]号|[单编]号码|[运工]单|编码|条码|型号|sku|imei|sn|商品id|[批期]次号?|流水号?|会员号|交易号|序列号|发票号码"
    r"|[券货件换条]码|密码|房间号|第|[¥$]|[价金]格?|金额|预算|销量|粉丝|人气|色号)[ :#是为-]*$"
)
# What stands right after it: a unit of measure, a currency, a count.
_UNIT = re.compile(
    r" ?(?:元|块|毫升|ml|[kmn]?g(?![a-z])|克|[cmd]?m(?![a-z])|[wv](?![a-z])|mah|毫安|瓦|吨|斤|期|页|[件箱瓶盒条套次粒](?!号)|个(?!人)"
    r"|人(?:付款|收货|购买|评价|次)|分钟|秒|积分|%|万|[.][0-9])"
)
# Letters may be glued to a number only if they call it.
_CALL = "tel phone mobile mob call whatsapp vx wx v q qq wechat weixin no t m p id visa hi hello"
_CALLS = frozenset(_CALL.split())
_GLUED = re.compile(r"([a-z]+)[-_]?$")
_CALLED = re.compile(r"(?:电话|手机|座机|固话|号码?|tel|联系|打|拨|单位|传真)[^0-9a-z]{0,4}$")

_SERVICE = re.compile(r"(?:客服|官方|服务|投诉|售后)(?:热线|电话)?[是为:\s]*[^\u4e00-\u9fff]*$")

_S = r"[ .\-·–—_\u200b]"
_AREA = r"(?:10|2[0-9]|[3-9][0-9]{2})"
_EXTENSION = r"(?:(?: ?(?:转|分机|ext\.?|#) ?|-)[0-9]{1,6})?"
_CHINESE = "零〇○一二三四五六七八九幺"
_QQ = r"(?:q ?q|扣 ?扣|企鹅|(?<![a-z0-9])q)(?:群|账号|号码?|id)?\s*[是为:\-=#]?\s*"
_WECHAT = r"(?:[微薇威维围卫][\s❤♥*.·\ufe0f]{0,4}信|卫星|微❤\ufe0f?|v信|wechat|weixin|(?<![a-z0-9])[vw] ?x)(?:账号|帐号|号码?|id)?"
_LINK = r"(?:搜索?|加|是|为|叫|我的|[:\-=【\[\"“'\s]){0,4}"
_ID = r"[a-z][a-z0-9_.\-]{4,18}[a-z0-9_](?![a-z0-9_])"
_DEVICES = "ip(?:hone|ad|od)|android|windows|https?|www|vivo|oppo|honor|huawei|redmi|xiaomi|version"
_PLATE_OF = "京津沪渝冀豫鲁晋陕皖苏浙闽赣湘鄂粤桂琼辽"
_PLATE_ALSO = "黑吉蒙甘宁青新藏川贵云使"  # everyday words too: only where a car is spoken of
_LETTER = "[a-hj-np-z]"
_PLATE = rf"{_LETTER}[·. \-]?(?:[df][0-9a-hj-np-z][0-9]{{4}}|[0-9]{{5}}[df]|(?=[a-z]*[0-9][a-z]*[0-9])[0-9a-hj-np-z]{{5}})(?![a-z0-9])"


def _bare(number: str) -> str:
    return re.sub(r"[^0-9x]", "", number)


def _is_persons(text: str, m: re.Match[str]) -> bool:
    """A number that neither its surroundings nor the letters glued to it make the shop's, an amount or a code."""
    before, after = text[max(0, m.start() - 16) : m.start()], text[m.end() : m.end() + 6]
    glued = _GLUED.search(before)
    if (glued and glued[1] not in _CALLS) or re.match(r"[a-z](?![a-z])", after):
        return False
    return not _SHOP_NUMBER.search(before) and not _UNIT.match(after)


def _is_private_line(text: str, m: re.Match[str]) -> bool:
    """A land line that is not announced as the shop's or a carrier's service line."""
    before, after = text[max(0, m.start() - 10) : m.end()], text[m.end() : m.end() + 6]
    return not (_SERVICE.search(before) or re.match(r"(?:客服|官方|服务)?热线", after)) and _is_persons(text, m)


def _is_called(text: str, m: re.Match[str]) -> bool:
    return _is_persons(text, m) and bool(_CALLED.search(text[max(0, m.start() - 12) : m.start()]))


def _is_card_of(text: str, m: re.Match[str]) -> bool:
    return is_bank_card(_bare(m[0])) and _is_persons(text, m)


def _is_plain_amount(text: str, m: re.Match[str]) -> bool:
    return not _UNIT.match(text[m.end() : m.end() + 6])


def _is_handle(text: str, m: re.Match[str]) -> bool:
    """A word in Latin letters beside 微信 is an id if it has a digit or a sign in it, or is plainly said to be one."""
    said = text[m.start() : m.start("id")]
    return bool(re.search(r"[0-9_\-.]", m["id"])) or bool(re.search(r"[:是号=]|id", said))


def _speaks_of_a_car(text: str, _: re.Match[str]) -> bool:
    return "车" in text or "牌照" in text


class _Kind(NamedTuple):
    """What a pattern finds in the folded text (its group `id` if it has one), where the test holds."""

    pattern: re.Pattern[str]
    placeholder: str
    test: Callable[[str, re.Match[str]], bool]


# Order matters: long numbers first, so that a phone number is never cut out of one. Bounded, so that no text is slow.
_KINDS = tuple(
    _Kind(re.compile(pattern), placeholder, test)
    for pattern, placeholder, test in (
        (r"(?<![a-z0-9._%+\-])[a-z0-9._%+\-]{1,64}@[a-z0-9\-]{1,63}(?:\.[a-z0-9\-]{1,63}){0,4}\.[a-z]{2,24}", EMAIL, lambda *_: True),
        (r"身份证(?:号码?)?[是为:\s]*(?P<id>[1-9](?:[ \-]?[0-9]){16}[ \-]?[0-9x]|[1-9][0-9]{14})(?![0-9])", ID_CARD, lambda *_: True),
        (r"(?<![0-9])[1-9][0-9]{5}[ \-]?[0-9]{8}[ \-]?[0-9]{3}[0-9x](?![0-9])", ID_CARD, lambda t, m: is_id_card(_bare(m[0]))),
        (r"(?<![0-9])(?:[0-9]{16,19}|[0-9]{4}([ \-])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{1,3})?|[0-9]{6}[ \-][0-9]{10,13})(?![0-9])",
         BANK_CARD, _is_card_of),
        (r"(?<![0-9])(?<![0-9][.:/*])(?:(?:\+|00)?86[ \-]?)?1[3-9][0-9]{9}(?![0-9])", PHONE, _is_persons),
        (rf"(?<![0-9])(?<![0-9][ .:/*\-])(?:(?:\+|00)?86[ \-]?)?1[3-9][0-9](?:{_S}{{1,2}}[0-9]{{4}}{_S}{{1,2}}[0-9]{{4}}|[0-9]{_S}[0-9]{{3}}{_S}[0-9]{{4}})"
         r"(?![0-9])(?![ \-][0-9]{3})", PHONE, _is_persons),
        (rf"(?<![0-9])(?<![0-9][ .:/*\-])1{_S}[3-9](?:{_S}[0-9]){{9}}(?!{_S}?[0-9])", PHONE, _is_persons),
        (rf"(?<![0-9])1{_S}?[3-9](?:{_S}?[0-9]){{9}}(?!{_S}?[0-9])", PHONE, _is_called),
        (rf"(?<![{_CHINESE}])[一幺][三四五六七八九][{_CHINESE}]{{9}}(?![{_CHINESE}])", PHONE, _is_persons),
        (rf"(?<![0-9])(?<![0-9][ .:/*\-])(?:(?:\+|00)86[ \-]?{_AREA}[ \-]?|(?:(?:\+|00)?86[ \-]?)?(?:\(0{_AREA}\) ?|0{_AREA}[ \-]))"
         rf"[1-9][0-9]{{3}}[ \-]?[0-9]{{3,4}}{_EXTENSION}(?![0-9])", PHONE, _is_private_line),
        (rf"(?:电话|座机|固话|tel|传真|打|拨)[是为:\s]{{0,3}}(?P<id>(?:0{_AREA})?[2-8][0-9]{{6,7}}{_EXTENSION})(?![0-9\-])", PHONE, _is_private_line),
        (rf"{_QQ}(?P<id>(?![48]00[0-9]{{6}}(?![0-9]))[1-9][0-9]{{4,10}}|[1-9][0-9]{{2,4}}(?: [0-9]{{3,4}}){{1,2}})(?![0-9])", QQ, _is_plain_amount),
        (rf"{_WECHAT}{_LINK}(?P<id>{_ID})", WECHAT, _is_handle),
        (rf"(?:[加+➕]我?|我的?|是|^)[vw][是:\s]+(?P<id>{_ID})", WECHAT, _is_handle),
        (rf"[加+➕][vw](?!ivo)(?P<id>(?=[a-z_.\-]*[0-9]{{3}}){_ID})", WECHAT, _is_handle),
        (rf"(?:加我|加下我|加个?好友)[:\s]*(?P<id>{_ID})", WECHAT, _is_handle),
        (rf"{_WECHAT}(?!支付|小程序|公众号|红包|扫码|零钱|客服)(?:[^a-z0-9。.,;!?\[\]\ue000-\ue008\n]{{1,9}}|[^a-z0-9\[\]\ue000-\ue008\n]{{1,6}}我[的是]:? ?)"
         rf"(?P<id>(?!{_DEVICES})(?=[a-z_.\-]*[0-9_]){_ID})", WECHAT, _is_plain_amount),
        (rf"{_WECHAT}{_LINK}(?P<id>[1-9][0-9]{{5,10}})(?![0-9])", WECHAT, _is_plain_amount),
        (rf"[{_PLATE_OF}]{_PLATE}(?!款|型|号)", PLATE, lambda *_: True),
        (rf"[{_PLATE_ALSO}]{_PLATE}(?!款|型|号)", PLATE, _speaks_of_a_car),
    )
)  # fmt: skip
_MARKS = {p: chr(0xE000 + n) for n, p in enumerate(PLACEHOLDERS)}
_NO_MARKS = {ord(mark): " " for mark in _MARKS.values()}
_FACE = re.compile(r"#e-[a-z][0-9]{2,3}?(?![0-9](?!\d{10}))")  # 咚咚's codes for faces, glued to what follows
_BY_FOLD = {p.lower(): p for p in PLACEHOLDERS}
_MASKED = re.compile("|".join(map(re.escape, _BY_FOLD)))


def spans(text: str, folded: str | None = None) -> list[Span]:
    """Where a text identifies somebody, in order and without overlaps; `folded` is `qc.text.fold` of it, if at hand.

    >>> spans("打13800138000,收到请回")
    [Span(start=1, end=12, placeholder='[电话]')]
    """
    work = (fold_text(text) if folded is None else folded).translate(_NO_MARKS)
    work = _FACE.sub(lambda m: " " * len(m[0]), work)
    found: list[Span] = []

    def mark(start: int, end: int, placeholder: str) -> None:
        nonlocal work
        work = work[:start] + _MARKS[placeholder] * (end - start) + work[end:]
        found.append(Span(start, end, placeholder))

    for old in _MASKED.finditer(work):
        mark(*old.span(), _BY_FOLD[old[0]])
    for kind in _KINDS:
        at = 0
        while m := kind.pattern.search(work, at):
            at = m.end()
            if kind.test(work, m):
                mark(*m.span("id" if "id" in kind.pattern.groupindex else 0), kind.placeholder)
    for find, placeholder in ((delivery.addresses, ADDRESS), (delivery.names, NAME)):
        for start, end in list(find(work)):
            if not any(c in _NO_MARKS for c in map(ord, work[start:end])):
                mark(start, end, placeholder)
    return sorted(found)


def mask_text(text: str) -> str:
    """One text with what identifies a person replaced by typed placeholders.

    >>> mask_text("电话13800138000,订单 202609011234567890,尺码170")
    '电话[电话],订单 202609011234567890,尺码170'
    >>> mask_text("加微信:tea_lover88")
    '加微信:[微信]'
    """
    return _settled(text, spans(text))


def _settled(text: str, found: list[Span]) -> str:
    """The text with its spans replaced; once more where a placeholder gives away what stands beside it."""
    parts: list[str] = []
    at = 0
    for start, end, placeholder in found:
        parts += (text[at:start], placeholder)
        at = end
    masked = "".join((*parts, text[at:]))
    return masked if masked == text else _settled(masked, spans(masked))


# What a text must contain to be worth a closer look; linear-time, and one pattern, since a text is gone through once for it:
# the many harmless texts cost next to nothing.
_D = r"\p{N}"
_SUSPECT = "|".join((
    rf"{_D}(?:{_D}|[ .\-－·–—_　\x{{200B}}(()）]{_D}){{4}}|[@＠]",
    rf"{_D}.?[号號弄栋棟幢座单單室楼樓層层组組舍巷]|[路号號厦廈園园區区][\p{{N}}a-zA-Z]",
    r"(?i:(?:[微薇威維维围卫衛][\s❤♥*.·\x{FE0F}]{0,4}[信星❤]|[vwｖｗ] ?[xｘ]|[vｖ]信|加我|[加+➕我][vwｖｗ]|^[vwｖｗ]|we(?:chat|ixin))"
    r".{0,12}[a-zａ-ｚ0-9０-９_.\-＿]{5})",
    rf"[{_PLATE_OF}{_PLATE_ALSO}遼蘇滬鄂魯閩雲寧貴][A-Za-zＡ-Ｚ][·. \-]?[0-9A-Za-z０-９]{{2}}",
    r"收[货貨件]人|姓名|[联聯][系繫]人|寄件人|[户戶]名|[实實]名|地址|住址|所在地|\[(?:电话|身份证|银行卡)\]",
    rf"[一二三四五六七八九十].?[号號弄栋棟幢座单單室楼樓層层组組舍巷]|[{_CHINESE}]{{9}}",
))  # fmt: skip


def is_suspect(texts: pl.Series) -> pl.Series:
    """Texts that may hold something personal; every text that masking would change is among them."""
    return texts.str.contains(_SUSPECT).fill_null(False)


# The same in Rust, on folded texts, without what stands around a match; a bank card by the prefix that its test asks for.
_GIST = {BANK_CARD: r"(?:^|[^0-9])(?:62|4|5[1-5]|35|9558|60)[0-9](?:[ \-]?[0-9]){11}"}
_POSSIBLE = (
    *(_GIST.get(kind.placeholder) or loosened(kind.pattern.pattern) for kind in _KINDS),
    "|".join(map(re.escape, _BY_FOLD)),
    r"[\x{E000}-\x{E008}]|#e-[a-z][0-9]{2}",
)
_AT_ONCE = 4  # patterns in one search: each text is gone through less often, and the machine made of them stays small
_SEARCHES = ["|".join(f"(?:{p})" for p in _POSSIBLE[at : at + _AT_ONCE]) for at in range(0, len(_POSSIBLE), _AT_ONCE)]


def _may_change(folded: pl.Series) -> pl.Series:
    """Folded texts in which some pattern is found, whatever stands around it: `spans` of all others is empty."""
    text = pl.col("t")
    found = pl.any_horizontal([text.str.contains(p) for p in _SEARCHES])
    return folded.to_frame("t").select(found | delivery.is_possible(text)).to_series()


def mask(texts: pl.Series) -> pl.Series:
    """Texts with what identifies a person masked; rows in the order given, NULL stays NULL."""
    suspect = is_suspect(texts)
    if not suspect.any():
        return texts
    distinct = texts.filter(suspect).unique(maintain_order=True)
    both = pl.DataFrame({"text": distinct, "fold": fold(distinct)})
    few = both.filter(_may_change(both["fold"]))
    masked = [_settled(text, spans(text, folded)) for text, folded in few.iter_rows()]
    found = texts.filter(suspect).replace(few["text"], pl.Series(masked, dtype=pl.String))
    return texts.clone().scatter(suspect.arg_true(), found)


# Hexadecimal in letters only: a pseudonym can never look like a phone number, nor spell a word.
_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrtvw")


def pseudonym(customers: pl.Series, key: bytes) -> pl.Series:
    """Customer ids as `c` + 16 letters (64 bits) of HMAC-SHA256(key, id): stable across files, meaningless without the key."""
    ids = customers.drop_nulls().unique()
    letters = b"".join([d[:8] for d in _hmacs(ids.to_list(), key)]).hex().translate(_LETTERS)
    made = ["c" + letters[at : at + 16] for at in range(0, len(letters), 16)]
    return customers.replace_strict(ids, pl.Series(made, dtype=pl.String), default=None, return_dtype=pl.String)


def _hmacs(texts: list[str], key: bytes) -> Iterator[bytes]:
    """HMAC-SHA256 of many texts by RFC 2104: what the key adds is hashed once, which halves the time."""
    block = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    inner, outer = (hashlib.sha256(bytes(b ^ pad for b in block)) for pad in (0x36, 0x5C))
    for text in texts:
        of_text, of_both = inner.copy(), outer.copy()
        of_text.update(text.encode())
        of_both.update(of_text.digest())
        yield of_both.digest()
