"""Through the door that a user takes: commands, exit codes, what goes to stdout and what to stderr."""

import json
import math
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipelines import store
from pipelines.cli import app
from pipelines.resources import data_dir

SAMPLE = data_dir() / "sample"
COMMANDS = ["nightly", "ingest", "report", "explain", "sql", "trend", "metrics", "rules", "doctor", "demo", "sample", "forget", "senders"]


def qc(*words: object) -> Result:
    return CliRunner().invoke(app, [str(w) for w in words])


def test_every_command_appears_and_has_help() -> None:
    told = qc("--help").stdout
    for command in COMMANDS:
        assert f" {command} " in told
        assert qc(command, "--help").exit_code == 0
    assert qc("rules", "check", "--help").exit_code == 0


def test_help_does_not_load_what_only_a_command_needs() -> None:
    code = "import sys, pipelines.cli; print([m for m in ('polars', 'duckdb', 'matplotlib', 'pandas', 'snownlp') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_the_night_tells_its_summary_and_where_the_scorecards_are(sample_home: Path) -> None:
    done = qc("nightly", SAMPLE, "--home", sample_home)
    assert done.exit_code == 0
    assert "messages.csv" in done.stdout and "山岚茶舍:小满" in done.stdout and "没有新内容" in done.stdout
    entry = Path(done.stdout.strip().splitlines()[-1].partition(":")[2])
    assert entry.name == "index.html" and entry.exists() and entry.parent.name == "2026-09-30"
    assert (sample_home / "reports" / "latest" / "index.html").exists()
    assert "\x1b[" not in done.stdout


def test_json_is_json(sample_home: Path) -> None:
    told = json.loads(qc("nightly", SAMPLE, "--home", sample_home, "--json").stdout)
    assert {f["file"] for f in told["files"]} == {"agents.csv", "messages.csv", "orders.csv", "ratings.csv"}
    assert json.loads(qc("metrics", "--json").stdout)
    assert json.loads(qc("sql", "SELECT 1 AS a", "--home", sample_home, "--json").stdout) == [{"a": 1}]


def test_quarantine_is_exit_code_3_and_says_where_to_look(home: Path, tmp_path: Path) -> None:
    head, first, *_ = (SAMPLE / "orders.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "orders.csv").write_text(f"{head}\n{first}\nbroken\n", encoding="utf-8")
    done = qc("ingest", tmp_path / "orders.csv", "--home", home)
    assert done.exit_code == 3 and "FROM quarantine" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nightly", "no-such-file"], 2, "没有这个文件"),
        (["nightly", SAMPLE, "--lang", "fr"], 2, "--lang 只能是"),
        (["nightly", SAMPLE, "--as-of", "昨天"], 2, "不是时间"),
        (["nightly", SAMPLE, "--profile", "nobody"], 2, "没有叫「nobody」的 profiles"),
        (["sql", "SELECT 1"], 1, "还没有发布过结果"),
        (["explain", "x"], 1, "qc nightly"),
    ],
)
def test_mistakes_end_in_one_message(home: Path, words: list[object], code: int, says: str) -> None:
    done = qc(*words, "--home", home)
    assert done.exit_code == code and says in done.stderr and "Traceback" not in done.stderr


def test_nothing_readable_is_a_failed_night(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    done = qc("nightly", tmp_path / "empty.csv", "--home", home)
    assert done.exit_code == 1 and "文件是空的" in done.stderr and not (home / "mart.duckdb").exists()


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("profil = 'fair'", "「profil」"),
        ("profile = ", "不是有效的 TOML"),
        ("scorecard = 'x'", "没有叫「x」的 scorecards"),
        ("rules = ['no']", "没有文件夹 no"),
    ],
)
def test_a_broken_setting_is_named(home: Path, toml: str, says: str) -> None:
    (home / "qc.toml").write_text(toml, encoding="utf-8")
    done = qc("nightly", SAMPLE, "--home", home)
    assert done.exit_code == 2 and says in done.stderr


def test_a_rule_file_with_an_unknown_key_says_file_and_line(home: Path) -> None:
    (home / "my").mkdir()
    good = (data_dir() / "rules" / "impatience.yaml").read_text(encoding="utf-8")
    (home / "my" / "own.yaml").write_text(
        good.replace("    who: agent", "    whom: agent").replace(
            "    by: phrase", "    by: phrase\n    whom: agent", 1
        ),
        encoding="utf-8",
    )
    (home / "qc.toml").write_text("rules = ['my']", encoding="utf-8")
    done = qc("rules", "check", "--home", home)
    assert done.exit_code == 2 and "own.yaml:" in done.stderr and "whom" in done.stderr


def test_rules_check_runs_every_example(home: Path) -> None:
    done = qc("rules", "check", "--home", home)
    assert done.exit_code == 0 and "0 个不符" in done.stderr and "CANNOT" in done.stdout


def test_rules_check_looks_at_a_draft_alone(home: Path, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text(qc("rules", "new", "MY_RULE").stdout, encoding="utf-8")
    todo = qc("rules", "check", draft, "--home", home, "--mutate")
    assert todo.exit_code == 1 and "该命中的话1" in todo.stdout and "1 条规则,10 个例句,5 个不符" in todo.stderr
    filled = re.sub("该命中的话(.)", r"要找的词\1", draft.read_text(encoding="utf-8"))
    draft.write_text(filled, encoding="utf-8")
    assert qc("rules", "check", draft, "--home", home).exit_code == 0
    assert "MY_RULE" not in qc("rules", "check", "--home", home).stdout
    unsure = json.loads(qc("rules", "check", draft, "--home", home, "--mutate", "--json").stdout)
    assert [row["规则"] for row in unsure] == ["MY_RULE"]  # no example needs its `unless`


def test_rules_check_fails_when_an_example_does(home: Path) -> None:
    (home / "my").mkdir()
    (home / "my" / "own.yaml").write_text(
        "pack: own\ntitle: 自己的\ntitle_en: Own\nrules:\n  - {id: OWN, title: 测试, title_en: Own, by: phrase, any: [绝不可能], category: own, "
        "severity: minor, why: 因为, source: 自己, tests: {hit: [绝不可能, 一定可能, 绝不可能1, 绝不可能2, 绝不可能3], miss: [好, 行, 可以, 没问题, 嗯嗯]}}\n",
        encoding="utf-8",
    )
    (home / "qc.toml").write_text("rules = ['my']", encoding="utf-8")
    done = qc("rules", "check", "--home", home)
    assert done.exit_code in (1, 2) and "一定可能" in done.stdout + done.stderr


def test_any_text_is_explained_to_the_gram(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "home"))
    said = qc("explain", "--text", "没有不满意", *home).stdout
    assert "「没有不满意」负面" in said and "合计" in said and "不满意" in said
    told = json.loads(qc("explain", "--text", "太慢了", "--json", *home).stdout)
    assert told["p_negative"] > 0.6 and {p["class"] for p in told["pushes"]} == {"negative", "neutral", "positive"}
    sums = {c: sum(p["contribution"] for p in told["pushes"] if p["class"] == c) for c in ("negative", "neutral", "positive")}
    whole = sum(math.exp(v) for v in sums.values())
    assert all(told[f"p_{c}"] == pytest.approx(math.exp(v) / whole, abs=1e-9) for c, v in sums.items())
    assert "按定义是中性" in qc("explain", "--text", "[图片]", *home).stdout
    assert qc("explain", *home).exit_code == 2


def test_a_message_of_a_talk_is_explained_in_json_too(sample_home: Path) -> None:
    with store.open_mart(sample_home) as con:
        conversation, seq, mood = con.execute("SELECT conversation_id, seq, mood::DOUBLE FROM messages WHERE mood < -0.5 ORDER BY ALL LIMIT 1").fetchone() or ()
    told = json.loads(qc("explain", f"{conversation}#{seq}", "--json", "--home", str(sample_home)).stdout)["mood"]
    assert told["mood"] == mood and told["pushes"]
    assert "mood" not in json.loads(qc("explain", conversation, "--json", "--home", str(sample_home)).stdout)


def test_explain_walks_to_the_row_of_the_file(sample_home: Path) -> None:

    with store.open_mart(sample_home) as con:
        agent, conversation, finding, file, row = (
            con.execute("""
            SELECT f.agent, f.conversation_id, f.finding_id, s.file, m.source_row FROM findings f JOIN messages m USING (conversation_id, seq)
            JOIN sources s ON s.source_id = m.source_id WHERE f.agent IS NOT NULL AND f.quote IS NOT NULL ORDER BY ALL LIMIT 1""").fetchone()
            or ()
        )
        order = (
            con.execute("SELECT order_id FROM attributions WHERE class = 'consulted' ORDER BY ALL LIMIT 1").fetchone()
            or ()
        )
    home = ("--home", sample_home)
    assert "质检分" in qc("explain", agent, *home).stdout
    units = json.loads(qc("explain", agent, "qa_score", *home, "--json").stdout)["units"]
    assert conversation in {unit for _, unit, _, _ in units} and units == sorted(units, key=lambda u: u[2])
    talk = qc("explain", conversation, *home).stdout
    assert f"{file}:{row}" in talk and "100 " in talk
    assert f"{file}:{row}" in qc("explain", finding, *home).stdout
    assert "consulted" in qc("explain", *order, *home).stdout
    assert qc("explain", "nobody", *home).exit_code == 2


@pytest.mark.parametrize(
    "query",
    ["SELECT * FROM read_text('/etc/passwd')", "FROM 'x.csv'", "COPY (SELECT 1) TO 'out.csv'", "ATTACH 'x.db'", "CREATE TABLE x (a INT)", "DROP TABLE messages",
     "SET enable_external_access = true", "INSTALL httpfs", "LOAD httpfs", "SELEKT"],
)  # fmt: skip
def test_sql_reads_and_does_nothing_else(sample_home: Path, query: str) -> None:
    done = qc("sql", query, "--home", sample_home)
    assert done.exit_code == 2 and "不能执行" in done.stderr
    assert qc("sql", "SELECT count(*) FROM messages", "--home", sample_home).exit_code == 0


def test_trend_marks_days_that_are_not_mature(sample_home: Path) -> None:
    told = qc("trend", "conversion_d3", "--home", sample_home).stdout
    assert told.count("未成熟") == 4 and "2026-09-01" in told
    assert qc("trend", "nonsense", "--home", sample_home).exit_code == 2


def test_doctor_is_content_with_a_good_workspace_and_names_what_is_wrong(sample_home: Path, home: Path) -> None:
    assert qc("report", "--home", sample_home).exit_code == 0
    assert qc("doctor", "--home", sample_home).exit_code == 0
    (home / "customer.key").write_text("short")
    (home / "customer.key").chmod(0o644)
    (home / "qc.toml").write_text("nonsense = 1")
    done = qc("doctor", "--home", home)
    assert done.exit_code == 1 and "chmod 600" in done.stdout and "nonsense" in done.stdout


def test_two_runs_cannot_share_a_workspace(home: Path) -> None:

    with store.warehouse(home):
        done = qc("nightly", SAMPLE, "--home", home)
    assert done.exit_code == 1 and "正被另一个 qc 进程使用" in done.stderr


def test_sample_writes_a_shop(tmp_path: Path) -> None:
    assert qc("sample", tmp_path / "s", "--messages", 500, "--seed", 1).exit_code == 0
    assert len(list((tmp_path / "s").glob("*"))) == 5


def test_a_rule_is_tried_on_the_shops_own_talks(sample_home: Path, tmp_path: Path) -> None:
    told = qc("rules", "try", "CANNOT", "--home", sample_home, "--json")
    found = json.loads(told.stdout)
    (count,) = found["counts"]
    assert 0 < count["n_conversations"] <= count["n"] and count["low"] < count["share"] < count["high"]
    assert len(found["quotes"]) == min(20, count["n"])
    assert all(q["quote"] in q["text"] for q in found["quotes"])
    assert qc("rules", "try", "CANNOT", "--home", sample_home, "--json").stdout == told.stdout
    later = json.loads(qc("rules", "try", "CANNOT", "--since", "2026-09-29", "--home", sample_home, "--json").stdout)
    assert later["counts"][0]["of"] < count["of"]
    draft = tmp_path / "draft.yaml"
    draft.write_text(qc("rules", "new", "MY_RULE").stdout.replace("要找的词", "有货"), encoding="utf-8")
    mine = json.loads(qc("rules", "try", draft, "--home", sample_home, "--json").stdout)
    assert mine["counts"][0]["rule_id"] == "MY_RULE" and mine["pack_hash"] != found["pack_hash"]
    assert qc("rules", "try", "CANOT", "--home", sample_home).exit_code == 2


def test_a_changed_pack_says_whose_scores_move_and_why(sample_home: Path, tmp_path: Path) -> None:
    old = data_dir() / "rules" / "negative.yaml"
    new = tmp_path / "negative.yaml"
    new.write_text(old.read_text(encoding="utf-8").replace("deduction: 5", "deduction: 7", 1), encoding="utf-8")
    told = json.loads(qc("rules", "diff", old, new, "--home", sample_home, "--json").stdout)
    assert told["old_hash"] != told["new_hash"] and told["conversations"]
    assert all(row["change"] < 0 and "CANNOT" in row["why"] for row in told["conversations"])
    assert sum(a["n_moved"] for a in told["agents"]) == len(told["conversations"])
    same = json.loads(qc("rules", "diff", old, old, "--home", sample_home, "--json").stdout)
    assert same["conversations"] == [] and same["old_hash"] == same["new_hash"]


def test_a_trend_says_when_the_rules_have_changed(home: Path, tmp_path: Path) -> None:
    rules = home / "my-rules"
    rules.mkdir()
    (home / "qc.toml").write_text('rules = ["my-rules"]', encoding="utf-8")
    (rules / "words.yaml").write_text("pack: words\ntitle: 词\ntitle_en: Words\nrules: []\n", encoding="utf-8")
    few = tmp_path / "messages.csv"
    with (Path(SAMPLE) / "messages.csv").open(encoding="utf-8") as all_of_it:
        few.write_text("".join(islice(all_of_it, 600)), encoding="utf-8")
    qc("nightly", few, "--home", home)
    assert "规则包" not in qc("trend", "qa_score", "--home", home).stderr
    (rules / "words.yaml").write_text("pack: words\ntitle: 词\ntitle_en: Words\ndisguises: {微信: [围心]}\nrules: []\n", encoding="utf-8")
    qc("nightly", few, "--home", home)
    assert "那时和现在的数不能直接相比" in qc("trend", "qa_score", "--home", home).stderr
    assert "规则包" not in qc("trend", "unanswered", "--home", home).stderr
    assert "规则包" not in qc("trend", "mood_shift", "--home", home).stderr
    with store.warehouse(home) as con:  # a night later the days before are still scored with another pack
        con.execute("INSERT INTO runs SELECT run_id + 1, * EXCLUDE (run_id) FROM runs ORDER BY run_id DESC LIMIT 1")
    (index,) = (home / "reports").glob("2026-*/index.html")
    assert "rescored" in index.read_text(encoding="utf-8")


def test_ingest_says_who_speaks_in_the_files_just_read(home: Path, tmp_path: Path) -> None:
    head = "shop,channel,conversation_id,sent_at,sender_kind,agent,customer,text\n"
    entry = "甲店,taobao,{0},2026-09-01 10:00:00,customer,,买家{0},当前用户来自 商品详情页\n"
    (tmp_path / "a.csv").write_text(head + entry.format(1), encoding="utf-8")
    (tmp_path / "b.csv").write_text(head + entry.format(2) + entry.format(3), encoding="utf-8")
    assert "platform_entry" not in qc("ingest", tmp_path / "a.csv", "--home", home).stdout
    shown = qc("ingest", tmp_path / "b.csv", "--home", home, "--audit-senders")
    assert "platform_entry" in shown.stdout and "平台代发的入口" in shown.stdout
    told = json.loads(qc("ingest", tmp_path / "b.csv", "--home", home, "--audit-senders", "--json").stdout)
    assert [f["重复"] for f in told["files"]] == [2]
    assert [(s["发送方"], s["依据"], s["条数"]) for s in told["senders"]] == [("system", "platform_entry", 2)]
    everything = json.loads(qc("senders", "--home", home, "--json").stdout)
    assert [s["条数"] for s in everything] == [3]
