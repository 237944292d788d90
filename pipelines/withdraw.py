"""Models that learnt from a customer who is to be forgotten go out of use: the shop's own mood and satisfaction weights.

No string of a single customer stands in either (`pipelines.train`, `qc.satisfaction`); but their labels have moved the
weights, and that cannot be taken back piece by piece. What a model learnt from is kept beside it as digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from pipelines import satisfaction, shop_weights, train

AGAIN = {train.OWN: "qc train", satisfaction.OWN: "qc train satisfaction"}


def withdraw(models: Path, talks: Sequence[str], alias: str, texts: Sequence[str]) -> list[str]:
    """The files of models that learnt from these talks, this pseudonym or these texts, taken away; their names.

    `texts` are those that nobody else said: what everybody says is nobody's. Where the model in use goes and the one
    before it has not learnt from them, that one comes back.
    """
    marks = shop_weights.digests([*talks, alias, *texts]).tolist()
    ids = {hashlib.blake2b(t.encode(), digest_size=8).hexdigest() for t in talks}
    return [*_withdrawn(models, train.OWN, train.BEFORE, lambda p: _mood_learnt(p, marks)),
            *_withdrawn(models, satisfaction.OWN, satisfaction.BEFORE, lambda p: _satisfaction_learnt(p, ids))]  # fmt: skip


def _withdrawn(models: Path, own: str, before: str, knows: Callable[[Path], bool]) -> list[str]:
    gone = [name for name in (own, before) if (models / name).exists() and knows(models / name)]
    for name in gone:
        (models / name).unlink()
    if own in gone and (models / before).exists():
        (models / before).replace(models / own)
    return gone


def _mood_learnt(path: Path, marks: Iterable[int]) -> bool:
    """A file that cannot be read, or that does not say whom it learnt from, may have."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return bool(np.isin(arrays["whom"], list(marks)).any())
    except (OSError, EOFError, KeyError, ValueError):
        return True


def _satisfaction_learnt(path: Path, ids: set[str]) -> bool:
    try:
        return not ids.isdisjoint(json.loads(path.read_text(encoding="utf-8"))["learnt"])
    except (OSError, KeyError, TypeError, ValueError):
        return True
