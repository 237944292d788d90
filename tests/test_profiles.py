"""Definition profiles: written talks under each of them, the golden transcript to the digit through a whole night, the door."""

import csv
import json
from datetime import date, datetime, time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from conftest import night
from ruamel.yaml import YAML
from turn_talks import messages, read
from typer.testing import CliRunner

from pipelines import store
from pipelines.cli import app
from pipelines.resources import data_dir
from pipelines.settings import SettingsError, profile, profiles
from qc import dialogue, frames
from qc.metrics import BY_PROFILE, KPIS, REASONS
from qc.profiles import Profile, ServiceHours

ALL = profiles(data_dir())
CASES: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(Path(__file__).with_name("turns") / "profiles.yaml")
GOLDEN = CASES[0]
WORDS = ("好的", "谢谢")


def told(rows: list[dict[str, Any]], under: Profile, as_of: datetime) -> list[str]:
    """Each turn as the YAML writes it, in order of the questions."""
    turns = dialogue.turns(dialogue.arrange(messages(rows)), under, as_of=as_of, pleasantries=WORDS)
    return [
        " ".join(filter(None, [f"{t['wait_s']:g}" if t["is_answered"] else "未", t["responsible"] or "-", t["reason"]]))
        for t in turns.sort("asked_at", "asked_seq").iter_rows(named=True)
    ]


@pytest.mark.parametrize("under", ALL, ids=[p.id for p in ALL])
@pytest.mark.parametrize("case", CASES, ids=[c["title"] for c in CASES])
def test_a_written_talk_has_these_turns(case: dict[str, Any], under: Profile) -> None:
    as_of = datetime.fromisoformat(str(case.get("as_of", "2026-09-09 00:00:00")))
    expected = case["turns"].get(under.id, case["turns"]["fair"])
    assert told(read(case["talk"], case.get("id")), under, as_of) == [str(turn) for turn in expected]


@pytest.fixture(scope="module")
def golden_home(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    home = tmp_path_factory.mktemp("golden") / "home"
    home.mkdir()
    (home / "models").symlink_to(models)
    chats = home.parent / "chats.csv"
    with chats.open("w", encoding="utf-8", newline="") as f:
        out = csv.writer(f)
        out.writerow(["shop", "channel", "conversation_id", "sent_at", "sender_kind", "agent", "customer", "text"])
        for r in read(GOLDEN["talk"]):
            out.writerow([r["shop"], "taobao", "", r["sent_at"], r["sender_kind"], r["agent"], "甲", r["text"]])
    night(home, chats, as_of=datetime.fromisoformat(str(GOLDEN["as_of"])))
    return home


@pytest.mark.parametrize("under", GOLDEN["metrics"])
def test_the_golden_transcript_gives_these_figures_after_a_night(golden_home: Path, under: str) -> None:
    with store.open_mart(golden_home) as con:
        for metric, expected in GOLDEN["metrics"][under].items():
            rows = con.execute(
                "SELECT value, n FROM metric_of(?, ?, NULL, NULL) WHERE agent IS NULL", [under, metric]
            ).fetchall()
            assert rows[0][0] == pytest.approx(float(Fraction(str(expected)))), (under, metric)
            if "/" in str(expected):
                assert rows[0][1] == int(str(expected).partition("/")[2]), (under, metric)


def test_by_agent_the_golden_waits_belong_to_who_held_the_talk(golden_home: Path) -> None:
    with store.open_mart(golden_home) as con:
        found = con.execute("SELECT agent, value, n FROM metric('average_response', NULL, NULL)").fetchall()
    assert found == [(None, 262.5, 4), ("A", 215.0, 2), ("B", 310.0, 2)]  # A: (70 + 360) / 2, B: (20 + 600) / 2


def test_by_hour_and_channel_the_golden_turns_add_up(golden_home: Path) -> None:
    with store.open_mart(golden_home) as con:
        hours = con.execute("SELECT part, value, n FROM metric_by('hour', 'average_response', NULL, NULL)").fetchall()
        channels = con.execute(
            "SELECT part, value, n FROM metric_by('channel', 'average_response', NULL, NULL)"
        ).fetchall()
    assert hours == [("08", 310.0, 2), ("22", 70.0, 1), ("23", 360.0, 1)]
    assert channels == [("taobao", 262.5, 4)]


def test_compare_tells_what_counts_where_and_why(golden_home: Path) -> None:
    def ran(*more: str) -> Any:
        done = CliRunner().invoke(app, ["profiles", "compare", "--home", str(golden_home), *more])
        assert done.exit_code == 0, done.output
        return json.loads(done.output) if "--json" in more else done.output

    figures = {(r["profile"], r["metric"]): r for r in ran("--json")}
    assert (
        figures["taobao", "average_response"]["value"] == 230 and figures["taobao", "average_response"]["is_headline"]
    )
    assert figures["jd", "first_response_30s"]["n"] == 1
    one = {
        r["profile"]: r["value"]
        for r in ran("--json", "--from", "2026-09-02", "--to", "2026-09-02")
        if r["metric"] == "on_time"
    }
    assert one == {"fair": 0.5, "taobao": 0.5, "douyin": 0, "pdd": 0, "kuaishou": 0}  # jd: nothing counts on that day
    with store.open_mart(golden_home) as con:
        ((talk,),) = con.execute("SELECT min(conversation_id) FROM conversations").fetchall()
    turns = {(t["profile"], t["asked_seq"]): t for t in ran("--conversation", talk, "--json")}
    assert turns["taobao", 6]["reason"] == "outside_hours" and turns["jd", 6]["is_counted"]
    assert "Taobao taobao" in ran("--lang", "en") and "✗ 360 s" in ran("--conversation", talk)


def test_nothing_counts_on_an_exempt_day_nor_outside_hours_over_midnight() -> None:
    rows = read(GOLDEN["talk"])
    fair = profile(data_dir(), "fair")
    spring = fair.model_copy(update={"exempt_days": (date(2026, 9, 2),)})
    assert told(rows, spring, datetime(2026, 9, 9)) == ["70 A", "360 A", "20 B exempt_day", "未 B exempt_day"]
    late = fair.model_copy(update={"service_hours": ServiceHours(opens=time(23), closes=time(8, 45))})
    assert told(rows, late, datetime(2026, 9, 9)) == ["70 A outside_hours", "360 A", "20 B", "未 B outside_hours"]
    replier = fair.model_copy(update={"owner": "replier"})
    assert told(rows, replier, datetime(2026, 9, 9)) == ["70 A", "360 B", "20 B", "未 B"]


MINE = "id: mine\ntitle: 我的\ntitle_en: Mine\nstatus: ours\nvalid_from: 2026-01-01\nsource: test\n"


def test_a_profile_is_a_file_and_no_code(golden_home: Path, home: Path) -> None:
    (home / "profiles").mkdir()
    (home / "profiles" / "mine.yaml").write_text(MINE + "cap_s:\nunanswered_s:\n", encoding="utf-8")
    night(home, golden_home.parent / "chats.csv", as_of=datetime(2026, 9, 2, 12), profile="jd")
    with store.open_mart(home) as con:
        assert con.execute("SELECT profile FROM profiles WHERE is_own").fetchall() == [("jd",)]
        # Neither capped nor counting the unanswered: (70 + 360 + 20) / 3.
        assert con.execute(
            "SELECT value, n FROM metric_of('mine', 'average_response', NULL, NULL) WHERE agent IS NULL"
        ).fetchall() == [(150.0, 3)]
        assert con.execute(
            "SELECT value FROM metric('average_response', NULL, NULL) WHERE agent IS NULL"
        ).fetchall() == [(215.0,)]
        assert (
            con.execute("SELECT count(*) FROM turns").fetchall()
            == con.execute("SELECT count(*) FROM profile_turns WHERE profile = 'jd'").fetchall()
        )
        assert con.execute(
            "SELECT value FROM metric_of('fair', 'conversations', NULL, NULL) WHERE agent IS NULL"
        ).fetchall() == [(2.0,)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINE.replace("id: mine", "id: other"), "两者要一致"),
        (MINE + "cap: 5\n", "「cap」"),
        (MINE + "headline: [speed]\n", "没有叫「speed」的指标"),
        (MINE + "service_hours: {opens: 8, closes: x}\n", "service_hours.closes"),
        (MINE + "a: [\n", "不是有效的 YAML"),
    ],
)
def test_a_wrong_profile_says_which_file_and_what(home: Path, text: str, said: str) -> None:
    (home / "profiles").mkdir()
    (home / "profiles" / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as e:
        profiles(home)
    assert said in str(e.value) and "mine.yaml" in str(e.value)


def test_names_hang_together() -> None:
    assert {p.id for p in ALL} == {"fair", "taobao", "jd", "douyin", "pdd", "kuaishou"}
    assert {p.status for p in ALL if p.id != "fair"} == {"secondary"}
    # The macros find the observations of a number by its id without _p50 and _p90.
    assert all(k.observed == k.id.removesuffix("_p50").removesuffix("_p90") for k in KPIS)
    assert {k.observed for k in KPIS} >= BY_PROFILE and {"outside_hours", "session_outside_hours", "exempt_day"} <= set(
        REASONS
    )
    assert set(frames.ProfileTurn) - {"profile"} <= set(frames.Turn)
