"""What a rule file may ask for at most, so that none can make a night slow. The figures are ours.

Words are found by one automaton for all rules together, patterns by one pass each; both take time in proportion to the
text as long as a pattern's repeats are bounded. A file that asks for more is refused with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qc.conditions import leaves

if TYPE_CHECKING:
    from qc.rule import Rule

MOST_RULES = 1_000  # in all packs together
MOST_WORDS = 2_000  # of one rule
MOST_WORDS_IN_ALL = 50_000
LONGEST_WORD = 60
MOST_PATTERNS = 50  # in all packs together: each is a pass of its own over the night's texts
DEEPEST = 5  # conditions within conditions


def limit_problem(rule: Rule) -> str:
    """Why a rule asks for too much; "" when it does not."""
    parts = list(leaves(rule, ""))
    words = [word for _, key, value in parts if key == "words" for word in value] + rule.unless
    if len(words) > MOST_WORDS:
        return f"有 {len(words)} 个词,最多 {MOST_WORDS};请拆成几条规则"
    if long := next((word for word in words if len(word) > LONGEST_WORD), ""):
        return f"「{long[:10]}…」有 {len(long)} 个字,最多 {LONGEST_WORD};请写短"
    if max(path.count(".") for path, _, _ in parts) > 2 * DEEPEST:
        return f"条件套得太深,最多 {DEEPEST} 层;请拆成几条,用 rule: 引用"
    return ""


def total_problem(rules: Sequence[Rule]) -> str:
    """Why rules together ask for too much; "" when they do not."""
    found = [(key, value) for rule in rules for _, key, value in leaves(rule, "")]
    n_words = sum(len(value) for key, value in found if key == "words") + sum(len(rule.unless) for rule in rules)
    n_patterns = sum(key == "regex" for key, _ in found)
    told = (
        ("条规则", len(rules), MOST_RULES),
        ("个词", n_words, MOST_WORDS_IN_ALL),
        ("个 regex", n_patterns, MOST_PATTERNS),
    )
    return next((f"全部规则包合起来有 {n} {what},最多 {most};请删减" for what, n, most in told if n > most), "")
