import textwrap

import pytest

from pipelines import rules
from qc.rule import Rule
from qc.rulebook import Pack, RulebookError, bind, load_pack, pack_hash, rules_of
from qc.rulecheck import check, prove
from qc.scorecards import load_scorecard
from tests.talk import DATA, general, pleasantries, shipped

PACK = """\
pack: demo
title: 示例
title_en: Demo
rules:
  - id: NOPE
    title: 没门
    title_en: Nope
    by: phrase
    any: [没门]
    category: demo
    severity: minor
    deduction: 5
    why: 生硬
    source: 自拟
    tests:
      hit: [没门, 没门儿, 想退?没门, 真没门, 沒門]
      miss: [有门, 没问题, 门没关, 开门, 好的]
"""
CARD = """\
scorecard: demo
title: 示例
title_en: Demo
sections:
  - id: all
    title: 全部
    title_en: All
    weight: 100
    items:
      - {id: words, title: 用语, title_en: Words, weight: 100, rules: [NOPE]}
"""


def pack(text: str = PACK, name: str = "demo.yaml") -> Pack:
    return load_pack(text, name)


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("    any: [没门]", "    anyy: [没门]", 9, "不认识的键「anyy」,是不是「any」"),
        ("    any: [没门]\n", "", 5, "缺少「any」"),
        ("deduction: 5", "deduction: 五", 12, "「deduction」要写数"),
        ("deduction: 5", "deduction: -5", 12, "不能小于 0"),
        ("deduction: 5", "exact: yes", 12, "「exact」要写true 或 false"),
        ("any: [没门]", "any: 没门", 9, "「any」要写列表"),
        ("any: [没门]", "any: [没门, ' ']", 9, "空白的词"),
        ("any: [没门]", "any: [没门, 沒門]", 9, "「沒門」重复"),
        ("by: phrase", "by: regex", 8, "没有 'regex' 这种写法;可用的有 phrase、absent"),
        ("severity: minor", "severity: bad", 11, "redline"),
        ("severity: minor", "severity: info", 5, "info 级的规则不扣分"),
        ("id: NOPE", "id: nope", 5, "「id」不能是 'nope'"),
        ("    title: 没门", "    title: 没门\n    title: 又没门", 7, "键「title」写了两次"),
        ("[没门, 没门儿, 想退?没门, 真没门, 沒門]", "[没门]", 16, "「hit」至少要 5 条,现在 1 条"),
        ("severity: minor", "where: {first: 2, last: 2}\n    severity: minor", 11, "写一个,而且只写一个"),
        ("severity: minor", "where: {after: NOPE}\n    severity: minor", 11, "「after」和「turns」要一起写"),
        ("severity: minor", "applies: {unless_left_mid_turn: true}\n    severity: minor", 5, "只用于 by: absent"),
        ("by: phrase", "by: absent\n    who: customer", 5, "absent 规则只看客服"),
        ("title: 示例", "title: '", 2, "YAML"),
    ],
)
def test_an_error_says_where_and_what(old: str, new: str, line: int, words: str) -> None:
    with pytest.raises(RulebookError) as error:
        pack(changed(PACK, old, new))
    messages = str(error.value).splitlines()
    assert any(words in message for message in messages), messages
    if words != "YAML":
        assert any(message.startswith(f"demo.yaml:{line} ") for message in messages), messages


@pytest.mark.parametrize("text", ["", "- a", "just words", "1: 2"])
def test_what_is_no_pack_is_refused(text: str) -> None:
    with pytest.raises(RulebookError, match=r"^demo\.yaml:1 "):
        pack(text)


def test_a_rule_id_is_unique_in_a_file_and_among_files() -> None:
    twice = PACK + PACK[PACK.index("  - id: NOPE") :]
    with pytest.raises(RulebookError, match=r"demo\.yaml:18 规则「NOPE」在第 5 行已经有了"):
        pack(twice)
    with pytest.raises(RulebookError, match=r"b\.yaml:5 规则「NOPE」在 a\.yaml:5 已经有了"):
        bind([pack(name="b.yaml"), pack(name="a.yaml")])


@pytest.mark.parametrize(("after", "words"), [("NOPEE", "不存在,是不是「NOPE」"), ("NOPE", "绕成了圈:NOPE → NOPE")])
def test_the_rule_to_wait_for_exists_and_waits_for_none(after: str, words: str) -> None:
    text = changed(PACK, "    severity", f"    where: {{after: {after}, turns: 2}}\n    severity")
    with pytest.raises(RulebookError, match=words) as error:
        bind([pack(text)])
    assert str(error.value).startswith("demo.yaml:11 ")


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("    weight: 100", "    weight: 90", 4, "加起来是 90,要正好 100"),
        ("weight: 100, rules", "weight: 30, rules", 9, "加起来是 30,要等于这部分的 100"),
        ("[NOPE]", "[NOPEE]", 10, "规则「NOPEE」不存在,是不是「NOPE」"),
        ("[NOPE]", "[NOPE, NOPE]", 10, "已经在别的项里"),
        ("rules: [NOPE]", "rule: [NOPE]", 10, "不认识的键「rule」,是不是「rules」"),
        ("weight: 100, rules", "weight: 0, rules", 10, "要大于 0"),
    ],
)
def test_a_scorecard_error_says_where_and_what(old: str, new: str, line: int, words: str) -> None:
    with pytest.raises(RulebookError, match=words) as error:
        load_scorecard(changed(CARD, old, new), "card.yaml", [pack()])
    assert any(message.startswith(f"card.yaml:{line} ") for message in str(error.value).splitlines()), error.value


def test_the_customers_words_cannot_cost_the_agent() -> None:
    text = changed(changed(PACK, "by: phrase", "by: phrase\n    who: customer"), "    deduction: 5\n", "")
    with pytest.raises(RulebookError, match="顾客的话"):
        load_scorecard(CARD, "card.yaml", [pack(text)])


def test_a_failing_example_is_an_error_with_its_line() -> None:
    text = changed(PACK, "沒門]", "有窗]")
    text = changed(text, "      hit: [", "      hit:\n        - ").replace(", 没门儿, 想退?没门, 真没门, 有窗]", "")
    text = changed(
        text, "      miss", "".join(f"        - {t}\n" for t in ("没门儿", "真没门", "都没门", "有窗")) + "      miss"
    )
    with pytest.raises(RulebookError) as error:
        prove([pack(text)])
    assert str(error.value) == "demo.yaml:21 规则「NOPE」的例子「有窗」应命中而没有;请补充 any 或改例子"


def test_every_shipped_rule_speaks_english_too() -> None:
    for rule in rules_of(shipped()).values():
        assert rule.why_en.isprintable() and len(rule.why_en) > 15, rule.id
        assert bool(rule.rewrite_en) == bool(rule.rewrite), rule.id
    text = changed(PACK, "    source: 自拟", "    rewrite_en: no such thing\n    source: 自拟")
    with pytest.raises(RulebookError, match="「rewrite_en」要和「rewrite」一起写"):
        pack(text)


def test_the_hash_is_of_what_the_rules_say() -> None:
    same = "# a comment\n" + PACK.replace("by: phrase\n    any: [没门]", "any:\n      - 没门\n    by: phrase")
    assert pack_hash([pack(same, "other.yaml")]) == pack_hash([pack()])
    assert pack_hash([pack(changed(PACK, "deduction: 5", "deduction: 6"))]) != pack_hash([pack()])


def test_the_shipped_rules_prove_themselves() -> None:
    prove(shipped(), pleasantries())
    checked = check(shipped(), pleasantries())
    assert checked.height == len(rules_of(shipped()))
    assert checked.select("n_hit", "n_miss").min().row(0) >= (5, 5)
    assert general().scorecard == "general"


@pytest.mark.parametrize("rule_id", sorted(rules_of(shipped())))
def test_without_its_words_a_rule_fails_its_examples(rule_id: str) -> None:
    """A phrase rule finds none of its hits; an absent rule finds fault with all that is polite."""
    packs = [p._replace(rules=tuple(_mute(r) if r.id == rule_id else r for r in p.rules)) for p in shipped()]
    failures = check(packs, pleasantries()).filter(rule_id=rule_id)["failures"].explode()
    assert len(failures) >= (5 if rules_of(shipped())[rule_id].by == "phrase" else 3)


@pytest.mark.parametrize("rule_id", sorted(r.id for r in rules_of(shipped()).values() if r.unless))
def test_without_its_exceptions_a_rule_fails_its_examples(rule_id: str) -> None:
    packs = [
        p._replace(rules=tuple(r.model_copy(update={"unless": []}) if r.id == rule_id else r for r in p.rules))
        for p in shipped()
    ]
    assert check(packs, pleasantries())["failures"].list.len().sum() > 0


def _mute(rule: Rule) -> Rule:
    return rule.model_copy(update={"any_of": ["\ue000"]})


def test_an_empty_folder_and_a_foreign_encoding_say_so(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RulebookError, match="没有规则文件"):
        rules.load(tmp_path)
    (tmp_path / "a.yaml").write_bytes("pack: 示例".encode("gb18030"))
    with pytest.raises(RulebookError, match="UTF-8"):
        rules.load(tmp_path)


def test_a_shops_own_folder_goes_beside_the_shipped_one(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "own.yaml").write_text(textwrap.dedent(PACK), encoding="utf-8")
    assert "NOPE" in rules_of(rules.load(DATA / "rules", tmp_path))
