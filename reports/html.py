"""Pages that stand alone: templates, the style sheet inlined under a content security policy, names of files."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.views import shown, span

HERE = Path(__file__).parent


@cache
def environment() -> Environment:
    """Templates: everything is escaped, an unknown name is an error."""
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    css = (HERE / "assets" / "page.css").read_text(encoding="utf-8")
    env.globals.update(css=Markup(css), csp=policy(css))
    env.filters.update(shown=shown, span=span, points=points, lost=lost, clock=clock, count="{:,}".format)
    return env


def policy(css: str) -> str:
    """Nothing may be loaded, run or sent; only this style sheet applies and only pictures inside the page show."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def page(template: str, **context: Any) -> str:
    """The finished page."""
    return environment().get_template(template).render(**context)


def picture(svg: str) -> str:
    """SVG as the source of an <img>."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def slug(*identity: str) -> str:
    """A file name for something with any name: readable where it can be, unique by a hash, safe on every disk.

    >>> slug("店", "店:小/云"), slug("s", "../<b>")
    ('店-小-云-8a5a1eb84c', 'b-71ef3e4447')
    """
    digest = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:10]
    readable = re.sub(r"[^0-9A-Za-z\u4e00-\u9fff]+", "-", identity[-1]).strip("-")[:32].strip("-")
    return f"{readable}-{digest}" if readable else digest


def points(value: Any) -> str:
    """Points of the ledger, exact to its four decimals: a sum on paper must come out.

    >>> points(-11.1111), points(12.5), points(100)
    ('−11.1111', '+12.5', '+100')
    """
    text = f"{float(value):+.4f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def lost(value: Any) -> str:
    """A sum of points, to two decimals.

    >>> lost(-1138.8878), lost(12.5), lost(0)
    ('−1,138.89', '+12.50', '0')
    """
    return f"{float(value):+,.2f}".replace("-", "−") if value else "0"


def clock(moment: Any, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A moment of the shop's day; nothing when the source has no times."""
    return moment.strftime(form) if moment else ""
