"""What the rules find in real chats and in planted sentences; tests/evidence_page.py writes it down."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

import polars as pl

from qc import frames
from qc.detectors import Inspection, inspect
from qc.dialogue import turns
from qc.profiles import Profile
from qc.rulebook import rules_of
from tests.talk import heard, pleasantries, shipped

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared" / "data"
CORPORA = {"jddc_raw": "调规则用", "jddc_satisfaction": "检验用"}
# Read for these rules alone, once they stood: no words were taken from it.
ONCE = {"weibo_helpdesk": ("NO_APOLOGY",)}
LEAST_PRECISION = 0.8  # the lower bound under which a rule informs and may not deduct. KPI §6
Z = 1.959963984540054  # 95 %
_PROFILE = Profile(
    id="real", title="真实", title_en="Real", status="ours", valid_from=date(2026, 1, 5), source="no times, no agents"
)
# A complaint, so that an apology is due; the sentence that is looked at comes after it.
BEFORE = {"apology": "客: 质量太差了\n"}

# The rules that are meant by a category of the planted sentences.
MEANT: dict[str, tuple[str, ...]] = {
    "negative_language": (
        *("CANNOT", "MAY_NOT", "WILL_NOT", "UNWILLING", "NOT_MY_JOB", "NO_WAY", "NO_MEETING", "HELPLESS"),
        *("DONT_KNOW", "UNFAIR_TERMS", "BLAMES_OTHERS"),
    ),
    "cold_answer": ("COLD_ACK", "BARE_OK", "COLD_REFUSAL", "BARE_ANSWER"),
    "impatience": ("URGES_BACK", "LOOK_YOURSELF", "SAID_BEFORE", "TAKE_IT_OR_LEAVE_IT", "FED_UP"),
    "abuse": ("ABUSE",),
    "blame_shifting": ("BLAMES_COURIER", "BLAMES_CUSTOMER", "BLAMES_OTHERS", "NOT_MY_JOB"),
    "stalling": ("STALLS", "URGES_BACK"),
    "quarrel": ("ARGUES", "ACCUSES_CUSTOMER", "DARES_COMPLAINT"),
    "off_platform": ("OFF_PLATFORM",),
    "cash_for_praise": ("CASH_FOR_PRAISE",),
    "privacy": ("ASKS_SECRETS", "LEAKS_PRIVACY"),
    "overpromise": ("OVERPROMISE",),
    "absolute_words": ("ABSOLUTE_WORDS", "OVERPROMISE"),
    "held_against_shop": ("ADMITS_FAKE", "UNFAIR_TERMS", "DARES_COMPLAINT"),
    "greeting": ("NO_GREETING",),
    "address": ("NO_ADDRESS",),
    "please": ("NO_PLEASE",),
    "thanks": ("NO_FAREWELL",),
    "apology": ("NO_APOLOGY",),
    "farewell": ("NO_FAREWELL",),
    "warmth": ("NO_WARMTH",),
    "flow_ask": ("FLOW_ASKS",),
    "flow_recommend": ("FLOW_RECOMMENDS",),
    "flow_bargain": ("FLOW_BARGAINS",),
    "flow_payment_reminder": ("FLOW_PAYMENT_REMINDER",),
    "flow_shipping_notice": ("FLOW_SHIPPING_NOTICE",),
    "flow_follow_up": ("FLOW_FOLLOW_UP",),
    "flow_review_answer": ("FLOW_REVIEW_ANSWER",),
    "aftersale_refusal": ("GENTLE_REFUSAL",),
    "aftersale_solution": ("SOLUTION_PROPOSED",),
    "customer_complaint": ("CUSTOMER_COMPLAINS", "CUSTOMER_REPORTS_PROBLEM"),
    "customer_abuse": ("CUSTOMER_ABUSES",),
    "customer_threat": ("CUSTOMER_THREATENS_REVIEW", "CUSTOMER_THREATENS_AUTHORITY"),
    "customer_leaves_price": ("MINDS_PRICE",),
    "customer_leaves_stock": ("MINDS_STOCK",),
    "customer_leaves_quality": ("MINDS_QUALITY",),
    "customer_leaves_slow": ("MINDS_SLOWNESS",),
    "customer_praise": ("CUSTOMER_PRAISES",),
    "customer_bargain": ("CUSTOMER_BARGAINS",),
}


class Sentence(NamedTuple):
    """A line of the planted sentences; every second one is held out from tuning."""

    text: str
    category: str
    speaker: str
    is_disguised: bool
    is_held_out: bool


class Judgement(NamedTuple):
    """A hit that was read: `seq` is "-" for what was not said."""

    corpus: str
    conversation_id: str
    seq: str
    rule_id: str
    is_correct: bool


def sentences(name: str) -> list[Sentence]:
    """The sentences of tests/<name>.tsv in their order."""
    rows = (HERE / f"{name}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    parts = [row.split("\t") for row in rows]
    return [Sentence(text, kind, who, hidden == "1", i % 2 == 1) for i, (text, kind, who, hidden) in enumerate(parts)]


def judgements() -> list[Judgement]:
    """What was read of the real corpora: no texts, only where they stand and whether the rule was right."""
    with (HERE / "rule_judgements.tsv").open(encoding="utf-8", newline="") as file:
        return [Judgement(*row[:4], row[4] == "1") for row in list(csv.reader(file, delimiter="\t"))[1:]]


def seen(some: Iterable[Sentence]) -> list[set[str]]:
    """Of each sentence the rules that found their words in it; of an absent rule: that it was satisfied."""
    some = list(some)
    marks = {"agent": "服", "customer": "客"}
    talks = [f"{BEFORE.get(s.category, '')}{marks[s.speaker]}: {s.text}" for s in some]
    done = inspect(*heard(*talks), shipped())
    found: list[set[str]] = [set() for _ in some]
    for talk, rule in done.findings.filter(pl.col("seq").is_not_null()).select("conversation_id", "rule_id").rows():
        found[int(talk[1:]) - 1].add(rule)
    for talk, rule in done.moments.filter("is_met").select("conversation_id", "rule_id").rows():
        found[int(talk[1:]) - 1].add(rule)
    return found


def is_caught(sentence: Sentence, rules: set[str]) -> bool:
    """A rule of its category fired."""
    return bool(rules & set(MEANT[sentence.category]))


def is_false_alarm(rules: set[str]) -> bool:
    """A rule that deducts or points at the customer fired on a harmless sentence; hints and flow do not count."""
    known = rules_of(shipped())
    return any(known[r].by == "phrase" and (known[r].deduction or known[r].who == "customer") for r in rules)


@cache
def real(corpus: str) -> tuple[pl.DataFrame, Inspection]:
    """The messages of a real corpus (frames.Message) and what the shipped rules find in them."""
    rows = {"jddc_raw": _raw, "jddc_satisfaction": _satisfaction, "weibo_helpdesk": _weibo}[corpus]()
    none = dict.fromkeys(frames.Message)
    told = [
        none | {"conversation_id": talk, "seq": seq, "shop": "s", "channel": "jd", "sender_kind": who, "customer": "c",
                "agent": "a" if who == "agent" else None, "content_kind": "text", "text": text, "source_id": corpus,
                "source_row": i}
        for i, (talk, seq, who, text) in enumerate(rows, start=1)
    ]  # fmt: skip
    messages = pl.DataFrame(told, schema=frames.Message, orient="row")
    asked = turns(messages, _PROFILE, as_of=None, pleasantries=pleasantries())
    return messages, inspect(messages, asked, shipped())


@cache
def hits(corpus: str) -> dict[str, set[tuple[str, str]]]:
    """rule_id -> the places where it fired: (conversation_id, seq), seq "-" for what was not said."""
    found: dict[str, set[tuple[str, str]]] = {rule_id: set() for rule_id in rules_of(shipped())}
    for talk, seq, rule_id in real(corpus)[1].findings.select("conversation_id", "seq", "rule_id").rows():
        found[rule_id].add((talk, "-" if seq is None else str(seq)))
    return found


def wilson(k: int, n: int) -> tuple[float, float]:
    """The 95 % interval of k of n; (0, 1) of nothing."""
    if not n:
        return 0.0, 1.0
    centre, reach = k / n + Z * Z / (2 * n), Z * ((k / n * (1 - k / n) + Z * Z / (4 * n)) / n) ** 0.5
    return max(0.0, (centre - reach) / (1 + Z * Z / n)), min(1.0, (centre + reach) / (1 + Z * Z / n))


def read_of(rule_id: str) -> tuple[int, int]:
    """(right, read): the hits of a rule that were read, in all corpora together."""
    read = [j.is_correct for j in judgements() if j.rule_id == rule_id]
    return sum(read), len(read)


def may_deduct(right: int, n: int) -> bool:
    """Whether a rule with n hits read, `right` of them correct, may cost points. KPI §6; see docs/DECISIONS.md.

    Once a hit was seen to be wrong the lower bound decides. Before that the bound speaks of the number of hits, not of the
    rule: of 15 hits and no error it cannot reach 0.8, so a rule without an error is unproven and not refused.
    """
    return right == n or wilson(right, n)[0] >= LEAST_PRECISION


def offensive(label: int) -> tuple[int, int]:
    """Of the lines of COLD's dev set with this label: how many ABUSE finds, of how many."""
    with (SHARED / "cold" / "dev.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = [" ".join(r["TEXT"].split()) for r in csv.DictReader(file) if r["label"] == str(label)]
    found = inspect(*heard(*(f"服: {line}" for line in lines)), shipped()).findings.filter(rule_id="ABUSE")
    return found["conversation_id"].n_unique(), len(lines)


def _raw() -> list[tuple[str, int, str, str]]:
    """(conversation_id, seq, sender_kind, text) of every row; the file has neither times nor agents."""
    nth, rows = Counter[str](), []
    for line in (SHARED / "jddc_raw" / "chat_0.1per.txt").read_text(encoding="utf-8").splitlines():
        talk, _, is_agent, _, _, _, text = line.split("\t", 6)
        nth[talk] += 1
        rows.append((talk, nth[talk], "agent" if is_agent == "1" else "customer", text))
    return rows


def _satisfaction() -> list[tuple[str, int, str, str]]:
    lines = (SHARED / "jddc_satisfaction" / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        (talk["dialogue_id"], seq, said["role"], said["text"])
        for talk in map(json.loads, lines)
        for seq, said in enumerate(talk["messages"], start=1)
    ]


def _weibo() -> list[tuple[str, int, str, str]]:
    """Public complaints to service desks on Weibo: utterances of the customer and of the desk."""
    talks = json.loads((SHARED / "weibo_helpdesk" / "dialogues.json").read_text(encoding="utf-8"))
    return [
        (str(talk["id"]), seq, "agent" if who == "helpdesk" else "customer", text)
        for talk in talks
        for seq, (who, text) in enumerate(((t["sender"], u) for t in talk["turns"] for u in t["utterances"]), start=1)
    ]
