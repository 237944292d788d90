"""The shop model: what it reads, that its verdict is the sum of its grams, that the shipped weights are what trains out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import shop_weights
from qc import fitting, grams, learning, sentiment, shop
from qc.fitting import Rows
from qc.learning import Labelled, Recipe
from qc.shop import Weights

ByGram = dict[str, list[float]]
ALPHABET = "好的吗不退货啊!?0123456789ABab，。 \n┃\0你們们𠮷😀"
TEXTS = ["等了12天！！！！", "好", "不好", "你們 太好了", "哈哈哈哈哈哈", "12345", "[电话]", "a\0b"]


@pytest.fixture(scope="module")
def weights() -> Weights:
    return shop_weights.load()


@pytest.fixture(scope="module")
def by_gram(weights: Weights) -> ByGram:
    return {gram: row for gram, *row in shop.table(weights).iter_rows()}


def plain(texts: list[str], by_gram: ByGram) -> list[list[float]]:
    """Ten lines that do the same with a dictionary."""
    found = []
    for text in texts:
        known = [g for g in grams.listed(text) if g in by_gram]
        n = max(1, sum(len(g) == 1 for g in known))
        found.append([by_gram[""][k] + sum(by_gram[g][k] for g in known) * n**-shop.LENGTH_POWER for k in range(3)])
    return found


def test_texts_that_say_the_same_read_alike() -> None:
    assert grams.listed("等了12天！！！！") == grams.listed("等了 3 天!!")
    assert grams.listed("太慢了") == grams.listed("太　慢\n了") and grams.listed("妳們") == grams.listed("妳们")
    assert grams.listed("好") == ["好", "┃好", "好┃", "┃好┃"]
    assert "┃" not in "".join(grams.listed("a┃b")[1:-1]) or grams.listed("a┃b") == grams.listed("a\ufffdb")


@given(st.lists(st.text(ALPHABET, max_size=12), min_size=1, max_size=6))
def test_logits_are_those_of_a_dictionary(weights: Weights, by_gram: ByGram, texts: list[str]) -> None:
    assert shop.logits(pl.Series(texts), weights) == pytest.approx(np.array(plain(texts, by_gram)), abs=1e-9)


@given(st.text(ALPHABET, min_size=1, max_size=20))
def test_an_explanation_adds_up_to_the_logits(weights: Weights, by_gram: ByGram, text: str) -> None:
    pushes = shop.explain(text, by_gram)
    sums = dict(pushes.group_by("class").agg(pl.col("contribution").sum()).rows())
    assert [sums[c] for c in shop.CLASSES] == pytest.approx(shop.logits(pl.Series([text]), weights)[0], abs=1e-9)


@pytest.mark.parametrize("text", ["", "[电话]", "😀"])
def test_what_says_nothing_is_not_explained(weights: Weights, text: str) -> None:
    assert sentiment.explain(text, model=sentiment.shop_model(weights)).is_empty()


def test_the_door_explains_as_the_model_does(weights: Weights, by_gram: ByGram) -> None:
    assert sentiment.explain("太慢了", model=sentiment.shop_model(weights)).equals(shop.explain("太慢了", by_gram))


def test_neither_order_nor_batches_change_a_digit(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pl.Series(TEXTS * 5)
    whole = shop.logits(texts, weights)
    monkeypatch.setattr(shop, "BATCH_TEXTS", 3)
    assert (shop.logits(texts, weights) == whole).all()
    assert (shop.logits(texts.reverse(), weights) == whole[::-1]).all()
    assert shop.logits(pl.Series([], dtype=pl.String), weights).shape == (0, 3)


@given(st.sets(st.text("abc", min_size=1, max_size=4), max_size=40))
def test_a_trie_knows_its_grams_and_no_others(some: set[str]) -> None:
    known = sorted({g[:n] for g in some for n in range(1, len(g) + 1)} | {c for g in some for c in g})
    made = grams.trie(known)
    nodes = grams.nodes(known, made)
    assert (nodes > 0).all() and np.unique(nodes).size == len(known)
    assert grams.spelt(made, nodes) == known
    assert grams.nodes(["cbac", "zz"], made).tolist() == [nodes[known.index("cbac")] if "cbac" in known else 0, 0]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("什么时候发货", "neutral"), ("有没有红色的", "neutral"), ("谢谢你呀,很耐心", "positive"), ("太慢了,等了一个星期", "negative"),
     ("?", "negative"), ("服务态度太差了", "negative"), ("质量很好,下次还来", "positive"), ("地址在上海", "neutral")],
)  # fmt: skip
def test_what_everybody_would_say(weights: Weights, text: str, wanted: str) -> None:
    p = shop.score(pl.Series([text]), weights)[0]
    assert shop.CLASSES[int(p.argmax())] == wanted
    assert p.sum() == pytest.approx(1)


def test_the_shipped_weights_are_what_trains_out(weights: Weights) -> None:
    again = shop_weights.default()
    assert again.version == weights.version


@pytest.mark.parametrize("n", [2, 3])
def test_the_fit_is_where_the_slope_is_level(n: int) -> None:
    """Not a coordinate may fall further: what is found in one coordinate fewer is found in all."""
    from scipy import sparse

    rng = np.random.default_rng(n)
    x, label = rng.normal(size=(60, 4)), rng.integers(0, n, 60)
    known = np.ones((60, n), np.bool_)
    known[:20, n - 1] = label[:20] == n - 1  # a set that does not tell the last class apart
    rows, ridge = Rows(sparse.csr_array(x), label, known, rng.random(60)), np.full(4, 0.2)
    w = fitting.fit(rows, strength=ridge)
    p = fitting.probability(x @ w, known)
    slope = x.T @ (rows.weight[:, None] * (p - np.eye(n)[label])) + ridge[:, None] * w
    assert np.abs(slope).max() < 1e-8 and np.abs(w.sum(axis=1)).max() < 1e-9 and np.abs(w).max() > 0.05


def test_a_question_when_is_no_complaint(weights: Weights) -> None:
    asked, urged = shop.score(pl.Series(["什么时候发货", "怎么还没发货"]), weights)
    assert asked[0] < 0.3 and asked[2] < 0.1 and urged[0] > 0.6


def test_nobodys_own_words_are_learnt(weights: Weights) -> None:
    def known(group: list[int]) -> set[str]:
        own = Labelled(
            pl.Series(["张三丰真差"] * 5 + ["好评"] * 5), np.repeat([0, 2], 5), np.array(group), np.ones(10), least=3
        )
        return set(shop.table(learning.adapt(weights, own, Recipe(ridge=0.3), "probe"))["gram"])

    assert "三丰" not in known([1, 1, 1, 2, 2, 3, 4, 5, 6, 7])
    assert "三丰" in known([1, 1, 1, 2, 3, 3, 4, 5, 6, 7])


def test_the_version_is_that_of_what_was_learnt(weights: Weights) -> None:
    other = shop.weights("shop-3", weights.known, weights.negative, weights.positive, weights.bias + np.int16(1))
    assert other.version != weights.version and weights.version.startswith("shop-3-")


def test_scoring_imports_nothing_that_trains() -> None:
    code = "import sys; from pipelines import shop_weights; shop_weights.load(); sys.exit(any(m in sys.modules for m in ('sklearn', 'scipy', 'snownlp')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_damaged_file_is_named(tmp_path: pytest.TempPathFactory) -> None:
    path = tmp_path / "shop.npz"  # type: ignore[operator]
    path.write_bytes(b"no weights")
    with pytest.raises(shop_weights.WeightsError, match=r"shop\.npz"):
        shop_weights.load(tmp_path)  # type: ignore[arg-type]
