"""What the pages ask of the mart about mood: how it goes over a talk, and what was said before its lowest point."""

from __future__ import annotations

from typing import Any, NamedTuple

import duckdb

from reports.queries import Row, grouped, rows

TURNED = 0.1  # of mood_shift: as models/cases/quality_worth.sql takes better and worse apart
LEAST_TALKS, MOST_SENTENCES = 2, 20
_JUDGED = f"""
    judged AS (
        SELECT *, CASE WHEN mood_shift > {TURNED} THEN 'better' WHEN mood_shift < -{TURNED} THEN 'worse' ELSE 'same' END AS ending
        FROM conversations WHERE mood_shift IS NOT NULL
    )"""


Groups = dict[tuple[Any, ...], list[Row]]


class Turning(NamedTuple):
    """Rows about how talks go on."""

    counts: Groups  # (shop,): ending, n
    tenths: Groups  # (shop, team or None, ending)
    sentences: Groups  # (shop,)


def gather(con: duckdb.DuckDBPyConnection) -> Turning:
    """All of it."""
    counts = rows(con, f"WITH {_JUDGED} SELECT shop, ending, count(*) AS n FROM judged GROUP BY ALL ORDER BY ALL")
    return Turning(
        grouped(counts, "shop"), grouped(tenths(con), "shop", "team", "ending"), grouped(sentences(con), "shop")
    )


def tenths(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Mean mood a tenth of the talk, a talk counting once: shop, team (NULL: the shop), ending, tenth (0..9), value, low, high, n."""
    return rows(con, f"""
        WITH {_JUDGED}, placed AS (
            SELECT j.shop, j.ending, conversation_id, (m.seq - 1) * 10 // j.n_messages AS tenth, avg(m.mood) AS mood
            FROM judged j JOIN messages m USING (conversation_id) WHERE m.mood IS NOT NULL AND ending <> 'same' GROUP BY ALL
        ), teams AS (
            SELECT DISTINCT s.conversation_id, a.team FROM scores s JOIN agents a USING (shop, agent) WHERE a.team IS NOT NULL
        ), seen AS (SELECT *, NULL AS team FROM placed UNION ALL BY NAME SELECT placed.*, t.team FROM placed JOIN teams t USING (conversation_id))
        SELECT shop, team, ending, tenth, value, greatest(-1, value - reach) AS low, least(1, value + reach) AS high, n
        FROM (SELECT shop, team, ending, tenth, avg(mood) AS value, 1.959963984540054 * stddev_samp(mood) / sqrt(count(*)) AS reach, count(*) AS n
              FROM (FROM seen ORDER BY ALL) GROUP BY shop, team, ending, tenth)
        ORDER BY shop, team NULLS FIRST, ending, tenth""")  # fmt: skip


def sentences(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """shop, said, n (talks that got worse with it before their lowest point), n_said and n_worse (talks with it at all), an example.

    No person's name: a sentence that five people send is one line.
    """
    return rows(con, f"""
        WITH {_JUDGED}, talked AS (
            SELECT DISTINCT j.shop, j.conversation_id, j.ending, trim(m.text) AS said FROM judged j JOIN messages m USING (conversation_id)
            WHERE m.sender_kind IN ('agent', 'assist') AND m.content_kind = 'text' AND trim(m.text) <> ''
        ), before AS (
            SELECT j.shop, trim(m.text) AS said, count(*) AS n, min(j.conversation_id) AS conversation_id,
                   arg_min(j.before_low_seq, j.conversation_id) AS seq
            FROM judged j JOIN messages m ON m.conversation_id = j.conversation_id AND m.seq = j.before_low_seq
            WHERE ending = 'worse' GROUP BY ALL HAVING count(*) >= {LEAST_TALKS}
        ), whole AS (SELECT shop, said, count(*) AS n_said, count(*) FILTER (WHERE ending = 'worse') AS n_worse FROM talked GROUP BY ALL)
        SELECT b.*, w.n_said, w.n_worse, wilson_low(n_worse, n_said) AS low, wilson_high(n_worse, n_said) AS high
        FROM before b JOIN whole w USING (shop, said)
        QUALIFY row_number() OVER (PARTITION BY shop ORDER BY n DESC, said) <= {MOST_SENTENCES}
        ORDER BY shop, n DESC, said""")  # fmt: skip
