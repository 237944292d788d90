"""A person's word on a redline, through a whole night: the score it leaves, the final one it takes, and what the pages say."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines import store
from pipelines.cli import app
from tests.conftest import export, night

TALK = ["客:能便宜点吗", "甲:您好亲,加我微信", "客:哦", "甲:五星好评返现3元,谢谢光临"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One talk with two redlines, of which a person confirmed the first and rejected the second at last."""
    folder = tmp_path_factory.mktemp("veto")
    file = export(folder, {"one": TALK})
    night(folder / "home", file)
    with store.warehouse(folder / "home") as con:
        for n, rule, verdict in (("1", "OFF_PLATFORM", "confirmed"), ("2", "CASH_FOR_PRAISE", "confirmed"), ("3", "CASH_FOR_PRAISE", "rejected")):
            finding = found(folder / "home", rule)
            con.execute("INSERT INTO reviews VALUES (?, 'one', '甲', ?, ?, '店长', TIMESTAMP '2026-05-02 09:00:00' + to_minutes(?::INT), ?, NULL, NULL)",
                        [n, rule, finding, int(n), verdict])  # fmt: skip
    assert CliRunner().invoke(app, ["nightly", str(file), "--home", str(folder / "home")]).exit_code == 0
    return folder / "home"


def found(home: Path, rule: str) -> str:
    with store.open_mart(home) as con:
        return str(con.execute("SELECT min(finding_id) FROM findings WHERE rule_id = ?", [rule]).fetchall()[0][0])


def test_the_score_stays_and_the_final_one_is_nothing(home: Path) -> None:
    with store.open_mart(home) as con:
        ((qa, final, is_pending),) = con.execute("SELECT qa, final, is_redline_pending FROM scores").fetchall()
        entries = con.execute("SELECT cause, points FROM entries").fetchall()
    assert qa > 0 == final and not is_pending
    assert [points for cause, points in entries if cause == "veto"] == [-qa]
    assert 100 + sum(points for cause, points in entries if cause != "veto") == qa


def test_the_pages_add_up_and_say_what_a_person_said(home: Path) -> None:
    reports = next((home / "reports").glob("2026-*"))
    talk = next((reports / "conversations").glob("*.html")).read_text(encoding="utf-8")
    words = re.sub(r"<[^>]+>", " ", talk)
    assert "人已确认" in words and "人没有确认" in words and "待人工确认" not in words
    assert re.search(r"一票否决.*?−?-?\d+.*?最终分\s+0", words, re.DOTALL)
    agent = next((reports / "agents").glob("*.html")).read_text(encoding="utf-8")
    assert "待人工确认" not in agent


def test_explain_says_what_the_score_is_and_what_the_veto_took(home: Path) -> None:
    said = CliRunner().invoke(app, ["explain", "one", "--home", str(home)]).stdout.splitlines()[0]
    qa, terms, vetoed = re.fullmatch(r"甲 质检分 (\S+) = 100 (.*)\(最终分 0\.0000 = 质检分 (\S+) 一票否决\)", said).groups()  # type: ignore[union-attr]
    assert round(100 + sum(map(float, terms.split())), 4) == float(qa) == -float(vetoed)
