"""What to say instead: filled in where the talk tells what the customer needs, plain where it does not."""

import polars as pl
import pytest
from pydantic import ValidationError

from qc import products, rewrites
from qc.rule import Rule
from qc.rulebook import rules_of
from tests.talk import heard, inspected, shipped


def told(dialogue: str, topic: str | None = None) -> dict[str, str | None]:
    talk = heard(dialogue)
    cases = pl.DataFrame(
        {"conversation_id": ["c1"], "topic": [topic]}, schema={"conversation_id": pl.String, "topic": pl.String}
    )
    findings = inspected(dialogue).findings
    rows = rewrites.filled(findings, rules_of(shipped()), talk.messages, cases, products.shown_in(talk.messages))
    assert rows.drop("rewrite").equals(findings)
    return dict(rows.select("rule_id", "rewrite").rows())


def test_the_customers_question_is_filled_in() -> None:
    assert (
        told("客: 能改地址吗?\n服: 不行")["NO_WAY"] == "真的不好意思哦,您问的「能改地址吗」我马上帮您看看还有什么办法"
    )


def test_what_is_not_known_leaves_the_plain_wording() -> None:
    plain = rules_of(shipped())["NO_WAY"].rewrite
    assert told("服: 不行")["NO_WAY"] == plain
    assert told(f"客: {'我想问一下' * 20}\n服: 不行")["NO_WAY"] == plain


def test_what_is_no_question_is_not_called_one() -> None:
    plain = rules_of(shipped())["NO_WAY"].rewrite
    assert told("客: 那退吧,太差劲了\n服: 不行")["NO_WAY"] == plain
    assert told("客: 能改地址吗\n客: 那退吧\n服: 不行")["NO_WAY"] == plain  # answered or not, it is no longer what they want


def test_the_topic_is_filled_in_unless_it_is_the_rest() -> None:
    talk = "客: 怎么还没到\n服: 您去找平台吧"
    assert told(talk, "物流")["BLAMES_OTHERS"] == "您说的物流的事,我帮您转给负责的同事,并且跟进到底"
    assert (
        told(talk, "其他")["BLAMES_OTHERS"]
        == told(talk)["BLAMES_OTHERS"]
        == rules_of(shipped())["BLAMES_OTHERS"].rewrite
    )


def test_braces_of_a_customer_are_text() -> None:
    assert "「{asked}{topic}」" in str(told("客: {asked}{topic}?\n服: 不行", "物流")["NO_WAY"])


@pytest.mark.parametrize("wrong", ["您问的{price}", "{asked", "{asked}{asked}", "{}"])
def test_a_hole_that_nobody_can_fill_is_refused(wrong: str) -> None:
    said = rules_of(shipped())["NO_WAY"].model_dump(by_alias=True) | {"rewrite_for": wrong}
    with pytest.raises(ValidationError, match="rewrite_for"):
        Rule.model_validate(said)
