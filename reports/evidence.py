"""Which findings and conversations the pages lead to, and everything that was said in them."""

from __future__ import annotations

from typing import NamedTuple

import duckdb

from reports.queries import Row, grouped, rows

WORST = 5
TRAINED_RULES = 5  # of a person, those that came up most
TRAINED_EACH = 3  # sentences of a rule
# The worst first, but another rule before the same rule again; then severity, then the newest.
_WORST = """
    WITH found AS (
        SELECT c.shop, {agent} AS agent, f.finding_id, f.conversation_id, f.seq, f."start", f."end", f.quote, f.rewrite, f.rule_id,
               e.points, r.severity, c.day, c.started_at, m.text, m.sent_at,
               CASE r.severity WHEN 'redline' THEN 0 WHEN 'major' THEN 1 WHEN 'minor' THEN 2 ELSE 3 END AS gravity
        FROM findings f JOIN entries e ON e.finding_id = f.finding_id AND e.cause = 'finding'
        JOIN conversations c ON c.conversation_id = f.conversation_id JOIN rules r ON r.rule_id = f.rule_id
        LEFT JOIN messages m ON m.conversation_id = f.conversation_id AND m.seq = f.seq
        WHERE {which}
    ), varied AS (
        SELECT *, row_number() OVER (PARTITION BY shop, agent, rule_id
                                     ORDER BY points, gravity, started_at DESC NULLS LAST, finding_id) AS again
        FROM found
    )
    SELECT * FROM varied
    QUALIFY row_number() OVER (PARTITION BY shop, agent
                               ORDER BY again, points, gravity, started_at DESC NULLS LAST, finding_id) <= {limit}
    ORDER BY shop, agent, again, points, gravity, started_at DESC NULLS LAST, finding_id"""
_OTHERS = """
    WITH per_talk AS (
        SELECT s.shop, s.agent, s.conversation_id, c.day, c.started_at, s.qa,
               (SELECT max(wait_s) FROM turns t WHERE t.conversation_id = s.conversation_id AND t.responsible = s.agent
                                                  AND t.is_counted) AS longest_wait_s,
               (SELECT min(stars) FROM ratings g WHERE g.conversation_id = s.conversation_id AND g.agent = s.agent) AS stars
        FROM scores s JOIN conversations c USING (conversation_id) WHERE s.agent IS NOT NULL
    ), chosen AS (
        SELECT *, 'lowest_score' AS why FROM per_talk WHERE qa < 100
        QUALIFY row_number() OVER (PARTITION BY shop, agent ORDER BY qa, started_at DESC NULLS LAST, conversation_id) <= 3
        UNION ALL SELECT *, 'longest_wait' FROM per_talk WHERE longest_wait_s IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY shop, agent ORDER BY longest_wait_s DESC, conversation_id) <= 2
        UNION ALL SELECT *, 'low_rating' FROM per_talk WHERE stars <= 2
        QUALIFY row_number() OVER (PARTITION BY shop, agent ORDER BY started_at DESC NULLS LAST, conversation_id) <= 2
    )
    SELECT shop, agent, conversation_id, day, started_at, qa, longest_wait_s, stars, list(why ORDER BY why) AS why FROM chosen
    GROUP BY ALL ORDER BY shop, agent, qa, started_at DESC NULLS LAST, conversation_id"""


class Talk(NamedTuple):
    """One conversation with all that hangs on it."""

    conversation: Row
    messages: list[Row]
    turns: list[Row]
    profile_turns: list[Row]
    findings: list[Row]
    entries: list[Row]
    scores: list[Row]
    ratings: list[Row]
    orders: list[Row]
    case_reasons: list[Row]


def worst(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """The five worst findings of each agent."""
    return rows(con, _WORST.format(agent="f.agent", which="f.agent IS NOT NULL", limit=WORST))


def worst_of_shop(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """The five worst findings of each shop, whoever wrote them; `who` is the agent."""
    found = rows(con, _WORST.format(agent="NULL", which="true", limit=WORST))
    who = dict(con.execute("SELECT finding_id, agent FROM findings WHERE finding_id IN (SELECT unnest(?::VARCHAR[]))",
                           [[f["finding_id"] for f in found]]).fetchall())  # fmt: skip
    return [f | {"who": who[f["finding_id"]]} for f in found]


def training(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Each agent's own sentences that have a better wording: of the rules that came up most, the newest of each.

    `n_found` is how often the rule came up; the same words twice are shown once.
    """
    return rows(con, """
        WITH said AS (
            SELECT c.shop, f.agent, f.finding_id, f.conversation_id, f.seq, f."start", f."end", f.rule_id, f.rewrite, c.day, c.started_at,
                   m.text, count(*) OVER (PARTITION BY c.shop, f.agent, f.rule_id) AS n_found
            FROM findings f JOIN rules r ON r.rule_id = f.rule_id AND r.severity <> 'info'
            JOIN conversations c ON c.conversation_id = f.conversation_id
            JOIN messages m ON m.conversation_id = f.conversation_id AND m.seq = f.seq
            WHERE f.agent IS NOT NULL AND f.rewrite IS NOT NULL
        ), distinct_said AS (
            SELECT * FROM said
            QUALIFY row_number() OVER (PARTITION BY shop, agent, rule_id, text ORDER BY started_at DESC NULLS LAST, finding_id) = 1
        ), ranked AS (
            SELECT *, dense_rank() OVER (PARTITION BY shop, agent ORDER BY n_found DESC, rule_id) AS of_rules,
                   row_number() OVER (PARTITION BY shop, agent, rule_id ORDER BY started_at DESC NULLS LAST, finding_id) AS of_rule
            FROM distinct_said
        )
        SELECT * FROM ranked WHERE of_rules <= ? AND of_rule <= ?
        ORDER BY shop, agent, of_rules, of_rule""", [TRAINED_RULES, TRAINED_EACH])  # fmt: skip


def pending(con: duckdb.DuckDBPyConnection, limit: int) -> list[Row]:
    """Redlines that wait for a person's word, the newest of each agent, with how many there are."""
    return rows(con, """
        SELECT c.shop, f.agent, f.finding_id, f.conversation_id, f.seq, f."start", f."end", f.quote, f.rewrite, f.rule_id, e.points,
               r.severity, c.day, m.text, m.sent_at, count(*) OVER (PARTITION BY c.shop, f.agent) AS n_pending
        FROM findings f JOIN rules r ON r.rule_id = f.rule_id AND r.severity = 'redline'
        JOIN scores s ON s.conversation_id = f.conversation_id AND s.agent IS NOT DISTINCT FROM f.agent AND s.is_redline_pending
        ANTI JOIN reviews v ON v.finding_id = f.finding_id AND v.verdict IS NOT NULL
        JOIN conversations c ON c.conversation_id = f.conversation_id
        LEFT JOIN entries e ON e.finding_id = f.finding_id AND e.cause = 'finding'
        LEFT JOIN messages m ON m.conversation_id = f.conversation_id AND m.seq = f.seq
        QUALIFY row_number() OVER (PARTITION BY c.shop, f.agent ORDER BY c.started_at DESC NULLS LAST, f.finding_id) <= ?
        ORDER BY c.shop, f.agent, c.started_at DESC NULLS LAST, f.finding_id""", [limit])  # fmt: skip


def others(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """A few more conversations of each agent: the lowest scores, the longest waits, the low ratings."""
    return rows(con, _OTHERS)


def talks(con: duckdb.DuckDBPyConnection, ids: set[str]) -> list[Talk]:
    """Everything about the conversations, in the order of their ids: one statement a table."""
    con.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT unnest(?::VARCHAR[]) AS conversation_id", [sorted(ids)])

    def of(query: str) -> dict[tuple[str], list[Row]]:
        return grouped(rows(con, query), "conversation_id")

    conversations = of("SELECT c.* FROM conversations c SEMI JOIN wanted USING (conversation_id)")
    messages = of("""
        SELECT m.conversation_id, m.seq, m.sent_at, m.sender_kind, m.agent, coalesce(a.name, m.agent) AS name, m.content_kind,
               m.text, m.mood, s.file, m.source_row
        FROM messages m SEMI JOIN wanted USING (conversation_id)
        LEFT JOIN sources s ON s.source_id = m.source_id LEFT JOIN agents a ON a.shop = m.shop AND a.agent = m.agent
        ORDER BY m.conversation_id, m.seq""")
    turns = of("SELECT t.* FROM turns t SEMI JOIN wanted USING (conversation_id) ORDER BY conversation_id, turn")
    under = of("SELECT t.* FROM profile_turns t SEMI JOIN wanted USING (conversation_id) ORDER BY conversation_id, profile, turn")
    findings = of("""SELECT f.* FROM findings f SEMI JOIN wanted USING (conversation_id)
                     ORDER BY conversation_id, seq NULLS LAST, "start", rule_id, finding_id""")
    entries = of("""SELECT e.* FROM entries e SEMI JOIN wanted USING (conversation_id)
                    LEFT JOIN findings f USING (finding_id)
                    ORDER BY e.conversation_id, e.agent, e.scorecard, f.seq NULLS LAST, f."start", e.entry_id""")
    scores = of(
        "SELECT s.* FROM scores s SEMI JOIN wanted USING (conversation_id) ORDER BY conversation_id, agent, scorecard"
    )
    ratings = of("""SELECT conversation_id, agent, stars, rated_at FROM ratings SEMI JOIN wanted USING (conversation_id)
                    WHERE stars IS NOT NULL ORDER BY conversation_id, rated_at, agent""")
    orders = of("""
        SELECT evidence_conversation_id AS conversation_id, order_id, agent, class, paid_fen, evidence_seq, seconds_before
        FROM attributions WHERE is_primary AND evidence_conversation_id IN (SELECT conversation_id FROM wanted)
        ORDER BY evidence_conversation_id, order_id""")
    case_reasons = of("""SELECT r.* FROM case_reasons r SEMI JOIN wanted USING (conversation_id)
                         ORDER BY conversation_id, aspect, is_decisive DESC, weight DESC, seq NULLS FIRST, "start", "end", value, basis""")
    parts = (messages, turns, under, findings, entries, scores, ratings, orders, case_reasons)
    return [Talk(conversations[k][0], *(part.get(k, []) for part in parts)) for k in sorted(conversations)]
