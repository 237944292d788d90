"""Files → source facts: recognise, read, check, mask, load. Every row of a file ends stored, duplicate or in quarantine.

A source is its bytes: `source_id` is made of their SHA-256, so a second run and a renamed copy find it already there. The
same row twice is a duplicate, a known key with another content is a newer version, and both are kept (`pipelines.facts`).
Which version counts is decided when the night is built.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb
import polars as pl

from pipelines import erasures, facts, sources
from pipelines import mapping as mappings
from pipelines.mapping import Mapping
from pipelines.sources import Part, Source, Wishes
from pipelines.sources.lines import UnreadableFile
from pipelines.store import transaction
from qc import damage, intake, privacy

READER = 2  # raised when the same bytes would be read into other rows; known sources are then read again
ENDINGS = {
    ".csv",
    ".tsv",
    ".txt",
    ".jsonl",
    ".ndjson",
    ".parquet",
    ".xlsx",
    ".xls",
    ".zip",
    ".json",
}  # of files in a folder; a file named by itself is always read
BESIDE = {"truth.json"}  # what the sample generator planted: no export


class Reading(NamedTuple):
    """How far a run is."""

    file: str
    n_rows: int  # of this file so far
    n_all: int  # of the run so far
    done: int  # bytes read in the run so far
    total: int  # bytes that the run has to read


Progress = Callable[[Reading], None]
Tell = Callable[[int, int], None]  # rows and bytes of one file so far


class Options(NamedTuple):
    """How to read: the known mappings, the key of the pseudonyms, and what the user insists on."""

    known: Sequence[Mapping]
    key: bytes
    wishes: Wishes = Wishes()
    keep_raw: bool = False  # keep what masking changed, in raw_texts


class Outcome(NamedTuple):
    """What became of one file."""

    file: str
    source_id: str
    kind: str
    n_rows: int
    n_stored: int
    n_duplicate: int
    n_quarantined: int
    is_known: bool
    problem: str | None = None
    n_damaged: int = 0  # stored texts that were decoded wrongly before they came here


def files_in(inputs: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Files to read, and files in the given folders that are passed over because of their ending."""
    chosen: list[Path] = []
    passed: list[Path] = []
    for path in inputs:
        if not path.is_dir():
            chosen.append(path)
            continue
        for file in sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")):
            ending = Path(file.stem).suffix if file.suffix == ".gz" else file.suffix
            (chosen if ending.lower() in ENDINGS and file.name not in BESIDE else passed).append(file)
    return chosen, passed


def ingest(
    con: duckdb.DuckDBPyConnection, files: Sequence[Path], options: Options, progress: Progress
) -> list[Outcome]:
    """Load the files, one transaction each, in an order that does not depend on their names.

    `progress` is called after every piece of a file. A file that cannot be read is an outcome with a problem and one
    quarantine row; it stops no other file.
    """
    outcomes: dict[Part, Outcome] = {}
    first: dict[str, Outcome] = {}
    with TemporaryDirectory() as folder, facts.loading(con):
        parts = [part for n, file in enumerate(files) for part in _parts(file, Path(folder) / str(n))]
        ordered = sorted(parts, key=lambda p: (p.source_id, p.name, str(p.path)))
        sizes = [p.path.stat().st_size for p in ordered]
        for n, part in enumerate(ordered):
            if part.source_id in first:
                outcomes[part] = _again(first[part.source_id], part)
                continue
            before = Reading(part.name, 0, sum(o.n_rows for o in first.values() if not o.is_known), sum(sizes[:n]), sum(sizes))
            with transaction(con):
                outcomes[part] = first[part.source_id] = _ingest_part(con, part, options, _from(before, progress))
        return [outcomes[part] for part in parts]


def _from(before: Reading, progress: Progress) -> Tell:
    def tell(n_rows: int, at: int) -> None:
        progress(before._replace(n_rows=n_rows, n_all=before.n_all + n_rows, done=before.done + at))

    return tell


def _parts(file: Path, folder: Path) -> list[Part]:
    try:
        return sources.parts(file, folder)
    except UnreadableFile as e:
        return [Part(file.name, file, sources.digest(file)[:16], problem=str(e))]


def _again(first: Outcome, part: Part) -> Outcome:
    rest = first.n_rows - first.n_quarantined
    return first._replace(file=part.name, n_stored=0, n_duplicate=rest, is_known=True)


def _ingest_part(con: duckdb.DuckDBPyConnection, part: Part, options: Options, tell: Tell) -> Outcome:
    try:
        source = sources.recognise(part, options.known, options.wishes)
    except UnreadableFile as e:
        return _unreadable(con, part, str(e))
    reader = _reader(source)
    row = con.execute(
        "SELECT kind, n_rows, n_quarantined FROM sources WHERE source_id = ? AND reader = ?", [part.source_id, reader]
    ).fetchone()
    if row:
        kind, n_rows, bad = row
        return Outcome(part.name, part.source_id, kind, n_rows, 0, n_rows - bad, bad, True)
    _forget(con, part.source_id)
    try:
        return _load(con, source, reader, options, tell)
    except UnreadableFile as e:  # what only the lines tell: no shop, nobody who is known to be the shop's
        return _unreadable(con, part, str(e))


def _reader(source: Source) -> str:
    how = [READER, source.format, source.encoding, mappings.fingerprint(source.mapping)]
    return hashlib.sha256(json.dumps(how, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def _forget(con: duckdb.DuckDBPyConnection, source_id: str) -> None:
    """Take back what an earlier reading of the same bytes (another mapping, an older reader) stored."""
    for table in ("sources", "quarantine", "raw_texts", *(f"fact_{kind}" for kind in facts.KEYS)):
        con.execute(f"DELETE FROM {table} WHERE source_id = ?", [source_id])


def _unreadable(con: duckdb.DuckDBPyConnection, part: Part, problem: str) -> Outcome:
    _forget(con, part.source_id)
    kept = problem.partition("\n")[0]  # what follows is for the person at the screen and may name customers
    con.execute(
        "INSERT INTO sources VALUES (?, ?, NULL, NULL, NULL, NULL, NULL, ?, 1, 0, 0, 1, NULL, NULL, ?)",
        [part.source_id, part.name, part.path.stat().st_size, kept],
    )
    con.execute("INSERT INTO quarantine VALUES (?, ?, 0, 'file', ?, NULL)", [part.source_id, part.name, kept])
    return Outcome(part.name, part.source_id, "", 1, 0, 0, 1, False, problem)


def _load(con: duckdb.DuckDBPyConnection, source: Source, reader: str, options: Options, tell: Tell) -> Outcome:
    kind, (name, path, source_id, *_) = source.mapping.kind, source.part
    con.execute("CREATE OR REPLACE TEMP TABLE unmasked AS SELECT * FROM raw_texts LIMIT 0")
    key, erased = options.key, erasures.known(con)
    optional, n_rows, bad_rows, at, size = frozenset(source.mapping.absent), 0, 0, 0, path.stat().st_size
    for chunk in sources.read(source):
        good, bad = intake.check(kind, chunk.fields, optional=optional)
        good, bad = erasures.withhold(good, _masked_rejects(bad, chunk, key), erased, key)
        n_rows += len(good) + len(bad)
        bad_rows += len(bad)
        rows = _masked(good, key).rename({"_line": "source_row"}).with_columns(source_id=pl.lit(source_id))
        facts.insert(con, kind, rows)
        if options.keep_raw and kind == "messages":
            _keep_raw(con, good, rows)
        facts.append(con, "quarantine", bad.with_columns(source_id=pl.lit(source_id), file=pl.lit(name)))
        at = max(at, chunk.at or 0)
        tell(n_rows, at)
    span = con.execute(f"SELECT {_span(kind)} FROM fact_{kind} WHERE source_id = ?", [source_id]).fetchone() or (None, None)
    stored = facts.settle(con, kind, source_id)
    con.execute(
        "INSERT INTO raw_texts SELECT u.* FROM unmasked u SEMI JOIN fact_messages f USING (source_id, source_row)"
    )
    duplicate = n_rows - bad_rows - stored
    con.execute(
        "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        [source_id, name, kind, source.format, source.encoding, source.mapping.id, reader, size, n_rows, stored,
         duplicate, bad_rows, *span],
    )  # fmt: skip
    return Outcome(
        name, source_id, kind, n_rows, stored, duplicate, bad_rows, False, None, _damaged(con, kind, source_id)
    )


def _damaged(con: duckdb.DuckDBPyConnection, kind: str, source_id: str) -> int:
    if kind != "messages":
        return 0
    row = con.execute("SELECT count(*) FROM fact_messages WHERE is_damaged AND source_id = ?", [source_id]).fetchone()
    return int((row or (0,))[0])


def _keep_raw(con: duckdb.DuckDBPyConnection, good: pl.DataFrame, rows: pl.DataFrame) -> None:
    """What masking changed, as it was written: beside the facts, for whoever may see it, and for nobody else."""
    both = rows.select("source_id", "source_row", masked="text").with_columns(good["text"])
    facts.append(con, "unmasked", both.filter(pl.col("text") != pl.col("masked")).drop("masked"))


def _masked(good: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """Typed rows with personal numbers masked and the customer's id replaced by its pseudonym."""
    masked = [c for c in ("text", "extra", "name", "product", "seller") if c in good.columns]
    frame = good.with_columns([privacy.mask(good[c]).alias(c) for c in masked])
    if "text" in good.columns:
        frame = frame.with_columns(damage.is_damaged(good["text"]).alias("is_damaged"))
    if "customer" not in good.columns:
        return frame
    return frame.with_columns(privacy.pseudonym(frame["customer"], key).alias("customer"))


def _masked_rejects(bad: pl.DataFrame, chunk: sources.table.Chunk, key: bytes) -> pl.DataFrame:
    """Rejected rows as quarantine keeps them: numbers masked, and the customer's own name where its column is known."""
    rows = bad.rename({"_line": "line", "_raw": "raw"})
    if "customer" in chunk.fields.columns and len(rows):
        who = chunk.fields.select(line="_line", customer=pl.col("customer").str.strip_chars())
        rows = rows.join(who, on="line", how="left").with_columns(
            _alias=privacy.pseudonym(rows.join(who, on="line", how="left")["customer"], key)
        )
        hidden = [
            text.replace(name, alias) if name and alias and text else text
            for text, name, alias in rows.select("raw", "customer", "_alias").iter_rows()
        ]
        rows = rows.with_columns(raw=pl.Series(hidden, dtype=pl.String)).drop("customer", "_alias")
    both = pl.concat([chunk.bad, rows.select("line", "raw", "code", "reason")])
    return both.with_columns(privacy.mask(both["raw"]).alias("raw"), privacy.mask(both["reason"]).alias("reason"))


def _span(kind: str) -> str:
    times = {
        "messages": ["sent_at"],
        "orders": ["created_at", "paid_at", "refund_applied_at", "refund_finished_at"],
        "ratings": ["invited_at", "rated_at"],
    }.get(kind)
    if not times:
        return "NULL::TIMESTAMP, NULL::TIMESTAMP"
    return f"min(least({', '.join(times)})), max(greatest({', '.join(times)}))"
