"""What is asked of the published mart: a few statements for the whole report, whatever the number of agents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

Who = tuple[str, str | None]  # shop and agent; the shop itself has no agent
Row = dict[str, Any]


class Value(NamedTuple):
    """A number as metric() gives it: its 95 % interval and how many units it stands on."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def open_mart(mart: Path) -> duckdb.DuckDBPyConnection:
    """The mart, read only, without the network."""
    config = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    con = duckdb.connect(str(mart), read_only=True, config=config)
    # Sums of fractions depend on their order, and several threads have none: the same mart must give the same pages.
    con.execute("SET threads = 1")
    return con


def lay_out(con: duckdb.DuckDBPyConnection) -> None:
    """The run's own observations of agents and shops as a table, so that each metric() is a scan; other profiles are out of reach then."""
    # A macro looks its tables up where it is called: the copy stands before the view, and gives the same rows.
    con.execute("CREATE TEMP TABLE observations AS SELECT * FROM main.observations WHERE grain IN ('agent', 'shop') "
                "AND profile IN (SELECT profile FROM main.profiles WHERE is_own)")  # fmt: skip


def rows(con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> list[Row]:
    """The rows of a query, each as column -> value."""
    found = con.execute(query, list(parameters))
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def grouped(found: Sequence[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of some columns, order kept."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        groups.setdefault(tuple(row[k] for k in keys), []).append(row)
    return groups


def run(con: duckdb.DuckDBPyConnection) -> Row:
    """The run that published this mart; empty when there is none."""
    columns = ("as_of", "profile", "scorecard", "rules", "model", "version")
    found = rows(con, f"SELECT {', '.join(columns)} FROM runs ORDER BY run_id DESC LIMIT 1")
    return found[0] if found else dict.fromkeys(columns)


# finding_id, word: what the last reviewer of each finding said.
LAST_WORDS = """(SELECT finding_id, if(arg_max(verdict, (reviewed_at, review_id)) = 'confirmed', 'confirmed', 'rejected') AS word
                 FROM reviews WHERE finding_id IS NOT NULL AND verdict IS NOT NULL GROUP BY finding_id)"""


def other_rules(con: duckdb.DuckDBPyConnection) -> Row | None:
    """The last publication of the days that trends show that scored with other rules: its as_of and rules, and today's."""
    found = rows(con, """
        SELECT before.as_of, before.rules[:12] AS rules, today.rules[:12] AS rules_now
        FROM (SELECT * FROM runs ORDER BY run_id DESC LIMIT 1) today
        JOIN runs before ON before.outcome = 'published' AND before.run_id < today.run_id
        WHERE before.rules <> today.rules AND before.as_of > today.as_of - INTERVAL 30 DAYS
        ORDER BY before.run_id DESC LIMIT 1""")  # fmt: skip
    return found[0] if found else None


def profiles(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Every definition profile, the run's own first."""
    return rows(con, "SELECT * FROM profiles ORDER BY NOT is_own, profile")


def kpis(con: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    """metric -> its entry in the registry."""
    return {k["metric"]: k for k in rows(con, "SELECT * FROM kpis")}


def values(con: duckdb.DuckDBPyConnection, metrics: Sequence[str]) -> dict[str, dict[Who, Value]]:
    """metric -> shop and agent -> value, over the whole period."""
    found = {}
    for metric in metrics:
        given = con.execute("SELECT shop, agent, value, low, high, n FROM metric(?, NULL, NULL)", [metric]).fetchall()
        found[metric] = {(shop, agent): Value(*number) for shop, agent, *number in given}
    return found


def shops(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """shop, first_day, last_day, paid_fen of its orders (NULL without any): every shop that any table knows."""
    return rows(con, """
        WITH known AS (
            SELECT shop FROM conversations UNION SELECT shop FROM orders UNION SELECT shop FROM ratings
        ), days AS (
            SELECT shop, min(day) AS first_day, max(day) AS last_day FROM metrics WHERE grain = 'shop' GROUP BY shop
        ), paid AS (
            SELECT shop, sum(paid_fen)::BIGINT AS paid_fen FROM attributions GROUP BY shop
        )
        SELECT shop, first_day, last_day, paid_fen FROM known LEFT JOIN days USING (shop) LEFT JOIN paid USING (shop)
        WHERE shop IS NOT NULL ORDER BY shop""")  # fmt: skip


def agents(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """shop, agent, name, team of everybody with a roster line or a word said, in the order of their names."""
    return rows(con, "SELECT shop, agent, coalesce(name, agent) AS name, team FROM agents ORDER BY shop, name, agent")


def sources(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """What was read, file by file."""
    return rows(con, """
        SELECT file, kind, n_rows, n_stored, n_duplicate, n_quarantined, problem,
               n_rows = n_stored + n_duplicate + n_quarantined AS is_whole
        FROM sources ORDER BY file, source_id""")  # fmt: skip


def quarantine(con: duckdb.DuckDBPyConnection, limit: int) -> list[Row]:
    """The first rows that were not stored, and why."""
    return rows(con, "SELECT file, line, reason, raw FROM quarantine ORDER BY file, line, code LIMIT ?", [limit])


def gaps(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """shop, reason and the metrics that it makes impossible."""
    return rows(con, """
        SELECT shop, reason, list(metric ORDER BY metric) AS metrics, r.zh, r.en
        FROM gaps g LEFT JOIN reasons r ON r.code = g.reason GROUP BY ALL ORDER BY shop, reason""")  # fmt: skip


def reasons(con: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    """code -> its Chinese and English words."""
    return {r["code"]: r for r in rows(con, "SELECT code, zh, en FROM reasons")}


def daily(con: duckdb.DuckDBPyConnection, metrics: Sequence[str], days: int) -> list[Row]:
    """The last days of each shop: metric, shop, agent, day, value, n, is_mature, and `week`, the seven days up to it.

    A week is Σnum ÷ Σden of its mature days (of a total: the mean of its days, those without any included), a rate's
    with its Wilson interval; the week of an immature day is NULL.
    """
    return rows(con, """
        WITH span AS (SELECT shop, min(day) AS first_day, max(day) AS last_day FROM metrics WHERE grain = 'shop' GROUP BY shop),
        days AS (
            SELECT k.metric, k.kind, k.scale, m.shop, m.agent, m.day, m.num, m.den, m.n, m.is_mature, last_day,
                   least(7, m.day - first_day + 1) AS n_days,
                   sum(num) FILTER (WHERE is_mature) OVER week AS week_num, sum(den) FILTER (WHERE is_mature) OVER week AS week_den
            FROM metrics m JOIN kpis k ON k.observed = m.metric JOIN span USING (shop)
            WHERE k.metric IN (SELECT unnest(?::VARCHAR[])) AND day > last_day - ?::INT - 6 AND grain IN ('agent', 'shop')
              AND m.profile IN (SELECT profile FROM profiles WHERE is_own)
            WINDOW week AS (PARTITION BY k.metric, grain, m.shop, m.agent ORDER BY m.day
                            RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW)
        )
        SELECT metric, shop, agent, day, n, is_mature, scale * CASE kind WHEN 'total' THEN num ELSE num / den END AS value,
               CASE WHEN is_mature THEN scale * week_num / CASE kind WHEN 'total' THEN n_days ELSE week_den END END AS week,
               CASE WHEN is_mature AND kind = 'rate' THEN wilson_low(week_num, week_den) END AS low,
               CASE WHEN is_mature AND kind = 'rate' THEN wilson_high(week_num, week_den) END AS high
        FROM days WHERE day > last_day - ?::INT ORDER BY metric, shop, agent, day""", [list(metrics), days, days])  # fmt: skip


def classes(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Attribution ledger by class: shop, class, orders, buyers, paid_fen."""
    return rows(con, """
        SELECT shop, class, count(*) AS n_orders, count(DISTINCT customer) AS n_buyers, sum(paid_fen)::BIGINT AS paid_fen
        FROM attributions WHERE is_primary GROUP BY ALL ORDER BY shop, class""")  # fmt: skip


def waits(con: duckdb.DuckDBPyConnection, target: float, steps: int) -> list[Row]:
    """Answered waits in bins of equal width on a log scale, `steps` a decade, bin −1 ending with the target itself."""
    return rows(con, """
        SELECT shop, responsible AS agent, ceil(log10(greatest(wait_s, 1) / ?) * ?)::INT - 1 AS bin, count(*) AS n
        FROM turns WHERE is_counted AND is_answered AND wait_s IS NOT NULL
        GROUP BY ALL ORDER BY ALL""", [target, steps])  # fmt: skip


def case_mix(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Conversations by phase, topic and customer type: shop, agent (NULL: the shop), aspect, value (NULL: not known), n."""
    return rows(con, """
        WITH had AS (
            SELECT shop, NULL AS agent, conversation_id FROM conversations
            UNION SELECT shop, agent, conversation_id FROM scores WHERE agent IS NOT NULL
        ), told AS (
            SELECT h.shop, h.agent, unnest(['phase', 'topic', 'customer_type']) AS aspect,
                   unnest([c.phase, c.topic, c.customer_type]) AS value
            FROM had h JOIN conversations c USING (conversation_id)
        )
        SELECT shop, agent, aspect, value, count(*) AS n FROM told GROUP BY ALL ORDER BY ALL""")  # fmt: skip


def rule_counts(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """What each rule found and cost: shop, agent, scorecard, rule_id, n_findings, n_conversations, points."""
    return rows(con, """
        SELECT c.shop, f.agent, s.scorecard, f.rule_id, count(*) AS n_findings,
               count(DISTINCT f.conversation_id) AS n_conversations, coalesce(sum(e.points), 0) AS points
        FROM findings f JOIN conversations c USING (conversation_id) LEFT JOIN entries e USING (finding_id)
        LEFT JOIN scores s ON s.conversation_id = f.conversation_id AND s.agent = f.agent
        WHERE f.agent IS NOT NULL GROUP BY ALL ORDER BY ALL""")  # fmt: skip


def reviewed(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """finding_id -> confirmed or rejected: what its last reviewer said."""
    return dict(con.execute(f"SELECT finding_id, word FROM {LAST_WORDS} ORDER BY ALL").fetchall())


def given_back(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Entries of the QA score without a finding (caps, reviews; no veto, which leaves it): shop, agent, scorecard, item, cause, n, points."""
    return rows(con, """
        SELECT c.shop, e.agent, e.scorecard, e.item, e.cause, count(*) AS n, sum(e.points) AS points
        FROM entries e JOIN conversations c USING (conversation_id)
        WHERE e.cause NOT IN ('finding', 'veto') AND e.agent IS NOT NULL GROUP BY ALL ORDER BY ALL""")  # fmt: skip


def moments(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Required politeness by moment: shop, agent (NULL: the shop), rule_id, met, applies, with the Wilson interval."""
    return rows(con, """
        SELECT shop, agent, rule_id, met, applies, wilson_low(met, applies) AS low, wilson_high(met, applies) AS high
        FROM (SELECT c.shop, m.agent, m.rule_id, count(*) FILTER (WHERE is_met) AS met, count(*) AS applies
              FROM moments m JOIN conversations c USING (conversation_id)
              JOIN rules r ON r.rule_id = m.rule_id AND r.severity <> 'info' AND r.category = 'politeness'
              GROUP BY GROUPING SETS ((c.shop, m.agent, m.rule_id), (c.shop, m.rule_id))
              HAVING GROUPING(m.agent) = 1 OR m.agent IS NOT NULL)
        ORDER BY shop, agent NULLS FIRST, rule_id""")  # fmt: skip


def rules(con: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    """rule_id -> the rule, with its item on the scorecard where it has one."""
    return {r["rule_id"]: r for r in rows(con, """
        SELECT r.*, i.item, i.title AS item_title, i.title_en AS item_title_en, i.weight AS item_weight
        FROM rules r LEFT JOIN (SELECT rule_id, arg_min(item, rowid) AS item, arg_min(title, rowid) AS title,
                                       arg_min(title_en, rowid) AS title_en, arg_min(weight, rowid) AS weight
                                FROM scorecard_items GROUP BY rule_id) i USING (rule_id)""")}  # fmt: skip


def cards(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """By which cards each agent was judged: shop, agent, scorecard, mean qa, n conversations."""
    return rows(con, """
        SELECT shop, agent, scorecard, avg(qa) AS qa, count(*) AS n
        FROM scores WHERE agent IS NOT NULL AND qa IS NOT NULL GROUP BY ALL ORDER BY ALL""")  # fmt: skip


def scorecard(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """scorecard with its title(s), section_title(s), item, title(s), weight and its rules, in the order of the card."""
    return rows(con, """
        SELECT scorecard, card_title, card_title_en, section, section_title, section_title_en, item, title, title_en, weight,
               list(rule_id ORDER BY rowid) AS rules
        FROM scorecard_items GROUP BY ALL ORDER BY min(rowid)""")  # fmt: skip
