"""The mapping that `qc ingest --suggest` prints loads as it stands, and reads a table with clear headers without a loss."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from conftest import SHARED, quiet
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipelines import column_guess, mapping, nightly, store, suggest
from pipelines.cli import app
from pipelines.ingest import Outcome
from pipelines.mapping import Mapping
from pipelines.resources import data_dir
from pipelines.sources.lines import UnreadableFile

ORDERS = """\
订单编号,买家会员名,买家实际支付金额,订单状态,收货人姓名,联系手机,订单创建时间,订单付款时间,宝贝总数量,店铺名称,退款金额
3309260000007368787,tb2654435761,128.00,交易成功,张三,13800138000,2026-09-01 00:28:56,2026-09-01 00:29:13,1,山岚茶舍,0.00
3309260000007368788,一只橘猫,59.90,等待买家付款,李四,13900139000,2026-09-01 08:10:02,,2,山岚茶舍,
3309260000007368789,清风徐来88,"1,280.00",交易关闭,王五,13700137000,2026-09-02 09:00:00,2026-09-02 09:01:00,3,山岚茶舍,"1,280.00"
"""
HELPDESK = """\
Ticket ID,Created At,Author Type,Author,Requester,Assignee,Message Body,Message Type
1001,09/25/2026 02:15 PM,end-user,Chen,chen@example.com,Ann,Where is my order?,text
1001,09/25/2026 02:18 PM,agent,Ann,chen@example.com,Ann,Let me check for you.,text
1001,09/25/2026 02:19 PM,agent,Ann,chen@example.com,Ann,,image
1002,09/26/2026 09:00 AM,end-user,Li,li@example.com,Bob,"Hi, refund please",text
1002,09/26/2026 09:01 AM,bot,helper,li@example.com,Bob,We are on it,sticker
"""
CHAT = """\
聊天时间,发送方,买家昵称,客服账号,聊天内容,消息类型
2026/9/3 9:05,买家,tb_小鱼,山岚茶舍:小满,有货吗,文本
2026/9/3 9:06,卖家,tb_小鱼,山岚茶舍:小满,有的亲,文本
2026/9/3 9:07,买家,tb_小鱼,山岚茶舍:小满,,图片
2026/9/3 9:08,卖家,tb_小鱼,山岚茶舍:小满,这款也好看,商品卡片
"""
FLAGS = "dialog\tis_agent\tuser_id\tcontent\tts\nd1\t0\tu9\t你好在吗\t1788400000\nd1\t1\tu9\t在的亲\t1788400031\nd2\t0\tu8\t多久到\t1788400100\n"
STARS = "会话编号,客服,评价时间,满意度\nS1,小满,2026-09-01 10:00:00,非常满意\nS2,云朵,2026-09-01 11:00:00,不满意\nS3,云朵,2026-09-01 12:00:00,一般\n"
AGENTS = "客服账号,姓名,小组,入职日期\n山岚茶舍:小满,小满,售前一组,2026-01-01\n山岚茶舍:云朵,云朵,售后组,2026-03-01\n"
FEN = "order_no,buyer_id,amount(fen),created_at,paid_at\nA1,u1,12800,2026-09-01 10:00:00,2026-09-01 10:01:00\nA2,u2,990,2026-09-01 11:00:00,\n"


def suggested(path: Path, **wishes: object) -> tuple[str, Mapping]:
    text = suggest.mapping_for(path, **wishes)  # type: ignore[arg-type]
    file = path.with_suffix(".yaml")
    file.write_text(text, encoding="utf-8")
    return text, mapping.load(file)


def ingest(home: Path, file: Path) -> Outcome:
    (outcome,) = nightly.read_in([file], nightly.Request(home, mapping=file.with_suffix(".yaml")), quiet)[0]
    return outcome


def facts(home: Path, kind: str) -> list[dict]:
    with store.warehouse(home) as con:
        return store.frame(con, f"FROM fact_{kind} ORDER BY source_row").to_dicts()


@pytest.mark.parametrize(
    ("content", "kind", "columns"),
    [
        (ORDERS, "orders", ["order_id", "shop", "customer", "created_at", "paid_at", "paid", "refunded", "items", "status"]),
        (HELPDESK, "messages", ["conversation_id", "sent_at", "sender_kind", "agent", "customer", "text", "content_kind"]),
        (CHAT, "messages", ["sent_at", "sender_kind", "agent", "customer", "text", "content_kind"]),
        (FLAGS, "messages", ["conversation_id", "sent_at", "sender_kind", "customer", "text"]),
        (STARS, "ratings", ["conversation_id", "agent", "rated_at", "stars"]),
        (AGENTS, "agents", ["agent", "name", "team", "from"]),
        (FEN, "orders", ["order_id", "customer", "created_at", "paid_at", "paid"]),
    ],
    ids=["qianniu", "helpdesk", "chat", "flags", "stars", "agents", "fen"],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_table_with_clear_headers_is_read_without_a_loss(
    home: Path, tmp_path: Path, content: str, kind: str, columns: list[str], encoding: str
) -> None:
    file = tmp_path / "export.csv"
    file.write_bytes(content.encode(encoding))
    _, made = suggested(file)
    assert (made.kind, list(made.columns)) == (kind, columns)
    outcome = ingest(home, file)
    assert (outcome.kind, outcome.n_stored, outcome.n_quarantined) == (kind, content.count("\n") - 1, 0)


def test_what_it_reads_is_what_the_table_says(home: Path, tmp_path: Path) -> None:
    for name, content in (("helpdesk", HELPDESK), ("orders", ORDERS), ("flags", FLAGS), ("stars", STARS), ("fen", FEN)):
        (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
        suggested(tmp_path / f"{name}.csv")
        ingest(home, tmp_path / f"{name}.csv")
    messages = facts(home, "messages")
    assert sorted(m["sender_kind"] for m in messages) == ["agent"] * 3 + ["bot"] + ["customer"] * 4
    assert sorted(m["content_kind"] for m in messages) == ["image"] * 2 + ["text"] * 6
    assert {str(m["sent_at"]) for m in messages if m["text"] == "Hi, refund please"} == {"2026-09-26 09:00:00"}
    assert {str(m["sent_at"]) for m in messages if m["text"] == "你好在吗"} == {"2026-09-03 09:46:40"}
    assert sorted(o["paid_fen"] for o in facts(home, "orders")) == [990, 5990, 12800, 12800, 128000]
    assert [r["stars"] for r in facts(home, "ratings")] == [5, 2, 3]
    assert "张三" not in str(facts(home, "orders"))


def test_what_is_guessed_is_marked_with_its_values(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(FLAGS.replace("content", "x1").replace("\tts", "\tx2"), encoding="utf-8")
    text, _ = suggested(tmp_path / "a.csv")
    assert (
        "x1  # ? 例:你好在吗、在的亲、多久到" in text and '"0": customer  # ?' in text and "shop: 我的店  # ?" in text
    )
    assert "# 第 1 行: dialog=d1 | is_agent=0" in text


def test_days_and_months_that_could_change_places_are_a_question(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("order id,order date,amount\n1,03/09/2026,5\n2,04/09/2026,6\n", encoding="utf-8")
    text, made = suggested(tmp_path / "a.csv")
    assert made.format.time_formats == ["%m/%d/%Y"] and "# ? 也可能是 %d/%m/%Y" in text


def test_a_file_without_a_header(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("2026-09-01 10:00:00,买家,u1,你好\n2026-09-01 10:00:09,客服,u1,您好亲\n", encoding="utf-8")
    text, made = suggested(file)
    assert not made.format.header and "# ? 第一行像数据" in text
    assert (ingest(home, file).n_stored, ingest(home, file).n_quarantined) == (2, 0)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.csv.gz", "a.tsv"])
def test_other_ways_to_write_the_same_table(home: Path, tmp_path: Path, name: str) -> None:
    table = pl.read_csv(CHAT.encode(), infer_schema=False)
    file = tmp_path / name
    if name.endswith("jsonl"):
        file.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in table.to_dicts()), encoding="utf-8")
    elif name.endswith("parquet"):
        table.write_parquet(file)
    else:
        data = table.write_csv(separator="\t" if "tsv" in name else ",").encode()
        file.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    suggested(file)
    assert (ingest(home, file).n_stored, ingest(home, file).n_quarantined) == (4, 0)


def test_a_file_that_needs_no_mapping_or_can_have_none_says_so(tmp_path: Path) -> None:
    golden = Path(__file__).parent / "golden"
    for path, says in (
        (golden / "zendesk" / "chats.json", "不用映射文件"),
        (golden / "dongdong" / "table.csv", "不用映射文件"),
    ):
        with pytest.raises(UnreadableFile, match=says):
            suggest.mapping_for(path)
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "x.json").write_text('[{"a": [1]}]')
    for name, says in (("empty.csv", "文件是空的"), ("x.json", "认不出这份 JSON")):
        with pytest.raises(UnreadableFile, match=says):
            suggest.mapping_for(tmp_path / name)


def test_the_command_prints_the_file_and_reads_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CHAT, encoding="utf-8")
    done = CliRunner().invoke(app, ["ingest", "--suggest", str(tmp_path / "a.csv"), "--home", str(tmp_path / "home")])
    assert done.exit_code == 0 and done.output == suggest.mapping_for(tmp_path / "a.csv")
    assert not (tmp_path / "home").exists()
    assert CliRunner().invoke(app, ["ingest", "--suggest", str(tmp_path / "no.csv")]).exit_code == 2


def test_no_number_of_a_person_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ORDERS.replace("tb2654435761", "13800138000"), encoding="utf-8")
    text, _ = suggested(tmp_path / "a.csv")
    assert "13800138000" not in text and "张三" not in text


CELL = st.text(st.sampled_from("ab买家时间0123456789:#-?{}[]&*!|>'\"%@`,\t 😀\u2028\x85\x07"), max_size=8)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=5)))
def test_whatever_the_table_the_file_loads(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    folder = tmp_path_factory.mktemp("any")
    frame = pl.DataFrame(rows, schema=[f"c{n}" for n in range(len(rows[0]))], orient="row")
    (folder / "a.csv").write_text(frame.write_csv(include_header=False, quote_style="necessary"), encoding="utf-8")
    try:
        _, made = suggested(folder / "a.csv")
    except UnreadableFile:
        return
    assert made.kind in column_guess.SIGNATURE


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real exports are not part of the product")
def test_real_tables_get_a_file_that_loads(tmp_path: Path) -> None:
    tables = [f for f in SHARED.rglob("*") if f.suffix in (".csv", ".txt", ".jsonl")]
    for path in [*tables, *(data_dir() / "sample").glob("*.csv")]:
        (tmp_path / "m.yaml").write_text(suggest.mapping_for(path), encoding="utf-8")
        mapping.load(tmp_path / "m.yaml")


def test_a_decimal_comma_is_seen_and_thousands_are_not_taken_for_one(tmp_path: Path) -> None:
    head = "订单号;下单时间;付款时间;实付金额"
    for amount, has_comma in (("2,55", True), ("1.234,50", True), ("1,234", False), ("1234.50", False)):
        file = tmp_path / "t.csv"
        file.write_text(f"{head}\n1;2026-09-01 10:00;2026-09-01 10:01;{amount}\n", encoding="utf-8")
        assert ('decimal: ","' in suggest.mapping_for(file)) is has_comma, amount


@pytest.mark.parametrize("separator", ["；", "||", ""])
def test_a_separator_is_one_half_width_character(separator: str) -> None:
    with pytest.raises(ValueError, match="半角字符"):
        mapping.Format(separator=separator)
    assert mapping.Format(separator="\t").separator == "\t"
