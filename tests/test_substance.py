"""What counts as a substantive answer: the lexicon's own examples, and its accuracy on labelled replies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from conftest import SHARED
from hypothesis import given
from hypothesis import strategies as st

from pipelines import settings
from pipelines.resources import data_dir
from qc.substance import KINDS, kinds

LEXICON = settings.substance(data_dir())
LABELLED = Path(__file__).parent / "labelled"


def kind(*texts: str) -> list[str]:
    return kinds(pl.Series(texts, dtype=pl.String), LEXICON).to_list()


def rows(name: str) -> Iterator[list[str]]:
    for line in (LABELLED / name).read_text(encoding="utf-8").splitlines()[2:]:
        yield line.split("\t")


@pytest.mark.parametrize("wanted", KINDS)
def test_the_lexicon_proves_itself(wanted: str) -> None:
    examples = LEXICON.examples[wanted]
    assert dict(zip(examples, kind(*examples), strict=True)) == dict.fromkeys(examples, wanted)


def test_a_stall_that_goes_on_to_answer_is_an_answer() -> None:
    assert kind("稍等", "稍等,有货的", "好的", "好的,稍等", "马上", "马上看", "") == [
        "stall", "answer", "answer", "stall", "answer", "stall", "face",
    ]  # fmt: skip


@given(st.lists(st.text(max_size=30), max_size=20))
def test_any_text_has_a_kind_of_its_own(texts: list[str]) -> None:
    found = kind(*texts)
    assert set(found) <= set(KINDS)
    assert found == [one for text in texts for one in kind(text)]  # whatever stands beside it


def confusion(labelled: list[tuple[str, str]]) -> dict[tuple[str, bool], int]:
    """(label, judged an answer) -> how many."""
    judged = kind(*(text for _, text in labelled))
    pairs = [(label, said == "answer") for (label, _), said in zip(labelled, judged, strict=True)]
    return {pair: pairs.count(pair) for pair in [("1", True), ("1", False), ("0", True), ("0", False)]}


@pytest.mark.parametrize(("split", "least"), [("tuned", 0.98), ("held_out", 0.96)])
def test_written_replies_are_told_apart(split: str, least: float) -> None:
    """First look, before any tuning: tuned 149/153, held out 149/153."""
    labelled = [(label, text) for s, label, text in rows("replies.tsv") if s == split]
    n = confusion(labelled)
    assert len(labelled) == 153
    assert (n["1", True] + n["0", False]) / len(labelled) >= least


@pytest.mark.skipif(not (SHARED / "jddc_raw").exists(), reason="the real chats are not here")
@pytest.mark.parametrize(
    ("split", "accuracy", "accused_rightly"), [("tuned", 0.93, 0.95), ("held_out", 0.90, 0.95), ("fresh", 0.88, 0.92)]
)
def test_real_replies_are_told_apart(split: str, accuracy: float, accused_rightly: float) -> None:
    """First look: tuned 135/150, held out 133/150; `fresh` was drawn and labelled after the last change: 108/120.

    The error that would harm an agent (an answer called none) is the rare one.
    """
    texts, position = {}, dict[str, int]()
    for line in (SHARED / "jddc_raw" / "chat_0.1per.txt").read_text(encoding="utf-8").splitlines():
        cells = line.split("\t")
        if len(cells) >= 7:
            position[cells[0]] = position.get(cells[0], 0) + 1
            texts[cells[0], position[cells[0]]] = cells[6]
    n = confusion([(label, texts[c, int(k)]) for s, label, c, k in rows("jddc_replies.tsv") if s == split])
    assert (n["1", True] + n["0", False]) / sum(n.values()) >= accuracy
    assert n["0", False] / (n["0", False] + n["1", False]) >= accused_rightly


@pytest.mark.parametrize(
    ("name", "load"),
    [("substance", settings.substance), ("sender_patterns", settings.sender_patterns), ("topics", settings.case_lexicons)],
)
def test_a_torn_lexicon_of_the_shop_is_named(tmp_path: Path, name: str, load: object) -> None:
    file = tmp_path / "lexicons" / f"{name}.yaml"
    file.parent.mkdir()
    file.write_text("words: [好的, 亲\n", encoding="utf-8")
    with pytest.raises(settings.SettingsError, match=f"{name}.yaml"):
        load(tmp_path)  # type: ignore[operator]
