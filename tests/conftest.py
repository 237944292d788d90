"""One workspace of the sample shop for all tests, and fresh ones that share its sentiment tables (they take 12 s to build)."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from pipelines import nightly, snow_tables
from pipelines.resources import data_dir

# A slow machine is no failure; and CI asks the same questions every time, so that it judges the change and not the dice.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

SHARED = Path(__file__).parents[2] / "shared" / "data"


def quiet(*_: object) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made_by = hashlib.sha256(Path(snow_tables.__file__).read_bytes()).hexdigest()[:12]  # other code, other tables
    folder = tmp_path_factory.getbasetemp().parent / f"qc-models-{made_by}"
    folder.mkdir(exist_ok=True)
    snow_tables.load(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, models: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "models").symlink_to(models)
    return folder


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "home"
    folder.mkdir()
    (folder / "models").symlink_to(models)
    night(folder, data_dir() / "sample")
    return folder


def night(
    home: Path, *inputs: Path, pages: Callable[[Path, Path, str], Path] | None = None, **wishes: object
) -> nightly.Night:
    """The whole night without pages, unless they are asked for."""
    return nightly.night(list(inputs), nightly.Request(home, **wishes), progress=quiet, step=quiet, pages=pages)  # type: ignore[arg-type]
