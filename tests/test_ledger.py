import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qc import frames
from qc.detectors import inspect
from qc.ledger import Ledger, score
from qc.rule import Cap
from qc.rulebook import rules_of
from qc.scorecards import Scorecard, load_scorecard
from tests.talk import general, heard, shipped

LINES = st.sampled_from(
    [
        *["客: 在吗", "客: 质量太差了", "客: 我要投诉,骗人", "客: 好的谢谢", "服甲: 您好,在的", "服甲: 不行"],
        *["服乙: 傻逼滚蛋神经病", "服甲: 抱歉", "服乙: 感谢您,再见", "服甲: 我不能,我不会,我们不能", "自: 您好"],
        *["服甲: 恩", "服甲: 爱买不买,随便你", "服乙: 密码发给我,明天一定到", "助甲: 你看", "服: [撤回]"],
        *["服乙: 加微信,好评返现", "服乙: 急什么"],
    ]
)  # fmt: skip
TALKS = st.lists(st.lists(LINES, min_size=1, max_size=8).map("\n".join), min_size=1, max_size=12)


def scored(*dialogues: str, card: Scorecard | None = None) -> Ledger:
    talk = heard(*dialogues)
    return score(*inspect(*talk, shipped()), talk.messages, shipped(), [card or general()])


@settings(max_examples=40, deadline=None)
@given(TALKS)
def test_a_score_is_100_and_the_sum_of_its_entries(dialogues: list[str]) -> None:
    entries, scores = scored(*dialogues)
    sums = entries.group_by("conversation_id", "agent").agg(pl.col("points").sum())
    both = scores.join(sums, on=["conversation_id", "agent"], how="left")
    assert ((100 + both["points"].fill_null(0)).round(4) == both["qa"]).all()
    assert both["qa"].is_between(0, 100).all()
    assert both["final"].equals(both["qa"].alias("final"))
    assert entries["entry_id"].n_unique() == entries.height
    assert entries.join(scores, on=["conversation_id", "agent"], how="anti").is_empty()


@settings(max_examples=30, deadline=None)
@given(TALKS)
def test_the_sum_of_entries_is_the_weighted_mean_of_the_items(dialogues: list[str]) -> None:
    """The definition of KPI §3, item by item in plain Python, against the ledger."""
    talk = heard(*dialogues)
    findings, moments = inspect(*talk, shipped())
    rules = rules_of(shipped())
    scores = score(findings, moments, talk.messages, shipped(), [general()]).scores
    for conversation, agent, qa in scores.select("conversation_id", "agent", "qa").rows():
        mine = findings.filter(conversation_id=conversation, agent=agent)["rule_id"].to_list()
        due = set(moments.filter(conversation_id=conversation, agent=agent)["rule_id"])
        top = bottom = 0.0
        for item in (item for section in general().sections for item in section.items):
            if any(rules[r].by == "phrase" or r in due for r in item.rules):
                lost = min(item.weight, sum(rules[r].deduction for r in mine if r in item.rules))
                top, bottom = top + item.weight - lost, bottom + item.weight
        assert qa == pytest.approx(100 * top / bottom, abs=0.005)


@settings(max_examples=20, deadline=None)
@given(TALKS, st.randoms())
def test_neither_order_nor_doubled_messages_change_the_ledger(dialogues: list[str], random) -> None:  # type: ignore[no-untyped-def]
    talk = heard(*dialogues)
    findings, moments = inspect(*talk, shipped())
    expected = score(findings, moments, talk.messages, shipped(), [general()])
    order = [*range(talk.messages.height), 0]
    random.shuffle(order)
    shuffled = (frame.sample(fraction=1, shuffle=True) for frame in (findings, moments))
    again = score(*shuffled, talk.messages[order], shipped(), [general()])
    assert again.entries.equals(expected.entries)
    assert again.scores.equals(expected.scores)


def test_every_agent_with_an_effective_message_has_a_score_and_nobody_else() -> None:
    scores = scored("客: 在吗\n服甲: 您好\n助乙: 您好\n机: 您好\n服丙: [撤回]", "客: 在吗\n自: 您好").scores
    assert scores.select("conversation_id", "agent").rows() == [("c1", "乙"), ("c1", "甲")]


def test_points_are_of_what_applies() -> None:
    entries, scores = scored("客: 在吗\n服: 您好,不行\n客: 那怎么办")
    # 40 + 10 greeting + 10 address + 20 apply; no complaint, and the customer left mid-turn: W = 80
    assert entries.select("item", "rule_id", "points", "cause").rows() == [
        ("negative_language", "NO_WAY", -6.25, "finding")
    ]
    assert scores["qa"].to_list() == [93.75]
    assert entries["entry_id"].to_list() == ["general:c1#2:NO_WAY@3"]


def test_an_item_never_costs_more_than_its_weight() -> None:
    entries, scores = scored("客: 在吗\n服: 您好,爱买不买,烦不烦,急什么\n客: 那怎么办")
    patience = entries.filter(item="patience")
    assert sorted(patience["points"]) == [-25.0, -18.75, -12.5, 31.25]
    cap = patience.filter(cause="cap").row(0, named=True)
    assert (cap["points"], cap["finding_id"], cap["rule_id"]) == (31.25, None, None)
    assert scores["qa"].to_list() == [75.0]


def test_a_redline_is_pending_and_deducts_as_its_item_says() -> None:
    _, scores = scored("客: 在吗\n服甲: 您好,滚蛋\n服乙: 您好,谢谢")
    assert scores.select("agent", "qa", "final", "is_redline_pending").rows() == [
        ("乙", 100.0, 100.0, False),
        ("甲", 90.0, 90.0, True),
    ]


def test_what_is_only_information_costs_nothing() -> None:
    entries, scores = scored("客: 我要投诉\n服: 您好,抱歉,谢谢亲\n服: 好的")
    assert entries.is_empty()
    assert scores["qa"].to_list() == [100.0]


CARD = """\
scorecard: six
title: 六项
title_en: Six
sections:
  - id: all
    title: 全部
    title_en: All
    weight: 100
    items:
"""


def six(*rule_ids: str) -> Scorecard:
    share = 100 / len(rule_ids)
    items = [
        f"      - {{id: i{i}, title: 项, title_en: I, weight: {share}, rules: [{r}]}}" for i, r in enumerate(rule_ids)
    ]
    return load_scorecard(CARD + "\n".join(items), "six.yaml", _dear(rule_ids))


def _dear(rule_ids: tuple[str, ...]):  # type: ignore[no-untyped-def]
    """The shipped packs with these rules at 100 points each."""
    raised = lambda r: r.model_copy(update={"deduction": 100.0}) if r.id in rule_ids else r  # noqa: E731
    return [p._replace(rules=tuple(map(raised, p.rules))) for p in shipped()]


def test_rounding_never_takes_more_than_everything() -> None:
    lost = ("CANNOT", "NO_WAY", "URGES_BACK", "ABUSE", "OFF_PLATFORM", "OVERPROMISE")
    talk = heard("服: 我不能,不行,急什么,滚蛋,加微信,绝对没问题")
    packs = _dear(lost)
    entries, scores = score(*inspect(*talk, packs), talk.messages, packs, [six(*lost)])
    assert scores["qa"].to_list() == [0.0]
    assert entries["points"].sum() == pytest.approx(-100)
    assert entries.filter(pl.col("item").is_null())["points"].to_list() == [0.0002]


def test_where_no_item_applies_there_is_no_score() -> None:
    card = six("NO_APOLOGY", "NO_FAREWELL")
    talk = heard("服: 您好\n客: 怎么办")
    entries, scores = score(*inspect(*talk, shipped()), talk.messages, shipped(), [card])
    assert entries.is_empty()
    assert scores["qa"].to_list() == [None]


def test_without_agents_names_a_conversation_still_has_its_score() -> None:
    talk = heard("客: 在吗\n服: 不行")
    messages = talk.messages.with_columns(agent=pl.lit(None, pl.String))
    entries, scores = score(*inspect(messages, talk.turns, shipped()), messages, shipped(), [general()])
    assert scores.height == 1
    assert scores["qa"].item() == round(100 + entries["points"].sum(), 4) < 100
    assert frames.of(frames.Score, scores).equals(scores)


def capped(talk: str, **cap: float) -> Ledger:
    """The shipped rules, CANNOT at 5 points of its item's 20 with a cap."""
    limit = lambda r: r.model_copy(update={"cap": Cap(**cap)}) if r.id == "CANNOT" else r  # noqa: E731
    packs = [p._replace(rules=tuple(map(limit, p.rules))) for p in shipped()]
    said = heard(talk)
    return score(*inspect(*said, packs), said.messages, packs, [general()])


def test_a_cap_gives_back_what_a_rule_took_beyond_it_in_an_entry_of_its_own() -> None:
    talk = "服甲: 您好,我不能,感谢\n服乙: 亲,我不能\n服甲: 我不能\n服乙: 我不能,再见"
    each = capped(talk, agent=5)
    back = each.entries.filter(pl.col("cause") == "cap")
    assert back.select("agent", "rule_id").rows() == [("乙", "CANNOT"), ("甲", "CANNOT")]
    free, both = capped(talk, agent=50), capped(talk, conversation=5)
    assert free.entries.filter(pl.col("cause") == "cap").is_empty()
    lost = [100 * c.scores.height - c.scores["qa"].sum() for c in (free, each, both)]
    assert lost[1] == pytest.approx(lost[0] / 2, abs=0.01)
    # The first to say it pays, the others are given theirs back.
    assert both.entries.filter(agent="乙")["points"].sum() == 0 > both.entries.filter(agent="甲")["points"].sum()
    for entries, scores in (each, both):
        for agent, qa in scores.select("agent", "qa").rows():
            assert qa == round(100 + entries.filter(agent=agent)["points"].sum(), 4)


def test_a_confirmed_redline_is_a_veto_and_qa_stays() -> None:
    talk = heard("服甲: 您好,加微信,我不能,感谢\n服乙: 亲,加微信")
    findings, moments = inspect(*talk, shipped())
    mine = findings.filter((pl.col("rule_id") == "OFF_PLATFORM") & (pl.col("agent") == "甲"))["finding_id"]
    theirs = findings.filter((pl.col("rule_id") == "OFF_PLATFORM") & (pl.col("agent") == "乙"))["finding_id"]
    verdicts = pl.DataFrame(
        {"finding_id": [*mine, *theirs], "is_confirmed": [True] * len(mine) + [False] * len(theirs)}
    )
    before = score(findings, moments, talk.messages, shipped(), [general()])
    entries, scores = score(findings, moments, talk.messages, shipped(), [general()], verdicts=verdicts)
    assert scores["qa"].equals(before.scores["qa"])
    assert before.scores["is_redline_pending"].all() and not scores["is_redline_pending"].any()
    assert scores.filter(agent="甲")["final"].item() == 0 < scores.filter(agent="甲")["qa"].item()
    assert scores.filter(agent="乙").select(pl.col("final") == pl.col("qa")).item()
    assert entries.filter(agent="甲")["points"].sum() == pytest.approx(-100)
    assert entries.filter(pl.col("cause") == "veto")["agent"].to_list() == ["甲"]
