"""Look for what must never be there: personal numbers in any table, page or log of a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipelines.store import connect
from qc.privacy import mask_text

PAGES = {".html", ".json", ".txt", ".log", ".csv"}
IDS = (
    "order_id",
    "parent_order_id",
    "message_id",
    "unit",
    "source_id",
    "fingerprint",
    "rules",
    "reader",
)  # numbers, nobody's


def leaks(home: Path) -> Iterator[tuple[str, str]]:
    """(where, the masked form of what was found) for every text that masking would still change."""
    for name in ("warehouse.duckdb", "mart.duckdb"):
        with connect(home / name, read_only=True) as con:
            columns = con.execute(
                "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND data_type = 'VARCHAR' "
                f"AND column_name NOT IN {IDS}"
            ).fetchall()
            for table, column in columns:
                for (text,) in con.execute(
                    f'SELECT DISTINCT "{column}" FROM "{table}" WHERE regexp_matches("{column}", \'[0-9]{{7}}|@\')'
                ).fetchall():
                    if mask_text(text) != text:
                        yield (f"{name} {table}.{column}", mask_text(text))
    for page in sorted(p for p in (home / "reports").rglob("*") if p.suffix in PAGES):
        content = page.read_text(encoding="utf-8")
        if mask_text(content) != content:
            yield (str(page.relative_to(home)), "")
