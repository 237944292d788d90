"""The case mix against labels: floors a little under what was measured; docs/case-mix.md says what is measured now."""

import hashlib

import pytest

from tests import case_accuracy
from tests.conftest import SHARED

# (split, aspect) → accuracy that may not be undercut: three points under what docs/case-mix.md states.
FLOORS = {
    ("tuned", "topic"): 0.85, ("tuned", "phase"): 0.81, ("tuned", "customer_type"): 0.82,
    ("held_out", "topic"): 0.75, ("held_out", "phase"): 0.75, ("held_out", "customer_type"): 0.84,
}  # fmt: skip


def test_the_labels_are_split_by_a_hash_of_the_conversation():
    labels = case_accuracy.labels()
    assert len({one.session for one in labels}) == len(labels) >= 400
    for one in labels:
        odd = int(hashlib.sha256(f"case:{one.session}".encode()).hexdigest(), 16) % 2
        assert one.split == ("held_out" if odd else "tuned")


@pytest.mark.skipif(not SHARED.exists(), reason="the shared corpora are not here")
def test_accuracy_holds_and_the_page_says_so():
    measured = case_accuracy.guesses()
    for (split, aspect), floor in FLOORS.items():
        pairs = measured[split, aspect]
        assert case_accuracy.accuracy(pairs) >= max(floor, case_accuracy.baseline(pairs)), (split, aspect)
    stale = case_accuracy.PAGE.read_text(encoding="utf-8") != case_accuracy.page(measured)
    assert not stale, "run: python -m tests.case_accuracy"
