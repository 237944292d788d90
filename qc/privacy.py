"""Find and mask what identifies a person; keyed pseudonyms for customer ids.

A number is masked for what it is, not for how long it is: identity cards and bank cards must pass their checksums, mobile
numbers must have a mainland prefix and stand alone, so that order numbers, prices and sizes stay readable.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

import polars as pl

PHONE, ID_CARD, BANK_CARD, EMAIL = "[电话]", "[身份证]", "[银行卡]", "[邮箱]"

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


def _if(test: Callable[[str], bool], placeholder: str) -> Callable[[re.Match[str]], str]:
    return lambda m: placeholder if test(re.sub(r"[ -]", "", m[0])) else m[0]


# Order matters: the long numbers first, so that a phone number is never cut out of one. Digits may be full-width.
_ALONE = r"(?<![\d\uFF10-\uFF19]){}(?![\d\uFF10-\uFF19])"
_PATTERNS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"), EMAIL),
    (re.compile(_ALONE.format(r"\d{6}[ -]?\d{8}[ -]?\d{3}[\dXx]")), _if(is_id_card, ID_CARD)),
    (re.compile(_ALONE.format(r"\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}(?:[ -]?\d{1,3})?")), _if(is_bank_card, BANK_CARD)),
    (re.compile(_ALONE.format(r"(?:(?:\+|00)?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}")), PHONE),
    (re.compile(_ALONE.format(r"0\d{2,3}-\d{7,8}")), PHONE),
)
# What a text must contain to be worth a closer look; linear-time, so that the many harmless texts cost next to nothing.
_SUSPECT = r"[0-9\uFF10-\uFF19][0-9\uFF10-\uFF19 -]{8,}|@"
_HALF_WIDTH = str.maketrans("０１２３４５６７８９", "0123456789")


def mask_text(text: str) -> str:
    """One text with phone, identity-card and bank-card numbers and e-mail addresses replaced by typed placeholders.

    >>> mask_text("电话13800138000,订单 202609011234567890,尺码170")
    '电话[电话],订单 202609011234567890,尺码170'
    """
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def mask(texts: pl.Series) -> pl.Series:
    """Texts with personal numbers masked; rows in the order given, NULL stays NULL."""
    suspect = texts.str.contains(_SUSPECT).fill_null(False)
    if not suspect.any():
        return texts
    # A full-width number is masked too; only then are its digits folded, elsewhere a text stays as it was written.
    masked = [_mask_wide(t) for t in texts.filter(suspect)]
    return texts.scatter(suspect.arg_true(), masked)


def _mask_wide(text: str) -> str:
    masked = mask_text(text)
    folded = masked.translate(_HALF_WIDTH)
    if folded == masked:
        return masked
    again = mask_text(folded)
    return masked if again == folded else again


# Hexadecimal in letters only: a pseudonym can never look like a phone number, nor spell a word.
_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrtvw")


def pseudonym(customers: pl.Series, key: bytes) -> pl.Series:
    """Customer ids as `c` + 16 letters (64 bits) of HMAC-SHA256(key, id): stable across files, meaningless without the key."""
    ids = customers.drop_nulls().unique()
    made = ["c" + hmac.new(key, i.encode(), hashlib.sha256).hexdigest()[:16].translate(_LETTERS) for i in ids]
    return customers.replace_strict(ids, pl.Series(made, dtype=pl.String), default=None, return_dtype=pl.String)
