"""The labelled utterances: shape, labels, no line twice, none held out that is trained on, none from the shared data."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from conftest import SHARED

from pipelines.resources import data_dir
from qc.text import fold, fold_text

TRAINING = data_dir() / "training" / "utterances.tsv"
HELD_OUT = Path(__file__).parent / "utterances_held_out.tsv"
FILES = pytest.mark.parametrize("file", [TRAINING, HELD_OUT], ids=lambda f: f.stem)
LEAST = {
    TRAINING: {"negative": 1200, "neutral": 1700, "positive": 700},
    HELD_OUT: {"negative": 100, "neutral": 100, "positive": 60},
}
# Asked for by name: what a model learnt from reviews alone gets wrong.
KINDS = {
    "irony", "negation", "double_negation", "emoticon", "platform_code", "masked", "traditional", "typo", "very_short",
    "long", "mixed", "slang", "rhetorical", "urging", "product_opinion", "worry_question", "praise_question",
}  # fmt: skip


def rows(file: Path) -> list[list[str]]:
    return [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]


@FILES
def test_every_line_is_text_label_kind(file: Path) -> None:
    header, *lines = rows(file)
    assert header == ["text", "label", "kind"]
    odd = [r for r in lines if len(r) != 3 or r[0] != r[0].strip() or not r[0] or not re.fullmatch("[a-z_]+", r[2])]
    assert odd == []


@FILES
def test_the_three_classes_are_there_in_number(file: Path) -> None:
    counts = Counter(label for _, label, _ in rows(file)[1:])
    assert set(counts) == set(LEAST[file])
    assert {label: n for label, n in counts.items() if n < LEAST[file][label]} == {}


def test_the_set_is_large_and_knows_every_kind() -> None:
    lines = rows(TRAINING)[1:]
    assert len(lines) >= 3000
    assert KINDS - {kind for *_, kind in lines} == set()


def test_the_readme_states_the_counts() -> None:
    counts = Counter(label for _, label, _ in rows(TRAINING)[1:])
    readme = (TRAINING.parent / "README.md").read_text(encoding="utf-8")
    stated = {label: int(n) for label, n in re.findall(r"^\| `(\w+)` .*\| (\d+) \|$", readme, flags=re.M)}
    assert stated == dict(counts)


def test_no_line_occurs_twice_nor_in_both_files() -> None:
    texts = [fold_text(text) for file in (TRAINING, HELD_OUT) for text, *_ in rows(file)[1:]]
    assert [text for text, n in Counter(texts).items() if n > 1] == []


def shared_texts() -> Iterator[str]:
    """Every text of the real chats and reviews: they are what the model is tested on."""
    for line in (SHARED / "jddc_raw" / "chat_0.1per.txt").read_text(encoding="utf-8").splitlines():
        yield line.rsplit("\t", 1)[-1]
    for line in (SHARED / "jddc_satisfaction" / "dialogues.jsonl").read_text(encoding="utf-8").splitlines():
        yield from (message["text"] for message in json.loads(line)["messages"])
    for dialogue in json.loads((SHARED / "weibo_helpdesk" / "dialogues.json").read_text(encoding="utf-8")):
        for turn in dialogue["turns"]:
            yield from turn["utterances"]
    for name, column in (
        ("jddc_satisfaction/labelled_turns.csv", "user_text"),
        ("online_shopping_10_cats/online_shopping_10_cats.csv", "review"),
        ("cold/train.csv", "TEXT"),
        ("cold/dev.csv", "TEXT"),
    ):
        with (SHARED / name).open(encoding="utf-8-sig", newline="") as file:
            yield from (row[column] for row in csv.DictReader(file))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real chats are not part of the product")
@FILES
def test_no_line_is_of_the_data_that_is_to_decide(file: Path) -> None:
    real = pl.Series([text.strip() for text in shared_texts()])
    assert len(real) > 100_000
    told = fold(pl.Series([text for text, *_ in rows(file)[1:] if len(text) > 6]))
    assert sorted(set(told) & set(fold(real))) == []
