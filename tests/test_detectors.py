import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qc import frames, phrases
from qc.detectors import inspect, missed, told
from qc.listening import listen
from qc.phrases import occurrences
from qc.rule import Rule
from qc.rulebook import Pack, rules_of
from tests.talk import found, heard, inspected, shipped

# Around a planted phrase: astral, emoji with modifiers, full width, traditional, combining marks; no quotation.
ODD = st.text(st.sampled_from("a 您亲👍🏻😊𠀋ＶＸ１，。我不能們點é\u0301\u200d\ufe0fß㎏#/^:x①"), max_size=12)
PLANTED = st.sampled_from(
    ["我不能", "我們不能", "急什麼", "自己看", "加ＶＸ", "傻Ｂ", "愛買不買", "不归我管", "说了多少遍"]
)


def rule(**changes: object) -> Rule:
    return rules_of(shipped())["INFORMAL_YOU"].model_copy(update={"unless": []} | changes)


# Many texts a talk and fewer talks: an inspection costs the same for either.
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(ODD, PLANTED, ODD), min_size=1, max_size=20))
def test_a_span_is_exactly_the_quote(parts: list[tuple[str, str, str]]) -> None:
    texts = [f"{before}{phrase}{after}" for before, phrase, after in parts]
    talk = heard("\n".join(f"服: {text}" for text in texts))
    findings = inspect(*talk, shipped()).findings.drop_nulls("seq")
    rows = findings.join(talk.messages, on=["conversation_id", "seq"]).select("text", "start", "end", "quote").rows()
    assert all(text[start:end] == quote for text, start, end, quote in rows)


@settings(max_examples=100, deadline=None)
@given(ODD, PLANTED)
def test_what_is_planted_is_found_where_it_stands(before: str, phrase: str) -> None:
    text = f"{before}。{phrase}"
    said = [(start, quote) for start, quote in _places(text) if quote.endswith(phrase[-1])]
    assert any(start <= len(before) + 1 < start + len(quote) for start, quote in said), (text, said)


def _places(text: str) -> list[tuple[int, str]]:
    places = occurrences(pl.Series([text]), [r for r in rules_of(shipped()).values() if r.by == "phrase"])
    return [(start, text[start:end]) for start, end in places.select("start", "end").rows()]


@settings(deadline=None)
@given(
    st.text(st.sampled_from("ab我不能😊"), max_size=14),
    st.lists(st.text("ab我不能😊", min_size=1, max_size=3), min_size=1),
)
def test_occurrences_are_those_of_a_plain_search(text: str, words: list[str]) -> None:
    places = occurrences(pl.Series([text]), [rule(any_of=sorted(set(words)), unless=[])])
    plain = {(i, i + len(p)) for p in set(words) for i in range(len(text)) if text.startswith(p, i)}
    assert set(places.select("start", "end").rows()) == plain
    assert places.height == len(plain)


@settings(deadline=None)
@given(
    st.lists(st.text(st.sampled_from("ab我不 能😊"), max_size=9), min_size=2, max_size=6, unique=True),
    st.lists(st.text("ab我不能", min_size=1, max_size=3), min_size=1, max_size=3, unique=True),
    st.booleans(),
)
def test_texts_read_in_pieces_keep_their_places(texts: list[str], words: list[str], disguise: bool) -> None:
    rules = [rule(any_of=words, disguise=disguise), rule(id="PATTERN", any_of=None, regex="[ab]{1,2}我")]
    whole = occurrences(pl.Series(texts), rules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phrases, "_PIECE", 5)
        pieces = occurrences(pl.Series(texts), rules)
    key = ["rule_id", "text_id", "start", "end"]
    assert pieces.sort(key).equals(whole.sort(key))
    if not disguise:
        plain = [
            (n, t.find(w, a)) for n, t in enumerate(texts) for w in words for a in range(len(t)) if t.startswith(w, a)
        ]
        assert sorted(pieces.filter(rule_id="INFORMAL_YOU").select("text_id", "start").rows()) == sorted(plain)


def test_characters_of_a_word_that_one_way_of_writing_stands_for_are_one_place() -> None:
    asked = rule(any_of=["微信", "微", "信", "信号"], unless=[], disguise=True)
    places = occurrences(pl.Series(["加vx号vx"]), [asked], {"微信": ["vx"]})
    assert sorted(places.select("start", "end").rows()) == [(1, 3), (1, 4), (4, 6)]


WORDS = st.lists(st.text("ab我。", min_size=1, max_size=3), min_size=1, max_size=4, unique=True)


@settings(deadline=None)
@given(
    st.text(st.sampled_from("ab我。~😊 "), max_size=10),
    WORDS,
    st.lists(st.text("ab我", min_size=1, max_size=3)),
    st.booleans(),
)
def test_what_is_excused_and_what_is_more_than_the_word_is_left_out(
    text: str, words: list[str], unless: list[str], exact: bool
) -> None:
    asked = rule(any_of=words, unless=unless, exact=exact, disguise=False)
    places = occurrences(pl.Series([text]), [asked]).select("start", "end").rows()
    excuses = [(a, a + len(p)) for p in unless for a in range(len(text)) if text.startswith(p, a)]
    hits = {(a, a + len(p)) for p in words for a in range(len(text)) if text.startswith(p, a)}
    hits = {(a, z) for a, z in hits if not any(a < y and x < z for x, y in excuses)}
    if exact:
        hits = {(a, z) for a, z in hits if not set(text[:a] + text[z:]) - set("。~ ") and "😊" not in text}
    assert sorted(places) == sorted(hits)


@pytest.mark.parametrize(
    "text",
    [
        *["能不能拍下", "我不会让您吃亏的", "我不可以不给您发", "不能再低了亲", "不行的话可以退", "女装今天发"],
        *["恩恩", "嗯嗯好的"],
        *["您说我不能用券", "您写的“不行”是什么意思", "顾客说「急什么」", "客户反馈我们不能发货"],
        *['页面写着"不行"对吗'],
        *["我能不能先看看", "您着急什么时候要", "银行不行动的", "去死皮", "给他妈的礼物"],
    ],
)  # fmt: skip
def test_the_same_words_are_harmless_elsewhere(text: str) -> None:
    harmful = {r.id for r in rules_of(shipped()).values() if r.deduction}
    assert [row for row in found(f"服: {text}") if row[0] and row[1] in harmful] == []


def test_only_the_overlapping_occurrence_is_excused() -> None:
    assert found("服: 您好,不行的话可以退,但是今天不行,谢谢") == [(1, "NO_WAY", "不行")]
    assert inspected("服: 您好,不行的话可以退,但是今天不行,谢谢").findings["start"].drop_nulls().to_list() == [15]


def test_one_spot_is_charged_once_and_the_longest_wins() -> None:
    assert found("服: 您好,急什么急,有什么好急的,感谢") == [
        (1, "URGES_BACK", "急什么"),
        (1, "URGES_BACK", "有什么好急的"),
    ]
    assert found("服: 您好,随便你投诉,感谢") == [(1, "TAKE_IT_OR_LEAVE_IT", "随便你")]


def test_of_one_category_the_most_severe_stays_of_two_both() -> None:
    packs = shipped()
    minor = rule(
        id="A_MINOR", any_of=["便宜没好货"], category="x", severity="minor", where=None, exact=False, by="phrase"
    )
    major = rule(id="B_MAJOR", any_of=["没好货"], category="x", severity="major", where=None, exact=False, by="phrase")
    other = rule(id="C_OTHER", any_of=["没好货"], category="y", severity="info", where=None, exact=False, by="phrase")
    minor, major, other = (r.model_copy(update={"who": "agent", "unless": []}) for r in (minor, major, other))
    one = packs[0]._replace(rules=(minor, major, other))
    findings = inspect(*heard("服: 便宜没好货,便宜没好货"), [one]).findings
    assert findings.select("rule_id", "start").rows() == [
        ("B_MAJOR", 2),
        ("C_OTHER", 2),
        ("B_MAJOR", 8),
        ("C_OTHER", 8),
    ]


@pytest.mark.parametrize(
    ("said", "is_found"),
    [
        *[("恩", True), ("恩。。。", True), (" 哦!", True)],
        *[("恩恩", False), ("恩?", False), ("恩😊", False), ("恩/:^_^", False), ("哦好", False)],
    ],
)  # fmt: skip
def test_an_exact_rule_wants_the_whole_message(said: str, is_found: bool) -> None:
    assert any(rule_id == "COLD_ACK" for _, rule_id, _ in found(f"服: {said}")) == is_found


def test_what_repeats_the_customers_last_bubble_is_a_quotation() -> None:
    assert found("客: 我不能接受\n服: 我不能接受,这句我懂您,亲,您好,谢谢") == []
    assert (4, "CANNOT", "我不能") in found("客: 我不能接受\n服: 您好\n客: 嗯\n服: 我不能接受,谢谢")


def test_texts_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["客: 在吗", "服: 我不能给您改", "客: 那怎么办", "服: 好的", "服: 我不能给您改"]
    told = inspected("\n".join(lines))
    monkeypatch.setattr(pl.Series, "hash", lambda texts: pl.Series([7] * len(texts), dtype=pl.UInt64))
    again = inspected("\n".join(lines))
    assert told.findings.height > 0 and again.findings.equals(told.findings) and again.moments.equals(told.moments)


SOME = [("甲乙", "minor"), ("乙丙丁", "minor"), ("丁甲", "major"), ("丙", "minor"), ("甲乙丙丁甲", "info")]


@settings(max_examples=60)
@given(st.text("甲乙丙丁", min_size=1, max_size=30))
def test_of_overlapping_hits_those_stay_that_a_naive_choice_keeps(text: str) -> None:
    """Preferred are severe, then long, then early ones; whoever overlaps a preferred one that stays is lost."""
    plain = {"unless": [], "where": None, "exact": False, "by": "phrase", "who": "agent"}
    rules = [rule(id=f"R{n}", any_of=[word], severity=severity, **plain) for n, (word, severity) in enumerate(SOME)]
    rank = {"major": 0, "minor": 1, "info": 2}
    spots = [
        (rank[r.severity], -len(word), at, r.id)
        for r, (word, _) in zip(rules, SOME, strict=True) for at in range(len(text)) if text.startswith(word, at)
    ]  # fmt: skip
    kept: list[tuple[int, int, str]] = []
    for _, minus, at, name in sorted(spots):
        if all(at - minus <= a or z <= at for a, z, _ in kept):
            kept.append((at, at - minus, name))
    findings = inspect(*heard(f"服: {text}"), [shipped()[0]._replace(rules=tuple(rules))]).findings
    assert findings.select("start", "end", "rule_id").rows() == sorted(kept)


def test_absence_is_looked_for_where_it_is_due() -> None:
    talk = "客: 在吗\n服甲: 有\n服甲: 有的\n客: 谢谢\n服乙: 你好"
    assert found(talk) == [
        (None, "NO_ADDRESS", "乙"),
        (None, "NO_ADDRESS", "甲"),
        (None, "NO_FAREWELL", "乙"),
        (None, "NO_GREETING", "甲"),
    ]


def test_what_the_customer_says_is_not_said_by_the_agent() -> None:
    asks = rule(id="ASKS", who="customer", any_of=["有货"])
    mine = rule(id="MINE", by="absent", any_of=None, rule="ASKS")
    packs = [Pack("p", "p", "p", "p", (asks, mine), {}, {})]
    assert inspect(*heard("客: 有货吗\n服: 有的"), packs).moments.select("rule_id", "is_met").rows() == [
        ("MINE", False)
    ]


def test_moments_say_what_applied_and_what_was_met() -> None:
    moments = inspected("客: 质量太差\n服甲: 您好,抱歉\n客: 怎么办").moments
    assert moments.select("rule_id", "agent", "is_met").rows() == [
        ("NO_ADDRESS", "甲", True),
        ("NO_APOLOGY", "甲", True),
        ("NO_GREETING", "甲", True),
        ("NO_PLEASE", "甲", False),
        ("NO_WARMTH", "甲", False),
    ]


def test_thanks_that_nobody_answers_are_not_leaving_mid_turn() -> None:
    assert (None, "NO_FAREWELL", "服") in found("客: 有货吗\n服: 您好,有\n客: 好的谢谢")
    assert (None, "NO_FAREWELL", "服") not in found("客: 有货吗\n服: 您好,有\n客: 几天到")


def test_without_agents_names_the_findings_stand() -> None:
    talk = heard("客: 在吗\n服: 不行")
    messages = talk.messages.with_columns(agent=pl.lit(None, pl.String))
    findings = inspect(messages, talk.turns, shipped()).findings
    assert findings["agent"].null_count() == findings.height == 6
    assert findings["finding_id"].n_unique() == 6


def test_ids_are_readable_unique_and_findings_in_order() -> None:
    findings = inspected("服: 不行\n服: 急什么", "客: 骗人\n服: 不行").findings
    assert findings["finding_id"].n_unique() == findings.height
    assert {"c1#1:NO_WAY@0", "c2#1:CUSTOMER_COMPLAINS@0", "c2#:NO_APOLOGY@服"} <= set(findings["finding_id"])
    assert findings.equals(findings.sort("conversation_id", "seq", "start", "rule_id", "finding_id"))


@settings(max_examples=30, deadline=None)
@given(st.randoms())
def test_neither_order_nor_doubled_rows_change_anything(random) -> None:  # type: ignore[no-untyped-def]
    talk = heard("客: 质量太差\n服: 不行\n服: 急什么急\n客: 骗人", "服甲: 您好\n客: 嗯\n服乙: 你自己看", "客: 在吗")
    order = [*range(talk.messages.height), random.randrange(talk.messages.height)]
    random.shuffle(order)
    again = inspect(talk.messages[order], talk.turns.sample(fraction=1, shuffle=True), tuple(reversed(shipped())))
    expected = inspect(*talk, shipped())
    assert again.findings.equals(expected.findings)
    assert again.moments.equals(expected.moments)


def test_every_rule_that_can_be_asked_is_asked_in_its_way() -> None:
    talk = listen(*heard("客: 有货吗\n服: 有的"), shipped())
    assert {rule.by for rule in talk.askable} == set(Rule.model_fields["by"].annotation.__args__)  # type: ignore[union-attr]
    assert sorted({**told(talk), **missed(talk)}) == sorted(rule.id for rule in talk.askable)


def test_nothing_to_inspect_and_no_rules() -> None:
    assert inspect(frames.empty(frames.Message), frames.empty(frames.Turn), shipped()).findings.is_empty()
    assert inspect(*heard("服: 不行"), []).findings.is_empty()
    assert inspect(*heard("客: 在吗\n自: 不行"), shipped()).findings.is_empty()
