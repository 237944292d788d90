"""`qc train` and `qc eval` as a user meets them: labels in, a better model or none, and back again."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines import evaluate, labels, shop_weights, store, train
from pipelines.cli import app
from pipelines.labels import LabelsError, Layout
from tests.conftest import SHARED, night

RUN = CliRunner()
SETS = Path(__file__).parents[1] / "data" / "evaluation.yaml"
PAGE = Path(__file__).parents[1] / "docs" / "sentiment.md"
# A shop whose customers speak a slang that the shipped model cannot know.
SLANG = {
    "负面": ["这波血亏哦{}", "拔草了{}", "踩大雷{}"],
    "中性": ["蹲一个{}", "滴滴{}", "{}安排一下"],
    "正面": ["绝绝子{}", "按头安利{}", "yyds{}"],
}
GOODS = ["盖碗", "茶饼", "龙井", "公道杯", "白茶", "红茶", "礼盒", "茶盘", "毛峰", "茶针", "六堡", "肉桂"]


@pytest.fixture
def slang(tmp_path: Path) -> Path:
    rows = [(said.format(thing), label, f"会话{n}{k}") for k, thing in enumerate(GOODS) for n, (label, lines) in enumerate(SLANG.items())
            for said in lines]  # fmt: skip
    path = tmp_path / "标注.csv"
    pl.DataFrame(rows, schema=["内容", "情绪", "会话"], orient="row").write_csv(path, include_bom=True)
    return path


def ask(*words: str | Path) -> tuple[int, str]:
    done = RUN.invoke(app, [str(w) for w in words])
    return done.exit_code, done.output


def given(path: Path) -> list[str | Path]:
    return [path, "--text", "内容", "--label", "情绪", "--group", "会话"]


def test_own_labels_make_the_model_better_and_can_be_taken_back(tmp_path: Path, slang: Path) -> None:
    home, shipped = tmp_path / "home", shop_weights.load().version
    code, said = ask("train", *given(slang), "--home", home)
    assert code == 0 and "已换上 shop-3+108-" in said
    own = shop_weights.load(home / "models").version
    assert own != shipped
    code, said = ask("train", *given(slang), "--home", home)
    assert code == 2 and "已经学过" in said
    assert ask("train", "--undo", "--home", home)[0] == 0
    assert shop_weights.load(home / "models").version == shipped
    code, said = ask("train", "--undo", "--home", home)
    assert code == 2 and "没有可撤销的" in said


def test_labels_that_teach_nothing_change_nothing(tmp_path: Path, slang: Path) -> None:
    shuffled = pl.read_csv(slang).with_columns(pl.col("情绪").shuffle(seed=5))
    shuffled.write_csv(tmp_path / "乱标.csv")
    code, said = ask("train", *given(tmp_path / "乱标.csv"), "--home", tmp_path / "home")
    assert code == 0 and "不换" in said
    assert not (tmp_path / "home" / "models").exists()


def test_the_night_takes_the_shops_own_model_and_says_so(home: Path, slang: Path, tmp_path: Path) -> None:
    (home / "models").unlink()
    messages = tmp_path / "messages.csv"
    lines = ["shop,channel,conversation_id,sent_at,sender_kind,agent,customer,text"]
    lines += [
        "店,taobao,c1,2026-09-01 10:00:00,customer,,甲,踩大雷盖碗",
        "店,taobao,c1,2026-09-01 10:00:09,agent,小满,甲,亲,您好",
    ]
    messages.write_text("\n".join(line.replace("亲,", "亲，") for line in lines), "utf-8")
    night(home, messages)
    before = mood(home)
    assert ask("train", *given(slang), "--home", home)[0] == 0
    assert night(home, messages).is_new
    assert mood(home) < before and mood(home) < -0.3
    assert ask("sql", "SELECT model FROM runs", "--home", home)[1].count("shop-3+108-") == 1


def mood(home: Path) -> float:
    return float(
        json.loads(ask("sql", "SELECT mood FROM messages WHERE mood IS NOT NULL", "--home", home, "--json")[1])[0][
            "mood"
        ]
    )


def test_ratings_of_the_sample_shop_are_labels(sample_home: Path) -> None:
    rows = train.from_ratings(sample_home).rows
    assert rows.height > 300 and set(rows["label"]) == {0, 2}
    with store.open_mart(sample_home) as con:
        customers = {c for (c,) in con.execute("SELECT DISTINCT customer FROM conversations").fetchall()}
    assert set(rows["group"]) <= customers


@pytest.mark.parametrize(
    ("layout", "said"),
    [(Layout(text="话"), "没有列 话"), (Layout(text="内容", label="会话"), "--map"), (Layout(text="内容", label="情绪", where="x ="), "条件"),
     (Layout(text="内容", label="情绪", map={"负面": "坏"}), "不是 坏")],
)  # fmt: skip
def test_labels_that_cannot_be_used_say_why(slang: Path, layout: Layout, said: str) -> None:
    with pytest.raises(LabelsError, match=said):
        labels.read(slang, layout)


def test_the_half_that_was_not_looked_at_keeps_talks_whole(slang: Path) -> None:
    found = labels.read(slang, Layout(text="内容", label="情绪", group="会话"))
    half, other = labels.unseen(found, "feel").rows, labels.unseen(found, "other").rows
    assert 0 < half.height < 108 and not half.equals(other)
    assert found.rows.filter(pl.col("group").is_in(half["group"].to_list())).height == half.height
    odd = hashlib.sha256(f"feel:{half['group'][0]}".encode()).hexdigest()[-1]
    assert int(odd, 16) % 2 == 1


def test_eval_sets_the_models_side_by_side(home: Path, slang: Path) -> None:
    code, said = ask("eval", *given(slang), "--home", home, "--worst", "3")
    assert code == 0 and "108 句,36 组" in said
    assert (
        "AUC 负对正" in said and "snownlp-0.12.3" in said and "混淆表" in said and said.count("错得最自信的 3 句") == 1
    )
    assert "<svg" in (home / "evaluation" / "标注.csv.svg").read_text("utf-8")
    found = json.loads(ask("eval", *given(slang), "--home", home, "--json")[1])
    assert [v["n"] for v in found] == [108, 108] and all(len(v["confusion"]) == 3 for v in found)
    assert ask("eval", "--home", home)[0] == 2


def test_what_says_nothing_is_no_mistake_to_read(home: Path, tmp_path: Path) -> None:
    """It is neutral by definition, so that its label teaches nobody anything; how many there are is said."""
    rows = [("[电话]", "正面"), ("", "正面"), ("😀", "负面"), ("谢谢", "负面"), ("太差了", "正面"), ("什么时候发货", "中性")]
    pl.DataFrame(rows, schema=["内容", "情绪"], orient="row").write_csv(tmp_path / "标.csv")
    said = ask("eval", tmp_path / "标.csv", "--text", "内容", "--label", "情绪", "--home", home)[1].split("错得最自信的")[1]
    assert "另有 3 句空的、表情或占位符" in said and "谢谢" in said and "太差了" in said and "[电话]" not in said


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared data")
def test_the_published_figures_are_current(home: Path) -> None:
    again = evaluate.page(home, SETS, SHARED, None, draws=2)
    assert values(again) == values(PAGE.read_text("utf-8"))


def test_what_is_missed_is_said() -> None:
    """Every mark of the sets has its verdict on the page, and the verdict follows from the figure beside it."""
    page = PAGE.read_text("utf-8")
    told = re.findall(r"^应达.*$", page, flags=re.M)
    assert len(told) == 3 and "AUC 负对其余 ≥ 0.75 到了" in told[0]
    for line in told:
        table = page[: page.index(line)]
        for name, sign, mark, verdict in re.findall(r"([^:;。]+?) ([≥≤]) ([\d.]+) (到了|\*\*没有到)", line):
            value = float(re.findall(rf"\| {re.escape(name)} [^|]*\| ([\d.]+)", table)[-1])
            assert (value >= float(mark) if sign == "≥" else value <= float(mark)) == (verdict == "到了")


def values(page: str) -> list[str]:
    """Everything but the intervals, which need many draws."""
    return [cell.split(" (")[0].strip() for line in page.splitlines() for cell in line.split("|")]
