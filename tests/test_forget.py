"""`qc forget`: not a byte of the customer stays, the sums still hold, and an old export brings nobody back."""

import json
from pathlib import Path

import duckdb
import polars as pl
import pytest
from conftest import night, quiet
from typer.testing import CliRunner

from pipelines import erasures, forget, nightly, satisfaction, settings, shop_weights, store, withdraw
from pipelines.cli import app
from qc import privacy

HEAD = "shop,channel,conversation_id,message_id,sent_at,sender_kind,agent,customer,text,content_kind"
ORDERS = "order_id,shop,channel,customer,created_at,paid_at,paid"
RATINGS = "shop,conversation_id,customer,agent,rated_at,stars"
WHO, SECRET = "王小虎8866", "独一无二的紫砂壶裂了一条三厘米的缝"


def pages(mart: Path, folder: Path, lang: str) -> Path:
    """A stand-in that shows every conversation, as the real pages do."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(mart), read_only=True) as con:
        shown = con.execute("SELECT conversation_id, text FROM messages ORDER BY ALL").fetchall()
    (folder / "index.html").write_text(str(shown), encoding="utf-8")
    return folder / "index.html"


def export(folder: Path, *more: str) -> Path:
    folder.mkdir(exist_ok=True)
    rows = []
    for n, (who, text) in enumerate(
        [(WHO, SECRET), ("李四", "有红色的吗"), (WHO, "好的"), ("李四", "好的"), (WHO, "我电话13800138000")]
    ):
        rows.append(f"甲店,taobao,,,2026-09-01 10:{n:02d}:00,customer,,{who},{text},text")
        rows.append(f"甲店,taobao,,,2026-09-01 10:{n:02d}:30,agent,甲店:小一,{who},给{text}的回复,text")
    rows += [
        f"甲店,jd,k9,,2026-09-01 11:00:00,customer,,{WHO},在京东也问一句没人问过的话,text",
        "甲店,jd,k9,,2026-09-01 11:00:09,agent,甲店:小一,,这句只有会话号没有客户号的回复,text",
    ]
    rows.append(f"甲店,taobao,,,坏时间,customer,,{WHO},隔离区里的一句话,text")
    (folder / "chats.csv").write_text("\n".join([HEAD, *rows, *more]) + "\n", encoding="utf-8")
    orders = [
        f"30147375757{n},甲店,taobao,{who},2026-09-01 12:00:00,2026-09-01 12:01:00,10"
        for n, who in enumerate([WHO, "李四"])
    ]
    (folder / "orders.csv").write_text("\n".join([ORDERS, *orders]) + "\n", encoding="utf-8")
    (folder / "ratings.csv").write_text(
        f"{RATINGS}\n甲店,,{WHO},甲店:小一,2026-09-01 13:00:00,1\n甲店,,李四,甲店:小一,2026-09-01 13:00:00,5\n",
        encoding="utf-8",
    )
    return folder


def erase(home: Path, who: str = WHO) -> forget.Erasure:
    return forget.forget(who, nightly.Request(home), quiet, pages)


def traces(home: Path, *more: str) -> list[tuple[str, str]]:
    """Where bytes of the customer are found: every file of the workspace but the sentiment tables."""
    alias = privacy.pseudonym(pl.Series([WHO]), settings.customer_key(home))[0]
    needles = [
        WHO,
        alias,
        SECRET,
        "没有客户号的回复",
        "没人问过的话",
        "隔离区里的一句话",
        "301473757570",
        "13800138000",
        *more,
    ]
    files = [p for p in home.rglob("*") if p.is_file() and "models" not in p.relative_to(home).parts]
    assert {"warehouse.duckdb", "mart.duckdb", "index.html"} <= {p.name for p in files}
    return [(p.name, n) for p in files for n in needles if n.encode() in p.read_bytes()]


@pytest.mark.parametrize("keep_raw", [False, True])
def test_not_a_byte_stays(home: Path, tmp_path: Path, keep_raw: bool) -> None:
    night(home, export(tmp_path / "in"), pages=pages, keep_raw=keep_raw)
    assert {n for _, n in traces(home)} >= {SECRET, "301473757570"}
    with store.warehouse(home) as con:
        assert con.execute("SELECT count(*) FROM raw_texts").fetchone() == (2 * keep_raw,)
    assert (home / "reports" / "2026-09-01" / "index.html").exists()
    done = erase(home)
    assert done.n_rows["fact_messages"] == 8 and done.n_rows["fact_orders"] == 1 == done.n_rows["fact_ratings"]
    assert done.reports == ["2026-09-01"] and (home / "reports" / "2026-09-01" / "index.html").exists()
    assert traces(home) == []
    with store.open_mart(home) as con:
        assert con.execute("SELECT count(*), sum(paid_fen) FROM orders").fetchone() == (1, 1000)
        assert con.execute("SELECT count(*) FROM messages").fetchone() == (4,)
        assert con.execute("SELECT code, raw, count(*) FROM quarantine GROUP BY ALL").fetchall() == [
            ("erased", None, 11)
        ]


def test_counts_still_add_up_and_texts_of_others_stay_scored(home: Path, tmp_path: Path) -> None:
    night(home, export(tmp_path / "in"))
    erase(home)
    with store.warehouse(home) as con:
        assert (
            con.execute("SELECT file FROM sources WHERE n_rows <> n_stored + n_duplicate + n_quarantined").fetchall()
            == []
        )
        stored = con.execute("SELECT sum(n_stored) FROM sources WHERE kind = 'messages'").fetchone()
        assert stored == con.execute("SELECT count(*) FROM fact_messages").fetchone()
        left = con.execute(
            "SELECT count(*) FROM sources s WHERE n_quarantined <> (SELECT count(*) FROM quarantine q WHERE q.source_id = s.source_id)"
        ).fetchone()
        assert left == (0,)
        cached = con.execute("SELECT count(*) FROM text_facts WHERE text_key = md5('好的')::UUID").fetchone()
        gone = con.execute("SELECT count(*) FROM text_facts WHERE text_key = md5(?)::UUID", [SECRET]).fetchone()
        assert (cached, gone) == ((1,), (0,))


def test_the_proof_names_nobody_but_whoever_has_key_and_id_can_check_it(home: Path, tmp_path: Path) -> None:
    night(home, export(tmp_path / "in"))
    done = erase(home)
    with store.warehouse(home) as con:
        ((erasure_id, at, n_rows, proof),) = con.execute("FROM erasures").fetchall()
        assert con.execute("SELECT count(*) FROM erased_ids").fetchone() == (1,)
    key = settings.customer_key(home)
    alias = privacy.pseudonym(pl.Series([WHO]), key)[0]
    assert erasure_id == done.erasure_id and json.loads(n_rows) == done.n_rows and at
    assert proof == erasures.proof(alias, key) and alias not in proof


def test_an_old_export_does_not_bring_them_back(home: Path, tmp_path: Path) -> None:
    folder = export(tmp_path / "in")
    night(home, folder, pages=pages)
    erase(home)
    again = export(
        tmp_path / "again", "甲店,taobao,,,2026-09-02 10:00:00,customer,,李四,第二天又来问,text", f"{WHO},一行,缺列"
    )
    done = night(home, again, pages=pages, keep_raw=True)
    chats = next(o for o in done.files if o.file == "chats.csv")
    assert chats.n_rows == chats.n_stored + chats.n_duplicate + chats.n_quarantined == 15
    assert (chats.n_stored, chats.n_duplicate, chats.n_quarantined) == (1, 4, 10) and done.exit_code == 3
    assert traces(home) == []
    assert erase(home) == forget.Erasure(None, {}, [], [])


def test_a_name_in_a_file_s_name_goes_too(home: Path, tmp_path: Path) -> None:
    folder = export(tmp_path / "in")
    (folder / "chats.csv").rename(folder / f"与{WHO}的聊天.csv")
    night(home, folder, pages=pages)
    erase(home)
    assert traces(home) == []


def test_nobody_of_that_name_changes_nothing(home: Path, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="还没有数据"):
        erase(home)
    night(home, export(tmp_path / "in"))
    before = (home / "warehouse.duckdb").stat().st_mtime_ns
    with pytest.raises(LookupError, match="没有这位顾客"):
        erase(home, "无此人")
    with store.warehouse(home) as con:
        assert con.execute("SELECT count(*) FROM erasures").fetchone() == (0,)
    assert before


def test_a_quarantined_line_alone_is_reason_enough_to_rebuild(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        f"{HEAD}\n甲店,qq,,,2026-09-01 10:00:00,customer,,李四,好,text\n甲店,qq,,,坏,customer,,{WHO},{SECRET},text\n",
        encoding="utf-8",
    )
    night(home, tmp_path / "a.csv", pages=pages)
    assert erase(home).n_rows["quarantine"] == 1
    assert traces(home) == []


def qc(*words: object, said: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(w) for w in words], input=said)
    return done.exit_code, done.stdout + done.stderr


def test_a_model_that_learnt_from_them_goes_out_of_use(home: Path, tmp_path: Path) -> None:
    (home / "models").unlink()
    night(home, export(tmp_path / "in"))
    labelled = [f"踩大雷{n},负面,会话{n}\n滴滴{n},中性,会话{n}\n绝绝子{n},正面,会话{n}" for n in "甲乙丙丁" * 9]
    (tmp_path / "标注.csv").write_text(
        "\n".join(["内容,情绪,会话", f"{SECRET},负面,无号", *labelled]), encoding="utf-8"
    )
    code, told = qc(
        "train", tmp_path / "标注.csv", "--text", "内容", "--label", "情绪", "--group", "会话", "--home", home
    )
    assert code == 0 and "已换上" in told
    assert "停用" not in qc("forget", "李四", "--home", home)[1] and (home / "models" / "shop.npz").exists()
    code, told = qc("forget", WHO, "--home", home)
    assert code == 0 and "已停用:shop.npz" in told and "重新运行 qc train" in told
    assert not (home / "models" / "shop.npz").exists()
    with store.open_mart(home) as con:
        assert con.execute("SELECT model LIKE 'shop-_-%' FROM runs").fetchone() == (True,)


def test_only_models_that_learnt_from_them_go_and_one_that_did_not_comes_back(tmp_path: Path) -> None:
    models = tmp_path / "models"

    def learnt(name: str, *whom: str) -> None:
        shop_weights.write(models / name, shop_weights.load(), whom=shop_weights.digests(whom))

    learnt("shop.npz", "c-alias", "别人")
    learnt("shop-before.npz", "别人")
    talks = json.dumps({"learnt": satisfaction._marks(pl.Series(["k9", "k10"])).tolist()})
    (models / "satisfaction.json").write_text(talks, encoding="utf-8")
    assert withdraw.withdraw(models, ["k8"], "c-other", ["没学过的话"]) == []
    assert withdraw.withdraw(models, ["k9"], "c-alias", []) == ["shop.npz", "satisfaction.json"]
    assert [p.name for p in models.iterdir()] == ["shop.npz"]
    (models / "satisfaction-before.json").write_text("{", encoding="utf-8")
    assert withdraw.withdraw(models, [], "", ["别人"]) == ["shop.npz", "satisfaction-before.json"]


def test_by_the_command_the_id_can_come_from_stdin(home: Path, tmp_path: Path) -> None:
    assert qc("nightly", export(tmp_path / "in"), "--home", home)[0] == 3
    code, told = qc("senders", "--home", home)
    assert code == 0 and "来源自己写明" in told
    code, told = qc("forget", "-", "--home", home, said=WHO + "\n")
    assert code == 0 and "证明编号" in told and WHO not in told
    assert traces(home) == []
    assert "早已删除" in qc("forget", WHO, "--home", home)[1]
    assert qc("forget", "无此人", "--home", home)[0] == 1
