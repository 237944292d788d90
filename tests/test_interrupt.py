"""Ctrl-C while files are read: what was read whole stays, what was not leaves nothing, and the next run completes it."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import ingest, nightly, store, terminal
from pipelines.sources import json_records

HEAD = "shop,channel,conversation_id,message_id,sent_at,sender_kind,agent,customer,text,content_kind"
# The command itself, which sends itself the signal once a piece of the second file has been read.
INTERRUPTED = """
import os, signal, sys
from pipelines import cli, terminal
files, told = set(), terminal.Show.file
def file(self, at):
    told(self, at)
    files.add(at.file)
    if len(files) == 2:
        os.kill(os.getpid(), signal.SIGINT)
terminal.Show.file = file
cli.main()
"""


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    for name in ("a", "b", "c"):
        rows = [f"甲店,jd,s{name},{name}{n},2026-09-01 10:00:00,customer,,买家{n},在吗,text" for n in range(50)]
        (folder / f"{name}.csv").write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return folder


def run(code: list[str], exports: Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *code, "ingest", str(exports), "--home", str(home)],
        capture_output=True,
        check=False,
        encoding="utf-8",
    )


def stored(home: Path) -> tuple[int, int, int]:
    """Files on record, messages, different messages."""
    with store.warehouse(home) as con:
        query = "SELECT (SELECT count(*) FROM sources), count(*), count(DISTINCT message_id) FROM fact_messages"
        return con.execute(query).fetchall()[0]


def test_ctrl_c_keeps_the_files_that_were_read_whole(exports: Path, home: Path) -> None:
    broken_off = run(["-c", INTERRUPTED], exports, home)
    assert broken_off.returncode == 1
    assert "已中断" in broken_off.stderr and "Traceback" not in broken_off.stderr
    assert stored(home) == (1, 50, 50)
    assert run(["-m", "pipelines.cli"], exports, home).returncode == 0
    assert stored(home) == (3, 150, 150)


def test_progress_tells_rate_and_time_left_one_line_at_a_time(exports: Path, home: Path) -> None:
    told: list[ingest.Reading] = []
    nightly.read_in([exports], nightly.Request(home), told.append)
    assert [at.n_all for at in told] == [50, 100, 150] and told[-1].done == told[-1].total
    lines = run(["-m", "pipelines.cli"], exports, home / "other").stderr.splitlines()
    assert sum("50 行" in line for line in lines) == 3
    assert (
        terminal.reading(ingest.Reading("x.csv", 10, 400, 2_000_000, 8_000_000), 40.0)
        == "读入 x.csv 10 行 · 10 行/秒 · 2/8 MB · 约剩 2 分 0 秒"
    )
    again: list[ingest.Reading] = []
    nightly.read_in([exports], nightly.Request(home), again.append)
    assert again == []


@pytest.mark.parametrize("export", ["dongdong/list_pretty.json", "dongdong/lines.jsonl", "chatwoot/messages_pretty.json", "taobao_api/roaming_list.json", "zendesk/tickets_pretty.json", "qianniu/spaced.txt", "pdd/above.txt"])  # fmt: skip
def test_every_source_tells_how_far_it_is(export: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "BATCH", 2)
    file = Path(__file__).parent / "golden" / export
    told: list[ingest.Reading] = []
    (outcome,), _ = nightly.read_in([file], nightly.Request(home, shop="甲店"), told.append)
    places = [at.done for at in told]
    assert outcome.problem is None and places == sorted(places)
    assert told[-1].done == told[-1].total == file.stat().st_size
    if export.endswith("pretty.json"):
        assert len(set(places)) > 2 and "约剩" in terminal.reading(told[0], 10.0)
