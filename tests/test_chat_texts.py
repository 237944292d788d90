"""Talks copied or exported as text: every line of every layout ends in a message or in quarantine, told by content alone."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import polars as pl
import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ingest import adds_up, facts, ingest, quarantine

from pipelines import mapping as mappings
from pipelines import sources
from pipelines.resources import data_dir
from pipelines.sources import READERS, Head, Part, Wishes, lines, pdd, qianniu, qq, wechat
from pipelines.sources.lines import UnreadableFile
from pipelines.sources.table import Chunk
from qc import intake

GOLDEN = Path(__file__).parent / "golden"
TEXTS = {r.NAME: r for r in (qianniu, pdd, qq, wechat)}
FILES = [path for name in TEXTS for path in sorted((GOLDEN / name).glob("*.txt"))]
SHOP = "山岚茶舍"
COLUMNS = ["line", "sent_at", "sender_kind", "agent", "customer", "conversation_id", "shop", "channel", "content_kind", "text"]  # fmt: skip


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def wishes(path: Path, shop: str | None = SHOP) -> Wishes:
    senders = path.with_suffix(".yaml")
    told = mappings.load(senders) if senders.exists() else None
    return Wishes(told, constants={"shop": shop} if shop else {})


def head_of(path: Path) -> Head:
    block = next(islice(lines.read(path, lines.encoding_of(path)), 1))
    return Head(block.lines["raw"].head(200).to_list(), path.name)


def chunks(path: Path, wished: Wishes) -> Iterator[Chunk]:
    return sources.read(sources.recognise(Part(path.name, path, "x"), [], wished))


def rows(path: Path, wished: Wishes) -> pl.DataFrame:
    good = pl.concat([intake.check("messages", chunk.fields).good for chunk in chunks(path, wished)])
    at = pl.col("sent_at").dt.strftime("%Y-%m-%d %H:%M:%S")
    return good.with_columns(at).rename({"_line": "line"}).select(COLUMNS)


def accounted(name: str, text: list[str], path: Path, **constants: str) -> tuple[list[str], int]:
    """Every line that a reader gives back, in the order of the file, and how many rows it made of them."""
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    senders = {SHOP: "agent", "山岚小雨": "agent", "山岚茶舍小雨": "agent", "山野米铺:小满": "agent"}
    told = mappings.Mapping(id="t", title="t", kind="messages", constants={"shop": SHOP, **constants}, senders=senders)
    pieces: list[tuple[int, str]] = []
    n_rows = 0
    for chunk in TEXTS[name].read(path, "utf-8", told):
        assert mappings.apply(chunk.fields, told).height == chunk.fields.height
        pieces += [*chunk.fields.select("_line", "_raw").iter_rows(), *chunk.bad.select("line", "raw").iter_rows()]
        n_rows += len(chunk.fields)
    return "\n".join(raw for _, raw in sorted(pieces)).split("\n"), n_rows


def text_of(path: Path) -> list[str]:
    return path.read_bytes().decode(lines.encoding_of(path)).removeprefix("\ufeff").replace("\r\n", "\n").split("\n")


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_golden_file_gives_the_messages_beside_it(path: Path) -> None:
    expected = pl.read_csv(path.with_suffix(".csv"), schema_overrides=dict.fromkeys(COLUMNS[1:], pl.String))
    expected = expected.with_columns(pl.col("text").replace("", None))
    found = rows(path, wishes(path))
    assert found.with_columns(pl.col("text").replace("", None)).rows() == expected.select(COLUMNS).rows()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_golden_file_is_read_in_whole(home: Path, path: Path) -> None:
    senders = path.with_suffix(".yaml")
    (outcome,) = ingest(home, path, shop=SHOP, mapping=senders if senders.exists() else None)
    assert outcome.problem is None and adds_up([outcome])
    assert (outcome.kind, outcome.n_quarantined, outcome.n_stored) == ("messages", 0, len(rows(path, wishes(path))))
    stored = str(facts(home).rows())
    for customer in rows(path, wishes(path))["customer"].drop_nulls().unique():
        assert f"'{customer}'" not in stored and f'"{customer}"' not in facts(home)["extra"].str.join("").item()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_each_line_of_a_golden_file_is_in_one_record(path: Path, tmp_path: Path) -> None:
    text = text_of(path)
    given_back, n_rows = accounted(path.parent.name, text, tmp_path / "t.txt")
    assert [raw.rstrip("\r") for raw in given_back] == [raw for raw in text if raw.strip()]
    assert n_rows >= 5


@pytest.mark.parametrize("path", FILES, ids=named)
def test_records_that_reach_over_a_block_are_the_same_records(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, columns = text_of(path), ["line", "sent_at", "text", "customer"]
    senders = {SHOP: "agent", "山岚小雨": "agent", "山岚茶舍小雨": "agent"}
    told = Wishes(mappings.Mapping(id="t", title="t", kind="messages", source=path.parent.name, senders=senders, constants={"shop": SHOP}))  # fmt: skip
    (tmp_path / "t.txt").write_text("\n".join(text), encoding="utf-8")
    whole = rows(tmp_path / "t.txt", told)
    monkeypatch.setattr("pipelines.sources.talks.LEAST", 1)
    monkeypatch.setattr(lines, "BLOCK", len("\n".join(text).encode()) // 2)
    assert len(list(lines.read(tmp_path / "t.txt", "utf-8"))) > 1
    assert rows(tmp_path / "t.txt", told).select(columns).rows() == whole.select(columns).rows()


def test_each_golden_file_is_of_its_own_source_and_of_no_other() -> None:
    for path in sorted(p for p in GOLDEN.rglob("*") if p.suffix in {".txt", ".csv", ".tsv", ".json", ".jsonl"}):
        mine = path.parent.name if path.parent.name in TEXTS and path.suffix == ".txt" else None
        fitting = {name for name, reader in TEXTS.items() if reader.fits(head_of(path))}
        assert fitting == ({mine} if mine else set()), path
        if mine:
            assert [r.NAME for r in READERS if r.fits(head_of(path))] == [mine]


def test_tables_and_corpora_are_no_talks() -> None:
    others = [*(data_dir() / "sample").glob("*.csv"), *(p for p in SHARED.rglob("*.*") if p.suffix in {".csv", ".txt", ".jsonl", ".json"})]  # fmt: skip
    assert not [(p, name) for p in others for name, reader in TEXTS.items() if reader.fits(head_of(p))]


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.lstrip("\n").replace("\n", "\r\n").encode(encoding))
    return path


def test_a_message_that_was_read_meanwhile_is_the_same_message(home: Path, tmp_path: Path) -> None:
    talk = "小鹿 2025-09-03 09:05:07\n在吗\n甲店:小一 2025-09-03 09:05:20\n在的\n{}\n"
    ingest(home, write(tmp_path / "monday.txt", talk.format("未读")))
    (tuesday,) = ingest(home, write(tmp_path / "tuesday.txt", talk.format("已读") + "小鹿2025-9-3 9:06:00\n好\n"))
    assert (tuesday.n_stored, tuesday.n_duplicate) == (1, 2)


def test_a_recalled_reply_is_no_reply_and_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "小鹿 2025-09-03 09:05:07\n在吗\n甲店:小一 撤回了一条消息\n小鹿 2025-09-03 09:06:07\n我撤回了一条消息\n")  # fmt: skip
    found = rows(path, Wishes())
    assert found.select("sender_kind", "agent", "content_kind", "text").rows()[1] == (
        "agent",
        "甲店:小一",
        "recall",
        "",
    )
    asked = write(
        tmp_path / "a.txt", "甲店:小一 2025-09-03 09:05:07\n您说\n小鹿 2025-09-03 09:06:07\n刚才\n我撤回了一条消息吗\n"
    )
    assert rows(asked, Wishes())["text"].to_list() == ["您说", "刚才\n我撤回了一条消息吗"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wechat", "—————2020-02-15—————\n小鹿10:00\n在吗\n小雨10:01\n在的\n"),
        ("qianniu", "小鹿 2025-09-03 09:05:07\n在吗\n小雨 2025-09-03 09:05:09\n在的\n"),
        ("qq", "2024-03-01 09:00:11 小鹿(1023456789)\n在吗\n\n2024-03-01 09:00:12 小雨(387200175)\n在的\n"),
        ("pdd", "小鹿 2026年07月25日 15:19\n在吗\n小雨 2026年07月25日 15:20\n在的\n"),
    ],
)
def test_where_nobody_is_known_to_be_the_shops_the_mapping_to_write_is_given(
    home: Path, tmp_path: Path, name: str, text: str
) -> None:
    path = write(tmp_path / "t.txt", text)
    (outcome,) = ingest(home, path, shop="甲店")
    problem = outcome.problem or ""
    assert "没有写明谁是客服" in problem and '"小鹿": customer' in problem and adds_up([outcome])
    ((_, code, reason),) = quarantine(home)
    assert code == "file" and "小鹿" not in reason
    snippet = problem[problem.index("id:") :].replace('"小雨": customer', '"小雨": agent')
    told = tmp_path / "told.yaml"
    told.write_text(snippet, encoding="utf-8")
    (outcome,) = ingest(home, path, mapping=told)
    assert (outcome.n_stored, outcome.n_quarantined) == (2, 0)
    assert facts(home).select("sender_kind", "agent", "channel").sort("sender_kind").rows() == [
        ("agent", "小雨", {"qianniu": "taobao"}.get(name, name)), ("customer", None, {"qianniu": "taobao"}.get(name, name)),
    ]  # fmt: skip


def test_the_shops_own_mapping_is_found_by_its_source(home: Path, tmp_path: Path) -> None:
    (home / "mappings").mkdir()
    (home / "mappings" / "wx.yaml").write_text(
        "id: wx\ntitle: 微信\nkind: messages\nsource: wechat\nsenders: {小雨: agent}\n"
    )
    path = write(tmp_path / "t.txt", "—————2020-02-15—————\n小鹿10:00\n在吗\n小雨10:01\n在的\n")
    assert ingest(home, path, shop="甲店")[0].n_stored == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("—————2020-02-15—————\n小鹿10:00\n在吗\n", "--shop 店名"),
        ("小鹿 2025-09-03 09:05:07\n在吗\n", "--shop 店名"),
        ("2024-03-01 09:00:11 小鹿(1023456789)\n在吗\n", "--shop 店名"),
        ("买家 2026年07月25日 15:19\n在吗\n", "--shop 店名"),
    ],
)
def test_a_file_without_a_shop_says_how_to_give_one(home: Path, tmp_path: Path, text: str, says: str) -> None:
    (outcome,) = ingest(home, write(tmp_path / "t.txt", text))
    assert says in (outcome.problem or "")


def test_lines_whose_head_is_lost_are_rejected_and_their_neighbours_go_through(home: Path, tmp_path: Path) -> None:
    torn = "丢了抬头的话\n小鹿 2025-09-03 09:05:07\n在吗\n?\n2025-09-03 09:05:09\n谁说的\n甲店:小一 2025-13-45 09:05:20\n坏时间\n甲店:小一 2025-09-03 09:05:30\n在的\n"  # fmt: skip
    (outcome,) = ingest(home, write(tmp_path / "t.txt", torn))
    assert [(line, code) for line, code, _ in quarantine(home)] == [
        (1, "stray"),
        (5, "stray"),
        (6, "stray"),
        (7, "time"),
    ]
    assert facts(home)["text"].sort().to_list() == ["在吗\n?", "在的"] and adds_up([outcome])


def test_two_talks_with_a_bare_buyer_are_two_conversations(tmp_path: Path) -> None:
    talk = "买家 2026年07月{d}日 15:19\n在吗\n客服 2026年07月{d}日 15:20\n在的\n"
    found = rows(write(tmp_path / "t.txt", talk.format(d=25) + talk.format(d=24)), wishes(tmp_path))
    assert found["customer"].null_count() == 4 and found["conversation_id"].n_unique() == 2


def test_memory_is_bounded_where_no_head_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.sources.talks.MAX_RECORD", 4096)
    monkeypatch.setattr("pipelines.sources.talks.LEAST", 1)
    monkeypatch.setattr(lines, "BLOCK", 1024)
    text = ["小鹿 2025-09-03 09:05:07", *(f"第{n}行" for n in range(3000)), "甲店:小一 2025-09-03 09:05:08", "在"]
    given_back, n_rows = accounted("qianniu", text, tmp_path / "t.txt")
    assert given_back == text and n_rows == 2


DAMAGE = st.lists(
    st.tuples(st.sampled_from(["delete", "double", "cut", "swap"]), st.integers(0, 10_000), st.integers(0, 12)),
    min_size=1,
    max_size=8,
)


def damaged(text: list[str], harm: list[tuple[str, int, int]]) -> list[str]:
    text = list(text)
    for way, at, length in harm:
        n = at % len(text) if text else 0
        if not text:
            break
        if way == "delete":
            del text[n]
        elif way == "double":
            text.insert(n, text[n])
        elif way == "cut":
            text[n] = text[n][:length]
        else:
            m = (n + length) % len(text)
            text[n], text[m] = text[m], text[n]
    return text


@pytest.mark.parametrize("path", FILES, ids=named)
def test_under_any_damage_each_line_is_still_accounted_for(
    path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text, folder = text_of(path), tmp_path_factory.mktemp("torn")

    @settings(max_examples=25, deadline=None)
    @given(DAMAGE)
    def holds(harm: list[tuple[str, int, int]]) -> None:
        torn = damaged(text, harm)
        try:
            given_back, _ = accounted(path.parent.name, torn, folder / "t.txt")
        except UnreadableFile:
            return  # said of the file as a whole
        assert given_back == [raw for raw in torn if raw.strip()] or (
            given_back == [""] and not any(map(str.strip, torn))
        )

    holds()
