"""The program that counts how often intervals hold the planted truth: it runs, keeps what it needs, and counts right."""

import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from pipelines import store
from tests import planted, seeds
from tests.seeds import Interval


def test_a_tiny_shop_and_a_copy_of_its_night(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "kept"
    page.write_text("# 前言\n\n<!-- tables -->\n旧表\n", encoding="utf-8")
    monkeypatch.setattr(seeds, "PAGE", page)
    asked = ["--messages", "1200", "--truth", "1", "--keep", str(kept), "--models", str(models), "--write"]
    monkeypatch.setattr(sys, "argv", ["seeds", "1", *asked])
    seeds.main()
    shutil.copy(kept / "00001.duckdb", kept / "00002.duckdb")
    monkeypatch.setattr(seeds, "one_seed", None)  # what is kept is not run again
    monkeypatch.setattr(sys, "argv", ["seeds", "2", *asked])
    seeds.main()
    assert len(list(kept.iterdir())) == 2
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# 前言") and "旧表" not in text and text.count("| 询单→最终付款率 |") == 13
    assert "| 催付成功率 |  |" in text and text.split("<!-- tables -->")[1].strip() in capsys.readouterr().out


def test_the_kept_tables_say_what_the_whole_night_says(sample_home: Path, tmp_path: Path) -> None:
    seeds.keep(sample_home / "mart.duckdb", tmp_path / "kept.duckdb")
    with store.open_mart(sample_home) as con:
        whole = [Interval(*row) for row in con.execute(seeds.INTERVALS).fetchall()]
    kept = seeds.intervals(tmp_path / "kept.duckdb")
    assert [one[:3] for one in kept] == [one[:3] for one in whole] and len(kept) > 30
    for one, same in zip(kept, whole, strict=True):
        assert one[3:] == pytest.approx(same[3:])


def test_counting() -> None:
    night = [Interval("conversion_d3", "小满", 9, 0.4, 0.2, 0.6), Interval("reminder_success", "", 5, 0.5, None, None)]
    other = [Interval("conversion_d3", "小满", 7, 0.15, 0.1, 0.2)]
    found = seeds.covered({("conversion_d3", "小满"): 0.3, ("reminder_success", ""): 0.5}, [night, other])
    assert [(row.who, row.n, row.seeds, row.covered, row.below) for row in found] == [
        ("小满", 8, 2, 1, 1),
        ("", 0, 0, 0, 0),
    ]
    assert found[0].mean == pytest.approx(0.275) and found[0].error == pytest.approx(0.125 / 2**0.5)


def test_holm_of_five_by_hand() -> None:
    """0.01 × 5, 0.012 × 4 (not under the one before), 0.03 × 3, 0.3 × 2, 0.9."""
    assert seeds.holm([0.3, 0.01, 0.03, 0.9, 0.012]) == pytest.approx([0.6, 0.05, 0.09, 0.9, 0.05])


def test_what_is_held_too_seldom_is_named() -> None:
    """85 of 100 has p = 0.0001 (exactly 1.3585e-4), of 94 it is 0.384; of three, 3 × p stays under 5 %."""
    row = seeds.Coverage("conversion_d3", "小满", 0.5, 90, 100, 85, 8, 0.5, 0.01)
    assert seeds.chance_of(row) == pytest.approx(1.3585e-4, rel=1e-3)
    rows = [row, row._replace(who="谷雨", covered=94), row._replace(who="阿岩", covered=98, mean=0.6)]
    text = seeds.summed_up(rows)
    assert "2 个的区间至少盖住 93%,1 个不到" in text and "p 不到 0.05 的有 1 个:询单→最终付款率 小满" in text
    assert "不含真值的有 1 个(询单→最终付款率 阿岩)" in text
    assert "一个也没有" in seeds.summed_up(rows[1:])


def test_amounts_alone_have_the_interval_of_the_mart() -> None:
    shop = planted.Noted({"consulted": Counter(a=100, b=300, c=200), "silent": Counter(a=50, d=70, e=900)}, [])
    (found,) = seeds.intervals_of_means([shop])
    by_what = {one.what: one for one in found}
    assert by_what["sales_per_buyer"].n == 5 and by_what["sales_per_buyer"].value == pytest.approx(324)  # a bought twice
    assert [by_what[w].value for w in ("sales_per_buyer_consulted", "sales_per_buyer_silent")] == [200, 340]
    assert all(one.low < one.value < one.high for one in found)


def test_the_planted_expectations_are_those_of_the_book() -> None:
    """Tea and ware by their prices, 0.91 of the list price on average, and baskets by their planted shares."""
    found = planted.planted(planted.draw(5, 12_000), messages=12_000)
    book = planted.texts.load()
    price = sum(
        share * sum(fen for _, fen in book.goods[kind]) / len(book.goods[kind])
        for kind, share in planted.mix.GOODS.items()
    )
    silent = price * 0.91 * (0.68 + 0.25 * 2 + 0.07 * 4.5)
    assert found["sales_per_buyer_silent", ""] == pytest.approx(silent, rel=0.06)
    assert found["sales_per_buyer_consulted", ""] > 1.1 * found["sales_per_buyer_silent", ""]
    assert 0.4 < found["reminder_success", ""] < 0.6 and 0.17 < found["reminder_expected", ""] < 0.27
    rates = {
        who: (value, found["like_with_like", who]) for (what, who), value in found.items() if what == "conversion_d3"
    }
    assert rates["阿青"][1] > rates["阿青"][0] / 0.42  # hard topics: better than the raw figure says
