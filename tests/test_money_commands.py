"""`qc attribution compare` and `qc why`: the same sales under every rule, and the change to the fen."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines import store
from pipelines.cli import app


def told(home: Path, *words: str) -> list[dict]:
    done = CliRunner().invoke(app, [*words, "--home", str(home), "--json"])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("days", [(), ("--from", "2026-09-08", "--to", "2026-09-14")])
def test_any_look_back_beside_the_rules_gives_the_same_sales_away(sample_home: Path, days: tuple[str, ...]) -> None:
    rows = told(sample_home, "attribution", "compare", "--look-back", "72", "--look-back", "0.5", "--look-back", "24", *days)
    titles = [title for title in rows[0] if title not in ("店铺", "客服", "相差", "相差占比")]
    assert len(titles) == 9
    with store.open_mart(sample_home) as con:
        ((sales,),) = con.execute(
            "SELECT value FROM metric('sales', ?, ?) WHERE agent IS NULL", [*days[1::2]] or [None, None]
        ).fetchall()
    assert {sum(row[title] for row in rows) for title in titles} == {sales}
    for row in rows:  # looking back as far as the night did gives what the night gave
        assert row["下单前最后接待(回看 72 小时)"] == row["下单前最后接待(72 小时)"]
        assert row["下单前最后接待(回看 24 小时)"] == row["下单前最后接待(24 小时)"]
    silent = next(row for row in rows if row["客服"] == "静默")
    assert silent["下单前最后接待(回看 0.5 小时)"] > silent["下单前最后接待(24 小时)"]
    assert max(row["相差"] for row in rows) > 0


def test_a_look_back_of_nothing_is_refused(sample_home: Path) -> None:
    done = CliRunner().invoke(app, ["attribution", "compare", "--look-back", "0", "--home", str(sample_home)])
    assert done.exit_code == 2


def test_why_adds_up(sample_home: Path) -> None:
    rows = told(sample_home, "why")
    assert len(rows) > 10 and rows[0]["客服"] == "全店"
    for row in rows:
        assert sum(row[term] for term in ("流量(询单)", "转化", "客单价", "其余归客服", "静默")) == row["变化"]
