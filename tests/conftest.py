"""One workspace of the sample shop for all tests, and fresh ones that share its sentiment tables (they take 12 s to build)."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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


def of_the_run(factory: pytest.TempPathFactory) -> Path:
    """The folder of this run that all its workers see."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """What workers share is made by one of them while the others wait."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = of_the_run(tmp_path_factory) / "qc-models"
    with one_at_a_time(folder):
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
    """Made by whichever worker comes first; each has a copy of its own."""
    made, folder = of_the_run(tmp_path_factory) / "qc-sample", tmp_path_factory.mktemp("sample") / "home"
    with one_at_a_time(made):
        if not (made / "mart.duckdb").exists():
            made.mkdir()
            (made / "models").symlink_to(models)
            night(made, data_dir() / "sample")
    return Path(shutil.copytree(made, folder, symlinks=True))


def night(
    home: Path, *inputs: Path, pages: Callable[[Path, Path, str], Path] | None = None, **wishes: object
) -> nightly.Night:
    """The whole night without pages, unless they are asked for."""
    return nightly.night(list(inputs), nightly.Request(home, **wishes), progress=quiet, step=quiet, pages=pages)  # type: ignore[arg-type]


def export(folder: Path, talks: Mapping[str, Sequence[str]]) -> Path:
    """Talks of lines 「客:…」 and 「甲:…」 (who is named is an agent) as messages.csv: a day and a customer each, a line a minute."""
    rows = ["shop,channel,conversation_id,sent_at,sender_kind,agent,customer,text"]
    for n, (talk, lines) in enumerate(talks.items()):
        for i, (who, text) in enumerate(line.split(":", 1) for line in lines):
            kind, agent = ("customer", "") if who == "客" else ("agent", who)
            rows.append(f'云,web,{talk},2026-05-0{n + 1} 10:0{i}:00,{kind},{agent},c{n},"{text}"')
    file = folder / "messages.csv"
    file.write_text("\n".join(rows), encoding="utf-8")
    return file
