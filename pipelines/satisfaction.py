"""`qc train satisfaction`: the shop's own ratings teach how satisfied the unrated are, if that beats what is in use; reversible.

And the same on talks that others have labelled: docs/satisfaction.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import duckdb
import numpy as np
import polars as pl

from pipelines import store
from pipelines.labels import LabelsError
from qc import casemix, judging, satisfaction, selection, sentiment
from qc.judging import Case, Estimate
from qc.satisfaction import BOTH, CHOICE, FEATURES_ONLY, STRINGS_ONLY, TOPIC_TOO, Recipe, Talks, Weights
from qc.snow import Bools, Floats

OWN, BEFORE = "satisfaction.json", "satisfaction-before.json"
LEAST_TALKS, LEAST_OF_A_KIND = 100, 20
SPOKEN = """SELECT conversation_id, seq, sender_kind, customer, text, mood::DOUBLE AS mood FROM {mart}.messages WHERE content_kind = 'text' ORDER BY ALL"""
TURNS = "SELECT conversation_id, is_first, is_answered, wait_s FROM {mart}.turns WHERE is_counted ORDER BY ALL"
COMPLAINTS = "SELECT conversation_id FROM {mart}.findings WHERE rule_id = 'CUSTOMER_COMPLAINS' ORDER BY ALL"
TOPICS = "SELECT conversation_id, topic FROM {mart}.conversations ORDER BY ALL"
# As csat has it: four stars and five.
RATED = "SELECT conversation_id, avg(stars) >= 4 AS is_satisfied FROM ratings WHERE stars IS NOT NULL AND conversation_id IS NOT NULL GROUP BY ALL ORDER BY ALL"


class Rated(NamedTuple):
    """Talks with a label each."""

    talks: Talks
    is_satisfied: Bools


class Outcome(NamedTuple):
    """What training came to: log loss and AUC on folds that were not learnt from."""

    n: int
    base: dict[str, Estimate]  # everybody gets the mean of the folds learnt from
    before: dict[str, Estimate] | None  # the model in use
    after: dict[str, Estimate]
    gained: Estimate  # log loss against the better of the two; negative is better
    weights: Weights
    learnt: list[str]


def of_mart(home: Path) -> Rated:
    """The rated talks of the published mart."""
    with store.open_mart(home) as con:
        return rated(talks(con, "main"), store.frame(con, RATED))


def talks(con: duckdb.DuckDBPyConnection, mart: str) -> Talks:
    """What the model goes by, of every talk of a mart (a schema)."""
    return satisfaction.talks(*(store.frame(con, q.format(mart=mart)) for q in (SPOKEN, TURNS, COMPLAINTS, TOPICS)))


def predicted(con: duckdb.DuckDBPyConnection, weights: Weights | None) -> pl.DataFrame:
    """conversation_id, p, model for the mart in the making; nothing without a model."""
    if weights is None:
        return pl.DataFrame(schema={"conversation_id": pl.String, "p": pl.Float64, "model": pl.String})
    return satisfaction.apply(talks(con, "mart"), weights).with_columns(model=pl.lit(weights.name))


def rated(talks: Talks, labels: pl.DataFrame) -> Rated:
    """labels(conversation_id, is_satisfied) -> the talks that have one."""
    kept = talks.features.join(labels, on="conversation_id", maintain_order="left")
    strings = talks.strings.join(
        kept.select("conversation_id"), on="conversation_id", how="semi", maintain_order="left"
    )
    return Rated(Talks(kept.drop("is_satisfied"), strings), kept["is_satisfied"].to_numpy())


def try_out(home: Path, given: Rated) -> Outcome:
    """The candidate, cross-validated by talk beside the base rate and the model in use, on talks that one has not learnt."""
    ids, y = given.talks.features["conversation_id"], given.is_satisfied
    if y.size < LEAST_TALKS or min(y.sum(), (~y).sum()) < LEAST_OF_A_KIND:
        raise LabelsError(
            f"有评价的会话 {y.size} 个,其中满意 {int(y.sum())} 个;至少要 {LEAST_TALKS} 个,满意和不满意各 {LEAST_OF_A_KIND} 个"
        )
    marks, used = _marks(ids), load(home)
    is_new = ~np.isin(marks, _learnt(home))
    if is_new.sum() < LEAST_TALKS or np.unique(y[is_new]).size < 2:
        raise LabelsError(
            f"在用的模型已经学过这些评价;新的只有 {int(is_new.sum())} 个会话,至少要 {LEAST_TALKS} 个才比得出好坏"
        )
    case = _case(satisfaction.cross_validated(given.talks, y)[is_new], y[is_new])
    base = satisfaction.both(_base(ids, y)[is_new])
    now = satisfaction.both(satisfaction.apply(given.talks, used)["p"].to_numpy()[is_new]) if used else None
    rivals = [judging.differences(case, p)["log_loss"] for p in (base, now) if p is not None]
    weights = satisfaction.learn(given.talks, y, CHOICE, f"satisfaction+{y.size}")
    return Outcome(int(is_new.sum()), judging.estimates(case._replace(p=base)),
                   judging.estimates(case._replace(p=now)) if now is not None else None, judging.estimates(case),
                   max(rivals, key=lambda e: e.high), weights, sorted(marks.tolist()))  # fmt: skip


def _case(p: Floats, y: Bools) -> Case:
    return Case(satisfaction.both(p), satisfaction.labels(y), np.arange(y.size))


def _base(ids: pl.Series, y: Bools) -> Floats:
    """The share of satisfied talks outside each talk's fold."""
    fold = satisfaction.folds_of(ids)
    return np.array([y[fold != k].mean() for k in fold])


def _marks(ids: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    return np.array([hashlib.blake2b(i.encode(), digest_size=8).hexdigest() for i in ids])


def load(home: Path) -> Weights | None:
    """The workspace's own weights; None without (no weights are shipped: nobody's ratings may be)."""
    path = home / "models" / OWN
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Weights(told["name"], told["bias"], {k: tuple(v) for k, v in told["features"].items()}, told["strings"])
    except (ValueError, KeyError, TypeError) as e:
        raise LabelsError(
            f"{path}: 满意度模型文件读不出({e});删掉它,或用 qc train satisfaction --undo 换回上一个"
        ) from e


def _learnt(home: Path) -> list[str]:
    path = home / "models" / OWN
    return list(json.loads(path.read_text(encoding="utf-8"))["learnt"]) if path.exists() else []


def install(home: Path, done: Outcome) -> Path:
    """The candidate becomes the workspace's; the one before is kept for `undo`."""
    path = home / "models" / OWN
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_name(BEFORE))
    part = path.with_suffix(f".{uuid4().hex}.part")
    part.write_text(
        json.dumps({**done.weights._asdict(), "learnt": done.learnt}, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    part.replace(path)
    return path


def undo(home: Path) -> str:
    """Back to the model before, in the end to none; returns its name."""
    path = home / "models" / OWN
    if path.with_name(BEFORE).exists():
        path.with_name(BEFORE).replace(path)
    elif path.exists():
        path.unlink()
    else:
        raise LabelsError(f"{home} 没有满意度模型,没有可撤销的")
    found = load(home)
    return found.name if found else "没有满意度模型的时候"


def verdict(home: Path, done: Outcome) -> str:
    """Install the candidate if it is better; what was decided, in words."""
    said = f"{done.n} 个有评价的会话(按会话交叉验证;括号里是按会话重抽样的 95% 区间)。"
    if done.gained.high >= 0:
        return said + "不换:对数损失的差没有离开 0。"
    said += "学的只是愿意评价的会话;没评价的若不一样(上表 ←),预计满意率就偏,所以从不与满意率混算。"
    return said + f"已换上 {done.weights.name}({install(home, done)});撤销:qc train satisfaction --undo --home {home}"


def told(done: Outcome) -> list[list[str]]:
    """A row a measure: base rate, in use, candidate."""
    from pipelines.evaluate import shown

    names = {"log_loss": "对数损失(越小越好)", "auc_polar": "AUC", "ece": "校准误差 ECE"}
    return [
        [name, shown(done.base[k]), shown(done.before[k]) if done.before else "–", shown(done.after[k])]
        for k, name in names.items()
    ]


WHO = {"mood_first": "前三分之一的情绪", "mood_end": "后三分之一的情绪", "mood_low": "最低的情绪", "thanks_at_end": "结尾道谢", "asks_at_end": "结尾还在问",
       "n_customer": "客户消息数", "n_unanswered": "没回的轮次", "n_complaints": "投诉处数", "longest_wait_s": "最长等待 s"}  # fmt: skip


def who_rates(home: Path) -> list[list[str]]:
    """A row a feature: its mean in rated talks, in the others, and the difference with its interval; ← where that leaves 0 out."""
    with store.open_mart(home) as con:
        known, labels = talks(con, "main"), store.frame(con, RATED)
    found = selection.compared(known.features, labels["conversation_id"])
    return [
        [WHO[f] + (" ←" if low > 0 or high < 0 else ""), f"{a:.2f}", f"{b:.2f}", f"{gap:+.2f} ({low:+.2f} … {high:+.2f})"]
        for f, a, b, gap, low, high in found.iter_rows()
    ]


# Labelled talks of others, for measuring only: file, and how its labels say that the customer was satisfied.
SETS = {"weibo_helpdesk": ("微博客服会话,19 人评,平均满意 > 0", "weibo_helpdesk/dialogues.json"),
        "jddc_satisfaction": ("京东客服会话,整体满意 = 2", "jddc_satisfaction/dialogues.jsonl")}  # fmt: skip
RECIPES: dict[str, Sequence[Recipe]] = {
    "只用特征": (FEATURES_ONLY,), "特征和话题": (TOPIC_TOO,), "只用文字": (STRINGS_ONLY,), "特征和文字": (BOTH,), "自己挑(产品所用)": CHOICE,
}  # fmt: skip


def of_others(home: Path, name: str, folder: Path) -> tuple[Rated, pl.DataFrame]:
    """One of SETS, with its messages."""
    from pipelines import scoring

    text = (folder / SETS[name][1]).read_text(encoding="utf-8")
    if name == "weibo_helpdesk":
        found = [([("customer" if t["sender"] == "customer" else "agent", u) for t in x["turns"] for u in t["utterances"]],
                  sum(a["quality"]["S"] for a in x["annotations"]) > 0) for x in json.loads(text)]  # fmt: skip
    else:
        listed = [json.loads(line) for line in text.splitlines()]
        found = [([(m["role"], m["text"]) for m in x["messages"]], x["overall3"] == 2) for x in listed]
    rows = [
        (f"{n:05d}", seq, who, said) for n, (talk, _) in enumerate(found) for seq, (who, said) in enumerate(talk, 1)
    ]
    messages = pl.DataFrame(rows, schema=["conversation_id", "seq", "sender_kind", "text"], orient="row")
    own = messages.filter(pl.col("sender_kind") == "customer")
    felt = sentiment.score(own["text"], model=scoring.model(home, "shop"))
    moods = own.select("conversation_id", "seq", mood=felt["p_positive"] - felt["p_negative"])
    messages = messages.join(moods, on=["conversation_id", "seq"], how="left")
    labels = pl.DataFrame(
        {"conversation_id": [f"{n:05d}" for n in range(len(found))], "is_satisfied": [y for _, y in found]}
    )
    return rated(satisfaction.talks(messages, topics=_topics(home, messages)), labels), messages


def _topics(home: Path, messages: pl.DataFrame) -> pl.DataFrame:
    """What talks are about, of which nothing is known but who said what: conversation_id, topic."""
    from pipelines import settings

    nobody = {name: pl.lit(None, pl.String) for name in ("shop", "customer")}
    spoken = messages.with_columns(**nobody, sent_at=pl.lit(None, pl.Datetime("us")), content_kind=pl.lit("text"))
    return casemix.classify(spoken, settings.case_lexicons(home)).cases.select("conversation_id", "topic")


def measured(given: Rated, recipes: Sequence[Recipe]) -> dict[str, Estimate]:
    """Cross-validated, every measure with its interval."""
    return judging.estimates(
        _case(satisfaction.cross_validated(given.talks, given.is_satisfied, recipes), given.is_satisfied)
    )


def politeness(given: Rated, messages: pl.DataFrame) -> Estimate:
    """AUC of how often the agents say 您 a message, by itself; under ½ the polite talks are the worse rated."""
    said = (
        messages.filter(pl.col("sender_kind") == "agent")
        .group_by("conversation_id")
        .agg(n=pl.col("text").str.count_matches("您").mean())
    )
    n = (
        given.talks.features.select("conversation_id")
        .join(said, on="conversation_id", how="left", maintain_order="left")["n"]
        .fill_null(0)
    )
    return judging.estimates(_case(n.rank("average").to_numpy() / (len(n) + 1), given.is_satisfied))["auc_polar"]


def page(home: Path, folder: Path) -> str:
    """docs/satisfaction.md."""
    from pipelines.evaluate import shown

    parts = [PAGE]
    for name, (title, _) in SETS.items():
        given, messages = of_others(home, name, folder)
        parts.append(
            f"\n## {title}\n\n`{name}`:{given.is_satisfied.size:,} 个会话,满意的占 {given.is_satisfied.mean():.1%}。\n\n"
        )
        parts.append("| 用什么 | AUC | 校准误差 ECE | 对数损失 |\n| --- | --- | --- | --- |\n")
        for which, recipes in RECIPES.items():
            m = measured(given, recipes)
            parts.append(f"| {which} | {shown(m['auc_polar'])} | {shown(m['ece'])} | {shown(m['log_loss'])} |\n")
        parts.append(f"| 只数客服每句几个「您」 | {shown(politeness(given, messages))} | – | – |\n")
    return "".join(parts)


PAGE = """# 满意度预测准不准 Predicted satisfaction, measured

由命令生成:`qc train satisfaction --folder 数据文件夹 --write docs/satisfaction.md`。
数据都是别人标的、公开的,只用来量,不随产品发布;五折交叉验证,按会话分折,和 `qc train satisfaction` 走同一段代码。
括号里是按会话重抽样的 95 % 区间。正则化强度是事先定的;「自己挑」只凭学的那几折决定要不要用话题、用文字:好过一个标准误才用(Breiman 等 1984)。
这些数据没有时间,等待类特征因此空着。产品不带满意度模型:没有可以随产品发布的、标了满意度的真实会话。

*Public talks labelled by others, for measuring only; five folds by talk, the same code as `qc train satisfaction`; 95 % bootstrap
intervals. No weights are shipped: there are no real labelled talks that may be.*
"""
