"""Loops over characters and rows as machine code: what no library does as one, and Python is too slow for.

A loop is compiled when it is first called, some ten seconds for all of them, and kept beside the code or in the user's
cache for as long as no file with loops changes.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from typing import ParamSpec, TypeVar

import numba
import numpy as np
import numpy.typing as npt

import qc

Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function as machine code: other threads run beside it, wrong indices are not noticed, whole numbers overflow."""
    try:
        kept = numba.njit(nogil=True, cache=True)(function)
        # By itself it looks at the time of one file only, and stumbles over what it kept if a type has moved since.
        kept._cache._cache_file._version = f"{numba.__version__} {_fingerprint()}"  # type: ignore[attr-defined]
    except (RuntimeError, AttributeError):  # nowhere to keep it, or not in this way: compiled anew in each process
        kept = numba.njit(nogil=True)(function)
    loop: Callable[_P, _R] = kept
    return loop


@cache
def _fingerprint() -> str:
    """Of all files with loops."""
    files = (pkgutil.get_data("qc", f"{module.name}.py") for module in pkgutil.iter_modules(qc.__path__))
    return sha256(b"".join(text for text in files if text and b"qc.compiled" in text)).hexdigest()
