"""The pages: they stand alone, every link arrives, every number is the mart's, hostile text stays text."""

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import duckdb
import pytest
from jinja2 import meta
from reports_mart import EVIL, NAMES, NO_TIMES_NO_AGENTS, NOTHING, ONLY_ORDERS, hostile, rebuilt

from pipelines import store
from reports import html, marks, pages, views
from reports.marks import Span
from reports.views import shown
from reports.words import LANGS, Words, _book

VOID = {"meta", "link", "img", "br", "path", "circle", "rect", "polyline"}


class Page(HTMLParser):
    """A page as a list of (tag, attributes, text inside); text of nested tags included."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.source = path, path.read_text(encoding="utf-8")
        self.found: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(self.source)
        assert not self._open, f"{path} leaves {self._open[-1]} open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        inside: list[str] = []
        self.found.append((tag, {k: v or "" for k, v in attrs}, inside))
        if tag not in VOID:
            self._open.append((tag, inside))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop()[0] == tag, self.path

    def handle_data(self, data: str) -> None:
        for _, inside in self._open:
            inside.append(data)

    def all(self, tag: str, **wanted: str) -> list[tuple[dict[str, str], str]]:
        return [
            (a, "".join(t))
            for name, a, t in self.found
            if name == tag and all(a.get(k) == v for k, v in wanted.items())
        ]

    @property
    def ids(self) -> list[str]:
        return [a["id"] for _, a, _ in self.found if "id" in a]


Report = dict[str, Page]


def read(folder: Path) -> Report:
    return {str(p.relative_to(folder)): Page(p) for p in sorted(folder.rglob("*.html"))}


def written(mart: Path, folder: Path, lang: str = "zh") -> Report:
    return read(pages.write(mart, folder, lang).parent)


@pytest.fixture(scope="module")
def mart(sample_home: Path) -> Path:
    return sample_home / "mart.duckdb"


@pytest.fixture(scope="module")
def reports(mart: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("reports")
    return {lang: written(mart, folder / lang, lang) for lang in LANGS}


@pytest.fixture(scope="module")
def con(sample_home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with store.open_mart(sample_home) as con:
        yield con


def stands_alone(page: Page) -> None:
    """Nothing outside is asked for, nothing runs, and the policy says so."""
    style = page.all("style")
    assert len(style) == 1
    digest = base64.b64encode(hashlib.sha256(style[0][1].encode()).digest()).decode()
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert "default-src 'none'" in policy[0]["content"] and f"'sha256-{digest}'" in policy[0]["content"]
    assert "unsafe" not in policy[0]["content"] and "url(" not in style[0][1] and "@import" not in style[0][1]
    for tag, attributes, _ in page.found:
        assert tag not in ("script", "iframe", "object", "embed", "form", "base"), page.path
        assert not [a for a in attributes if a.startswith("on") or a == "style"], (page.path, tag)
        for name in ("src", "href", "srcset", "data", "poster"):
            target = attributes.get(name, "")
            assert not urlsplit(target).netloc and urlsplit(target).scheme in ("", "data"), (page.path, target)


def links_arrive(report: Report) -> None:
    """Every link leads to a page of the report, and to a place that the page has, once."""
    places = {os.path.normpath(p.path): set(p.ids) for p in report.values()}
    for name, page in report.items():
        assert len(set(page.ids)) == len(page.ids), name
        for attributes, _ in page.all("a"):
            to = urlsplit(attributes["href"])
            there = os.path.normpath(page.path.parent / unquote(to.path) if to.path else page.path)
            assert there in places, (name, attributes["href"])
            assert not to.fragment or unquote(to.fragment) in places[there], (name, attributes["href"])


def pictures(page: Page) -> list[tuple[dict[str, str], str]]:
    found = page.all("img")
    return [(a, base64.b64decode(a["src"].removeprefix("data:image/svg+xml;base64,")).decode()) for a, _ in found]


@pytest.mark.parametrize("lang", LANGS)
def test_pages_stand_alone_and_links_arrive(reports: dict[str, Report], lang: str) -> None:
    for page in reports[lang].values():
        stands_alone(page)
    links_arrive(reports[lang])


def test_there_is_a_page_for_every_agent_and_every_conversation_led_to(
    reports: dict[str, Report], con: duckdb.DuckDBPyConnection
) -> None:
    (n,) = con.execute("SELECT count(*) FROM agents").fetchone() or (0,)
    assert sum(name.startswith("agents/") for name in reports["zh"]) == n
    assert 20 < sum(name.startswith("conversations/") for name in reports["zh"]) < 400
    assert list(reports["zh"]) == list(reports["en"])


def test_numbers_of_a_scorecard_are_those_of_metric(reports: dict[str, Report], con: duckdb.DuckDBPyConnection) -> None:
    units = dict(con.execute("SELECT metric, unit FROM kpis").fetchall())
    files = {a: html.slug(shop, a) for shop, a in con.execute("SELECT shop, agent FROM agents").fetchall()}
    checked = 0
    for metric, unit in units.items():
        for agent, value in con.execute(
            "SELECT agent, value FROM metric(?, NULL, NULL) WHERE agent IS NOT NULL", [metric]
        ).fetchall():
            source = reports["zh"][f"agents/{files[agent]}.html"].source
            row = re.search(rf'data-metric="{metric}".*?<td class="num own">(?:<b>)?(.*?)<', source, re.DOTALL)
            if row:
                assert row[1] == shown(value, unit), (agent, metric)
                checked += 1
    assert checked > 300


def test_the_ledger_of_a_conversation_adds_up_to_the_score_shown(reports: dict[str, Report]) -> None:
    checked = 0
    for name, page in reports["zh"].items():
        for ledger in re.findall(r'<section class="ledger".*?</section>', page.source, re.DOTALL):
            entries = [float(p.replace("−", "-")) for p in re.findall(r'class="num points">(.*?)<', ledger)]
            score = re.findall(r'class="num score">(.*?)<', ledger)
            if score:
                assert round(100 + sum(entries), 4) == float(score[0]), name
                checked += len(entries)
    assert checked > 50


def test_marks_are_the_quotes_of_the_findings(reports: dict[str, Report], con: duckdb.DuckDBPyConnection) -> None:
    ids = {html.slug(c): c for (c,) in con.execute("SELECT conversation_id FROM conversations").fetchall()}
    checked = 0
    for name, page in reports["zh"].items():
        if not name.startswith("conversations/"):
            continue
        quotes = con.execute(
            'SELECT quote FROM findings WHERE conversation_id = ? ORDER BY seq NULLS LAST, "start", rule_id, finding_id',
            [ids[Path(name).stem]],
        ).fetchall()
        said: dict[int, str] = {}
        for attributes, text in page.all("mark"):
            for key in attributes["data-f"].split():
                said[int(key)] = said.get(int(key), "") + text
        assert said == {n: q for n, (q,) in enumerate(quotes, 1) if q is not None}, name
        checked += len(said)
    assert checked > 30


def test_money_adds_up_on_the_page(reports: dict[str, Report], con: duckdb.DuckDBPyConnection) -> None:
    (paid,) = con.execute("SELECT sum(paid_fen) FROM orders WHERE paid_at IS NOT NULL").fetchone() or (0,)
    (line,) = reports["zh"]["index.html"].all("p", **{"class": "sum"})
    assert line[1].count(shown(paid, "fen")) == 2


def test_charts_are_pictures_that_need_no_font_and_say_what_they_show(reports: dict[str, Report]) -> None:
    n = 0
    for page in reports["zh"].values():
        for attributes, svg in pictures(page):
            tree = ElementTree.fromstring(svg)
            assert not [e for e in tree.iter() if e.tag.endswith("}text")]
            assert len(attributes["alt"]) > 20 and re.search(r"\d", attributes["alt"])
            assert len(svg) < 60_000
            n += 1
    assert n > 50


def test_people_are_not_ranked_and_little_data_is_told(
    reports: dict[str, Report], con: duckdb.DuckDBPyConnection
) -> None:
    page = reports["zh"]["index.html"]
    shown_names = [t for a, t in page.all("a") if a["href"].startswith("agents/") and a.get("title")]
    assert shown_names == [n for (n,) in con.execute("SELECT name FROM agents ORDER BY name, agent").fetchall()]
    few = con.execute(
        "SELECT count(*) FROM metric('conversations', NULL, NULL) WHERE agent IS NOT NULL AND value < 50"
    ).fetchone()
    assert few and page.source.count(Words("zh").short_few_conversations) == few[0] > 0


def test_english_pages_have_no_chinese_headings(reports: dict[str, Report]) -> None:
    for name, page in reports["en"].items():
        names = " ".join(t for tag in ("h1", "b") for _, t in page.all(tag))
        for tag in ("h2", "th", "dt", "caption", "figcaption"):
            for attributes, text in page.all(tag):
                own = text if tag != "th" or attributes.get("scope") != "row" else ""
                strange = re.findall(r"[\u4e00-\u9fff]+", own)
                assert all(s in names for s in strange), (name, tag, text)


def test_words_are_there_in_both_languages() -> None:
    for key, both in _book()["words"].items():
        assert len(both) == 2 and all(isinstance(w, str) and w for w in both), key
    env = html.environment()
    for template in env.list_templates():
        source = (html.HERE / "templates" / template).read_text(encoding="utf-8")
        assert "w" in meta.find_undeclared_variables(env.parse(source)) or template == "parts.html"
        for key in set(re.findall(r"\bw\.([a-z_]+)", source)) - {
            "one",
            "title",
            "kpi",
            "formula",
            "reason",
            "join",
            "html_lang",
        }:
            assert key in _book()["words"], (template, key)


def test_every_kpi_of_the_pages_has_an_english_formula(con: duckdb.DuckDBPyConnection) -> None:
    known = {m for (m,) in con.execute("SELECT metric FROM kpis").fetchall()}
    assert known <= set(_book()["formulas"])
    assert {m for _, ms in views.BLOCKS.values() for m in ms} <= known


def test_same_mart_same_bytes(reports: dict[str, Report], mart: Path, tmp_path: Path) -> None:
    again = written(mart, tmp_path / "again")
    assert {n: p.source for n, p in again.items()} == {n: p.source for n, p in reports["zh"].items()}


def test_an_old_report_is_replaced_whole_and_a_strange_folder_is_left_alone(mart: Path, tmp_path: Path) -> None:
    small, out = rebuilt(mart, tmp_path / "m.duckdb", NO_TIMES_NO_AGENTS), tmp_path / "out"
    pages.write(small, out, "zh")
    (out / "conversations" / "gone.html").write_text("old", encoding="utf-8")
    pages.write(small, out, "zh")
    assert not (out / "conversations" / "gone.html").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.duckdb", "out"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("ten years", encoding="utf-8")
    with pytest.raises(PermissionError):
        pages.write(small, tmp_path / "mine", "zh")
    assert (tmp_path / "mine" / "thesis.txt").read_text(encoding="utf-8") == "ten years"


def test_a_failure_leaves_the_old_report(mart: Path, tmp_path: Path) -> None:
    out, spoilt = tmp_path / "out", [*NO_TIMES_NO_AGENTS, "UPDATE scores SET qa = qa - 1"]
    pages.write(rebuilt(mart, tmp_path / "good.duckdb", NO_TIMES_NO_AGENTS), out, "zh")
    before = {p: p.read_bytes() for p in out.rglob("*.html")}
    broken = rebuilt(mart, tmp_path / "broken.duckdb", spoilt)
    with pytest.raises(ValueError, match="entries"):
        pages.write(broken, out, "zh")
    assert {p: p.read_bytes() for p in out.rglob("*.html")} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.duckdb", "good.duckdb", "out"]


def test_hostile_text_stays_text(mart: Path, tmp_path: Path) -> None:
    report = written(hostile(mart, tmp_path / "hostile.duckdb"), tmp_path / "out")
    links_arrive(report)
    for page in report.values():
        stands_alone(page)  # no script, no on… attribute, no image from outside
        assert "{{ 7*7 }}" in page.source or "49=cmd" not in page.source
    bubbles = [
        t for n, p in report.items() if n.startswith("conversations/") for _, t in p.all("p", **{"class": "bubble"})
    ]
    assert bubbles and all(EVIL.strip() in b for b in bubbles if "[" not in b[:1])
    assert EVIL[:40] in "".join(t for _, t in report["index.html"].all("td"))
    for name in report:
        assert re.fullmatch(
            r"(index|sales|promises|profiles|mood|standard|agents/[0-9A-Za-z\u4e00-\u9fff-]{1,60}|conversations/[0-9A-Za-z\u4e00-\u9fff-]{1,60})\.html",
            name,
        )
    titles = {t for n, p in report.items() if n.startswith("agents/") for _, t in p.all("title")}
    assert all(any(name in t for t in titles) for name in NAMES)


@pytest.mark.parametrize("lang", LANGS)
def test_orders_alone_make_a_report(mart: Path, tmp_path: Path, lang: str) -> None:
    report = written(rebuilt(mart, tmp_path / "m.duckdb", ONLY_ORDERS), tmp_path / "out", lang)
    page, w = report["index.html"], Words(lang)
    assert list(report) == ["index.html"]
    stands_alone(page)
    links_arrive(report)
    assert w.gaps in page.source and "¥" in page.source
    assert w.class_silent_note not in page.source  # who cannot be matched is not silent
    assert [a["alt"] for a, _ in pictures(page)]


def test_a_ratio_without_an_interval_stands_alone(mart: Path, tmp_path: Path) -> None:
    without = [f"UPDATE {t} SET ratio = 7.77, low = NULL, high = NULL" for t in ("like_with_like", "quality_worth")]
    report = written(rebuilt(mart, tmp_path / "m.duckdb", without), tmp_path / "out", "zh")
    shown = [after for page in report.values() for after in re.findall(r"<b>7\.77</b>(.{7})", page.source)]
    assert len(shown) > 10 and set(shown) == {"</td></"}


@pytest.mark.parametrize("lang", LANGS)
def test_chats_without_times_and_agents_make_a_report(mart: Path, tmp_path: Path, lang: str) -> None:
    report = written(rebuilt(mart, tmp_path / "m.duckdb", NO_TIMES_NO_AGENTS), tmp_path / "out", lang)
    page = report["index.html"]
    assert not [n for n in report if n.startswith("agents/")] and [n for n in report if n.startswith("conversations/")]
    for one in report.values():
        stands_alone(one)
    links_arrive(report)
    assert Words(lang).undated in page.source and not page.all("img")
    why = {"zh": "会话数据没有时间", "en": "chats carry no times"}[lang]
    assert all(why in p.source for name, p in report.items() if name != "mood.html")  # moods need no clock


@pytest.mark.parametrize("lang", LANGS)
def test_nothing_at_all_makes_a_page_that_says_so(mart: Path, tmp_path: Path, lang: str) -> None:
    report = written(rebuilt(mart, tmp_path / "m.duckdb", NOTHING), tmp_path / "out", lang)
    assert list(report) == ["index.html"] and Words(lang).nothing_yet in report["index.html"].source


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("我不能", [Span(0, 3, 1)]),
        ("我不能不行", [Span(0, 3, 1), Span(1, 5, 2)]),
        ("abcdef", [Span(1, 5, 1), Span(2, 3, 2), Span(2, 3, 3)]),
        ("😀我不能😀", [Span(1, 4, 1), Span(4, 5, 2)]),
        ("", []),
    ],
)
def test_pieces_put_together_are_the_text_and_the_spans(text: str, spans: list[Span]) -> None:
    cut = marks.pieces(text, spans)
    assert "".join(p.text for p in cut) == text
    for s in spans:
        assert "".join(p.text for p in cut if s.key in p.keys) == text[s.start : s.end]
        assert sum(s.key in p.begins for p in cut) == sum(s.key in p.ends for p in cut) == 1


def test_a_long_message_is_quoted_around_its_finding() -> None:
    text = "前" * 200 + "爱买不买" + "后" * 200
    cut = marks.around(text, 200, 204)
    assert [p.text for p in cut if p.keys] == ["爱买不买"]
    assert len("".join(p.text for p in cut)) == 4 + 2 * marks.REACH + 2
