"""What a person sees in a terminal: progress on stderr, results on stdout, tables that read without colour."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipelines import shop_weights, store
from pipelines.ingest import Outcome, Reading
from pipelines.nightly import Night
from pipelines.rulebench import Checked, Moved, Trial
from qc.metrics import REASONS
from qc.rulecheck import KINDS
from reports.views import SUMMARY, shown

WORDS = {
    "zh": ("文件", "种类", "行", "入库", "重复", "隔离", "店铺", "客服", "成绩单:", "没有新内容,规则也没有变:沿用上次发布的结果。",
           "情绪模型:", "(本店训练的;撤销:qc train --undo)"),
    "en": ("File", "Kind", "Rows", "Stored", "Duplicate", "Quarantined", "Shop", "Agent", "Scorecards: ",
           "Nothing new, and the same rules: the last published result stands.",
           "Mood model: ", " (trained on this shop; back: qc train --undo)"),
}  # fmt: skip


class Show:
    """Progress of a long job: a live line in a terminal, one plain line a step elsewhere."""

    def __init__(self, console: Console, progress: Progress | None) -> None:
        self._console, self._progress, self._since = console, progress, time.monotonic()
        self._told, self._file = 0.0, ""
        self._task = progress.add_task("", total=None) if progress else None

    def step(self, what: str) -> None:
        """Name what is being done."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, description=what, completed=0, total=None)
        else:
            self._console.print(f"{time.monotonic() - self._since:6.1f} s  {what}", highlight=False, soft_wrap=True)

    def file(self, at: Reading) -> None:
        """How far reading is, how fast, and for how long still; told of every file, and at most every two seconds."""
        now = time.monotonic()
        if now - self._told >= 2 or at.file != self._file or self._progress:
            self._told, self._file = now, at.file
            self.step(reading(at, now - self._since))
        if self._progress and self._task is not None:
            self._progress.update(self._task, completed=at.done, total=at.total)


def reading(at: Reading, seconds: float) -> str:
    """`chats.csv 1,200,000 行 · 81,000 行/秒 · 160/1,400 MB · 约剩 1 分 40 秒`; what cannot be known yet is left out.

    >>> reading(Reading("chats.csv", 1200, 3000, 25_000_000, 100_000_000), 10.0)
    '读入 chats.csv 1,200 行 · 300 行/秒 · 25/100 MB · 约剩 30 秒'
    """
    said = [f"读入 {at.file} {at.n_rows:,} 行"]
    if seconds >= 1:
        said.append(f"{at.n_all / seconds:,.0f} 行/秒")
    if at.done:
        said.append(f"{at.done / 1e6:,.0f}/{at.total / 1e6:,.0f} MB")
    if at.done and seconds >= 1:
        minutes, rest = divmod(round(seconds * (at.total - at.done) / at.done), 60)
        said.append(f"约剩 {minutes} 分 {rest} 秒" if minutes else f"约剩 {rest} 秒")
    return " · ".join(said)


@contextmanager
def working() -> Iterator[Show]:
    """Progress while a job runs."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield Show(console, None)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield Show(console, progress)


def table(
    head: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool = False, right: Sequence[int] = ()
) -> None:
    """A table on stdout, or the same as JSON."""
    if as_json:
        return document(records(head, rows))
    made = Table(box=SIMPLE, pad_edge=False, show_edge=False)
    for n, name in enumerate(head):
        made.add_column(name, justify="right" if n in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*("" if v is None else str(v) for v in row))
    # Piped output is for reading and searching, not for a screen's width.
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False).print(made)


def records(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """The rows of a table, each by the names of its columns."""
    return [dict(zip(head, r, strict=True)) for r in rows]


def document(content: object) -> None:
    """JSON on stdout."""
    print(json.dumps(content, ensure_ascii=False, default=str))


def read_and_decided(
    outcomes: Sequence[Outcome], passed_over: Sequence[Path], head: Sequence[str], decided: Sequence[Sequence[Any]], *,
    as_json: bool,
) -> None:  # fmt: skip
    """`qc ingest --audit-senders`: the files, then the table of who speaks in them; as JSON one object of the two."""
    if as_json:
        document({"files": records(WORDS["zh"][:6], _files(outcomes)), "senders": records(head, decided)})
        return notes(outcomes, passed_over)
    files(outcomes, passed_over, as_json=False)
    print()
    table(head, decided, right=(4, 5))


def files(outcomes: Sequence[Outcome], passed_over: Sequence[Path], *, as_json: bool, lang: str = "zh") -> None:
    """What became of each file."""
    table(WORDS[lang][:6], _files(outcomes), as_json=as_json, right=(2, 3, 4, 5))
    notes(outcomes, passed_over)


def _files(outcomes: Sequence[Outcome]) -> list[list[object]]:
    return [[o.file, o.kind or "?", o.n_rows, o.n_stored, o.n_duplicate, o.n_quarantined] for o in outcomes]


def notes(outcomes: Sequence[Outcome], passed_over: Sequence[Path]) -> None:
    """On stderr: which files could not be read, which were passed over, and where it is said why rows are in quarantine."""
    for o in outcomes:
        if o.problem:
            print(f"{o.file}: {o.problem}", file=sys.stderr)
        if o.n_damaged * 5 > o.n_stored:
            print(
                f"{o.file}: {o.n_stored} 条里有 {o.n_damaged} 条是乱码,文件多半在导出或转存时转错了编码;请重新导出,或用 --encoding 指明",
                file=sys.stderr,
            )
    if passed_over:
        print(f"未读(不是认得的结尾):{'、'.join(p.name for p in passed_over)}", file=sys.stderr)
    if any(o.n_quarantined for o in outcomes):
        print('有行被隔离,其余照常。看原因:qc sql "SELECT file, line, reason, raw FROM quarantine"', file=sys.stderr)


def night(done: Night, home: Path, lang: str, *, as_json: bool) -> None:
    """The night's summary: files, then the agents side by side, then where the scorecards are."""
    words = WORDS[lang]
    with store.open_mart(home) as con:
        agents = _side_by_side(con, lang)
        model = str((con.execute("SELECT model FROM runs ORDER BY run_id DESC LIMIT 1").fetchone() or ("",))[0])
    if as_json:
        what = {
            "files": [o._asdict() for o in done.files],
            "is_new": done.is_new,
            "reports": str(done.reports),
            "agents": agents,
            "model": model,
        }
        print(json.dumps(what, ensure_ascii=False, default=str))
        return
    files(done.files, done.passed_over, as_json=False, lang=lang)
    print()
    head = [words[6], words[7], *(SUMMARY[m][0 if lang == "zh" else 1] for m in SUMMARY)]
    table(head, [list(a.values()) for a in agents], right=range(2, len(head)))
    print(f"\n{words[10]}{model}{words[11] if shop_weights.is_own(model) else ''}")
    if not done.is_new:
        print(words[9])
    if done.reports:
        print(f"{words[8]}{done.reports.resolve()}")


def _side_by_side(con: duckdb.DuckDBPyConnection, lang: str) -> list[dict[str, str]]:
    """Every agent, the shop first; values as shown, in no order of merit."""
    rows: dict[tuple[str, str | None], dict[str, str]] = {}
    units = dict(con.execute("SELECT metric, unit FROM kpis").fetchall())
    for metric in SUMMARY:
        found = con.execute(f"SELECT shop, agent, value FROM metric('{metric}', NULL, NULL)").fetchall()
        for shop, agent, value in found:
            row = rows.setdefault(
                (shop, agent), {"shop": shop, "agent": agent or ("全店" if lang == "zh" else "(shop)")}
            )
            row[metric] = shown(value, units[metric])
    ordered = [rows[k] for k in sorted(rows, key=lambda k: (k[0], k[1] is not None, k[1] or ""))]
    return [{k: row.get(k, "–") for k in ("shop", "agent", *SUMMARY)} for row in ordered]


def examples(found: Checked, *, as_json: bool) -> bool:
    """How the examples came out, or, where all hold and it was asked, what they let pass; True when nothing is wrong."""
    by_rule = found.rules["failures"].to_list()
    failures = [one for of_rule in by_rule for one in of_rule]
    if failures or found.n_broken is None:
        said = [("；".join(f) if as_json else f"{len(f)} 个不符") if f else "过" for f in by_rule]
        rows = [[*row, how] for row, how in zip(found.rules.drop("failures").rows(), said, strict=True)]
        table(["规则", "该中", "不该中", "结果"], rows, as_json=as_json, right=(1, 2))
        if failures and not as_json:
            print(*failures, sep="\n")
    else:
        table(["规则", "弄坏了什么,例句却都照旧"], found.survivors.rows(), as_json=as_json)
        noticed = found.n_broken - found.survivors.height
        print(f"弄坏 {found.n_broken} 处,例句察觉 {noticed} 处;没有察觉的,请补例句", file=sys.stderr)
    n = found.rules["n_hit"].sum() + found.rules["n_miss"].sum()
    print(f"{found.rules.height} 条规则,{n} 个例句,{len(failures)} 个不符 · 规则包 {found.pack_hash[:12]}", file=sys.stderr)
    return not failures and found.survivors.is_empty()


def trial(found: Trial, *, as_json: bool) -> None:
    """Counts of each rule, then quotes with what was said around them."""
    if as_json:
        print(json.dumps(found._asdict() | {"counts": found.counts.to_dicts(), "quotes": found.quotes.to_dicts()}, ensure_ascii=False))
        return
    rows = [
        [r["rule_id"], r["title"], r["n"], r["n_conversations"], r["of"], shown(r["share"], "%"),
         f"{shown(r['low'], '%')}–{shown(r['high'], '%')}", f"没有用上:{REASONS[r['unasked']][0]}" if r["unasked"] else ""]
        for r in found.counts.iter_rows(named=True)
    ]  # fmt: skip
    table(["规则", "名称", "处", "命中会话", "会话", "占", "95% 区间", "备注"], rows, right=(2, 3, 4, 5))
    for q in found.quotes.iter_rows(named=True):
        place = f"{q['rule_id']}  {q['conversation_id']} #{q['seq']}" if q["seq"] else f"{q['rule_id']}  {q['conversation_id']}"
        print(f"\n{place}  {q['agent'] or ''}")
        if q["seq"]:
            print(f"  前 {_bubble(q, 'before')}\n  ▶ {q['text']}  ←「{q['quote']}」\n  后 {_bubble(q, 'after')}")
        else:
            print("  整个会话里没有说到")
    print(f"规则包 {found.pack_hash[:12]}", file=sys.stderr)


_MARKS = {kind: mark for mark, kind in KINDS.items()}


def _bubble(quote: dict[str, str | None], where: str) -> str:
    """The bubble beside a quote as an example writes it, so that it can be copied into one."""
    who = quote[f"{where}_by"]
    return f"{_MARKS.get(who, who)}: {quote[where] or ''}" if who else ""


def moved(found: Moved, *, as_json: bool) -> None:
    """Whose scores move: people, then the talks that move most."""
    if as_json:
        print(json.dumps(found._asdict() | {"conversations": found.conversations.to_dicts(), "agents": found.agents.to_dicts()}, ensure_ascii=False))
        return
    table(["店铺", "客服", "会话", "变动", "旧均分", "新均分", "差"], found.agents.rows(), right=(2, 3, 4, 5, 6))
    table(["会话", "客服", "旧分", "新分", "差", "因为"], found.conversations.head(20).rows(), right=(2, 3, 4))
    n = found.conversations.height
    print(f"规则包 {found.old_hash[:12]} → {found.new_hash[:12]}:{n} 个分数变动{',上面是变动最大的 20 个' if n > 20 else ''}", file=sys.stderr)
