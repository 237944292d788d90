"""`qc eval`: every sentiment model on labelled texts, side by side, with intervals, calibration, confusion and mistakes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from pipelines import labels, scoring
from pipelines.labels import EvaluationSet, Labels
from pipelines.terminal import table
from qc import judging, sentiment
from qc.judging import Case, Estimate
from qc.shop import CLASSES
from qc.snow import Ints
from reports import charts

# Measure → its Chinese and English name, in the order shown.
MEASURES = {
    "auc_polar": ("AUC 负对正", "AUC negative/positive"),
    "auc_negative": ("AUC 负对其余", "AUC negative/rest"),
    "accuracy": ("准确率", "accuracy"),
    "recall_negative": ("负面召回", "negative recall"),
    "precision_negative": ("负面精确", "negative precision"),
    "recall_neutral": ("中性召回", "neutral recall"),
    "precision_neutral": ("中性精确", "neutral precision"),
    "recall_positive": ("正面召回", "positive recall"),
    "precision_positive": ("正面精确", "positive precision"),
    "ece": ("校准误差 ECE", "calibration error ECE"),
}
ZH = dict(zip(CLASSES, ("负面", "中性", "正面"), strict=True))


class Verdict(NamedTuple):
    """One model on one file."""

    file: str
    n: int
    n_groups: int
    n_unknown: int
    model: str  # its version
    backend: str
    case: Case
    measured: dict[str, Estimate]


def judge(found: Labels, models: Sequence[sentiment.Model], draws: int = judging.DRAWS) -> list[Verdict]:
    """Each model on one file's labels."""
    return [_verdict(found, model, draws) for model in models]


def _verdict(found: Labels, model: sentiment.Model, draws: int) -> Verdict:
    rows = found.rows
    case = Case(
        sentiment.score(rows["text"], model=model).select(sentiment.PROBABILITIES).to_numpy(),
        rows["label"].to_numpy(),
        rows["group"].rank("dense").to_numpy().astype(np.int64),
    )
    return Verdict(
        found.name, rows.height, rows["group"].n_unique(), found.n_unknown, model.version, model.name, case,
        judging.estimates(case, draws),
    )  # fmt: skip


def models(home: Path) -> list[sentiment.Model]:
    """Every backend as this workspace has it."""
    return [scoring.model(home, name) for name in sentiment.BACKENDS]


def show(home: Path, files: Sequence[Labels], chosen: str, most: int, *, as_json: bool) -> None:
    """Print the comparison of every file; the mistakes are those of the workspace's model. Plots go to `<home>/evaluation/`."""
    known = models(home)
    found = [(labelled, judge(labelled, known)) for labelled in files]
    if as_json:
        print(json.dumps([_as_json(v) for _, verdicts in found for v in verdicts], ensure_ascii=False))
        return
    for labelled, verdicts in found:
        _show_one(labelled, verdicts, next(v for v in verdicts if v.backend == chosen), most)
        plot = home / "evaluation" / f"{labelled.name}.svg"
        plot.parent.mkdir(parents=True, exist_ok=True)
        plot.write_text(reliability(verdicts), encoding="utf-8")
        print(f"校准图:{plot}\n")


def reliability(verdicts: Sequence[Verdict]) -> str:
    """How often what was said with probability p was so: SVG, a panel a model."""
    panels = [(v.backend, judging.reliability(v.case)) for v in verdicts]
    return charts.reliability(panels, ["负面", "中性", "正面"], ("说的概率", "实际占比"))


def _show_one(labelled: Labels, verdicts: Sequence[Verdict], own: Verdict, most: int) -> None:
    aside = f",另有 {own.n_unknown} 行没有用(没有文字,或标签不在 --map 里)" if own.n_unknown else ""
    print(f"{own.file}:{own.n} 句,{own.n_groups} 组{aside}。括号里是按组重抽样的 95% 区间。")
    table(["", *(v.model for v in verdicts)], measured(verdicts))
    for v in verdicts:
        print(f"\n{v.model} 的混淆表(行是标注,列是模型):")
        counts = judging.confusion(v.case)
        kept = [k for k in range(len(CLASSES)) if (v.case.label == k).any()]
        head = list(ZH.values())
        table(
            ["", *(head[k] for k in kept)],
            [[head[r], *(int(counts[r, k]) for k in kept)] for r in kept],
            right=range(1, 4),
        )
    texts = labelled.rows["text"]
    wrong, unsaid = worst(own.case, texts, most)
    print(f"\n{own.model} 错得最自信的 {len(wrong)} 句" + (f"(另有 {unsaid} 句空的、表情或占位符,按定义是中性,不列):" if unsaid else ":"))
    table(["标注", "负面", "中性", "正面", "原话"],
          [[list(ZH.values())[own.case.label[r]], *(f"{p:.2f}" for p in own.case.p[r]), texts[int(r)]] for r in wrong])  # fmt: skip


def worst(case: Case, texts: pl.Series, most: int) -> tuple[Ints, int]:
    """Rows of the surest mistakes among texts that say something, and how many of the others are wrong: those are neutral by definition."""
    wrong = judging.mistakes(case, len(texts))
    says = texts.to_frame("text").select(sentiment.says_something("text"))["text"].to_numpy()
    return wrong[says[wrong]][:most], int((~says[wrong]).sum())


def measured(verdicts: Sequence[Verdict]) -> list[list[str]]:
    """A row a measure: its names, then each model's value and interval."""
    return [[" ".join(names), *(shown(v.measured[key]) for v in verdicts)] for key, names in MEASURES.items()
            if not all(np.isnan(v.measured[key].value) for v in verdicts)]  # fmt: skip


def shown(e: Estimate) -> str:
    return "–" if np.isnan(e.value) else f"{e.value:.3f} ({e.low:.3f} … {e.high:.3f})"


def _as_json(v: Verdict) -> dict[str, object]:
    values = {key: None if np.isnan(e.value) else [e.value, e.low, e.high] for key, e in v.measured.items()}
    return {
        "file": v.file,
        "n": v.n,
        "model": v.model,
        "measures": values,
        "confusion": judging.confusion(v.case).tolist(),
    }


def described(path: Path, folder: Path) -> list[tuple[EvaluationSet, Labels]]:
    """The evaluation sets of a YAML file, read from the folder that holds their files."""
    return [(one, labels.read(folder / one.file, one, one.id)) for one in labels.sets(path)]


PAGE = """# 情绪模型准不准 Sentiment, measured

由命令生成:`qc eval --sets data/evaluation.yaml --folder 数据文件夹 --write docs/sentiment.md`。
数据都是别人标的、公开的,一句也不进训练集,也不随产品发布;京东会话的一半看过、用来定了校准,没看过的一半单列;怎么定的见 [DECISIONS.md](DECISIONS.md);括号里是按组(同一会话)重抽样的 95 % 区间。
两个模型:`shop` 是自带的默认模型,`snownlp` 与 SnowNLP 逐位相同。`AUC` 是随机一负一正(或一负一其余)排对次序的概率;
准确率、召回、精确按概率最大的一类判;只标了两类的数据,在那两类里判。ECE 分十格,取各类的平均。

*Public data labelled by others, never trained on; half of the JD chats were read and set the calibration, the other half has a table of its own; 95 % intervals from a bootstrap over conversations.*
"""


def write_page(home: Path, sets: Path, folder: Path, out: Path) -> None:
    """The measures of every evaluation set as a page, with its reliability plots beside it."""
    out.write_text(page(home, sets, folder, out.parent), encoding="utf-8")


def page(home: Path, sets: Path, folder: Path, plots: Path | None, draws: int = judging.DRAWS) -> str:
    """docs/sentiment.md; its plots are written to the folder `plots`, if one is given."""
    known, parts = models(home), [PAGE]
    for one, labelled in described(sets, folder):
        verdicts = judge(labelled, known, draws)
        plot = f"sentiment-{one.id}.svg"
        if plots:
            (plots / plot).write_text(reliability(verdicts), encoding="utf-8")
        parts += [f"\n## {one.title}\n*{one.title_en}*\n\n", _as_table(verdicts), reached(one, verdicts[0]), f"\n![校准图]({plot})\n"]
        if one.salt:
            other = judge(labels.unseen(labelled, one.salt), known, draws)
            parts += [
                f"\n### 其中没看过的一半\n*{one.title_en}: the half that was never looked at*\n\n",
                _as_table(other),
                reached(one, other[0]),
            ]
    return "".join(parts)


def reached(one: EvaluationSet, v: Verdict) -> str:
    """Which of the set's marks the model reached; why one is missed stands in docs/DECISIONS.md."""
    wanted = [(key, "≥", mark, v.measured[key].value >= mark) for key, mark in one.least.items()]
    wanted += [(key, "≤", mark, v.measured[key].value <= mark) for key, mark in one.most.items()]
    said = [f"{MEASURES[key][0]} {sign} {mark:g} {'到了' if is_met else f'**没有到({v.measured[key].value:.3f})**'}" for key, sign, mark, is_met in wanted]
    why = "原因见 [DECISIONS.md](DECISIONS.md)。" if not all(is_met for *_, is_met in wanted) else ""
    return f"\n应达(`{v.backend}`):{';'.join(said)}。{why}\n" if said else ""


def _as_table(verdicts: Sequence[Verdict]) -> str:
    head = ["", *(f"`{v.model}`" for v in verdicts)]
    rows = [head, ["---"] * len(head), *measured(verdicts)]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{verdicts[0].n:,} 句,{verdicts[0].n_groups:,} 组。\n\n{lines}\n"
