"""Conversations as people write them, and the findings they must give: no more and no less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.talk import found

FILES = sorted((Path(__file__).parent / "dialogues").glob("*.yaml"))
CASES: list[dict[str, Any]] = [case for file in FILES for case in YAML(typ="safe", pure=True).load(file)]


@pytest.mark.parametrize("case", CASES, ids=[case["title"] for case in CASES])
def test_a_dialogue_gives_its_findings(case: dict[str, Any]) -> None:
    expected = [(None if seq == "-" else int(seq), rule, said) for seq, rule, said in map(str.split, case["findings"])]
    assert sorted(found(case["talk"]), key=str) == sorted(expected, key=str)
