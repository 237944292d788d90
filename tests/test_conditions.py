"""The rule language: every key by example, against a naive reading of it, on disguised texts, within its limits."""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import rule_manual, rulebench
from qc.conditions import Condition, Part, asked
from qc.detectors import Inspection, inspect
from qc.listening import listen
from qc.mutation import mutants, survivors
from qc.needs import unasked
from qc.places import KEYS, Beside, places
from qc.rule import EVENTS, Rule, Where
from qc.rulebook import Pack, RulebookError, bind, load_pack, rules_of
from qc.rulecheck import Talk, beside, prove, talk
from tests.talk import heard, pleasantries, shipped

FILE = Path(__file__).parent / "rule_kinds.yaml"


@cache
def kinds() -> tuple[Pack, ...]:
    return bind([load_pack(FILE.read_text(encoding="utf-8"), FILE.name)])


def rule(**changes: Any) -> Rule:
    return rules_of(kinds())["KIND_ANY"].model_copy(update={"any_of": None, **changes})


def pack(*some: Rule, **disguises: list[str]) -> list[Pack]:
    return [Pack("p", "p", "p", "p", some, {}, disguises)]


def test_every_key_is_shown_and_proves_itself() -> None:
    prove(kinds())
    used = {key for r in rules_of(kinds()).values() for _, c in _parts(r) for key, _ in asked(c)}
    assert used == set(KEYS)
    places = [r.where for r in rules_of(kinds()).values() if r.where]
    assert {key for w in places for key in w.model_dump(exclude_none=True)} == set(Where.model_fields)
    assert set(EVENTS) <= {w.anchor for w in places}


@pytest.mark.parametrize("packs", [kinds(), shipped()], ids=["kinds", "shipped"])
def test_the_examples_notice_every_way_of_breaking_a_rule(packs: tuple[Pack, ...]) -> None:
    assert survivors(packs, pleasantries()).rows() == []
    assert all(len(list(mutants(r))) >= 2 for r in rules_of(packs).values())


def _parts(item: Any) -> list[tuple[None, Condition]]:
    """Every condition in a tree, found by walking whatever stands in it."""
    if isinstance(item, list):
        return [part for one in item for part in _parts(one)]
    if not hasattr(item, "model_fields_set"):
        return []
    mine = [(None, item)] if isinstance(item, Condition) else []
    return mine + [part for name in type(item).model_fields for part in _parts(getattr(item, name))]


WORDS = st.sampled_from(["甲", "乙", "丙", "甲乙", "乙丙", "丁甲"])
LEAF = st.one_of(
    WORDS,
    st.lists(WORDS, min_size=1, max_size=2, unique=True),
    st.builds(lambda n: Part(length={"at_most": n}), st.integers(0, 6)),
)
NEARS = st.builds(
    lambda k, of: Part(near={"within": k, "of": of}), st.integers(2, 6), st.lists(WORDS, min_size=2, max_size=3)
)
TREE = st.recursive(
    st.one_of(LEAF, NEARS),
    lambda inside: st.one_of(
        st.lists(inside, min_size=2, max_size=3, unique_by=str).map(lambda of: Part(all=of)),
        st.builds(lambda n, of: Part(some={"at_least": n, "of": of}), st.integers(2, 3), st.lists(inside, min_size=2, max_size=3)),
        inside.map(lambda one: Part(**{"not": one})),
        st.lists(inside.filter(lambda i: not isinstance(i, str)), min_size=1, max_size=2).map(lambda of: Part(any=of)),
    ),
    max_leaves=6,
)  # fmt: skip
Places = set[tuple[int, int, bool]]


def naive(item: Any, text: str) -> Places:  # noqa: PLR0911
    """The language as its manual says it, for one bubble."""
    if not isinstance(item, Condition):
        words = [item] if isinstance(item, str) else item
        return {(i, i + len(w), False) for w in words for i in range(len(text)) if text.startswith(w, i)}
    ((key, value),) = asked(item)
    everything = {(0, len(text), True)}
    if key == "length":
        return everything if len(text) <= value.at_most else set()
    if key == "not":
        return set() if naive(value, text) else everything
    of = [naive(part, text) for part in (value if key in ("any", "all") else value.of)]
    if key == "any":
        return set().union(*of)
    if key == "near":
        found = [(min(a for a, _, _ in c), max(z for _, z, _ in c)) for c in product(*of)]
        close = sorted((a, z) for a, z in found if z - a <= value.within)
        return {(*close[0], False)} if close else set()
    first = [min(p, key=lambda place: (place[2], place)) for p in of if p]
    if len(first) < (len(of) if key == "all" else value.at_least):
        return set()
    worded = [place for place in first if not place[2]]
    return {(min(p[0] for p in worded), max(p[1] for p in worded), False)} if worded else everything


@given(TREE, st.lists(st.text("甲乙丙丁", min_size=1, max_size=9), min_size=1, max_size=4))
def test_a_tree_means_what_a_naive_reading_of_it_means(tree: Any, texts: list[str]) -> None:
    mine = rule(any_of=[tree] if isinstance(tree, str | Part) else [*tree])
    said = talk([("c", "\n".join(f"服: {text}" for text in texts))])
    heard_ = listen(*said, pack(mine))
    found = places(heard_, mine, mine).rows()
    assert len(found) == len(set(found))
    assert set(found) == {(i, *place) for i, text in enumerate(texts) for place in naive(tree, text)}


BETWEEN = st.text(st.sampled_from(" .-_*~·😊👍🏻\u200d\ufe0f|/"), max_size=3)
SPELT = {
    "加": ["加", "＋", "+"],
    "微": ["微", "薇"],
    "信": ["信", "❤"],
    "我": ["我"],
    "一": ["一", "1", "①", "壹"],
    "点": ["点", "點"],
}


@given(st.sampled_from(["加微信", "加我一点", "我加微信"]), st.data(), st.text("您好。，a\n😊 ", max_size=5))
def test_a_disguised_word_is_found_where_it_was_written(word: str, data: st.DataObject, before: str) -> None:
    letters = [data.draw(st.sampled_from(SPELT[c])) + data.draw(BETWEEN) for c in word[:-1]]
    written = "".join(letters) + data.draw(st.sampled_from(SPELT[word[-1]]))
    text = f"{before.strip()}。{written}"
    mine = rule(any_of=[word], disguise=True)
    found = inspect(
        *talk([("c", f"服: {text}".replace("\n", " "))]), pack(mine, 微信=["薇信", "微❤", "薇❤"], 加=["+"])
    ).findings
    text = text.replace("\n", " ")
    assert [text[a:z] for a, z in found.select("start", "end").rows()] == found["quote"].to_list()
    assert written in found["quote"].to_list(), (text, found["quote"].to_list())


@cache
def _told() -> tuple[Talk, Beside, Inspection]:
    """The kinds' dialogues with their facts, and what is found in them as they stand."""
    said = [
        (f"{r.id}.{k}", t)
        for r in rules_of(kinds()).values()
        for k, t in enumerate(r.tests.hit)
        if "客" in t or "服" in t
    ]
    return talk(said), beside(said), inspect(*talk(said), kinds(), beside(said))


@given(st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_of_packs_matters(random: Any) -> None:
    talks, facts, expected = _told()
    order = list(range(talks.messages.height))
    random.shuffle(order)
    turns = talks.turns.sample(fraction=1, shuffle=True, seed=1)
    again = inspect(talks.messages[order], turns, [p._replace(rules=tuple(reversed(p.rules))) for p in kinds()], facts)
    assert again.findings.equals(expected.findings) and again.moments.equals(expected.moments)


def test_a_rule_that_asks_for_what_is_not_there_says_so_and_finds_nothing() -> None:
    said = heard("客: 在吗\n服: 请稍等,改价,再见")
    assert unasked(rules_of(kinds()), said.messages, Beside()) == {
        "KIND_SLOW": "no_times", "KIND_MOOD": "no_sentiment", "KIND_AFTER_RULE": "no_sentiment", "KIND_BEFORE_RULE": "no_sentiment",
        "KIND_EVENT": "no_orders", "KIND_PLACED": "no_orders", "KIND_PAID": "no_orders", "KIND_ORDER": "no_orders", "KIND_CASE": "no_cases", "KIND_CUSTOMER": "no_cases",
    }  # fmt: skip
    assert inspect(*said, kinds()).findings.is_empty()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("regex: '催.{0,2}没用'", "regex: '催.*没用'", "「*」没有上限"),
        ("regex: '催.{0,2}没用'", "regex: '催.{2,}没用'", "没有上限"),
        ("regex: '催.{0,2}没用'", "regex: '催(?!了)没用'", "不是能用的正则(没有环视和反向引用):look-around"),
        ("regex: '催.{0,2}没用'", "regex: '(催)?'", "能匹配空文字"),
        ("regex: '催.{0,2}没用'", "regex: '催.{0,900}没用'", "最多 200"),
        ("regex: '催.{0,2}没用'", "regexp: '催'", "不认识的键「regexp」,是不是「regex」"),
        ("within: 6", "within: 600", "「within」是 600,不能大于 100"),
        ("{not: 不敢}", "{}", "这一项没有写条件"),
        ("{rule: KIND_ANY}", "{rule: KIND_RULE}", "绕成了圈:KIND_RULE → KIND_RULE"),
        ("{rule: KIND_ANY}", "{rule: KIND_ANNY}", "「rule」指的规则「KIND_ANNY」不存在,是不是「KIND_ANY」"),
        ("after: KIND_MOOD", "after: KIND_EVENT", "要是 by: phrase"),
        ("order: [paid,", "order: [payed,", "可用的有 none、unpaid、paid、refunding"),
        ("cap: {agent: 5}", "cap: {}", "「cap」写 agent"),
        ("where: {first: 1}", "where: {first: 1, last: 1}", "写一个,而且只写一个"),
        ("who: customer\n    any: null\n    sentiment", "any: null\n    sentiment", "请写 who: customer"),
        ("any: [不包邮]", f"any: [{', '.join(f'词{n}' for n in range(2001))}]", "有 2001 个词,最多 2000"),
    ],
)
def test_what_asks_for_too_much_or_for_nothing_is_refused_with_its_line(old: str, new: str, words: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(RulebookError) as error:
        bind([load_pack(text.replace(old, new, 1), FILE.name)])
    told = [line for line in str(error.value).splitlines() if words in line]
    assert told and told[0].startswith("rule_kinds.yaml:"), str(error.value)


def test_too_many_patterns_in_all_packs_are_refused() -> None:
    one = rule(any_of=["啊"], regex="a{1,3}")
    many = [one.model_copy(update={"id": f"R{n}"}) for n in range(51)]
    with pytest.raises(RulebookError, match="51 个 regex,最多 50"):
        bind(pack(*many))


def test_a_pattern_finds_all_its_places_and_respects_unless() -> None:
    mine = rule(regex=r"[a-c]\d{1,2}", unless=["b2"])
    found = inspect(*heard("服: A1您好b22,c3“a4”"), pack(mine)).findings
    assert found.select("start", "quote").rows() == [(0, "A1"), (8, "c3")]


def test_the_manual_shows_every_key_and_its_pack_is_one() -> None:
    manual = rule_manual.page()
    assert not [
        line
        for line in manual.splitlines()
        if line.startswith("| `") and line.endswith("|  |") and "`id`" not in line and "`tests`" not in line
    ]
    prove(bind([load_pack(manual.split("```yaml\n")[1].split("```")[0], "manual.yaml")]))


def test_a_new_rule_is_refused_until_its_examples_are_written() -> None:
    text = rulebench.template("MY_RULE")
    with pytest.raises(RulebookError, match="该命中的话1"):
        prove(bind([load_pack(text, "new.yaml")]))


@pytest.mark.parametrize(("place", "found"), [("after", [3]), ("before", [1]), ("around", [1, 2, 3])])
def test_what_stands_in_the_anchors_own_bubble_is_neither_after_nor_before_it(place: str, found: list[int]) -> None:
    anchor = rule(any_of=["甲"]).model_copy(update={"id": "ANCHOR"})
    looking = rule(any_of=["乙"], where=Where(**{place: "ANCHOR", "turns": 1}))
    said = talk([("c", "服: 乙\n服: 甲乙\n服: 乙")])
    findings = inspect(*said, pack(anchor, looking)).findings
    assert findings.filter(rule_id=looking.id)["seq"].to_list() == found
