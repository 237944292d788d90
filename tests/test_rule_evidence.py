"""What docs/rules-evidence.md says of the rules holds: recall on planted sentences, precision on real chats."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from qc.rulebook import rules_of
from tests.evidence import (
    CORPORA,
    MEANT,
    ONCE,
    SHARED,
    hits,
    is_caught,
    is_false_alarm,
    judgements,
    may_deduct,
    read_of,
    real,
    seen,
    sentences,
)  # fmt: skip
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
    unread = {r for r, places in hits(corpus).items() if counts[r] < min(len(places), READ_AT_MOST)}
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
@pytest.mark.parametrize("corpus", ONCE)
def test_what_was_read_once_are_hits_and_fifty(corpus: str) -> None:
    read = {(j.rule_id, (j.conversation_id, j.seq)) for j in judgements() if j.corpus == corpus}
    assert len(read) == READ_AT_MOST and {rule_id for rule_id, _ in read} == set(ONCE[corpus])
    assert all(place in hits(corpus)[rule_id] for rule_id, place in read)


def test_no_rule_deducts_that_reading_found_too_often_wrong() -> None:
    wrong = {r.id: read_of(r.id) for r in rules_of(shipped()).values() if r.deduction and not may_deduct(*read_of(r.id))}
    assert not wrong, "make them severity: info, or more precise (KPI §6)"


@pytest.mark.parametrize(
    ("right", "n", "may"),
    # No error is no proof against a rule; one error among 24 (bound .798) is, among 25 (.805) it is not.
    [(0, 0, True), (3, 3, True), (0, 1, False), (15, 15, True), (23, 24, False), (24, 25, True), (32, 44, False), (40, 50, False), (46, 50, True)],
)  # fmt: skip
def test_the_lower_bound_decides_once_there_was_an_error(right: int, n: int, may: bool) -> None:
    assert may_deduct(right, n) is may


@real_chats
def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.evidence_page"
