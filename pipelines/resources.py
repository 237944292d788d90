"""Where the product's own data lies: rule packs, scorecards, profiles, mappings, lexicons and the sample shop."""

from pathlib import Path


def data_dir() -> Path:
    """The folder `data/`: inside the installed package, else beside it in the checkout."""
    packed = Path(__file__).parent / "data"
    return packed if packed.is_dir() else Path(__file__).parent.parent / "data"
