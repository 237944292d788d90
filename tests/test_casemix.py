"""Case mix: golden openings of different shops, the sum of cues, what cannot be known, and a slow reference."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.settings import SettingsError, case_lexicons
from qc import casemix, frames
from qc.casewords import spelt_out
from qc.text import fold_text

LEXICONS = case_lexicons(Path("nowhere"))
NOON = datetime(2026, 9, 10, 12)


def talk(lines, name="c1", at=NOON, customer="k1"):
    """("客:…", "服:…") → frames.Message."""
    rows = [
        {"conversation_id": name, "seq": i, "message_id": None, "shop": "店", "channel": "taobao", "customer": customer,
         "sent_at": at + timedelta(seconds=i), "sender_kind": "customer" if line[0] == "客" else "agent",
         "agent": None if line[0] == "客" else "店:甲", "content_kind": "text", "text": line[2:], "source_id": "s", "source_row": i}
        for i, line in enumerate(lines, start=1)
    ]  # fmt: skip
    return frames.of(frames.Message, pl.DataFrame(rows, schema_overrides={"message_id": pl.String, "agent": pl.String}))


def orders(*created, customer="k1"):
    rows = [{"order_id": f"o{i}", "shop": "店", "customer": customer, "created_at": at} for i, at in enumerate(created)]
    missing = {
        name: pl.lit(None) for name in frames.Order if name not in ("order_id", "shop", "customer", "created_at")
    }
    return frames.of(frames.Order, pl.DataFrame(rows).with_columns(**missing))


def case(*lines, orders=None):
    row = casemix.classify(talk(lines), LEXICONS, orders).cases.row(0, named=True)
    return row["phase"], row["topic"], row["customer_type"]


GOLDEN = [
    (("客:在吗", "客:这件外套有什么颜色,会不会起球"), ("pre", "商品", "plain")),
    (("客:老板便宜点呗,再送个小礼物", "服:亲,已经是最低价了"), ("pre", "价格", "demanding")),
    (("客:双十一有活动吗,现在拍还是等等"), ("pre", "促销", "plain")),
    (("客:黑色L码还有货吗"), ("pre", "库存", "plain")),
    (("客:昨天拍的怎么还没发货", "客:赶紧发!"), ("mid", "物流", "demanding")),
    (("客:麻烦改一下收货地址,刚下单填错了"), ("mid", "物流", "plain")),
    (("客:收到货了,杯子碎了,质量太差了,气死我了"), ("after", "质量", "agitated")),
    (("客:收到了,穿着小了,想换大一号"), ("after", "退换", "plain")),
    (("客:我不明白,为什么找不到退款进度"), ("after", "退款", "confused")),
    (("客:发票抬头开错了能重开吗"), ("after", "发票", "plain")),
    (("客:剛收到的衣服掉色,可以退貨嗎"), ("after", "质量", "plain")),
    (("客:我不想要了,能取消订单吗"), ("mid", "退款", "plain")),
    (("客:手机号更换了,帮我解绑"), (None, "其他", "plain")),
    (("客:在吗", "客:嗯嗯"), (None, "其他", "plain")),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), GOLDEN, ids=lambda x: str(x)[:30])
def test_golden_openings(lines, expected):
    assert case(*([lines] if isinstance(lines, str) else lines)) == expected


def test_what_the_customer_first_wants_is_the_topic():
    assert case("客:发票怎么开", "服:下单时选", "客:好,快递到哪了")[1] == "发票"
    assert case("客:快递到哪了", "服:在路上", "客:好,发票怎么开")[1] == "物流"


def test_traditional_and_full_width_read_the_same():
    plain = ("客:快递怎么还没到,什么时候发货,我要退货", "客:app下载不了")
    other = ("客:快遞怎麼還沒到，什麼時候發貨，我要退貨", "客:ＡＰＰ下載不了")
    assert case(*plain) == case(*other)


def test_nothing_said_is_not_known():
    cases = casemix.classify(talk(["服:您好,在吗"]), LEXICONS).cases
    assert cases.row(0) == ("c1", None, None, None, "no_customer_text")
    assert casemix.classify(talk(["客:嗯"]), LEXICONS).cases["case_reason"].item() == "no_phase_cue"
    assert casemix.classify(talk(["客:帮我注销账号"]), LEXICONS).cases["case_reason"].item() == "not_a_purchase"


def test_orders_speak_of_the_phase_where_they_name_buyers():
    asked = ["客:请问要煮多久"]
    days = lambda n: NOON - timedelta(days=n)  # noqa: E731
    told = {n: casemix.classify(talk(asked), LEXICONS, orders(days(n))).cases["phase"].item() for n in (1, 10, 60)}
    assert told == {1: "mid", 10: "after", 60: "pre"}
    later = casemix.classify(talk(asked), LEXICONS, orders(NOON + timedelta(hours=1)))
    assert later.cases["phase"].item() == "pre", "an order after the talk is no order before it"
    assert (later.reasons.filter(pl.col("basis") == "orders")["value"] == "pre").all()
    strangers = casemix.classify(talk(asked), LEXICONS, orders(days(1), customer=None))
    assert "orders" not in strangers.reasons["basis"].to_list()


def test_who_buys_in_the_talk_came_to_ask():
    lines = ["客:这款有什么颜色", "服:有青和白", "客:拍好了,地址写错了帮我改地址", "服:改好了,尽快发出"]
    phase = lambda *created: casemix.classify(talk(lines), LEXICONS, orders(*created)).cases["phase"].item()  # noqa: E731
    before, within = NOON - timedelta(hours=1), NOON + timedelta(seconds=2)
    assert [phase(before), phase(within), phase(before, within)] == ["mid", "pre", "pre"]
    greeted = casemix.classify(talk(["客:在吗", "服:在", *lines[2:]]), LEXICONS, orders(within))
    assert greeted.cases["phase"].item() == "mid", "before the order nothing was wanted: what follows decides"


def test_an_unknown_value_is_refused_with_the_file(tmp_path):
    (tmp_path / "lexicons").mkdir()
    text = "aspect: topic\nleast: 1\notherwise: 其他\nhalved_each_message: false\nvalues: {聊天: [{weight: 1.0, any: [在吗]}]}\n"
    (tmp_path / "lexicons" / "topics.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"topics\.yaml.*聊天.*商品"):
        case_lexicons(tmp_path)


# -- a slow reference: one conversation, one aspect, plain Python ---------------------------------------------------


def spots(text, phrases):
    return [(i, i + len(p)) for p in phrases for i in range(len(text)) if text.startswith(p, i)]


def is_said_already(key, cue, cues):
    """A heavier cue of the value (of equals the earlier, then the longer one) shares characters with it."""
    order = lambda key, cue: (-cue[1], cue[2], -cue[3], str(key[1]))  # noqa: E731
    return any(
        value == key[0] and seq == cue[0] and start < cue[3] and cue[2] < end
        and order((value, k), (seq, weight, start, end)) < order(key, cue)
        for (value, k), (seq, weight, start, end) in cues.items()
    )  # fmt: skip


def reference(lines, lexicon):
    first = {}
    for value, cues in lexicon.values.items():
        for k, cue in enumerate(cues):
            phrases, unless = ([fold_text(x) for p in some for x in spelt_out(p)] for some in (cue.phrases, cue.unless))
            for seq, line in enumerate(lines, start=1):
                text = fold_text(line[2:])
                excuses = spots(text, unless)
                free = [(a, z) for a, z in spots(text, phrases) if not any(a < y and x < z for x, y in excuses)]
                if (line[0] == "客") == (cue.who == "customer") and free:
                    start, end = min(free, key=lambda spot: (spot[0], -spot[1]))
                    first[value, k] = (seq, cue.weight, start, end)
                    break
    if lexicon.halved_each_message:
        first = {key: cue for key, cue in first.items() if not is_said_already(key, cue, first)}
    ranks = sorted({seq for seq, *_ in first.values()})
    sums = dict.fromkeys(lexicon.values, 0.0)
    for (value, _), (seq, weight, *_) in first.items():
        sums[value] += weight / 2 ** min(3, ranks.index(seq)) if lexicon.halved_each_message else weight
    best = max(sums, key=lambda v: sums[v])
    return best if sums[best] >= lexicon.least else lexicon.otherwise


BITS = ["在吗", "发票", "怎么开", "没收到", "货", "退款", "取消订单", "订单号", "优惠券", "便宜点", "为什么", "气死", "有货", "快递",
        "什么时候", "能到", "价保", "坏了", "会不会坏了", "怎么用", "赔偿", "态度", "尺码", "没收到发票", "!!", "，", "投訴"]  # fmt: skip
LINES = st.lists(
    st.builds(lambda who, bits: who + "".join(bits), st.sampled_from(["客:", "服:"]), st.lists(st.sampled_from(BITS), min_size=1, max_size=4)),
    min_size=1, max_size=5,
).filter(lambda lines: any(line[0] == "客" for line in lines))  # fmt: skip


@settings(max_examples=40)
@given(LINES)
def test_the_reference_agrees_and_the_reasons_add_up(lines):
    mix = casemix.classify(talk(lines), LEXICONS)
    row = mix.cases.row(0, named=True)
    for lexicon in LEXICONS:
        if lexicon.aspect != "phase":
            assert row[lexicon.aspect] == reference(lines, lexicon), lexicon.aspect
    sums = mix.reasons.group_by("aspect", "value").agg(pl.col("weight").sum(), pl.col("is_decisive").any())
    for aspect in ("topic", "phase", "customer_type"):
        here = sums.filter(pl.col("aspect") == aspect)
        won = here.filter("is_decisive")["weight"]
        assert len(won) <= 1 and (len(won) == 0 or won.item() == here["weight"].max())
    for reason in mix.reasons.filter(pl.col("seq").is_not_null()).iter_rows(named=True):
        assert lines[reason["seq"] - 1][2:][reason["start"] : reason["end"]] == reason["quote"]


@pytest.mark.parametrize(
    ("line", "products", "topic"),
    [
        ("客:冷泡茶多少钱一罐", [], "使用"),
        ("客:冷泡茶多少钱一罐", ["冷泡茶"], "价格"),  # 冷泡 is a part of what it is called
        ("客:冷泡茶能冷泡吗", ["冷泡茶"], "使用"),
        ("客:礼盒有什么颜色", ["礼盒"], "商品"),  # the whole name still says what is wanted
        ("客:發什麼快遞", ["什么快递啊"], "物流"),
    ],
)
def test_the_name_of_a_product_is_no_wish(line, products, topic):
    assert casemix.classify(talk([line]), LEXICONS, products=products).cases["topic"].item() == topic


def test_words_of_one_value_that_share_characters_are_said_once():
    reasons = casemix.classify(talk(["客:哪个更适合女生", "客:发什么快递"]), LEXICONS).reasons.filter(aspect="topic")
    assert reasons.select("value", "quote", "weight").rows() == [("商品", "哪个更", 1.5), ("物流", "什么快递", 1.25)]


def test_the_order_of_rows_changes_nothing():
    talks = pl.concat([talk([x] if isinstance(x, str) else x, f"c{i}") for i, (x, _) in enumerate(GOLDEN)])
    once, again = (casemix.classify(m, LEXICONS) for m in (talks, talks.sample(fraction=1.0, shuffle=True, seed=3)))
    assert once.cases.equals(again.cases) and once.reasons.equals(again.reasons)
