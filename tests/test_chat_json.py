"""Chat exports in JSON, and the tables beside them: golden files, torn and damaged ones, and what is not of their kind."""

import json
from pathlib import Path

import polars as pl
import pytest
from conftest import SHARED, quiet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import mapping, nightly, sources, store
from pipelines.ingest import Outcome
from pipelines.mapping import Mapping, MappingError
from pipelines.resources import data_dir
from pipelines.sources import Part, Source, Wishes, json_records
from pipelines.sources.json_walk import Plan
from pipelines.sources.lines import UnreadableFile
from qc import intake
from qc.intake import NATIVE

GOLDEN = Path(__file__).parent / "golden"
SOURCES = ("taobao_api", "dongdong", "feige", "chatwoot", "zendesk")
FILES = sorted(f for s in SOURCES for f in (GOLDEN / s).iterdir() if not f.name.endswith(".expected.tsv"))
KNOWN = [mapping.load(p) for p in sorted((data_dir() / "mappings").glob("*.yaml"))]
IDS = [f"{f.parent.name}/{f.name}" for f in FILES]


def recognised(path: Path, name: str = "export", shop: str = "山岚茶舍") -> Source:
    return sources.recognise(Part(name, path, "x"), KNOWN, Wishes(constants={"shop": shop}))


def rows(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Native rows and rejects of a file, as ingest judges them."""
    good, bad = [], []
    for chunk in sources.read(recognised(path)):
        judged = intake.check("messages", chunk.fields)
        good.append(judged.good)
        bad += [chunk.bad, judged.bad.rename({"_line": "line", "_raw": "raw"})]
    return pl.concat(good), pl.concat([b.select("line", "raw", "code", "reason") for b in bad])


def ingest(home: Path, *files: Path, **wishes: object) -> list[Outcome]:
    return nightly.read_in(list(files), nightly.Request(home, **wishes), quiet)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_golden_file_gives_its_rows(path: Path) -> None:
    good, bad = rows(path)
    expected = pl.read_csv(path.with_name(path.name + ".expected.tsv"), separator="\t", infer_schema=False)
    told = good.select(pl.col("_line").alias("line").cast(pl.String), *NATIVE["messages"])
    told = told.with_columns(pl.col("sent_at").dt.strftime("%Y-%m-%d %H:%M:%S"))
    no_text = pl.col("text").replace("", None)
    assert told.with_columns(no_text).rows() == expected.with_columns(no_text).rows()
    assert bad.is_empty()


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_it_is_told_by_its_content_alone_and_by_one_reader_only(path: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "export.txt"
    renamed.write_bytes(path.read_bytes())
    source = recognised(renamed)
    assert source.mapping.id == path.parent.name
    head = sources.Head(renamed.read_bytes().decode(source.encoding).splitlines()[:200], "export.txt")
    wanted = [] if path.parent.name == "feige" else [path.parent.name]
    assert [r.NAME for r in sources.READERS if r.fits(head)] == wanted


def others() -> list[Path]:
    own = [f for f in GOLDEN.rglob("*") if f.is_file() and f.parent.name not in SOURCES]
    shared = [f for f in SHARED.rglob("*") if f.is_file()] if SHARED.is_dir() else []
    return sorted(own + [f for f in (data_dir() / "sample").iterdir() if f.is_file()] + shared)


def test_nothing_else_is_taken_for_one_of_them() -> None:
    ours = [r for r in sources.READERS if r.NAME in SOURCES]
    for path in others():
        text = path.read_bytes()[:200_000].decode("utf-8", "replace")
        assert not [r.NAME for r in ours if r.fits(sources.Head(text.splitlines()[:200], path.name))], path


def test_a_json_document_that_nobody_knows_is_told_so(tmp_path: Path) -> None:
    for content in ('[{"turns": [{"sender": 1}]}]', '{\n  "shops": {\n    "a": 1\n  }\n}', "[" * 100 + '{"a": 1}'):
        (tmp_path / "f.json").write_text(content)
        with pytest.raises(UnreadableFile, match="认不出这份 JSON"):
            recognised(tmp_path / "f.json")


def test_the_same_talks_in_four_ways_are_the_same_messages(home: Path) -> None:
    files = [GOLDEN / "dongdong" / n for n in ("list_pretty.json", "details_compact_gb18030.json", "lines.jsonl")]
    outcomes = ingest(home, *files, shop="山岚京东店")
    assert sorted((o.n_rows, o.n_stored, o.n_duplicate, o.n_quarantined) for o in outcomes) == [
        (10, 0, 10, 0), (10, 0, 10, 0), (10, 10, 0, 0),
    ]  # fmt: skip


def test_every_golden_file_goes_through_ingest_and_names_no_customer(home: Path) -> None:
    outcomes = ingest(home, *FILES, shop="山岚茶舍")
    assert all(o.n_quarantined == 0 and o.n_rows == o.n_stored + o.n_duplicate for o in outcomes)
    with store.warehouse(home) as con:
        held = str(con.execute("FROM fact_messages").fetchall()) + str(con.execute("FROM quarantine").fetchall())
    for customer in (
        "清风徐来88",
        "一只橘猫",
        "jd_6f3a12",
        "橘子味的夏天",
        "早起的鸟",
        "林夏",
        "linxia",
        "chen.yu",
        "Visitor 7282",
    ):
        assert customer not in held


def test_a_rejected_record_keeps_no_name(tmp_path: Path, home: Path) -> None:
    content = (GOLDEN / "chatwoot" / "messages_pretty.json").read_text(encoding="utf-8")
    bad = tmp_path / "f.json"
    bad.write_text(content.replace('"created_at": 1788300005', '"created_at": "昨天"'), encoding="utf-8")
    (outcome,) = ingest(home, bad, shop="山岚茶舍")
    assert (outcome.n_rows, outcome.n_stored, outcome.n_quarantined) == (9, 8, 1)
    with store.warehouse(home) as con:
        ((line, raw),) = con.execute("SELECT line, raw FROM quarantine").fetchall()
    assert line == 39 and "昨天" in raw and "林夏" not in raw and "linxia" not in raw and "tb2654435761" not in raw


def test_an_export_without_a_shop_asks_for_it(home: Path) -> None:
    (outcome,) = ingest(home, GOLDEN / "dongdong" / "list_pretty.json")
    assert "--shop" in (outcome.problem or "")


PLAN = Plan(lambda key: key in ("data", "list"), lambda value: "m" in value)


def found(text: str, path: Path, encoding: str = "utf-8") -> tuple[list[int], list[tuple[int, str]]]:
    """The `m` of every record that is read, and (line, code) of what is not."""
    path.write_bytes(text.encode(encoding, "surrogateescape"))
    batches = list(json_records.read(path, encoding, PLAN))
    return [r.value["m"] for b in batches for r in b.records if "m" in r.value], [
        (line, code) for b in batches for line, _, code, _ in b.bad
    ]


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ('[{"m":1},{"m":2}]', [1, 2], []),
        ('{"m":1}{"m":2}\n\n{"m":3}', [1, 2, 3], []),
        ('{"data":{"list":{"m":1}}}[{"list":[{"m":2}]}]', [1, 2], []),
        ("[]", [], []),
        ('[{"m":1},{"m":2}', [1, 2], [(3, "json")]),
        ('[{"m":1},{"m":', [1], [(2, "json")]),
        ('{"data":[{"m":1},{"m":2},{"m', [1, 2], [(3, "json")]),
        ('[{"m":1},{"m":2,{"m":3}]', [1, 3], [(2, "json")]),
        ('{"data":[{"m":1},{"m":2,{"m":3}],"x":1}', [1, 3], [(2, "json")]),
        ('{"m":1}\n{"m":2\n{"m":3}\n', [1, 3], [(2, "json")]),
        ('{\n"list": [\n{"m":1},\n{"m":"[图]",\n{"m":3}\n]\n}\n', [1, 3], [(4, "json")]),
        ('[{"m":1},7,{"m":3}]', [1, 3], [(2, "json")]),
        ('[{"m":1},{"m":2,"t":"\udcff"},{"m":3}]', [1, 3], [(2, "encoding")]),
        ('[{"m":1},{"m":2,"t":"\0"},{"m":3}]', [1, 3], [(2, "nul")]),
        ("[" * 50_000, [], [(1, "json")]),
        ('{"data":' * 50_000, [], [(1, "json")]),
        ("{" * 50_000, [], [(1, "json")]),
    ],
)
def test_records_before_and_behind_a_tear(tmp_path: Path, text: str, good: list, bad: list) -> None:
    assert found(text, tmp_path / "f.json") == (good, bad)


def test_what_lies_behind_a_tear_gets_no_other_talks_context(tmp_path: Path) -> None:
    torn = '{"data":[{"id":1,"list":[{"m":1},{"m":2]},{"id":2,"list":[{"m":3}]}]}'
    (tmp_path / "f.json").write_text(torn)
    records = [r for b in json_records.read(tmp_path / "f.json", "utf-8", PLAN) for r in b.records if "m" in r.value]
    assert [(r.value["m"], json_records.nearest(r, "id")) for r in records] == [(1, 1), (3, 2)]


def test_a_document_too_large_is_told_and_json_lines_have_no_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_records, "MAX_BYTES", 30)
    assert found('[{"m":1},{"m":2},{"m":3},{"m":4}]', tmp_path / "f.json") == ([], [(1, "size")])
    assert found('{"m":1}\n{"m":2}\n{"m":3}\n{"m":4}\n{"m":5}\n', tmp_path / "f.jsonl") == ([1, 2, 3, 4, 5], [])


@pytest.mark.parametrize(("byte", "code"), [(b"\xff", "encoding"), (b"\0", "nul")])
def test_a_damaged_byte_in_a_document_of_one_line_costs_one_record(tmp_path: Path, byte: bytes, code: str) -> None:
    golden = GOLDEN / "zendesk" / "comments_apart_gb18030.json"
    content = golden.read_bytes().decode("gb18030").encode()
    at = content.index("补发".encode())
    (tmp_path / "f.json").write_bytes(content[:at] + byte + content[at:])
    good, bad = rows(tmp_path / "f.json")
    assert (len(good), bad["code"].to_list()) == (len(rows(golden)[0]) - 1, [code])


def test_half_an_emoji_and_a_bare_line_break_are_no_damage(tmp_path: Path) -> None:
    text = (
        '[{"sid":"s","customer":"c","waiter":"w","waiterSend":0,"createdTime":1788310000000,"content":"好\\ud83d\n的"}]'
    )
    (tmp_path / "f.json").write_text(text)
    good, bad = rows(tmp_path / "f.json")
    assert good["text"].to_list() == ["好\ufffd\n的"] and bad.is_empty()


def damaged(content: str, how: str, at: int) -> str:
    at %= len(content)
    if how == "truncate":
        return content[:at]
    if how == "duplicate":
        lines = content.splitlines(keepends=True)
        n = at % len(lines)
        return "".join([*lines[:n], lines[n], *lines[n:]])
    brace = next((i for i in range(at, len(content)) if content[i] in "{}[]"), None)
    return content if brace is None else content[:brace] + content[brace + 1 :]


JSONS = [f for f in FILES if f.suffix in (".json", ".jsonl")]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(JSONS), st.sampled_from(["truncate", "brace", "duplicate"]), st.integers(0, 10**6))
def test_damage_loses_the_damaged_rows_and_no_earlier_one(
    tmp_path_factory: pytest.TempPathFactory, path: Path, how: str, at: int
) -> None:
    encoding = recognised(path).encoding
    content = path.read_bytes().decode(encoding)
    broken = damaged(content, how, at)
    file = tmp_path_factory.mktemp("damaged") / "f"
    file.write_bytes(broken.encode(encoding))
    whole = rows(path)[0].select("sent_at", "text").rows()
    try:
        good, bad = rows(file)
    except UnreadableFile:  # so little is left that it is no export any more, or nothing tells the shop
        return
    assert len(good) + len(bad) > 0 or not whole
    if how == "truncate":
        assert good.select("sent_at", "text").rows() == whole[: len(good)] and len(bad) <= 1
    if (
        path.parent.name == "dongdong"
    ):  # records that need no context: all but the damaged one and its neighbour go through
        at_least = len(whole) - 2 if how != "truncate" else 0
        assert len(set(good.select("sent_at", "text").rows()) & set(whole)) >= at_least


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(JSONS), st.sampled_from(["truncate", "brace", "duplicate"]), st.integers(0, 10**6))
def test_every_row_of_a_damaged_file_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, models: Path, path: Path, how: str, at: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = path.read_bytes().decode(recognised(path).encoding)
    (folder / "f.json").write_text(damaged(content, how, at), encoding="utf-8")
    (outcome,) = ingest(folder / "home", folder / "f.json", shop="山岚茶舍")
    assert outcome.n_rows == outcome.n_stored + outcome.n_duplicate + outcome.n_quarantined


def test_times_money_and_values_as_a_mapping_says(tmp_path: Path) -> None:
    def applied(fields: dict[str, list[str | None]], **keys: object) -> pl.DataFrame:
        table = pl.DataFrame({"_line": [1], "_raw": [""], **fields}).cast(dict.fromkeys(fields, pl.String))
        return mapping.apply(table, Mapping.model_validate({"id": "x", "title": "x", **keys}))

    at = {"kind": "messages", "columns": {"sent_at": "t"}}
    told: list[tuple[str, dict, str]] = [
        ("03/09/2026 09:05 PM", {"format": {"time_formats": ["%d/%m/%Y %I:%M %p"]}}, "2026-09-03 21:05:00"),
        ("2026-09-03 01:02:03", {"format": {"written_in": "UTC"}}, "2026-09-03 09:02:03"),
        ("2026-09-03T01:02:03Z", {"time_zone": "America/New_York"}, "2026-09-02 21:02:03"),
        ("1788400000123", {"time_zone": "UTC"}, "2026-09-03 01:46:40.123"),
        ("2026-09-03 01:02:03", {"time_zone": "UTC"}, "2026-09-03 01:02:03"),
        ("Thu Sep 03 2026 01:02:03 -0700", {"format": {"time_formats": ["%a %b %d %Y %H:%M:%S %z"]}}, "2026-09-03 16:02:03"),
        ("昨天", {"time_zone": "UTC"}, "昨天"),
    ]  # fmt: skip
    for written, keys, local in told:
        assert applied({"t": [written]}, **at, **keys)["sent_at"].to_list() == [local]
    paid = {"kind": "orders", "money": "fen", "columns": {"paid": "p"}}
    assert [applied({"p": [p]}, **paid)["paid"][0] for p in ("12345", "5", "-1", "x", None)] == [
        "123.45", "0.05", "-0.01", "x", None,
    ]  # fmt: skip
    kinds = {
        "kind": "messages",
        "columns": {"content_kind": {"column": "k", "values": {"图": "image"}, "default": "text"}},
    }
    assert [applied({"k": [k]}, **kinds)["content_kind"][0] for k in ("图", "别的", "", None)] == [
        "image",
        "text",
        None,
        None,
    ]


def test_a_time_zone_that_does_not_exist_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("id: x\ntitle: x\nkind: orders\ntime_zone: Mars/Olympus\n", encoding="utf-8")
    with pytest.raises(MappingError, match="没有叫「Mars/Olympus」的时区"):
        mapping.load(tmp_path / "m.yaml")


@pytest.mark.parametrize(
    ("first", "second", "direction", "sender", "customer"),
    [
        ("店:一", "买家", 0, "agent", "买家"),
        ("店:一", "买家", 1, "customer", "买家"),
        ("cntaobao店", "cntaobao买家", "1", "customer", "买家"),
        ("买家", "店:一", 0, "customer", "买家"),
        ("店:一", "店:二", 0, "internal", None),
        (None, "买家", 0, "agent", "买家"),
    ],
)
def test_direction_is_told_relative_to_the_two_accounts(
    tmp_path: Path, first: str | None, second: str, direction: object, sender: str, customer: str | None
) -> None:
    message = {"direction": direction, "time": "2026-09-03 09:00:00", "content": "好"}
    (tmp_path / "f.json").write_text(json.dumps({"from_id": first, "to_id": second, "msgs": {"msg": message}}))
    good, bad = rows(tmp_path / "f.json")
    assert good.select("sender_kind", "customer").rows() == [(sender, customer)] and bad.is_empty()


def test_more_records_than_one_batch_keep_their_order_and_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_records, "BATCH", 7)
    talk = [{"m": i} for i in range(100)]
    for text in (json.dumps(talk), json.dumps(talk, indent=1), "\n".join(map(json.dumps, talk))):
        assert found(text, tmp_path / "f.json") == (list(range(100)), [])
