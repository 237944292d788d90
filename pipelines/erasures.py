"""Customers who asked to be forgotten stay forgotten: rows that a later export brings of them are not taken in again.

Who they were is written nowhere. A row of `erasures` and `erased_ids` holds keyed digests only; whether a customer is among
them can be asked by whoever has the key and the customer's id, and by nobody else.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

import duckdb
import polars as pl

from qc import privacy

CODE = "erased"
REASON = "这位顾客已要求删除个人信息;不再收录,也不保留原文"
_ALIAS = re.compile(r"c[b-df-hj-npqrtvw]{16}")
_WORDS = 200  # of a line that could not be read, looked at for an erased customer's id; ours


def proof(identity: str, key: bytes) -> str:
    """A keyed digest of a pseudonym or conversation id that is never stored anywhere else."""
    return hmac.new(key, f"erased {identity}".encode(), hashlib.sha256).hexdigest()


def known(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The digests of everyone who was erased from this warehouse, and of their conversations."""
    return frozenset(
        p for (p,) in con.execute("SELECT proof FROM erasures UNION SELECT proof FROM erased_ids").fetchall()
    )


def withhold(
    good: pl.DataFrame, bad: pl.DataFrame, erased: frozenset[str], key: bytes
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Checked rows and masked rejects -> the same without what erased customers said: their rows are rejects without text.

    A row that names no customer is theirs if its conversation is.
    """
    if not erased:
        return good, bad
    if "customer" in good.columns:
        alias = privacy.pseudonym(good["customer"], key)
        gone = _among(alias, erased, key)
        if "conversation_id" in good.columns:
            gone |= alias.is_null() & _among(good["conversation_id"], erased, key)
        lines = good.filter(gone).select(
            line="_line", raw=pl.lit(None, dtype=pl.String), code=pl.lit(CODE), reason=pl.lit(REASON)
        )
        good, bad = good.filter(~gone), pl.concat([bad, lines])
    theirs = pl.Series([_names(raw, erased, key) for raw in bad["raw"]], dtype=pl.Boolean)
    hidden = {"raw": None, "code": CODE, "reason": REASON}
    return good, bad.with_columns(
        pl.when(theirs).then(pl.lit(v, dtype=pl.String)).otherwise(c).alias(c) for c, v in hidden.items()
    )


def _among(ids: pl.Series, erased: frozenset[str], key: bytes) -> pl.Series:
    found = [i for i in ids.drop_nulls().unique() if proof(i, key) in erased]
    return ids.is_in(found).fill_null(False)


def _names(raw: str | None, erased: frozenset[str], key: bytes) -> bool:
    """Whether a line names an erased customer, by pseudonym or by id."""
    if raw is None:
        return False
    aliases: Iterable[str] = _ALIAS.findall(raw)
    words = pl.Series(list(dict.fromkeys(re.split(r"[,\t;|\"\s]+", raw[:10_000])))[:_WORDS], dtype=pl.String)
    return any(proof(a, key) in erased for a in (*aliases, *privacy.pseudonym(words, key).drop_nulls()))
