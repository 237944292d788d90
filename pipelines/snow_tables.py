"""SnowNLP's model files as arrays for `qc.snow`: read from the installed package once, then kept in a cache folder.

snownlp itself is never imported, for that takes three seconds; its files are gzipped marshals, read once a version.
Every float is computed in SnowNLP's order of operations with `math.log`; the kernel only adds and compares.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import importlib.util
import marshal
import zipfile
from collections.abc import Iterable, Mapping
from functools import cache
from math import log
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import polars as pl

from qc.snow import CODE_BITS, HAN_FIRST, N_HAN, WORD_STEP, Floats, Grams, Index, Ints, Tables, hashed

TABLE_FORMAT = 1
SOURCES = ("seg/seg.marshal.3", "sentiment/sentiment.marshal.3", "normal/stopwords.txt")
TAGS = {"b": 0, "m": 1, "e": 2, "s": 3, "BOS": 0}
SLOTS_A_KEY = 3  # our decision: at most a third of the slots are taken, so most look-ups end at the first

Gram = tuple[tuple[str, str], ...]  # (character, tag), …; before a run begins ("", "BOS")


class Vocabulary(NamedTuple):
    """Nodes of the words; a node without a word of its own has the word ""."""

    words: list[str]  # by node
    trie: dict[int, int]  # node and codes, as `qc.snow.Tables.words` keys them → next node
    plain: dict[str, int]  # word that is not Han → node


def load(cache_dir: Path) -> Tables:
    """SnowNLP's tables from `cache_dir`, built and saved there if this version's file is missing or damaged.

    Building takes some seconds, loading some hundredths. Raises ModuleNotFoundError where snownlp is not installed.
    """
    version = _version()
    path = cache_dir / f"snownlp-{version}.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return _tables(version, arrays)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        tables = build()
        _save(path, _arrays(tables))
        return tables


def build() -> Tables:
    """SnowNLP's tables from the installed package's model files."""
    home = snownlp_home()
    stop = {line.strip() for line in (home / "normal/stopwords.txt").read_text("utf-8").splitlines()} - {""}
    segmenter, bayes = _model(home / "seg/seg.marshal.3"), _model(home / "sentiment/sentiment.marshal.3")
    classes = [bayes["d"]["neg"], bayes["d"]["pos"]]
    tag_log, pairs, triples = _segmentation(segmenter)
    words, trie, plain = _vocabulary(sorted({*classes[0]["d"], *classes[1]["d"], *stop}))
    return Tables(
        version=_version(),
        tag_log=tag_log,
        pairs=pairs,
        triples=triples,
        words=_index(np.array(list(trie), np.int64), np.array(list(trie.values()))),
        plain=_plain(list(plain), list(plain.values())),
        is_stop=np.array([word in stop for word in words]),
        word_log=np.array([[log(float(c["d"].get(word, c["none"])) / c["total"]) for word in words] for c in classes]),
        prior=np.array([log(c["total"]) - log(bayes["total"]) for c in classes]),
    )


def snownlp_home() -> Path:
    spec = importlib.util.find_spec("snownlp")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("没有安装 snownlp:pip install snownlp==0.12.3", name="snownlp")
    return Path(spec.submodule_search_locations[0])


def _version() -> str:
    """snownlp's version, ours of the tables, and the model files' hash: whoever retrains SnowNLP gets new tables."""
    home, digest = snownlp_home(), hashlib.sha256()
    for name in SOURCES:
        digest.update((home / name).read_bytes())
    return f"{importlib.metadata.version('snownlp')}-t{TABLE_FORMAT}-{digest.hexdigest()[:12]}"


def _model(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    return dict(marshal.loads(gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw))


@cache
def _code(char: str) -> int | None:
    """1 … N_HAN of a Han character, 0 of the beginning "", None of what never stands in a run."""
    code = ord(char) - HAN_FIRST + 1 if len(char) == 1 else 0
    return code if (1 <= code <= N_HAN or not char) else None


def _segmentation(model: dict[str, Any]) -> tuple[Floats, Grams, Grams]:
    """Log probabilities of tags: of a character alone, after one neighbour, after two."""
    uni, bi, tri = (model[name]["d"] for name in ("uni", "bi", "tri"))
    one = {gram: model["l1"] * (float(n) / model["uni"]["total"]) for gram, n in uni.items()}
    two = {gram: float(model["l2"] * n) / uni[gram[0]] for gram, n in bi.items()}
    three = {gram: float(model["l3"] * n) / bi[gram[:2]] for gram, n in tri.items()}
    tag_log = np.full((4, 1 + N_HAN), -np.inf)
    for (char, tag), share in one.items():
        if code := _code(char):
            tag_log[TAGS[tag], code] = log(share)
    pairs = _grams((gram, one[gram[1]] + share) for gram, share in two.items())
    triples = _grams((gram, one[gram[2]] + two[gram[1:]] + share) for gram, share in three.items())
    return tag_log, pairs, triples


def _grams(shares: Iterable[tuple[Gram, float]]) -> Grams:
    keys, cells, logs = [], [], []
    for gram, share in shares:
        codes = [_code(char) for char, _ in gram]
        if None not in codes and codes[-1]:
            keys.append(_number(codes, 1 << CODE_BITS))
            cells.append(_number([TAGS[tag] for _, tag in gram], 4))
            logs.append(log(share))
    order = np.argsort(keys, kind="stable")
    distinct, first = np.unique(np.array(keys, np.int64)[order], return_index=True)
    lookup = _index(distinct, np.arange(1, distinct.size + 1))
    start = np.concatenate([[0], first, [order.size]]).astype(np.int32)
    return Grams(lookup, start, np.array(cells, np.uint8)[order], np.array(logs)[order])


def _number(digits: Iterable[int | None], base: int) -> int:
    number = 0
    for digit in digits:
        number = number * base + (digit or 0)
    return number


def _vocabulary(words: Iterable[str]) -> Vocabulary:
    """Words that SnowNLP's cutting can give at all: nothing but Han, or no Han and no white space."""
    found = Vocabulary([""], {}, {})
    for word in words:
        is_han = {bool(_code(char)) for char in word}
        if is_han == {True}:
            found.words[_path(word, found)] = word
        elif is_han == {False} and word.split() == [word]:
            found.plain[word] = len(found.words)
            found.words.append(word)
    return found


def _path(word: str, found: Vocabulary) -> int:
    """The node of a Han word, made together with those on its way where they are missing."""
    node = 0
    for at in range(0, len(word), WORD_STEP):
        codes = [_code(char) for char in word[at : at + WORD_STEP]]
        key = _number([node, *codes, *[0] * (WORD_STEP - len(codes))], 1 << CODE_BITS)
        if key not in found.trie:
            found.trie[key] = len(found.words)
            found.words.append("")
        node = found.trie[key]
    return node


def _index(keys: Ints, rows: npt.NDArray[np.integer]) -> Index:
    """Hash table of distinct keys: in each round every free slot takes the first key that wants it."""
    n_slots = 1 << max(1, (SLOTS_A_KEY * keys.size - 1).bit_length())
    index = Index(np.full(n_slots, -1, np.int64), np.zeros(n_slots, np.int32))
    todo, slot = np.arange(keys.size), hashed(keys, n_slots)
    while todo.size:
        free = np.flatnonzero(index.keys[slot] < 0)
        taken, first = np.unique(slot[free], return_index=True)
        won = free[first]
        index.keys[taken], index.rows[taken] = keys[todo[won]], rows[todo[won]]
        todo, slot = np.delete(todo, won), (np.delete(slot, won) + 1) & (n_slots - 1)
    return index


def _save(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Whole or not at all: a reader, or a second builder, never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _arrays(tables: Tables) -> dict[str, npt.NDArray[Any]]:
    tokens = "\n".join(tables.plain["token"]).encode()
    return {
        **{name: getattr(tables, name) for name in ("tag_log", "is_stop", "word_log", "prior")},
        **{f"words.{name}": array for name, array in tables.words._asdict().items()},
        **{f"pairs.{name}": array for name, array in _flat(tables.pairs).items()},
        **{f"triples.{name}": array for name, array in _flat(tables.triples).items()},
        "plain.tokens": np.frombuffer(tokens, np.uint8),
        "plain.nodes": tables.plain["node"].to_numpy(),
    }


def _flat(grams: Grams) -> dict[str, npt.NDArray[Any]]:
    keys, rows = grams.lookup
    return {"keys": keys, "rows": rows, "start": grams.start, "cell": grams.cell, "log": grams.log}


def _tables(version: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Tables:
    def grams(name: str) -> Grams:
        lookup = Index(arrays[f"{name}.keys"], arrays[f"{name}.rows"])
        return Grams(lookup, *(arrays[f"{name}.{part}"] for part in ("start", "cell", "log")))

    return Tables(
        version=version,
        tag_log=arrays["tag_log"],
        pairs=grams("pairs"),
        triples=grams("triples"),
        words=Index(arrays["words.keys"], arrays["words.rows"]),
        plain=_plain(arrays["plain.tokens"].tobytes().decode().split("\n"), arrays["plain.nodes"]),
        is_stop=arrays["is_stop"],
        word_log=arrays["word_log"],
        prior=arrays["prior"],
    )


def _plain(tokens: list[str], nodes: list[int] | npt.NDArray[Any]) -> pl.DataFrame:
    return pl.DataFrame({"token": tokens, "node": nodes}, schema={"token": pl.String, "node": pl.Int64})
