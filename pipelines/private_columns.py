"""Columns that say who the receiver is, where they live, how to reach them: data/lexicons/private_columns.yaml."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from pipelines.resources import data_dir, read_yaml


@cache
def is_private(name: str) -> bool:
    """Whether a column of this name may not be kept.

    >>> is_private("收货人姓名"), is_private("联系手机"), is_private("Shipping Street"), is_private("宝贝标题")
    (True, True, True, False)
    """
    return any(re.search(pattern, plain(name)) for pattern in _patterns())


def plain(name: str) -> str:
    """A column name as it is compared: half-width, lower case, without blanks at its ends."""
    return unicodedata.normalize("NFKC", name).strip().lower()


@cache
def _patterns() -> tuple[str, ...]:
    path = data_dir() / "lexicons" / "private_columns.yaml"
    return tuple(read_yaml(path))
