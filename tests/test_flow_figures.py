"""Flow, apology before refusal, blame: written talks through a whole night, and the figures they must give."""

from pathlib import Path

import pytest

from pipelines import store
from tests.conftest import export, night

TALKS = {
    # asks, recommends, greets; the customer bargains and is answered; no farewell: 4 of 5
    "full": ["客:想买个茶杯,推荐一款,能便宜点吗", "甲:您好,请问您是自己用还是送人呢", "客:自己用的", "甲:给您推荐这款,这已经是最低价了亲", "客:好"],
    # a greeting and a farewell only; nobody bargains: 2 of 4
    "short": ["客:这款有货吗,想买", "甲:您好,有的", "客:知道了", "甲:感谢您的光临"],
    "sorry": ["客:收到货是坏的,我要退货退款", "甲:非常抱歉", "客:能全额退吗", "甲:确实没办法退了"],
    "hard": ["客:收到货质量太差了,能退货退款吗", "乙:不行", "客:骗人", "乙:抱歉,这是快递的问题"],
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flow")
    night(folder / "home", export(folder, TALKS))
    return folder / "home"


def figure(home: Path, metric: str) -> dict[str | None, tuple[float, int]]:
    with store.open_mart(home) as con:
        found = con.execute("SELECT agent, round(value, 4), n FROM metric(?, NULL, NULL)", [metric]).fetchall()
    return {agent: (value, n) for agent, value, n in found}


def test_the_phases_are_what_the_talks_say(home: Path) -> None:
    with store.open_mart(home) as con:
        found = dict(con.execute("SELECT conversation_id, phase FROM conversations").fetchall())
    assert found == {"full": "pre", "short": "pre", "sorry": "after", "hard": "after"}


def test_stages_done_of_stages_that_apply(home: Path) -> None:
    assert figure(home, "flow") == {None: (round(6 / 9, 4), 9), "甲": (round(6 / 9, 4), 9)}


def test_an_apology_counts_before_the_refusal_only(home: Path) -> None:
    assert figure(home, "apology_first") == {None: (0.5, 2), "甲": (1.0, 1), "乙": (0.0, 1)}


def test_blame_is_per_100_after_sale_talks(home: Path) -> None:
    assert figure(home, "blame_shifting") == {None: (50.0, 2), "甲": (0.0, 1), "乙": (100.0, 1)}


def test_politeness_is_not_the_flow(home: Path) -> None:
    with store.open_mart(home) as con:
        rules = con.execute("SELECT DISTINCT unit FROM observations WHERE metric = 'politeness'").fetchall()
    assert not any("NO_ASKING" in unit for (unit,) in rules)


def test_findings_carry_what_to_say_instead(home: Path) -> None:
    with store.open_mart(home) as con:
        said = con.execute("SELECT rewrite FROM findings WHERE rule_id = 'NO_WAY'").fetchall()
    assert said == [("真的不好意思哦,您问的「收到货质量太差了,能退货退款吗」我马上帮您看看还有什么办法",)]
