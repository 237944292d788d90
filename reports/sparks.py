"""Drawings small enough to write by hand: inline SVG of numbers and fixed words, its colours in the style sheet."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from reports.queries import Value


def strip(value: Value, shop: Value | None, low: float, high: float) -> Markup:
    """The value with its interval on the scale of the team; the shop's value is the upright stroke."""

    def x(v: float) -> str:
        return f"{4 + 112 * min(1, max(0, (v - low) / (high - low))):.1f}" if high > low else "60"

    parts = ['<path class="axis" d="M4 8H116"/>']
    if shop and shop.value is not None:
        parts.append(f'<path class="shop" d="M{x(shop.value)} 1V15"/>')
    if value.low is not None and value.high is not None:
        parts.append(f'<path class="own" d="M{x(value.low)} 8H{x(value.high)}"/>')
    if value.value is not None:
        parts.append(f'<circle class="dot" cx="{x(value.value)}" cy="8" r="3.4"/>')
    return _drawing("strip", 120, 16, parts)


def stack(shares: Sequence[float]) -> Markup:
    """Shares of a whole side by side, in the order given."""
    parts, x = [], 0.0
    for n, share in enumerate(shares):
        parts.append(
            f'<rect class="part-{n}" x="{x:.2f}" y="0" width="{max(0.0, share * 600 - 1.5):.2f}" height="12"/>'
        )
        x += share * 600
    return _drawing("stack", 600, 12, parts)


def talk(
    moods: Sequence[tuple[int, float]], found: Sequence[int], last: int, words: tuple[str, str, str], alt: str, low: tuple[int, float] | None = None
) -> Markup:
    """A talk from its first to its last message: the customer's mood (−1..1) at each of theirs, the lowest ringed, a mark where a rule found something."""

    def x(seq: int) -> str:
        return f"{30 + 262 * (seq - 0.5) / last:.1f}"

    def y(mood: float) -> str:
        return f"{34 - 26 * mood:.1f}"

    good, bad, axis = words
    parts = [f'<path class="axis" d="M30 {y(0)}H292M30 72H292"/>', f'<path class="own" d="M{" L".join(f"{x(n)} {y(m)}" for n, m in moods)}"/>' if moods else ""]
    parts += [f'<circle class="dot" cx="{x(n)}" cy="{y(m)}" r="2.2"/>' for n, m in moods]
    parts += [f'<circle class="ring" cx="{x(low[0])}" cy="{y(low[1])}" r="5.5"/>'] if low else []
    parts += [f'<path class="found" d="M{x(n)} 66l3.4 6h-6.8z"/>' for n in found]
    parts += [f'<text class="left" x="25" y="{float(y(at)) + 3.5:.1f}">{escape(word)}</text>' for at, word in ((1, good), (-1, bad))]
    parts += [f'<text x="{x(n)}" y="83">{n}</text>' for n in sorted({1, (last + 1) // 2, last})]
    parts.append(f'<text x="161" y="96">{escape(axis)}</text>')
    return Markup(f'<svg class="talk" viewBox="0 0 300 99" role="img" aria-label="{escape(alt)}">{"".join(parts)}</svg>')


def _drawing(kind: str, width: int, height: int, parts: Sequence[str]) -> Markup:
    return Markup(f'<svg class="{kind}" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
                  f"{''.join(parts)}</svg>")  # fmt: skip
