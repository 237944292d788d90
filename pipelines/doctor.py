"""`qc doctor`: what is wrong with a set-up, and what to do about it."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from pipelines import settings, store, terminal

Finding = tuple[str, bool, str]  # what was looked at, whether it is well, what to know or do
MODULES = ("duckdb", "polars", "pyarrow", "numpy", "pydantic", "ruamel.yaml", "jinja2", "matplotlib", "rich", "typer")


def show(home: Path, *, as_json: bool) -> bool:
    """Print every check; True when all is well."""
    found = list(look(home))
    terminal.table(
        ["检查", "结果", "说明"], [[w, "好" if ok else "有问题", say] for w, ok, say in found], as_json=as_json
    )
    return all(ok for _, ok, _ in found)


def look(home: Path) -> Iterator[Finding]:
    """Every check in turn; one that fails never stops the next."""
    for check in (_python, _modules, _data, _font, _settings, _rules, _room, _key, _warehouse, _mart, _quarantine):
        try:
            yield from check(home)
        except Exception as e:  # a doctor reports what breaks, whatever it is
            yield (check.__name__.strip("_"), False, f"检查时出错:{e}")


def _python(_: Path) -> Iterator[Finding]:
    yield ("Python", sys.version_info >= (3, 11), f"{sys.version.split()[0]}(需要 3.11 以上)")


def _modules(_: Path) -> Iterator[Finding]:
    missing = [m for m in MODULES if not _loads(m)]
    yield ("依赖", not missing, f"缺少或打不开:{'、'.join(missing)};重新安装:make audit" if missing else "齐全")


def _loads(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def _data(_: Path) -> Iterator[Finding]:
    folder = settings.data_dir()
    lacks = [
        n for n in ("rules", "scorecards", "profiles", "mappings", "lexicons", "sample") if not (folder / n).is_dir()
    ]
    yield (
        "自带数据",
        not lacks,
        f"{folder} 里缺 {'、'.join(lacks)};请重新安装" if lacks else "规则、评分卡、口径、映射、词表、示例都在",
    )


def _font(_: Path) -> Iterator[Finding]:
    found = importlib.util.find_spec("pylopdf_fonts_zh_cn") is not None
    yield ("中文字体", found, "图里的汉字可以画" if found else "缺少字体包 pylopdf-fonts-zh-cn;重新安装:make audit")


def _settings(home: Path) -> Iterator[Finding]:
    yield _tried("设置", lambda: str(settings.load(home).model_dump()), (settings.SettingsError,))


def _rules(home: Path) -> Iterator[Finding]:
    def check() -> str:
        book = settings.book(home, settings.load(home))
        return f"{sum(len(p.rules) for p in book.packs)} 条规则,评分卡「{'、'.join(c.title for c in book.scorecards)}」,口径「{book.profile.title}」"

    yield _tried("规则与评分卡", check, (Exception,))


def _tried(what: str, check: Callable[[], str], expected: tuple[type[Exception], ...]) -> Finding:
    try:
        return (what, True, check())
    except expected as e:
        return (what, False, str(e))


def _room(home: Path) -> Iterator[Finding]:
    place = home if home.exists() else home.resolve().parent
    free = shutil.disk_usage(place).free / 2**30
    yield (
        "磁盘",
        free > 1,
        f"{place} 所在磁盘还剩 {free:.1f} GiB" + ("" if free > 1 else ";至少留 1 GiB,发布时要写两份"),
    )


def _key(home: Path) -> Iterator[Finding]:
    path = home / settings.KEY_FILE
    if not path.exists():
        yield ("客户假名密钥", True, "还没有(第一次读入时生成)")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    yield (
        "客户假名密钥",
        not mode & 0o077,
        "只有本人可读" if not mode & 0o077 else f"别人也能读({mode:o});运行:chmod 600 {path}",
    )


def _warehouse(home: Path) -> Iterator[Finding]:
    path = home / "warehouse.duckdb"
    if not path.exists():
        yield ("仓库", True, f"{home} 里还没有数据;先运行:qc nightly 文件或文件夹 --home {home}")
        return

    def check() -> str:
        with store.warehouse(home) as con:
            row = con.execute("SELECT count(*), max(newest_at) FROM sources").fetchone() or (0, None)
            bad = con.execute(
                """SELECT count(*) FROM sources WHERE n_rows <> n_stored + n_duplicate + n_quarantined"""
            ).fetchone() or (0,)
            if bad[0]:
                raise store.StoreError(f"{bad[0]} 个来源的行数对不上;请保留现场并报告")
        return f"{row[0]} 个来源,最新数据 {row[1] or '没有时间'}"

    yield _tried("仓库", check, (store.StoreError,))


def _mart(home: Path) -> Iterator[Finding]:
    if not (home / "mart.duckdb").exists():
        yield ("发布的结果", True, "还没有发布过")
        return
    with store.open_mart(home) as con:
        row = con.execute("SELECT run_id, as_of, outcome FROM runs ORDER BY run_id DESC LIMIT 1").fetchone()
    latest = home / "reports" / "latest" / "index.html"
    yield (
        "发布的结果",
        row is not None,
        f"第 {row[0]} 次运行,数据时点 {row[1]}" if row else "没有运行记录;重新运行 qc nightly",
    )
    yield ("成绩单", latest.exists(), str(latest) if latest.exists() else f"没有页面;运行:qc report --home {home}")


def _quarantine(home: Path) -> Iterator[Finding]:
    if (home / "mart.duckdb").exists():
        with store.open_mart(home) as con:
            rows = con.execute("SELECT file, code, count(*) FROM quarantine GROUP BY ALL ORDER BY 3 DESC").fetchall()
        yield ("隔离", True, ";".join(f"{f} {c} {n} 行" for f, c, n in rows) or "没有被隔离的行")
