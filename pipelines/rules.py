"""The rulebook on disk: folders of rule packs, scorecards and word lists, read into models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.resources import read_yaml
from qc import rulebook, scorecards
from qc.rulebook import Pack, RulebookError
from qc.scorecards import Scorecard


def load(*folders: Path) -> tuple[Pack, ...]:
    """Every *.yaml of the folders as packs that fit together; a shop's own folder goes beside the shipped one."""
    return rulebook.bind(read_all(*folders))


def read_all(*places: Path) -> list[Pack]:
    """The packs of files and of the *.yaml of folders, each by itself."""
    files = sorted(file for place in places for file in ([place] if place.is_file() else place.glob("*.yaml")))
    if not files:
        raise RulebookError(f"{', '.join(map(str, places))} 里没有规则文件(*.yaml);请检查目录")
    return [rulebook.load_pack(_text(file), str(file)) for file in files]


def load_scorecard(path: Path, packs: Sequence[Pack]) -> Scorecard:
    """The scorecard of a file, checked against the packs."""
    return scorecards.load_scorecard(_text(path), str(path), packs)


def load_words(path: Path) -> list[str]:
    """The `words` of a lexicon."""
    try:
        return [str(word) for word in read_yaml(path)["words"]]
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error


def _not_utf8(path: Path) -> RulebookError:
    return RulebookError(f"{path}:1 不是 UTF-8 文字;请另存为 UTF-8")
