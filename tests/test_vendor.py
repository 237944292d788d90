"""Other tools' performance sheets: what they say, in our units, apart from what we compute; and the two side by side."""

import json
from pathlib import Path

import pytest
import xlsxwriter
from conftest import night, quiet

from pipelines import crosscheck, nightly, store
from pipelines.ingest import Outcome
from pipelines.sources import vendor

GOLDEN = Path(__file__).parent / "golden" / "vendor"
CHITU = GOLDEN / "chitu_performance_20260901-20260907.csv"
SYCM = GOLDEN / "sycm_performance.xls"


def ingest(home: Path, *files: Path, **wishes: object) -> list[Outcome]:
    found = nightly.read_in(list(files), nightly.Request(home, **wishes), quiet)[0]  # type: ignore[arg-type]
    assert all(o.n_rows == o.n_stored + o.n_duplicate + o.n_quarantined for o in found)
    return found


def told(home: Path) -> dict[tuple, tuple]:
    """(agent or label, metric) -> (value, reason, first day, last day), as the mart will have it."""
    with store.warehouse(home) as con:
        con.execute("CREATE OR REPLACE TEMP MACRO as_of() AS NULL::TIMESTAMP")
        rows = store.frame(con, (store.MODELS / "vendor_figures.sql").read_text(encoding="utf-8")).to_dicts()
    return {
        (r["agent"] or r["label"], r["metric"], str(r["day_from"])): (r["value"], r["reason"], str(r["day_to"]))
        for r in rows
    }


def test_a_sheet_of_chitu(home: Path) -> None:
    (outcome,) = ingest(home, CHITU)
    assert (outcome.kind, outcome.n_rows, outcome.n_stored, outcome.n_quarantined) == ("vendor", 5, 5, 0)
    found = {(who, metric): (value, reason) for (who, metric, _), (value, reason, _) in told(home).items()}
    one = {m: v for (who, m), (v, _) in found.items() if who == "暖居家纺:小一"}
    assert one == {
        "consulting": 120, "receptions": 118, "inquiries": 80, "conversion_d3": 0.625, "average_response": 38.2,
        "first_response": 22.1, "reply_rate": 0.9833, "reply_ratio": 1.25, "sales_per_buyer": 18_240, "sales": 912_000,
    }  # fmt: skip
    two = {
        m: found["暖居家纺:小二", m] for m in ("conversion_d3", "reply_ratio", "sales_per_buyer", "reply_rate", "sales")
    }
    assert two == {
        "conversion_d3": (None, "no_data"), "reply_ratio": (None, "no_data"), "sales_per_buyer": (None, "empty"),
        "reply_rate": (1, None), "sales": (102_450, None),
    }  # fmt: skip
    assert found["暖居家纺:小三", "average_response"] == (None, "not_a_number") and found["暖居家纺:小三", "sales"] == (
        0,
        None,
    )
    assert found["同行同层优秀", "sales"] == (3_200_000, None)
    assert {days for (_, _, first), (_, _, last) in told(home).items() for days in [(first, last)]} == {
        ("2026-09-01", "2026-09-07")
    }
    with store.warehouse(home) as con:
        assert con.execute("SELECT vendor, shop, agent, label FROM fact_vendor ORDER BY source_row").fetchall() == [
            ("chitu", "暖居家纺", "暖居家纺:小一", None), ("chitu", "暖居家纺", "暖居家纺:小二", None), ("chitu", "暖居家纺", "暖居家纺:小三", None),
            ("chitu", "暖居家纺", None, "汇总"), ("chitu", "暖居家纺", None, "同行同层优秀"),
        ]  # fmt: skip
        assert "1370000" not in str(con.execute("FROM fact_vendor").fetchall())


def test_a_sheet_of_sycm_in_old_excel(home: Path) -> None:
    (outcome,) = ingest(home, SYCM)
    assert (outcome.file, outcome.n_rows, outcome.n_stored, outcome.n_quarantined) == (
        "sycm_performance.xls#客服数据",
        4,
        4,
        0,
    )
    found = told(home)
    assert {m: found["小一", m, "2026-09-01"][0] for m in ("sales", "paid_buyers", "response_3min", "csat", "average_response")} == {
        "sales": 120_050, "paid_buyers": 10, "response_3min": 0.925, "csat": 0.985, "average_response": 65,
    }  # fmt: skip
    assert (found["小一", "csat", "2026-09-02"][0], found["小二", "csat", "2026-09-01"][0]) == (
        1,
        0.005,
    )  # the header says %
    assert (found["小一", "response_3min", "2026-09-02"][0], found["小一", "average_response", "2026-09-02"][0]) == (
        1,
        50,
    )
    assert found["小二", "average_response", "2026-09-01"][:2] == (None, "no_data")
    assert found["同行同层均值", "response_3min", "2026-09-01"] == (0.8, None, "2026-09-02")


@pytest.mark.parametrize(
    ("header", "cells", "values"),
    [
        ("询单转化率", ["62.5", "0.5", "100"], [0.625, 0.005, 1]), ("询单转化率", ["0.625", "1", "0"], [0.625, 1, 0]),
        ("询单转化率（%）", ["0.9", "1"], [0.009, 0.01]), ("询单转化率", ["62.5%", "0.3%"], [0.625, 0.003]),
        ("平均响应时间(分钟)", ["1.5"], [90]), ("平均响应时长", ["1899-12-31 00:01:05", "01:05", "1小时", "12.5"], [65, 65, 3600, 12.5]),
        ("销售额（万元）", ["1.2"], [1_200_000]), ("销 售 额", ["￥1,234.5", "2万", "１２"], [123_450, 2_000_000, 1200]),
    ],
)  # fmt: skip
def test_units_and_percentages(header: str, cells: list[str], values: list[float]) -> None:
    assert [f["value"] for f in vendor._figures(header, cells) if f] == values


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("客服绩效_20260901-20260930.xlsx", ["2026-09-01", "2026-09-30"]), ("绩效2026-09-01.csv", ["2026-09-01"]),
        ("2026年9月1日至2026年9月7日 客服.xls", ["2026-09-01", "2026-09-07"]), ("赤兔2026.9.1-9.7.csv", ["2026-09-01", "2026-09-07"]),
        ("2026年02月.csv", ["2026-02-01", "2026-02-28"]), ("20261001导出.zip!客服_20260901.xlsx#Sheet1", ["2026-09-01"]),
        ("1234567890123.csv", []), ("客服绩效.xlsx", []),
    ],
)  # fmt: skip
def test_the_days_in_a_name(name: str, days: list[str]) -> None:
    assert vendor.days_in(name) == days


def test_a_sheet_of_no_day_asks_for_it_and_a_corrected_name_is_read_anew(home: Path, tmp_path: Path) -> None:
    (tmp_path / "chitu.csv").write_bytes(CHITU.read_bytes())
    assert "哪天" in (ingest(home, tmp_path / "chitu.csv")[0].problem or "")
    assert ingest(home, (tmp_path / "chitu.csv").rename(tmp_path / "chitu_20260901.csv"))[0].n_stored == 5
    assert ingest(home, (tmp_path / "chitu_20260901.csv").rename(tmp_path / "chitu_20260902.csv"))[0].n_stored == 5
    assert {first for _, _, first in told(home)} == {"2026-09-02"}


HEAD = "shop,channel,conversation_id,message_id,sent_at,sender_kind,agent,customer,text"


def chats(path: Path) -> Path:
    """小一 answers after 10 s and 50 s, and once not at all; 小二 is helped by the bot; the day goes on for an hour."""
    rows = [
        ("s1", "00:00", "customer", "", "a"), ("s1", "00:10", "agent", "店:小一", "a"),
        ("s1", "01:00", "customer", "", "a"), ("s1", "01:50", "agent", "店:小一", "a"),
        ("s1", "05:00", "customer", "", "a"),
        ("s2", "10:00", "customer", "", "b"), ("s2", "10:02", "bot", "店:小二", "b"), ("s2", "10:40", "agent", "店:小二", "b"),
        ("s3", "59:59", "system", "", "c"),
    ]  # fmt: skip
    body = [
        f"店,taobao,{c},m{n},2026-09-01 10:{at},{kind},{agent},{who},在吗{n}"
        for n, (c, at, kind, agent, who) in enumerate(rows)
    ]
    path.write_text("\n".join([HEAD, *body]) + "\n", encoding="utf-8")
    return path


def sheet(path: Path, rows: list[list[object]]) -> Path:
    with xlsxwriter.Workbook(path) as made:
        for n, row in enumerate(rows):
            made.worksheets()[0].write_row(n, 0, row) if n else made.add_worksheet("绩效").write_row(0, 0, row)
    return path


def test_the_nearest_definition_is_named(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = sheet(tmp_path / "赤兔_2026-09-01.xlsx", [
        ["客服昵称", "平均响应时间(秒)", "首次响应时间(秒)", "接待人数", "3分钟响应率", "销售额"],
        ["小一", 30, 10.5, 1, "66.67%", "-"],
        ["店:小二", 2, 40, 1, "100%", 0],
        ["路人", 5, 5, 1, "100%", 0],
        ["汇总", 16, 20, 2, "80%", 0],
    ])  # fmt: skip
    (home / "profiles").mkdir()
    (home / "profiles" / "patient.yaml").write_text(
        "id: patient\ntitle: 耐心口径\ntitle_en: Patient\nstatus: ours\nvalid_from: 2026-01-01\nsource: test\ncensor_s: 7200\n",
        encoding="utf-8",
    )
    night(home, chats(tmp_path / "chats.csv"), theirs, shop="店")
    with store.open_mart(home) as con:
        assert con.execute(
            "SELECT count(*), count(DISTINCT agent) FROM vendor_figures WHERE NOT is_summary"
        ).fetchone() == (15, 3)
    found = {(line.figure.agent, line.figure.metric): line for line in crosscheck.compare(home)}
    assert len(found) == 14  # 「-」 is nothing to compare with
    one = found["小一", "average_response"]
    assert one.agent == "店:小一" and one.ours == pytest.approx(220) and not one.agrees  # (10 + 50 + 600) / 3
    assert one.nearest == "公平口径,只算已回复的" and one.nearest_value == pytest.approx(30)
    assert (
        found["小一", "first_response"].agrees
        and found["小一", "receptions"].agrees
        and found["小一", "response_3min"].agrees
    )
    two = found["店:小二", "average_response"]
    assert (
        two.ours == pytest.approx(40)
        and two.nearest == "公平口径,机器人和自动回复也算回复"
        and two.nearest_value == pytest.approx(2)
    )
    assert found["路人", "receptions"].agrees is None and found["路人", "receptions"].ours is None
    assert "耐心口径" in {d.title for d in definitions(home)}
    crosscheck.show(home, "店:小一", as_json=True)
    told_ = json.loads(capsys.readouterr().out)
    assert {r["客服"] for r in told_} == {"店:小一"} and next(r for r in told_ if r["指标"] == "平均响应时长")[
        "差"
    ] == pytest.approx(190)


def test_a_platform_s_definition_is_named_where_its_hours_explain_the_difference(home: Path, tmp_path: Path) -> None:
    rows = ["10:00:00,customer,", "10:00:10,agent,店:小一", "23:30:00,customer,", "23:38:20,agent,店:小一", "23:59:59,system,"]
    body = [f"店,taobao,s,m{n},2026-09-01 {at},{kind},{who},a,在吗" for n, (at, kind, who) in enumerate(r.split(",") for r in rows)]
    (tmp_path / "chats.csv").write_text("\n".join([HEAD, *body]) + "\n", encoding="utf-8")
    theirs = [["客服昵称", "平均响应时间(秒)", "首次响应时间(秒)", "接待人数", "3分钟响应率"], ["小一", 10, 10, 1, "100%"]]
    night(home, tmp_path / "chats.csv", sheet(tmp_path / "赤兔_2026-09-01.xlsx", theirs), shop="店")
    line = next(n for n in crosscheck.compare(home) if n.figure.metric == "average_response")
    # All day it is (10 + 500) / 2; until 23:00 it is 10. jd counts the session that began at 10:00 whole.
    assert line.ours == 255 and line.nearest_value == 10
    assert line.nearest in {"抖音口径", "快手口径", "拼多多口径", "淘宝口径"}
    assert {d.title for d in definitions(home)} >= {"京东口径", line.nearest}


def definitions(home: Path) -> list[crosscheck.Definition]:
    with store.open_mart(home) as con:
        return crosscheck.definitions(con, home)


def test_without_a_sheet_it_says_what_to_do(home: Path, tmp_path: Path) -> None:
    night(home, chats(tmp_path / "chats.csv"))
    with pytest.raises(crosscheck.QueryError, match="绩效表"):
        crosscheck.show(home, None, as_json=False)


@pytest.mark.parametrize(
    ("name", "vendor"),
    [("生意参谋_20260901.csv", "sycm"), ("赤兔绩效 20260901.csv", "chitu"), ("客服_20260901.csv", "other")],
)
def test_the_name_of_a_sheet_says_whose_it_is(home: Path, tmp_path: Path, name: str, vendor: str) -> None:
    (tmp_path / name).write_text("客服,接待人数,平均响应时间(秒),销售额\n店:小一,10,12,99\n", encoding="utf-8")
    ingest(home, tmp_path / name)
    with store.warehouse(home) as con:
        assert con.execute("SELECT vendor FROM fact_vendor").fetchall() == [(vendor,)]
