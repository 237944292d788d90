"""What is written down is what runs: generated pages are current, links lead somewhere, commands of the README exist."""

import re
from pathlib import Path

from pipelines import docs
from pipelines.cli import app
from qc.metrics import BY_ID
from tests import bench_sources

ROOT = Path(__file__).parents[1]


def test_generated_pages_are_current() -> None:
    assert docs.stale() == []


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_names_commands_and_metrics_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    known = {c.name or c.callback.__name__ for c in app.registered_commands} | {g.name for g in app.registered_groups}
    assert set(re.findall(r"\bqc (\w+)", text)) <= known
    named = set(re.findall(r"metric\('(\w+)'", text)) | set(re.findall(r"trend (\w+)", text))
    assert named and named <= set(BY_ID)


def test_every_rule_and_metric_is_in_the_docs() -> None:
    written = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert all(f"`{m}`" in written for m in BY_ID)
    from pipelines import settings
    from pipelines.resources import data_dir

    book = settings.book(data_dir(), settings.Settings())
    ruled = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert all(f"`{r.id}`" in ruled for p in book.packs for r in p.rules)


def test_every_golden_export_is_on_the_measured_page() -> None:
    """`python -m tests.bench_sources --write` makes it anew."""
    rows = re.findall(r"^\| `(.+?)(?:#.*)?` \| (.*?) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|",
                      bench_sources.PAGE.read_text(encoding="utf-8"), re.MULTILINE)  # fmt: skip
    assert {str(f.relative_to(bench_sources.GOLDEN)) for f in bench_sources.golden()} <= {name for name, *_ in rows}
    for name, kind, *numbers in rows:
        n_rows, *ends = (int(n.replace(",", "")) for n in numbers)
        assert kind and n_rows == sum(ends) > 0, name
