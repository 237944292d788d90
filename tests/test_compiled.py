"""Loops that are kept, and what an upgrade finds of those before it."""

import pickle
from pathlib import Path

import numba
import pytest

from qc.compiled import compiled


def _twice(number: int) -> int:
    return 2 * number


def test_what_another_version_kept_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert compiled(_twice)(2) == 4
    (index,) = tmp_path.rglob("*.nbi")
    kept = index.read_bytes()
    assert compiled(_twice)(2) == 4
    assert index.read_bytes() == kept
    index.write_bytes(pickle.dumps(numba.__version__) + b"a class that is no more")  # as numba keeps it by itself
    assert compiled(_twice)(2) == 4
    assert index.read_bytes() == kept


def test_where_nothing_can_be_kept_it_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = numba.njit

    def njit(**options: bool):  # type: ignore[no-untyped-def]
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return plain(**options)

    monkeypatch.setattr(numba, "njit", njit)
    assert compiled(_twice)(2) == 4
