"""`qc train`: the shop's own labels move the sentiment model, if that makes it better; reversible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from pipelines import shop_weights, store
from pipelines.labels import Labels, LabelsError
from pipelines.shop_weights import OWN
from qc import judging, learning, sentiment
from qc.judging import Case, Estimate
from qc.learning import Labelled, Recipe
from qc.shop import CLASSES, Weights
from qc.snow import Bools, Floats, Ints

BEFORE = "shop-before.npz"
# Our decisions: a gram joins when three customers (talks, where a file names no customers) have it, so that no single
# customer's words do; it is held back three times as much as in the shipped model, for a shop has hundreds of labels
# where that one has thousands.
LEAST_GROUPS, OWN_RECIPE = 3, Recipe(ridge=0.3)
LEAST_ROWS = 100

# A rating is about the talk as a whole: the last third of what the customer said, at least one message, carries it.
# Three stars are neither good nor bad. What one customer said stays together.
RATED = """
    WITH said AS (
        SELECT m.conversation_id, m.customer, m.text, row_number() OVER w AS i, count(*) OVER (PARTITION BY m.conversation_id) AS n
        FROM messages m WHERE m.sender_kind = 'customer' AND m.content_kind = 'text' AND m.mood IS NOT NULL
        WINDOW w AS (PARTITION BY m.conversation_id ORDER BY m.seq)
    ), rated AS (
        SELECT conversation_id, avg(stars) AS stars FROM ratings WHERE stars IS NOT NULL GROUP BY ALL
    )
    SELECT s.text, CASE WHEN r.stars < 2.5 THEN 0 ELSE 2 END AS label, coalesce(s.customer, s.conversation_id) AS "group"
    FROM said s JOIN rated r USING (conversation_id)
    WHERE s.i > s.n - greatest(1, s.n // 3) AND (r.stars < 2.5 OR r.stars > 3.5) ORDER BY ALL"""


class Outcome(NamedTuple):
    """What training came to."""

    n: int
    n_compared: int
    gained: dict[str, Estimate]  # candidate − model in use
    before: dict[str, Estimate]
    after: dict[str, Estimate]
    by: str  # the measure that decides
    is_better: bool
    weights: Weights


def from_ratings(home: Path) -> Labels:
    """Labels from the star ratings of the published mart."""
    with store.open_mart(home) as con:
        rows = store.frame(con, RATED).with_columns(pl.col("label").cast(pl.Int64))
    return Labels("星级评价", rows, 0)


def try_out(home: Path, given: Sequence[Labels]) -> Outcome:
    """The candidate from all labels, and what it gains by cross-validation on those the model in use has not learnt from."""
    rows = pl.concat([g.rows for g in given])
    label, group = rows["label"].to_numpy(), rows["group"].rank("dense").to_numpy().astype(np.int64)
    if rows.height < LEAST_ROWS or np.unique(label).size < 2:
        raise LabelsError(f"只有 {rows.height} 句可用的标注,至少要 {LEAST_ROWS} 句,而且不能只有一类")
    in_use, shipped = shop_weights.load(home / "models"), shop_weights.load()
    own = Labelled(rows["text"], label, group, weight=_balance(label), least=LEAST_GROUPS)
    is_new = ~np.isin(_marks(rows), shop_weights.learnt(home / "models"))
    if is_new.sum() < LEAST_ROWS:
        raise LabelsError(
            f"在用的模型已经学过这些标注;新的只有 {int(is_new.sum())} 句,至少要 {LEAST_ROWS} 句才比得出好坏"
        )
    held = _held_out(shipped, own, is_new)
    case = Case(held, label[is_new], group[is_new])
    now = _said(own.texts.filter(pl.Series(is_new)), in_use)
    by = "log_loss" if (label == judging.NEUTRAL).any() else "auc_polar"
    gained = judging.differences(case, now)
    is_better = gained[by].high < 0 if by == "log_loss" else gained[by].low > 0
    weights = learning.adapt(shipped, own, OWN_RECIPE, f"{shop_weights.SHIPPED}+{rows.height}")
    return Outcome(rows.height, int(is_new.sum()), gained, judging.estimates(case._replace(p=now)), judging.estimates(case),
                   by, is_better, weights)  # fmt: skip


def _balance(label: Ints) -> Floats:
    """Labels that leave a class out say nothing of how frequent the others are: those count alike in sum."""
    n = np.bincount(label, minlength=len(CLASSES))
    if n.all():
        return np.ones(label.size)
    return label.size / ((n > 0).sum() * n[label])


def _held_out(base: Weights, own: Labelled, is_wanted: Bools) -> Floats:
    """Probabilities of the wanted rows by models that have not seen their fold."""
    fold, p = learning.folds(own.group), np.zeros((own.label.size, len(CLASSES)))
    for k in range(learning.FOLDS):
        inside = fold != k
        part = own._replace(texts=own.texts.filter(pl.Series(inside)), label=own.label[inside], group=own.group[inside],
                            weight=own.weight[inside])  # fmt: skip
        p[~inside] = _said(own.texts.filter(pl.Series(~inside)), learning.adapt(base, part, OWN_RECIPE, "fold"))
    return p[is_wanted]


def _said(texts: pl.Series, weights: Weights) -> Floats:
    """Probabilities as the shop would see them: what says nothing is neutral whatever was learnt."""
    return sentiment.score(texts, model=sentiment.shop_model(weights)).select(sentiment.PROBABILITIES).to_numpy()


def _marks(rows: pl.DataFrame) -> Ints:
    """A number for each text and label, to know it again."""
    return shop_weights.digests([f"{text}\0{label}" for text, label in rows.select("text", "label").iter_rows()])


def install(home: Path, given: Sequence[Labels], weights: Weights) -> Path:
    """The candidate becomes the workspace's model; the one before is kept for `undo`."""
    path = home / "models" / OWN
    if path.exists():
        path.replace(path.with_name(BEFORE))
    rows = pl.concat([g.rows for g in given])
    whom = shop_weights.digests(sorted({*rows["group"], *rows["text"]}))
    shop_weights.write(path, weights, learnt=_marks(rows), whom=whom)
    return path


def undo(home: Path) -> str:
    """Back to the model before, in the end to the shipped one; returns its version."""
    path = home / "models" / OWN
    before = path.with_name(BEFORE)
    if before.exists():
        before.replace(path)
    elif path.exists():
        path.unlink()
    else:
        raise LabelsError(f"{home} 用的就是自带的模型,没有可撤销的")
    return shop_weights.load(home / "models").version


def verdict(home: Path, given: Sequence[Labels], done: Outcome) -> str:
    """Install the candidate if it is better; what was decided, in words."""
    said = f"{done.n} 句标注,{done.n_compared} 句参加比较(交叉验证,同一会话不拆开;括号里是按会话重抽样的 95% 区间)。"
    if not done.is_better:
        return said + "不换:带 ← 的那一行,差的区间没有离开 0。"
    path = install(home, given, done.weights)
    return said + f"已换上 {done.weights.version}({path});下一次 qc nightly 自动用它,撤销:qc train --undo --home {home}"


def told(done: Outcome) -> list[list[str]]:
    """A row a measure: in use, candidate, gain."""
    from pipelines.evaluate import MEASURES, shown

    names = {**{k: v[0] for k, v in MEASURES.items()}, "log_loss": "对数损失(越小越好)"}
    return [[names[k] + (" ←" if k == done.by else ""), shown(done.before[k]), shown(done.after[k]), shown(done.gained[k])]
            for k in names if not np.isnan(done.gained[k].value)]  # fmt: skip
