"""The order of the night: ingest → rebuild → publish → pages, and the record of the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from pydantic import BaseModel

from pipelines import ingest, mart, satisfaction, scoring, settings, sources, store
from pipelines.ingest import Outcome, Progress
from pipelines.mart import Book
from qc import rulebook
from qc.intake import Kind

Pages = Callable[[Path, Path, str], Path]  # mart, folder, language -> the entry page


class Request(NamedTuple):
    """What the user asked for."""

    home: Path
    as_of: datetime | None = None
    profile: str | None = None
    mapping: Path | None = None
    encoding: str | None = None
    kind: Kind | None = None
    lang: str = "zh"
    shop: str | None = None  # for files that do not say
    channel: str | None = None
    keep_raw: bool = False  # also keep what masking changed, in the warehouse's raw_texts


class Night(NamedTuple):
    """What the night did."""

    files: list[Outcome]
    passed_over: list[Path]
    is_new: bool
    reports: Path | None
    exit_code: int


class NightError(Exception):
    """Nothing was published; the message says why and what to do."""


def product_version() -> str:
    """The installed version of the product."""
    try:
        return version("qc-customer-service")
    except PackageNotFoundError:
        return "0"


def read_in(inputs: Sequence[Path], request: Request, progress: Progress) -> tuple[list[Outcome], list[Path]]:
    """`qc ingest`: files into the warehouse, nothing else."""
    missing = [p for p in inputs if not p.exists()]
    if missing:
        raise FileNotFoundError(f"没有这个文件或文件夹:{'、'.join(map(str, missing))}")
    files, passed = ingest.files_in(inputs)
    if not files:
        kinds = " ".join(sorted(ingest.ENDINGS))
        raise FileNotFoundError(f"{'、'.join(map(str, inputs))} 里没有认得的文件(认得的结尾:{kinds},可加 .gz)")
    chosen = settings.load(request.home)
    constants = {k: v for k in ("shop", "channel") if (v := getattr(request, k) or getattr(chosen, k))}
    forced = settings.mappings.load(request.mapping) if request.mapping else None
    options = ingest.Options(
        settings.known_mappings(request.home, chosen),
        settings.customer_key(request.home),
        sources.Wishes(forced, request.encoding, request.kind, constants),
        request.keep_raw,
    )
    with store.warehouse(request.home) as con:
        return ingest.ingest(con, files, options, progress), passed


def night(
    inputs: Sequence[Path], request: Request, *, progress: Progress, step: mart.Step,
    pages: Pages | None = None,
) -> Night:  # fmt: skip
    """The whole night. Idempotent: nothing new and the same rules publish nothing.

    `pages(mart, reports folder, lang)` writes the pages and returns their entry. Raises NightError when no file could be
    read, LedgerError when the money does not add up; then yesterday's mart and pages stand.
    """
    home = request.home
    chosen = settings.load(home)
    if request.profile:
        chosen = chosen.model_copy(update={"profile": request.profile})
    book = settings.book(home, chosen)
    files, passed = read_in(inputs, request, progress)
    if files and all(o.problem for o in files):
        raise NightError("没有一个文件能读:\n" + "\n".join(f"  {o.file}: {o.problem}" for o in files))
    with store.warehouse(home) as con:
        is_new, as_of = _rebuild(con, home, book, request, chosen, files, step)
    entry = home / "reports" / _day(as_of) / "index.html"
    if pages and (is_new or _is_older(entry, home / "mart.duckdb")):
        step("写成绩单")
        entry = write_pages(home, request.lang, pages)
    code = 3 if any(o.n_quarantined for o in files) else 0
    return Night(files, passed, is_new, entry if entry.exists() else None, code)


def rebuild(request: Request, step: mart.Step) -> bool:
    """The mart from the facts as they are now, seen from where the last published night stood; whether it is a new one."""
    home, chosen = request.home, settings.load(request.home)
    with store.warehouse(home) as con:
        last = con.execute("SELECT as_of, profile FROM runs WHERE outcome = 'published' ORDER BY run_id DESC LIMIT 1").fetchone()
        as_of, profile = last or (None, chosen.profile)
        book = settings.book(home, chosen.model_copy(update={"profile": profile}))
        return _rebuild(con, home, book, request._replace(as_of=as_of), chosen, [], step)[0]


def write_pages(home: Path, lang: str, pages: Pages) -> Path:
    """Pages of the published mart under reports/<date>/, with reports/latest/ leading there; returns their entry."""
    with store.open_mart(home) as con:
        row = con.execute("SELECT as_of FROM runs ORDER BY run_id DESC LIMIT 1").fetchone()
    day = _day(row[0] if row else None)
    entry = pages(home / "mart.duckdb", home / "reports" / day, lang)
    _point_latest(home / "reports", day)
    return entry


def _day(as_of: datetime | None) -> str:
    return as_of.date().isoformat() if as_of else "undated"


def _is_older(page: Path, mart: Path) -> bool:
    """A night that was cut off between the mart and its pages has old pages, or none."""
    return not page.exists() or page.stat().st_mtime < mart.stat().st_mtime


def _rebuild(
    con: duckdb.DuckDBPyConnection, home: Path, book: Book, request: Request, chosen: settings.Settings,
    files: Sequence[Outcome], step: mart.Step,
) -> tuple[bool, datetime | None]:  # fmt: skip
    as_of = request.as_of or _newest(con)
    model = scoring.model(home, chosen.sentiment)
    satisfied = satisfaction.load(home)
    fingerprint = _fingerprint(con, book, as_of, [model.version, satisfied], request.lang)
    last = con.execute(
        "SELECT fingerprint FROM runs WHERE outcome = 'published' ORDER BY run_id DESC LIMIT 1"
    ).fetchone()
    if last and last[0] == fingerprint and (home / "mart.duckdb").exists():
        return False, as_of
    run_id = _begin(con, book, as_of, model.version, fingerprint, files)
    try:
        with store.mart_in_the_making(con, home) as path:
            mart.build(con, book, as_of, scoring.cached(con, model, step), step, scoring.grams(model), satisfied)
            _end(con, run_id, "published")
            con.execute("INSERT INTO mart.runs SELECT * FROM warehouse.runs ORDER BY run_id")
            store.detach(con)
            mart.finish(path, book.standard)
    except BaseException:
        _end(con, run_id, "failed")
        raise
    return True, as_of


def _newest(con: duckdb.DuckDBPyConnection) -> datetime | None:
    row = con.execute("SELECT max(newest_at) FROM sources").fetchone()
    return row[0] if row else None


def _fingerprint(con: duckdb.DuckDBPyConnection, book: Book, as_of: datetime | None, model: object, lang: str) -> str:
    """Everything that decides what the mart holds and the pages show."""
    facts = con.execute("SELECT source_id, reader, n_stored FROM sources ORDER BY source_id").fetchall()
    reviews = con.execute("SELECT count(*), max(reviewed_at)::VARCHAR, (SELECT count(*) FROM erasures) FROM reviews").fetchone()
    models = [path.read_text(encoding="utf-8") for path in sorted(store.MODELS.rglob("*.sql"))]
    what = [facts, reviews, book, models, str(as_of), model, lang, product_version()]
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=_plain).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """What a rulebook holds, as JSON: its models as what they say, the rest as it is written."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else dict(value) if isinstance(value, Mapping) else str(value)


def _begin(
    con: duckdb.DuckDBPyConnection,
    book: Book,
    as_of: datetime | None,
    model: str,
    fingerprint: str,
    files: Sequence[Outcome],
) -> int:
    run_id = int((con.execute("SELECT coalesce(max(run_id), 0) + 1 FROM runs").fetchone() or (1,))[0])
    con.execute(
        "INSERT INTO runs VALUES (?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, 'running')",
        [run_id, _clock(), as_of, book.profile.id, "+".join(c.scorecard for c in book.scorecards), rulebook.pack_hash(book.packs), model,
         fingerprint, product_version()],
    )  # fmt: skip
    for row in ([run_id, o.source_id, o.file, o.n_rows, o.n_stored, o.n_duplicate, o.n_quarantined] for o in files):
        con.execute("INSERT INTO run_files VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return run_id


def _end(con: duckdb.DuckDBPyConnection, run_id: int, outcome: str) -> None:
    con.execute("UPDATE warehouse.runs SET finished_at = ?, outcome = ? WHERE run_id = ?", [_clock(), outcome, run_id])


def _clock() -> datetime:
    """Wall clock, for the run record only; no number is made from it."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def _point_latest(reports: Path, day: str) -> None:
    """reports/latest shows the newest night; a plain page that leads there works from every file system."""
    latest = reports / "latest"
    if latest.is_symlink():
        latest.unlink()
    latest.mkdir(exist_ok=True)
    (latest / "index.html").write_text(
        f'<!doctype html><meta charset="utf-8"><title>客服质检</title><meta http-equiv="refresh" content="0; url=../{day}/index.html">'
        f'<a href="../{day}/index.html">{day}</a>\n',
        encoding="utf-8",
    )
