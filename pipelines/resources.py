"""Where the product's own data lies: rule packs, scorecards, profiles, mappings, lexicons and the sample shop."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


def data_dir() -> Path:
    """The folder `data/`: inside the installed package, else beside it in the checkout."""
    packed = Path(__file__).parent / "data"
    return packed if packed.is_dir() else Path(__file__).parent.parent / "data"


def read_yaml(path: Path) -> Any:
    """What a YAML 1.2 file holds; the same text is read once, so nobody may change what comes back. Raises YAMLError."""
    return _parsed(path.read_text(encoding="utf-8-sig"))


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)
