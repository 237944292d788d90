"""The shop's self-assessment: exact sums, levels at their bounds, no points without a ground, never a person. KPI §5."""

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines import standard as files
from pipelines import store
from pipelines.cli import app
from qc.metrics import REASONS
from qc.rulefile import RulebookError
from qc.standard import FIGURES, Assessed, assess, load_answers, load_standard
from reports import queries
from reports import standard as page
from reports.facts import gather
from reports.words import Words
from tests.conftest import night
from tests.talk import DATA

SHIPPED = DATA / "standards" / "gbt_27922.yaml"
SMALL = """\
standard: demo
title: 示例
title_en: Demo
status: ours
source: 自拟
levels:
  - {id: five, title: 五星级, title_en: Five, at_least: 95}
  - {id: four, title: 四星级, title_en: Four, at_least: 90}
  - {id: three, title: 三星级, title_en: Three, at_least: 80}
  - {id: pass, title: 达标级, title_en: Pass, at_least: 70}
sections:
  - id: all
    title: 全部
    title_en: All
    points: 100
    items:
      - {id: unit, title: 部门, title_en: Unit, points: 60}
      - id: satisfaction
        title: 满意
        title_en: Satisfied
        points: 40
        measured: {metric: csat, least: 30, steps: [{at_least: 0.9, points: 40}, {at_least: 0.8, points: 20.5}]}
"""
DECLARED = """\
standard: demo
answers:
  - {item: unit, points: 45, day: 2026-09-01, by: 店长, evidence: 岗位说明第三版}
"""


def assessed(points: str | None, csat: tuple[float, int] | None, text: str = SMALL) -> Assessed:
    standard = load_standard(text, "demo.yaml")
    answers = load_answers(DECLARED.replace("points: 45", f"points: {points}"), "standard.yaml", standard) if points else ()
    rows = [("csat", "店", *csat, None)] if csat else []
    return assess(standard, answers, pl.DataFrame(rows, schema=FIGURES, orient="row"), ["店"])


def score(found: Assessed) -> tuple[float | None, str | None]:
    return found.scores.select("score", "level").row(0)


def test_the_score_is_points_won_by_points_applicable() -> None:
    found = assessed("45", (0.85, 40))
    # 45 declared of 60, csat 85 % reaches the second step: (45 + 20.5) of 100
    assert found.scores.select("won", "applicable", "possible", "score", "level", "n_undeclared").row(0) == (65.5, 100.0, 100.0, 65.5, "below", 0)
    declared, measured = found.items.iter_rows(named=True)
    assert (declared["ground"], declared["won"], declared["evidence"], str(declared["declared_on"])) == ("declared", 45.0, "岗位说明第三版", "2026-09-01")
    assert (measured["ground"], measured["value"], measured["n"], measured["threshold"], measured["is_at_least"], measured["won"]) == ("measured", 0.85, 40, 0.8, True, 20.5)


def test_what_does_not_apply_leaves_both_sums() -> None:
    found = assessed(None, (0.95, 40))
    assert found.scores.select("won", "applicable", "score", "level", "n_undeclared").row(0) == (40.0, 40.0, 100.0, "five", 1)
    few = assessed("50", (0.95, 29))  # 29 ratings are not enough: 50 of 60
    assert few.items["reason"].to_list() == [None, "too_few"]
    assert score(few) == (83.3333, "three")


def test_a_figure_that_reaches_no_step_wins_nothing_and_applies() -> None:
    found = assessed("60", (0.79999, 40))
    assert found.items.row(1, named=True)["threshold"] == 0.8
    assert found.scores.select("won", "applicable").row(0) == (60.0, 100.0)


@pytest.mark.parametrize(
    ("points", "level"),
    [("41.9", "below"), ("42", "pass"), ("47.9", "pass"), ("48", "three"), ("53.9", "three"), ("54", "four"), ("56.9", "four"), ("57", "five"), ("60", "five"),
     ("56.999999", "four"), ("0", "below")],
)  # fmt: skip
def test_levels_begin_at_70_80_90_95(points: str, level: str) -> None:
    """Of 60 declared points alone 42 are 70 %, 48 are 80 %, 54 are 90 %, 57 are 95 %; 94.99999 is not rounded up."""
    assert score(assessed(points, None))[1] == level


def test_nothing_known_is_no_score_but_a_reason() -> None:
    found = assessed(None, None)
    assert found.items["won"].to_list() == [None, None]
    assert found.items["reason"].to_list() == ["not_declared", "no_observation"]
    assert found.scores.select("score", "level", "applicable", "reason").row(0) == (None, None, 0.0, "not_assessed")
    assert {"not_declared", "too_few", "not_assessed"} <= set(REASONS)


def test_a_shops_own_answer_goes_before_one_for_all() -> None:
    standard = load_standard(SMALL, "demo.yaml")
    text = DECLARED + "  - {item: unit, shop: 乙, points: 30, day: 2026-09-02, by: 店长, evidence: 现场}\n"
    figures = pl.DataFrame([("csat", "乙", None, 0, "no_ratings")], schema=FIGURES, orient="row")
    found = assess(standard, load_answers(text, "standard.yaml", standard), figures, ["甲", "乙"])
    assert dict(found.scores.select("shop", "won").rows()) == {"甲": 45.0, "乙": 30.0}
    assert dict(found.items.filter(item="satisfaction").select("shop", "reason").rows()) == {"甲": "no_observation", "乙": "no_ratings"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("points: 100", "points: 90", "demo.yaml:11 各部分的 points 加起来是 90"),
        ("Unit, points: 60", "Unit, points: 61", "demo.yaml:16 「全部」各项的 points 加起来是 101"),
        ("metric: csat", "metric: csatt", "demo.yaml:22 没有指标「csatt」,是不是「csat」"),
        ("at_least: 0.9, points: 40", "at_least: 0.9, points: 30", "第一档给满 40 分"),
        ("{at_least: 0.8,", "{at_least: 0.8, at_most: 1,", "at_least 或 at_most 之一"),
        ("at_least: 90}", "at_least: 99}", "levels 要从高到低写"),
        ("status: ours", "status: mine", "「status」不能是"),
    ],
)
def test_a_standard_that_does_not_add_up_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    assert old in SMALL
    with pytest.raises(RulebookError) as refusal:
        load_standard(SMALL.replace(old, new, 1), "demo.yaml")
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("points: 45", "points: 61", "standard.yaml:3 「unit」最多 60 分"),
        ("item: unit", "item: unite", "没有「unite」这一项,是不是「unit」"),
        ("item: unit", "item: satisfaction", "由数据算(csat),不能自己答"),
        (", evidence: 岗位说明第三版", "", "缺少「evidence」"),
        (", day: 2026-09-01", "", "缺少「day」"),
        ("standard: demo", "standard: iso", "自评的是「iso」,用的标准是「demo」"),
    ],
)
def test_an_answer_without_ground_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(RulebookError) as refusal:
        load_answers(DECLARED.replace(old, new, 1), "standard.yaml", load_standard(SMALL, "demo.yaml"))
    assert said in str(refusal.value)


def test_the_shipped_standard_is_second_hand_and_has_its_three_parts() -> None:
    standard = load_standard(SHIPPED.read_text(encoding="utf-8"), SHIPPED.name)
    assert standard.status == "secondary"
    assert [s.points for s in standard.sections] == [40, 35, 25]
    assert [(level.at_least, level.id) for level in standard.levels] == [(95, "five"), (90, "four"), (80, "three"), (70, "pass")]


def test_the_night_assesses_shops_and_no_person(sample_home: Path) -> None:
    with store.open_mart(sample_home) as con:
        columns = {c for (c,) in con.execute("SELECT column_name FROM duckdb_columns() WHERE table_name LIKE 'standard_%'").fetchall()}
        assert not columns & {"agent", "customer", "team"}
        found = con.execute("SELECT won, applicable, score, level, n_undeclared FROM standard_scores").fetchall()
        rows = con.execute("SELECT metric, value, won, points FROM standard_items WHERE ground = 'measured' AND won IS NOT NULL").fetchall()
        assert len(found) == 1 and len(rows) > 5
        won, applicable, value, level, undeclared = found[0]
        assert won == sum(r[2] for r in rows) and applicable == sum(r[3] for r in rows)
        assert value == round(100 * won / applicable, 4) and level == "below" and undeclared > 10
        for metric, shown, _, _ in rows:
            assert con.execute("SELECT value FROM metric(?, NULL, NULL) WHERE agent IS NULL", [metric]).fetchone() == (shown,)
    said = CliRunner().invoke(app, ["standard", "--home", str(sample_home), "--json"])
    assert said.exit_code == 0 and len(json.loads(said.stdout)) == sum(1 for _ in load_standard(SHIPPED.read_text(encoding="utf-8"), "x").items())


def test_the_page_shows_every_ground_and_nobody(sample_home: Path) -> None:
    with queries.open_mart(sample_home / "mart.duckdb") as con:
        people = {n for row in con.execute("SELECT agent, name FROM agents").fetchall() for n in row}
        queries.lay_out(con)
        facts = gather(con)
        shown = {lang: page.render(con, facts, Words(lang)) for lang in ("zh", "en")}
        items = con.execute("SELECT title, title_en FROM standard_items").fetchall()
    assert all(zh in shown["zh"] and en in shown["en"] for zh, en in items)
    assert "100 × " in shown["zh"] and "未达标" in shown["zh"] and "店铺还没有自评" in shown["zh"]
    assert "Below the standard" in shown["en"] and "second hand" in shown["en"]
    assert not any(name in text for name in people for text in shown.values())


def test_what_the_shop_declares_is_in_the_next_night(tmp_path: Path) -> None:
    chats = tmp_path / "messages.csv"
    chats.write_text("shop,channel,conversation_id,sent_at,sender_kind,agent,customer,text\n"
                     "云,web,c1,2026-05-01 10:00:00,customer,,甲,在吗\n云,web,c1,2026-05-01 10:00:05,agent,小满,甲,您好\n", encoding="utf-8")  # fmt: skip
    home = tmp_path / "home"
    night(home, chats)
    with store.open_mart(home) as con:
        assert con.execute("SELECT score, reason FROM standard_scores").fetchall() == [(None, "not_assessed")]
    (home / files.ANSWERS).write_text(
        "standard: gbt_27922\nanswers:\n  - {item: organisation, points: 4.5, day: 2026-05-01, by: 店长, evidence: 岗位说明}\n", encoding="utf-8"
    )
    night(home, chats)
    with store.open_mart(home) as con:
        assert con.execute("SELECT won, applicable, score, level FROM standard_scores").fetchall() == [(4.5, 6.0, 75.0, "pass")]


def test_the_template_is_a_file_that_is_accepted(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["standard", "--template", "--home", str(tmp_path)]).stdout
    standard = load_standard(SHIPPED.read_text(encoding="utf-8"), SHIPPED.name)
    assert load_answers(said, "standard.yaml", standard) == ()
    filled = said.replace("answers: []\n# answers:", "answers:").replace("#   #", "  #").replace("#   -", "  -")
    declared = [item for _, item in standard.items() if not item.measured]
    assert [(a.item, a.points) for a in load_answers(filled, "standard.yaml", standard)] == [(i.id, i.points) for i in declared]
