"""SnowNLP's own package is the reference: every figure must be its figure, to the last bit."""

from __future__ import annotations

import csv
import json
import math
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import snow_tables
from qc import sentiment, snow
from qc.snow import Tables

REAL = Path(__file__).parents[2] / "shared/data"
FREQUENT = "的一是不了好您我有这亲在吗差评慢快发货退款质量客服衣服物流谢谢喜欢失望"
RARE = "龘靐齉爨麤饕餮龥一丨丶鿿㐀"  # unseen by the segmenter, seen once, and the edges of what it takes for Han
OTHER = "aZ9.,!?，。！…~ \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2003\u2028\u3000\u200b\ufeff龦〇々😀👍🏻𠮷é한あ-_#[]"

QUIRKS = [
    "这件衣服质量很好，物流也快！",
    "亲,您好,很高兴为您服务",
    "太差了，再也不会来了",
    "   ",
    "\n",
    "\x1c好\x1d评\x1e\x1f",
    "12345",
    "ok",
    "好",
    "龘",
    "龘靐齉",
    "龘好靐评齉",
    "好龘龘龘龘评",
    "我龘们",
    "vivo X30手机 iPhone很好用",
    "😀😀差评👎🏻",
    "𠮷野家好吃",
    "龦龧好评",
    "[数字x]元的订单[订单x]什么时候发货#E-s[数字x]",
    "好评" * 300,
    "质量" + "龘" * 50 + "很差",
    "的的的了了了",
    "。。。",
]


@pytest.fixture(scope="module")
def tables(models: Path) -> Tables:
    return snow_tables.load(models)


@pytest.fixture(scope="module")
def snownlp() -> Callable[[list[str]], list[float]]:
    from snownlp import SnowNLP

    return lambda texts: [SnowNLP(text).sentiments for text in texts]


def test_quirks_are_kept(tables: Tables, snownlp: Callable[[list[str]], list[float]]) -> None:
    assert dict(zip(QUIRKS, snow.probability(QUIRKS, tables), strict=True)) == dict(
        zip(QUIRKS, snownlp(QUIRKS), strict=True)
    )


def test_any_text_has_snownlps_figure(tables: Tables, snownlp: Callable[[list[str]], list[float]]) -> None:
    han = st.text(st.sampled_from(FREQUENT + RARE), min_size=1, max_size=20)
    mixed = st.text(st.sampled_from(FREQUENT * 3 + RARE + OTHER), min_size=1, max_size=40)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(han | mixed, min_size=1, max_size=10))
    def same(texts: list[str]) -> None:
        assert snow.probability(texts, tables).tolist() == snownlp(texts)

    same()


def test_real_texts_have_snownlps_figure(tables: Tables, snownlp: Callable[[list[str]], list[float]]) -> None:
    if not REAL.is_dir():
        pytest.skip("no real texts at ../shared/data")
    texts = random.Random(12).sample(_real_texts(), 400)  # tests/bench_sentiment.py compares fifty thousand
    assert snow.probability(texts, tables).tolist() == snownlp(texts)


def _real_texts() -> list[str]:
    chat = [line.split("\t")[-1] for line in (REAL / "jddc_raw/chat_0.1per.txt").read_text("utf-8").split("\n")]
    with (REAL / "online_shopping_10_cats/online_shopping_10_cats.csv").open(encoding="utf-8-sig", newline="") as file:
        reviews = [row["review"] for row in csv.DictReader(file)]
    dialogues = json.loads((REAL / "weibo_helpdesk/dialogues.json").read_text("utf-8"))
    weibo = [text for dialogue in dialogues for turn in dialogue["turns"] for text in turn["utterances"]]
    return sorted({text for text in [*chat, *reviews, *weibo] if 0 < len(text) <= 80})


def test_snownlp_raises_on_nothing_and_we_say_nan(tables: Tables) -> None:
    got = snow.probability(["", None, " "], tables)
    assert np.isnan(got).tolist() == [True, True, False]
    assert got[2] == pytest.approx(0.5262, abs=1e-4)
    assert snow.probability([], tables).size == 0


@pytest.mark.parametrize("small", ["BATCH_BYTES", "BATCH_RUNS", "BATCH_CELLS", "WINDOW_CELLS"])
def test_batches_change_no_figure(tables: Tables, monkeypatch: pytest.MonkeyPatch, small: str) -> None:
    texts = pl.Series([*QUIRKS, "", None, *QUIRKS])
    whole = snow.probability(texts, tables)
    monkeypatch.setattr(snow, small, 7)
    np.testing.assert_array_equal(snow.probability(texts, tables), whole)


def test_a_huge_run_pads_nobody_else(tables: Tables) -> None:
    rng = random.Random(3)
    texts = ["".join(rng.choices(FREQUENT, k=n)) for n in [3_000, *[12] * 2000]] + ["x" * 1_000_000]
    tracemalloc.start()
    together = snow.probability(texts, tables)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6
    assert together[:2].tolist() == [snow.probability([text], tables)[0] for text in texts[:2]]


@pytest.mark.parametrize("text", ["衣服质量不错，but发货太慢了，龘！", "ok", "", "差评" * 40])
def test_explanation_adds_up_to_the_logit(tables: Tables, text: str) -> None:
    pushes = snow.explain(text, tables)
    logit = math.fsum(push for _, push in pushes)
    expected = snow.probability([text or " "], tables)[0]
    assert 1 / (1 + math.exp(-logit)) == pytest.approx(expected, abs=1e-12)


def test_explanation_names_the_words(tables: Tables) -> None:
    pushes = snow.explain("质量不错，发货太慢", tables)
    assert [word for word, _ in pushes] == ["", "质量", "不错", "发货", "太", "慢"]
    assert dict(pushes)["不错"] > 0 > dict(pushes)["慢"]


def test_tables_are_built_once(tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snow_tables, "build", lambda: tables)
    snow_tables.load(tmp_path)
    monkeypatch.setattr(snow_tables, "build", None)
    again = snow_tables.load(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [f"snownlp-{tables.version}.npz"]
    assert again.plain.equals(tables.plain)
    np.testing.assert_array_equal(snow.probability(QUIRKS, again), snow.probability(QUIRKS, tables))


@pytest.mark.parametrize("rest", [b"", b"PK\x03\x04 half", b"half"])
def test_a_damaged_file_is_built_again(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: bytes
) -> None:
    monkeypatch.setattr(snow_tables, "build", lambda: tables)
    file = tmp_path / f"snownlp-{tables.version}.npz"
    file.write_bytes(rest)
    snow_tables.load(tmp_path)
    assert file.stat().st_size > 1e6


def test_tables_have_the_version_of_their_sources(tables: Tables) -> None:
    assert tables.version.startswith(f"0.12.3-t{snow_tables.TABLE_FORMAT}-")


def test_snownlp_is_not_imported_for_its_tables() -> None:
    code = "import sys, pipelines.snow_tables; sys.exit('snownlp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_door_gives_snownlps_figure_in_three_classes(tables: Tables) -> None:
    texts = ["太差了", None, "喜欢，谢谢", "[电话]", "太差了"]
    got = sentiment.score(texts, model=sentiment.snownlp(tables))
    assert got["is_scored"].to_list() == [True, False, True, False, True]
    s = ((1 + got["p_positive"] - got["p_negative"]) / 2).to_numpy()
    np.testing.assert_allclose(s[[0, 2, 4]], snow.probability(["太差了", "喜欢，谢谢", "太差了"], tables), atol=1e-12)
    assert got.row(0) == got.row(4)
