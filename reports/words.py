"""The words around the numbers, in Chinese or English. What the mart names itself (KPIs, rules, reasons) is not repeated here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from reports.queries import Row

LANGS = ("zh", "en")


class Words:
    """`words.key` in one language; an unknown key is an error, so a template cannot show a blank."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.html_lang = "zh-CN" if lang == "zh" else "en"
        self._said = {key: both[LANGS.index(lang)] for key, both in _book()["words"].items()}

    def __getattr__(self, key: str) -> str:
        try:
            return str(self._said[key])
        except KeyError:
            raise AttributeError(f"words.yaml has no word {key!r}") from None

    def one(self, kind: str, code: str | None) -> str:
        """The word of a code (`sender_bot`), or the code itself when nobody has named it."""
        return str(self._said.get(f"{kind}_{code}", code or ""))

    def title(self, row: Row, column: str = "title") -> str:
        """A title that the mart holds in both languages."""
        return str((row.get(f"{column}_en") if self.lang == "en" else None) or row[column] or "")

    def gloss(self, rule: Row) -> str:
        """What a rule's wording means, for those who do not read it; nothing in Chinese."""
        return str(rule["rewrite_en"] or "") if self.lang == "en" else ""

    def kpi(self, kpi: Row) -> str:
        """The name of a KPI."""
        return str(kpi[self.lang])

    def formula(self, kpi: Row) -> str:
        """How a KPI is computed."""
        return str(kpi["formula"] if self.lang == "zh" else _book()["formulas"].get(kpi["metric"], ""))

    def reason(self, reasons: dict[str, Row], code: str | None) -> str:
        """Why a number cannot be known."""
        return str(reasons[code][self.lang]) if code in reasons else code or ""

    def join(self, names: list[str]) -> str:
        """A list in a sentence."""
        return ("、" if self.lang == "zh" else ", ").join(names)


@cache
def _book() -> dict[str, Any]:
    text = Path(__file__).with_name("words.yaml").read_text(encoding="utf-8")
    return dict(YAML(typ="safe", pure=True).load(text))
