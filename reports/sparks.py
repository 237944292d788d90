"""Drawings small enough to stand in a line of text: inline SVG made of numbers only, no text, no style."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

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


def _drawing(kind: str, width: int, height: int, parts: Sequence[str]) -> Markup:
    return Markup(f'<svg class="{kind}" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
                  f"{''.join(parts)}</svg>")  # fmt: skip
