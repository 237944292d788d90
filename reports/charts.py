"""Charts as stand-alone SVG: glyphs are paths, so that Chinese shows wherever the page is opened. One picture, one question.

matplotlib is imported where it is used: a command that draws nothing does not wait for it.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from reports.queries import Row, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, FAINT, LINE, OWN, SHOP = "#26303c", "#5d6876", "#aab3bf", "#e3e7ec", "#1f5f8b", "#7a5c2e"
WIDTH = 300  # px; drawn as large as it is shown, so that 10 px stay 10 px
SMALL_N = 10  # a day that stands on fewer units is drawn lighter
DAYS = 30
WAIT_STEPS = 6  # bins a decade


class Dot(NamedTuple):
    """A line of the comparison: who, the number, and whether there is enough to compare."""

    name: str
    value: Value
    is_enough: bool


@cache
def _style() -> dict[str, Any]:
    from matplotlib import font_manager

    font_manager.fontManager.addfont(str(resources.files("pylopdf_fonts_zh_cn") / "NotoSansSC-Regular.otf"))
    return {
        "font.family": ["Noto Sans SC", "DejaVu Sans"], "font.size": 10, "svg.fonttype": "path", "svg.hashsalt": "qc",
        "axes.edgecolor": FAINT, "axes.linewidth": 0.8, "axes.spines.top": False, "axes.spines.right": False,
        "axes.spines.left": False, "axes.unicode_minus": False, "xtick.color": SOFT, "ytick.color": SOFT,
        "xtick.major.size": 3, "ytick.major.size": 0, "text.parse_math": False, "path.simplify": True,
    }  # fmt: skip


def trend(days: Sequence[Row], shop: Sequence[Row], unit: str) -> str:
    """Thirty days: dots a day (hollow: not mature, pale: few units), the week as a line with its band, the shop dashed."""
    last = max(d["day"] for d in [*days, *shop])
    first = last - timedelta(days=DAYS - 1)
    fig, ax = _canvas(126, left=0.145, bottom=0.17, top=0.95)

    def at(day: date) -> int:
        return int((day - first).days)

    _band(ax, [(at(d["day"]), d["low"], d["high"]) for d in days if d["low"] is not None])
    for filled, pale in ((True, False), (True, True), (False, False)):
        some = [d for d in days if d["is_mature"] == filled and (not filled or (d["n"] < SMALL_N) == pale)]
        ax.plot([at(d["day"]) for d in some], [d["value"] for d in some], "o", ms=3.4 if not pale else 2.8, mew=0.9, color=OWN,
                mfc=OWN if filled else "white", alpha=0.3 if pale else 0.75 if filled else 1, zorder=2, ls="none")  # fmt: skip
    if shop:
        _line(ax, [(at(d["day"]), d["week"]) for d in shop], color=SHOP, lw=1.3, ls=(0, (3, 2)))
    _line(ax, [(at(d["day"]), d["week"]) for d in days], color=OWN, lw=1.9)
    _scale(ax, [d["value"] for d in days] + [d["week"] for d in [*days, *shop] if d["week"] is not None], unit)
    marks = (0, 10, 20, 29)
    ax.set_xlim(-0.8, DAYS - 0.2)
    ax.set_xticks(marks, [f"{d.month}/{d.day}" for d in (first + timedelta(days=m) for m in marks)])
    return _svg(fig)


def intervals(dots: Sequence[Dot], shop: Value | None, unit: str, target: float | None, *, has_n: bool = False) -> str:
    """Who on the y axis (with its n), the value as a dot with its 95 % interval; the shop as a dashed line, the target dotted."""
    height = 30 + 19 * len(dots)
    names = [_short(d.name) + (f" n {d.value.n:,}" if has_n else "") for d in dots]
    left = min(0.42 if has_n else 0.36, 0.05 + 0.036 * max(_width(name) for name in names))
    fig, ax = _canvas(height, left=left, bottom=22 / height, top=1 - 4 / height)
    for y, dot in enumerate(dots):
        low, high = dot.value.low, dot.value.high
        if low is not None and high is not None:
            ax.plot([low, high], [y, y], color=OWN, lw=1.6 if dot.is_enough else 1, alpha=1 if dot.is_enough else 0.45,
                    solid_capstyle="butt")  # fmt: skip
        ax.plot([dot.value.value], [y], "o", ms=5, color=OWN, mfc=OWN if dot.is_enough else "white", mew=1)
    if shop and shop.value is not None:
        ax.axvline(shop.value, color=SHOP, lw=1.2, ls=(0, (3, 2)), zorder=0)
    # Who has too little data does not stretch the scale for the others: such an interval may leave the picture.
    known = [v for d in dots for v in (d.value.low if d.is_enough else None, d.value.value, d.value.high if d.is_enough else None)
             if v is not None]  # fmt: skip
    known += [shop.value] if shop and shop.value is not None else []
    if target is not None:
        ax.axvline(target, color=INK, lw=1, ls=(0, (1, 2)), zorder=0)
        known.append(target)
    ax.set_yticks(range(len(dots)), names, color=INK)
    ax.set_ylim(len(dots) - 0.4, -0.6)
    _scale(ax, known, unit, axis="x")
    return _svg(fig)


def waits(own: dict[int, int], shop: dict[int, int], target: float, seconds: str) -> str:
    """How waits are spread, on a log scale: own share a bin as bars, the shop's as a stepped line, the target marked."""
    bins = range(min([*own, *shop]), max([*own, *shop]) + 1)
    edges = [target * 10 ** (b / WAIT_STEPS) for b in [*bins, bins.stop]]
    fig, ax = _canvas(150, left=0.11, bottom=0.15, top=0.88)
    share, usual = (_shares(counts, bins) for counts in (own, shop))
    for low, high, height, b in zip(edges, edges[1:], share, bins, strict=False):
        ax.fill_between([low * 1.02, high / 1.02], 0, height, color=OWN, alpha=0.85 if b < 0 else 0.4, lw=0)
    ax.stairs(usual, edges, color=SHOP, lw=1.2, ls=(0, (3, 2)))
    ax.axvline(target, color=INK, lw=1, ls=(0, (1, 2)))
    ax.set_xscale("log")
    ax.set_xlim(edges[0], edges[-1])
    ax.text(
        target, 1.02, f" {target:g} {seconds}", transform=ax.get_xaxis_transform(), color=INK, ha="center", va="bottom"
    )
    ticks = [(1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h"), (86400, "1 d")]
    ticks = [t for t in ticks if edges[0] <= t[0] <= edges[-1]]
    ax.set_xticks([t[0] for t in ticks], [t[1] for t in ticks])
    ax.minorticks_off()
    _scale(ax, [0, *share, *usual], "%")
    return _svg(fig)


def bins(own: Sequence[Row], shop: Sequence[Row], labels: Sequence[str], first: int, unit: str) -> str:
    """Medians a bin: own as dots with their intervals and n below, the shop's as a dashed line with its band."""
    fig, ax = _canvas(150, left=0.145, bottom=0.25, top=0.96)
    _band(ax, [(r["bin"], r["low"], r["high"]) for r in shop if r["low"] is not None])
    _line(ax, [(r["bin"], r["value"]) for r in shop], color=SHOP, lw=1.3, ls=(0, (3, 2)))
    for r in own:
        pale = r["n"] < SMALL_N
        if r["low"] is not None:
            ax.plot([r["bin"]] * 2, [r["low"], r["high"]], color=OWN, lw=1.6, alpha=0.35 if pale else 1, solid_capstyle="butt")
        ax.plot([r["bin"]], [r["value"]], "o", ms=5, color=OWN, mfc="white" if pale else OWN, mew=1)
    # Who has few turns in a bin does not stretch the scale.
    enough = [r for r in own if r["n"] >= SMALL_N]
    known = [r[k] for r in (*enough, *shop) for k in ("low", "high") if r[k] is not None] + [r["value"] for r in own]
    _scale(ax, [0, *known], unit)
    counts = {r["bin"]: f"{r['n']:,}" for r in own}
    places = range(first, first + len(labels))
    ax.set_xlim(first - 0.5, first + len(labels) - 0.5)
    ax.set_xticks(places, [f"{x}\n{counts.get(b, 0)}" for b, x in zip(places, labels, strict=True)], fontsize=8.5)
    return _svg(fig)


def waterfall(steps: Sequence[tuple[str, float]], start: float, names: tuple[str, str]) -> str:
    """From one sum to another: `start`, each step up or down from where the last one ended, and the end. Fen."""
    height = 44 + 24 * (len(steps) + 2)
    labels = [names[0], *(name for name, _ in steps), names[1]]
    left = min(0.4, 0.06 + 0.036 * max(_width(_short(label)) for label in labels))
    fig, ax = _canvas(height, left=left, bottom=22 / height, top=1 - 6 / height)
    at, reached = start, [start]
    for y, (_, step) in enumerate(steps, 1):
        ax.plot([at, at], [y - 1, y + 0.3], color=FAINT, lw=0.8, zorder=0)
        ax.barh(y, step, left=at, color=OWN if step >= 0 else SHOP, height=0.6)
        at += step
        reached.append(at)
    ax.plot([at, at], [len(steps), len(steps) + 1], color=FAINT, lw=0.8, zorder=0)
    ax.plot([start, at], [0, len(steps) + 1], "o", color=INK, ms=5, ls="none")
    ax.set_yticks(range(len(labels)), [_short(label) for label in labels], color=INK)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    _scale(ax, reached, "fen", axis="x")
    return _svg(fig)


def ranges(rows: Sequence[tuple[str, Sequence[float]]], unit: str) -> str:
    """Who on the y axis; the numbers that several definitions give, the first as a full dot, the others hollow."""
    height = 30 + 19 * len(rows)
    left = min(0.36, 0.05 + 0.036 * max(_width(_short(name)) for name, _ in rows))
    fig, ax = _canvas(height, left=left, bottom=22 / height, top=1 - 4 / height)
    for y, (_, values) in enumerate(rows):
        ax.plot([min(values), max(values)], [y, y], color=OWN, lw=1.6, solid_capstyle="butt")
        ax.plot(values[1:], [y] * (len(values) - 1), "o", ms=4.5, color=OWN, mfc="white", mew=1)
        ax.plot(values[:1], [y], "o", ms=5, color=OWN)
    ax.set_yticks(range(len(rows)), [_short(name) for name, _ in rows], color=INK)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    _scale(ax, [v for _, values in rows for v in values], unit, axis="x")
    return _svg(fig)


def turning(lines: Sequence[tuple[str, Sequence[Row]]], axis: str) -> str:
    """Two lines over the tenths of a talk, each with its 95 % band; pale dots stand on few talks. Rows: tenth (0..9), value, low, high, n."""
    fig, ax = _canvas(170, left=0.13, bottom=0.21, top=0.88)
    ax.axhline(0, color=FAINT, lw=0.8, zorder=0)
    for (name, rows), color in zip(lines, (OWN, SHOP), strict=False):
        band = [r for r in rows if r["low"] is not None]
        ax.fill_between([r["tenth"] for r in band], [r["low"] for r in band], [r["high"] for r in band], color=color, alpha=0.15, lw=0, zorder=0)
        _line(ax, [(r["tenth"], r["value"]) for r in rows], color=color, lw=1.8, label=name)
        for r in rows:
            ax.plot([r["tenth"]], [r["value"]], "o", ms=4, color=color, mfc="white" if r["n"] < SMALL_N else color, mew=1, zorder=4)
    _scale(ax, [v for _, rows in lines for r in rows for v in (r["low"], r["value"], r["high"]) if v is not None], "mood")
    ax.set_xlim(-0.4, 9.4)
    ax.set_xticks(range(10), [f"{10 * t + 5}%" if t % 2 == 0 else "" for t in range(10)])
    ax.set_xlabel(axis, fontsize=9, color=SOFT, labelpad=1)
    fig.legend(loc="upper center", ncols=2, frameon=False, labelcolor=INK, borderaxespad=0, handlelength=1.4,
               prop={"family": _style()["font.family"], "size": 9})  # fmt: skip
    return _svg(fig)


def reliability(
    panels: Sequence[tuple[str, Sequence[tuple[int, float, float, int]]]], classes: Sequence[str], axes: tuple[str, str]
) -> str:
    """How often what was said with probability p was so: a panel a model of (class, p, share, n), a dot's area as its n."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_style()):
        fig = Figure(figsize=(3.3 * len(panels), 3.4), dpi=72, facecolor="none")
        for at, (name, bins) in enumerate(panels, 1):
            ax = fig.add_subplot(1, len(panels), at, facecolor="none", aspect="equal", xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
            ax.plot([0, 1], [0, 1], color=FAINT, lw=0.8, zorder=0)
            for k, color in enumerate((SHOP, SOFT, OWN)):
                mine = [(p, share, n) for c, p, share, n in bins if c == k]
                total = sum(n for _, _, n in mine) or 1
                ax.plot([p for p, _, _ in mine], [share for _, share, _ in mine], color=color, lw=1.2, label=classes[k] if mine else None)
                ax.scatter([p for p, _, _ in mine], [share for _, share, _ in mine], [8 + 160 * n / total for _, _, n in mine], color=color)
            ax.set_title(name, fontsize=10, color=INK)
            ax.set_xlabel(axes[0], fontsize=9, color=SOFT)
            ax.set_ylabel(axes[1] if at == 1 else "", fontsize=9, color=SOFT)
            ax.legend(frameon=False, fontsize=8, loc="upper left")
        fig.tight_layout()
    return _svg(fig)


def _canvas(height: float, *, left: float, bottom: float, top: float) -> tuple[Figure, Axes]:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_style()):
        fig = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, facecolor="none")
        ax = fig.add_axes((left, bottom, 0.985 - left, top - bottom), facecolor="none")
    return fig, ax


def _band(ax: Axes, band: Sequence[tuple[int, float, float]]) -> None:
    if band:
        ax.fill_between(*zip(*band, strict=True), color=OWN, alpha=0.13, lw=0, zorder=0)


def _line(ax: Axes, points: Sequence[tuple[int, float | None]], **style: Any) -> None:
    known = [(x, y) for x, y in points if y is not None]
    if known:
        ax.plot(*zip(*known, strict=True), solid_capstyle="round", zorder=3, **style)


def _scale(ax: Axes, known: Sequence[float], unit: str, axis: str = "y") -> None:
    """Two to four round ticks over the known values, a little air, rates within 0..1."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    low, high = min(known), max(known)
    air = (high - low) * 0.08 or abs(high) * 0.1 or 1
    low, high = low - air, high + air
    if unit in ("%", "s", "fen", "count") and low < 0 <= min(known):
        low = -air * 0.25
    if unit == "%":
        high = min(high, 1.02)
    (ax.set_ylim if axis == "y" else ax.set_xlim)(low, high)
    ticks = [t for t in MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high) if low <= t <= high]
    side = ax.yaxis if axis == "y" else ax.xaxis
    side.set_major_locator(FixedLocator(ticks))
    side.set_ticklabels([_tick(t, unit) for t in ticks])
    side.grid(visible=True, color=LINE, lw=0.7)
    ax.set_axisbelow(True)


def _tick(value: float, unit: str) -> str:
    if unit == "%":
        return f"{value * 100:g}%"
    if unit == "fen":
        return f"¥{value / 100_000:g}k" if abs(value) >= 10_000_000 else f"¥{value / 100:,.0f}"
    return f"{value:g} s" if unit == "s" else f"{value:g}"


def _shares(counts: dict[int, int], bins: range) -> list[float]:
    total = sum(counts.values()) or 1
    return [counts.get(b, 0) / total for b in bins]


def _width(name: str) -> float:
    """Rough width in characters of Chinese."""
    return sum(1 if ord(c) > 0x2E7F else 0.55 for c in name)


def _short(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= 12 or _width(name) <= 9 else f"{name[:11]}…"


def _svg(fig: Figure) -> str:
    """The figure as lean SVG: no comments, no metadata, no document type."""
    from matplotlib import rc_context

    drawn = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with rc_context(_style()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        fig.savefig(drawn, format="svg", metadata=nothing)
    svg = drawn.getvalue()
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(
        r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}" if abs(float(m[0])) >= 1 else f"{float(m[0]):.4g}", svg
    )
    return re.sub(r"\s*\n\s*", "\n", svg)


def bins_of(found: Sequence[Row]) -> dict[int, int]:
    """Rows of (bin, n) as bin -> n, ready for `waits`."""
    counts: dict[int, int] = {}
    for row in found:
        counts[row["bin"]] = counts.get(row["bin"], 0) + row["n"]
    return counts
