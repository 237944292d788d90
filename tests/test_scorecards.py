"""Which card judges a conversation, which of its items apply, and what is refused."""

import polars as pl
import pytest

from pipelines import rules, settings
from qc.detectors import inspect
from qc.ledger import Ledger, score
from qc.places import Beside
from qc.rulefile import RulebookError
from qc.scorecards import Scorecard, load_scorecard
from tests.talk import DATA, general, heard, shipped


def card(name: str) -> Scorecard:
    return rules.load_scorecard(DATA / "scorecards" / f"{name}.yaml", shipped())


def judged(phases: list[str | None], *dialogues: str, cards: list[Scorecard]) -> Ledger:
    talk = heard(*dialogues)
    ids = [f"c{i}" for i in range(1, len(phases) + 1)]
    nothing = [None] * len(phases)
    cases = pl.DataFrame(
        {"conversation_id": ids, "phase": phases, "topic": nothing, "customer_type": nothing},
        schema=dict.fromkeys(["conversation_id", "phase", "topic", "customer_type"], pl.String),
    )
    found = inspect(talk.messages, talk.turns, shipped(), Beside(None, cases, None))
    ledger = score(found.findings, found.moments, talk.messages, shipped(), cards, cases=cases)
    sums = ledger.entries.group_by("conversation_id", "agent").agg(pl.col("points").sum())
    both = ledger.scores.join(sums, on=["conversation_id", "agent"], how="left")
    assert ((100 + both["points"].fill_null(0)).round(4) == both["qa"]).all()
    assert ledger.entries["entry_id"].n_unique() == ledger.entries.height
    return ledger


def test_each_phase_has_its_card_and_the_last_takes_the_rest() -> None:
    said = "客: 在吗\n服: 您好"
    cards = [card("pre_sale"), card("after_sale"), general()]
    scores = judged(["pre", "mid", "after", None], *[said] * 4, cards=cards).scores
    assert scores["scorecard"].to_list() == ["pre_sale", "general", "after_sale", "general"]
    alone = judged(["after"], said, cards=[card("pre_sale")]).scores
    assert alone["scorecard"].to_list() == ["pre_sale"]


def test_an_apology_counts_only_if_one_was_due() -> None:
    plain = "客: 收到了\n服: 您好,不行\n客: 那怎么办"
    upset = plain.replace("收到了", "收到就是坏的")
    ledger = judged(["after", "after"], plain, upset, cards=[card("after_sale")])
    # The customer left unanswered: no farewell. 40 + 25 + 10 + 20 but the apology's 15: W = 80, then 95
    no_way = ledger.entries.filter(pl.col("rule_id") == "NO_WAY")
    assert no_way["points"].to_list() == [round(-500 / 80, 4), round(-500 / 95, 4)]
    lost = ledger.entries.filter(pl.col("item") == "apology")
    assert lost.select("conversation_id", "rule_id", "points").rows() == [("c2", "NO_APOLOGY", round(-1500 / 95, 4))]


def test_what_an_item_does_not_apply_to_costs_nothing() -> None:
    text = (DATA / "scorecards" / "general.yaml").read_text(encoding="utf-8")
    only_pre = text.replace(
        "title_en: No negative language, no blame\n", "title_en: No\n        applies: {phase: [pre]}\n"
    )
    ledger = judged(["pre", "after"], *["客: 在吗\n服: 您好,不行\n客: 那怎么办"] * 2,
                    cards=[load_scorecard(only_pre, "card.yaml", shipped())])  # fmt: skip
    assert ledger.scores["qa"].to_list() == [93.75, 100.0]
    assert ledger.entries["conversation_id"].to_list() == ["c1"]


def test_a_card_may_set_the_deduction_and_the_cap_of_an_item() -> None:
    text = (DATA / "scorecards" / "general.yaml").read_text(encoding="utf-8")
    changed = text.replace(
        "title_en: No negative language, no blame\n", "title_en: No\n        deduction: 6\n        cap: 8\n"
    )
    talk = "客: 在吗\n服: 您好,不行\n服: 不行\n客: 那怎么办"
    ledger = judged([None], talk, cards=[load_scorecard(changed, "card.yaml", shipped())])
    assert sorted(ledger.entries["points"]) == [-7.5, -7.5, 5.0]
    assert ledger.scores["qa"].to_list() == [90.0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    weight: 40\n    items:\n      - {id: apology", "    weight: 41\n    items:\n      - {id: apology", "card.yaml:7 各部分的 weight 加起来是 101"),
        ("found: [APOLOGY_DUE]", "found: [APOLOGY_DUES]", "是不是「APOLOGY_DUE」"),
        ("for: {phase: [after]}", "for: {phase: [afterwards]}", "「phase」没有「afterwards」"),
        ("rules: [NO_GREETING], deduction: 5", "rules: [NO_ASKING], deduction: 5", "只提示(info),不能扣分"),
        ("rules: [NO_GREETING], deduction: 5", "rules: [NO_GREETING], deduction: 5, cap: 9", "不能超过它的 weight 5"),
    ],
)  # fmt: skip
def test_a_card_that_makes_no_sense_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    text = (DATA / "scorecards" / "after_sale.yaml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(RulebookError, match=r"card\.yaml:\d+ ") as refusal:
        load_scorecard(text.replace(old, new, 1), "card.yaml", shipped())
    assert said in str(refusal.value)


def test_the_setting_names_one_card_or_several(tmp_path) -> None:  # type: ignore[no-untyped-def]
    def chosen(line: str) -> list[str]:
        (tmp_path / "qc.toml").write_text(line, encoding="utf-8")
        return [c.scorecard for c in settings.scorecards(tmp_path, settings.load(tmp_path), shipped())]

    assert chosen("") == ["general"]
    assert chosen('scorecard = "after_sale"') == ["after_sale"]
    assert chosen('scorecard = ["pre_sale", "general"]') == ["pre_sale", "general"]
    with pytest.raises(settings.SettingsError, match="同一张不写两次"):
        chosen('scorecard = ["general", "general"]')
