"""The program that counts how often intervals hold the planted truth: it runs, and it counts right."""

import sys
from functools import partial
from pathlib import Path

import pytest

from tests import seeds
from tests.seeds import Interval


def test_three_tiny_shops(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    page, record = tmp_path / "page.md", tmp_path / "record.jsonl"
    page.write_text("# 前言\n\n<!-- tables -->\n旧表\n", encoding="utf-8")
    monkeypatch.setattr(seeds, "PAGE", page)
    monkeypatch.setattr(seeds, "planted", partial(seeds.planted, messages=12_000))
    asked = ["3", "--messages", "1200", "--record", str(record), "--models", str(models), "--write"]
    for _ in range(2):  # the second time, everything is in the record
        monkeypatch.setattr(sys, "argv", ["seeds", *asked])
        seeds.main()
    assert sorted(seeds.recorded(record)) == [1, 2, 3]
    assert len(record.read_text(encoding="utf-8").splitlines()) == 3
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# 前言") and "旧表" not in text and text.count("| 询单→最终付款率 |") == 13
    assert "| 催付成功率 |  |" in text and text.split("<!-- tables -->")[1].strip() in capsys.readouterr().out


def test_counting() -> None:
    night = [Interval("conversion_d3", "小满", 9, 0.2, 0.6), Interval("reminder_success", "", 5, None, None)]
    other = [Interval("conversion_d3", "小满", 7, 0.1, 0.2)]
    found = seeds.covered({("conversion_d3", "小满"): 0.3, ("reminder_success", ""): 0.5}, [night, other])
    assert [(row.who, row.n, row.seeds, row.covered, row.below) for row in found] == [
        ("小满", 8, 2, 1, 1),
        ("", 0, 0, 0, 0),
    ]


def test_the_planted_expectations_are_those_of_the_book() -> None:
    """Tea and ware by their prices, 0.91 of the list price on average, and baskets by their planted shares."""
    found = seeds.planted(messages=60_000)
    book = seeds.texts.load()
    price = sum(
        share * sum(fen for _, fen in book.goods[kind]) / len(book.goods[kind])
        for kind, share in seeds.mix.GOODS.items()
    )
    silent = price * 0.91 * (0.68 + 0.25 * 2 + 0.07 * 4.5)
    assert found["sales_per_buyer_silent", ""] == pytest.approx(silent, rel=0.06)
    assert found["sales_per_buyer_consulted", ""] > 1.1 * found["sales_per_buyer_silent", ""]
    assert 0.4 < found["reminder_success", ""] < 0.6 and 0.2 < found["reminder_expected", ""] < 0.25
    rates = {
        who: (value, found["like_with_like", who]) for (what, who), value in found.items() if what == "conversion_d3"
    }
    assert rates["阿青"][1] > rates["阿青"][0] / 0.42  # hard topics: better than the raw figure says
