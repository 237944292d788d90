"""The case mix as the night publishes it: sample shop, inquiries of returning customers, recontact, pages, qc explain."""

import json
from datetime import datetime, timedelta

import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.resources import data_dir
from pipelines.sample import generate
from pipelines.sample.month import FIRST_DAY, Month
from reports import pages
from tests.conftest import night

# The sample's sentences are known to the lexicon: these floors guard the words, they prove nothing about other shops.
AGREES = {"topic": 0.85, "phase": 0.90}


@pytest.fixture(scope="module")
def mart(sample_home):
    with duckdb.connect(str(sample_home / "mart.duckdb"), read_only=True) as con:
        yield con


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """channel, customer (raw), second, phase, topic of every talk that a customer of the committed sample opened."""
    seen, publish = [], Month.publish

    def noting(self, talk, customer, is_good):
        if talk.visit.scene:
            at = datetime.combine(FIRST_DAY, datetime.min.time()) + timedelta(seconds=talk.bubbles[0][0])
            seen.append((customer.channel, at, talk.visit.phase, talk.visit.scene.topic, talk.bubbles[0][3]))
        return publish(self, talk, customer, is_good)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Month, "publish", noting)
        generate(tmp_path_factory.mktemp("again"))
    return pl.DataFrame(seen, schema=["channel", "at", "phase", "topic", "text"], orient="row")


def test_the_sample_is_told_apart_as_it_was_made(mart, planted):
    mart.register("planted", planted.to_arrow())
    rows = mart.execute("""
        SELECT p.phase, p.topic, c.phase, c.topic FROM planted p
        JOIN messages m ON m.channel = p.channel AND m.sent_at = p.at AND m.text = p.text AND m.seq = 1
        JOIN conversations c USING (conversation_id)""").fetchall()
    assert len(rows) > 0.9 * len(planted)
    assert sum(r[0] == r[2] for r in rows) / len(rows) >= AGREES["phase"]
    assert sum(r[1] == r[3] for r in rows) / len(rows) >= AGREES["topic"]


def test_every_conversation_has_a_case_or_a_reason(mart):
    assert not mart.execute("""SELECT * FROM conversations WHERE (phase IS NULL) <> (case_reason IS NOT NULL)
        OR (topic IS NULL) <> (case_reason = 'no_customer_text' AND case_reason IS NOT NULL)
        OR (customer_type IS NULL) <> (topic IS NULL)""").fetchall()
    codes = mart.execute(
        "SELECT DISTINCT case_reason FROM conversations WHERE case_reason NOT IN (SELECT code FROM reasons)"
    )
    assert codes.fetchall() == []


def test_a_reason_quotes_its_message_and_the_largest_sum_won(mart):
    assert not mart.execute("""SELECT * FROM case_reasons r JOIN messages m USING (conversation_id, seq)
        WHERE m.text[r."start" + 1 : r."end"] <> r.quote""").fetchall()
    assert not mart.execute("""SELECT conversation_id, aspect FROM (
            SELECT conversation_id, aspect, value, bool_or(is_decisive) AS won, sum(weight) AS total FROM case_reasons GROUP BY ALL)
        GROUP BY ALL HAVING bool_or(won) AND max(total) > max(total) FILTER (won)""").fetchall()


def test_returning_customers_with_a_pre_sale_talk_are_inquiries(mart):
    n, returning = mart.execute("SELECT count(*), count(*) FILTER (is_returning) FROM inquiries").fetchone()
    truth = json.loads((data_dir() / "sample" / "truth.json").read_text(encoding="utf-8"))
    assert abs(n - truth["shop_truth"]["inquiries"]) <= 5 and returning > 10
    assert not mart.execute("""SELECT * FROM inquiries i WHERE is_returning AND NOT EXISTS (
        SELECT 1 FROM messages m JOIN conversations c USING (conversation_id)
        WHERE c.phase = 'pre' AND m.customer = i.customer AND m.shop = i.shop AND m.sent_at::DATE = i.day)""").fetchall()


def test_recontact_by_a_second_road(mart):
    talks = mart.execute("""SELECT conversation_id, shop, channel, customer, topic, started_at, ended_at, is_recontacted
        FROM conversations WHERE topic <> '其他' ORDER BY started_at""").fetchall()
    for name, *who, start, end, again in talks:
        later = [o for o in talks if list(o[1:5]) == who and (o[5], o[0]) > (start, name)]
        assert again == any(o[5] <= end + timedelta(hours=72) for o in later), name
    (as_of,) = mart.execute("SELECT as_of FROM runs ORDER BY run_id DESC LIMIT 1").fetchone()
    late = mart.execute(
        "SELECT count(*) FROM conversations WHERE is_mature_recontact <> (ended_at + INTERVAL 72 HOUR <= ?)", [as_of]
    )
    assert late.fetchone() == (0,)
    value, n = mart.execute("SELECT value, n FROM metric('recontact_72h', NULL, NULL) WHERE agent IS NULL").fetchone()
    mature = mart.execute(
        "SELECT avg(is_recontacted::INT), count(*) FROM conversations WHERE is_mature_recontact AND is_recontacted IS NOT NULL"
    )
    assert (round(value, 12), n) == tuple(round(x, 12) for x in mature.fetchone())


CHAT = """shop,channel,conversation_id,sent_at,sender_kind,agent,customer,text
店,taobao,c1,2026-09-01 10:00:00,customer,,k1,这个<b>尺码</b>怎么选
店,taobao,c1,2026-09-01 10:00:20,agent,店:甲,k1,这个我不会
店,taobao,c2,2026-09-03 09:00:00,customer,,k1,这个尺码偏大吗
店,taobao,c2,2026-09-03 09:00:20,agent,店:甲,k1,亲正常码
"""


def test_pages_and_explain_show_the_words_that_decided(home, tmp_path):
    (tmp_path / "chat.csv").write_text(CHAT, encoding="utf-8")
    done = night(home, tmp_path / "chat.csv", pages=pages.write)
    with duckdb.connect(str(home / "mart.duckdb"), read_only=True) as con:
        cases = con.execute(
            "SELECT phase, topic, is_recontacted, is_mature_recontact FROM conversations ORDER BY conversation_id"
        ).fetchall()
    assert cases == [("pre", "商品", True, False), ("pre", "商品", False, False)]
    index = done.reports.read_text(encoding="utf-8")
    assert "接的是哪些会话" in index and "商品 100.0%" in index
    talks = [p.read_text(encoding="utf-8") for p in (done.reports.parent / "conversations").glob("*.html")]
    (talk,) = (page for page in talks if "<small>c1</small>" in page)
    section = talk.partition('<section class="case">')[2].partition("</section>")[0]
    assert '<a href="#m1">#1</a> 「尺码」' in section and "售前" in section and "话题本身" in section
    told = CliRunner().invoke(app, ["explain", "c1", "--home", str(home)])
    assert told.exit_code == 0 and "阶段 pre · 话题 商品 · 客户类型 plain" in told.output and "尺码" in told.output
