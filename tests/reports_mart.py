"""Marts that the pages must survive: the sample's, changed by hand, its figures rebuilt by the real models."""

import shutil
from pathlib import Path

import duckdb

from pipelines import mart, standard
from pipelines.resources import data_dir

STANDARD = standard.load(data_dir() / "standards" / "gbt_27922.yaml", data_dir())

CHAT_TABLES = (
    "messages", "conversations", "turns", "profile_turns", "findings", "entries", "scores", "moments", "agents", "ratings", "receptions",
    "predicted_csat", "inquiries", "inquiry_agents", "promises", "coverage", "case_reasons",
)  # fmt: skip
ONLY_ORDERS = [
    *(f"DELETE FROM {t}" for t in CHAT_TABLES), "UPDATE orders SET customer = NULL", "DELETE FROM attributions WHERE NOT is_primary",
    "UPDATE attributions SET class = 'silent', agent = NULL, customer = NULL, evidence_conversation_id = NULL, evidence_seq = NULL",
]  # fmt: skip
NOTHING = [*(f"DELETE FROM {t}" for t in (*CHAT_TABLES, "orders", "attributions", "sources", "quarantine", "runs"))]
SHARED_TALKS = "SELECT conversation_id FROM scores GROUP BY ALL HAVING count(*) > 1"
NO_TIMES_NO_AGENTS = [
    *(f"DELETE FROM {t}" for t in ("agents", "ratings", "receptions", "inquiries", "inquiry_agents", "orders", "attributions", "coverage")),
    f"DELETE FROM entries WHERE conversation_id IN ({SHARED_TALKS})", f"DELETE FROM scores WHERE conversation_id IN ({SHARED_TALKS})",
    "UPDATE messages SET sent_at = NULL, agent = NULL",
    """UPDATE conversations SET started_at = NULL, ended_at = NULL, day = NULL, hour = NULL, handling_s = NULL, reason = 'no_times',
       is_recontacted = NULL""",
    """UPDATE turns SET day = NULL, responsible = NULL, answered_by = NULL, asked_at = NULL, answered_at = NULL, wait_s = NULL,
       is_counted = false, reason = 'no_times'""",
    """UPDATE promises SET day = NULL, agent = NULL, asked_at = NULL, due_at = NULL, kept_at = NULL, seconds = NULL,
       status = 'unknown', reason = 'no_times'""",
    "UPDATE turns SET in_service_s = NULL, n_open = NULL, n_open_shop = NULL, substantive_s = NULL, is_stalled = NULL",
    """UPDATE profile_turns SET day = NULL, responsible = NULL, asked_at = NULL, wait_s = NULL, is_counted = false,
       reason = 'no_times'""",
    "UPDATE scores SET agent = NULL, day = NULL", "UPDATE runs SET as_of = NULL",
    *(f"UPDATE {t} SET agent = NULL" for t in ("findings", "entries", "moments")),
]  # fmt: skip

EVIL = "\"><img src=x onerror=alert(1)><script>alert('x')</script>{{ 7*7 }}=cmd|'/C calc'!A0 "
NAMES = ('../<b>云</b>:/"x', "../<b>云</b>:/'x", "CON", "$a^2$", "a" * 300)


def rebuilt(source: Path, path: Path, statements: list[str]) -> Path:
    """A copy of a mart with other facts; metrics and gaps follow from them."""
    shutil.copy(source, path)
    with duckdb.connect(str(path)) as con:
        for statement in (*(f"DROP TABLE {t}" for t in ("gaps", "metrics", "standard_items", "standard_scores")), "DROP VIEW observations", *statements):
            con.execute(statement)
    mart.finish(path, STANDARD)
    return path


def hostile(source: Path, path: Path) -> Path:
    """Every text that a stranger can write carries markup; agents have names that no file may have."""
    literal = "'" + EVIL.replace("'", "''") + "'"
    n = len(EVIL)
    statements = [
        f"UPDATE messages SET text = {literal} || text",
        f'UPDATE findings SET "start" = "start" + {n}, "end" = "end" + {n} WHERE seq IS NOT NULL',
        f"UPDATE rules SET title = {literal} || title, why = {literal}, rewrite = {literal}",
        f"UPDATE sources SET file = {literal} || file",
        f"INSERT INTO quarantine VALUES ('s', {literal}, 7, 'code', {literal}, {literal})",
        f"UPDATE agents SET team = {literal}",
    ]
    shutil.copy(source, path)
    with duckdb.connect(str(path), read_only=True) as con:
        agents = [a for (a,) in con.execute("SELECT agent FROM agents ORDER BY agent").fetchall()]
        holders = [t for (t,) in con.execute("SELECT table_name FROM duckdb_columns() WHERE column_name = 'agent' AND NOT internal "
                                             "AND table_name NOT IN ('metrics', 'observations', 'reviews')").fetchall()]  # fmt: skip
    for old, new in zip(agents, NAMES, strict=False):
        given = "'" + new.replace("'", "''") + "'"
        statements += [f"UPDATE {t} SET agent = {given} WHERE agent = '{old}'" for t in holders]
        statements += [*(f"UPDATE {t} SET responsible = {given} WHERE responsible = '{old}'" for t in ("turns", "profile_turns")),
                       f"UPDATE agents SET name = {given} WHERE agent = {given}"]  # fmt: skip
    return rebuilt(source, path, statements)
