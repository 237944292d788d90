"""What docs/rules-evidence.md says of the rules holds: recall on planted sentences, precision on real chats."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from qc.rulebook import rules_of
from tests.evidence import CORPORA, MEANT, SHARED, hits, is_caught, is_false_alarm, judgements, real, seen, sentences
from tests.evidence_page import PAGE, page
from tests.talk import shipped

real_chats = pytest.mark.skipif(not SHARED.is_dir(), reason="the real chats are not part of the product")
READ_AT_MOST = 50


def caught(is_disguised: bool) -> dict[str, list[bool]]:
    planted = [s for s in sentences("planted_sentences") if s.category != "none"]
    found: dict[str, list[bool]] = defaultdict(list)
    for sentence, rules in zip(planted, seen(planted), strict=True):
        if sentence.is_disguised == is_disguised:
            found[sentence.category].append(is_caught(sentence, rules))
    return found


def test_the_planted_sentences_are_many_and_a_third_are_disguised() -> None:
    planted = [s for s in sentences("planted_sentences") if s.category != "none"]
    assert len(planted) >= 420 and len(sentences("planted_sentences")) - len(planted) >= 200
    assert sum(s.is_disguised for s in planted) / len(planted) >= 1 / 3
    assert {s.category for s in planted} == set(MEANT)
    assert set(rules_of(shipped())) >= {rule for rules in MEANT.values() for rule in rules}


@pytest.mark.parametrize(("is_disguised", "of_each", "of_all"), [(False, 0.8, 0.97), (True, 0.5, 0.88)])
def test_what_was_planted_is_caught(is_disguised: bool, of_each: float, of_all: float) -> None:
    found = caught(is_disguised)
    everything = [ok for some in found.values() for ok in some]
    assert sum(everything) / len(everything) >= of_all
    low = {category: some for category, some in found.items() if sum(some) / len(some) < of_each}
    assert not low


def test_few_harmless_sentences_raise_an_alarm() -> None:
    harmless = [s for s in sentences("planted_sentences") if s.category == "none"]
    wrong = [s.text for s, rules in zip(harmless, seen(harmless), strict=True) if is_false_alarm(rules)]
    assert len(wrong) <= 4, wrong


@real_chats
@pytest.mark.parametrize("corpus", CORPORA)
def test_every_hit_in_real_chat_was_read_or_is_one_of_many(corpus: str) -> None:
    read = {(j.rule_id, (j.conversation_id, j.seq)) for j in judgements() if j.corpus == corpus}
    stale = {(rule_id, place) for rule_id, place in read if place not in hits(corpus)[rule_id]}
    assert not stale, "these are hits no longer: take them out of tests/rule_judgements.tsv"
    counts = Counter(rule_id for rule_id, _ in read)
    literal = {"NO_ADDRESS", "NO_PLEASE", "NO_WARMTH"}
    # Newer than the last reading; their hits are still to be read.
    literal |= {
        "APOLOGISES",
        "COMPLAINT_SOLUTION",
        "JUST_LOOKING",
        "MINDS_SHIPPING",
        "MINDS_SIZE",
        "NO_ASKING",
        "NO_RECOMMENDATION",
        "NO_BARGAIN_ANSWER",
    }
    unread = {r for r, places in hits(corpus).items() if counts[r] < min(len(places), READ_AT_MOST)} - literal
    assert not unread, "new hits: read them and add them to tests/rule_judgements.tsv"


@real_chats
def test_redlines_are_rare_in_real_chat_and_each_hit_is_explained() -> None:
    redlines = {r.id for r in rules_of(shipped()).values() if r.severity == "redline"}
    found = [(rule_id, place) for corpus in CORPORA for rule_id in redlines for place in hits(corpus)[rule_id]]
    spoken = sum(real(corpus)[0].filter(sender_kind="agent").height for corpus in CORPORA)
    assert len(found) / spoken < 1 / 1000
    assert {rule_id for rule_id, _ in found} == {"ASKS_SECRETS"}
    assert all(f"`{rule_id}`:客服" in PAGE.read_text(encoding="utf-8") for rule_id, _ in found)


@real_chats
def test_a_new_rule_that_was_seen_to_be_wrong_deducts_nothing() -> None:
    known = rules_of(shipped())
    wrong = {j.rule_id for j in judgements() if not j.is_correct}
    assert {r for r in wrong if known[r].deduction} <= {"NO_GREETING", "NO_APOLOGY", "NO_FAREWELL"}


@real_chats
def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.evidence_page"
