"""Promises, load and coverage of the sample shop: two roads to each figure, and what its plan says of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from statistics import NormalDist

import duckdb
import pytest

from pipelines import store
from pipelines.resources import data_dir

TRUTH = json.loads((data_dir() / "sample" / "truth.json").read_text(encoding="utf-8"))
Z = 3.2905  # 99.9 %: two dozen figures are looked at


@pytest.fixture(scope="module")
def mart(sample_home) -> Iterator[duckdb.DuckDBPyConnection]:
    with store.open_mart(sample_home) as con:
        yield con


OFFENDERS = {
    "each promise once a conversation": "SELECT conversation_id FROM promises GROUP BY conversation_id, promise HAVING count(*) > 1",
    "every conversation with a first turn has both": """
        SELECT conversation_id FROM turns WHERE is_first EXCEPT SELECT conversation_id FROM promises WHERE promise = 'preliminary'
        UNION ALL SELECT conversation_id FROM turns WHERE is_first EXCEPT SELECT conversation_id FROM promises WHERE promise = 'first_answer'""",
    "every complaint has a solution promise": """
        SELECT conversation_id FROM findings WHERE rule_id = 'CUSTOMER_COMPLAINS'
        EXCEPT SELECT conversation_id FROM promises WHERE promise = 'solution'""",
    "the first answer is first_response_30s": """
        SELECT * FROM metric('first_response_30s', NULL, NULL) m JOIN
        (SELECT agent, count(*) FILTER (WHERE status = 'kept') / count(*) AS v, count(*) AS n FROM promises
         WHERE promise = 'first_answer' AND status IN ('kept', 'broken') GROUP BY agent) p ON p.agent = m.agent
        WHERE abs(m.value - p.v) > 1e-12 OR m.n <> p.n""",
    "kept is in time, broken is not": """
        SELECT * FROM promises WHERE (status = 'kept') <> coalesce(kept_at <= due_at, false) AND status IN ('kept', 'broken')""",
    "the evidence is a reply of a person": """
        SELECT * FROM promises p LEFT JOIN messages m ON m.conversation_id = p.evidence_conversation_id AND m.seq = p.evidence_seq
        WHERE p.kept_at IS NOT NULL AND (m.sender_kind NOT IN ('agent', 'assist') OR m.sent_at <> p.kept_at)""",
    "without a calendar the two clocks are one": "SELECT * FROM turns WHERE in_service_s IS DISTINCT FROM wait_s",
    "a turn's own is among the open ones": "SELECT * FROM turns WHERE is_counted AND (n_open < 1 OR n_open_shop < n_open)",
    "coverage counts every counted turn": """
        SELECT 1 WHERE (SELECT sum(n_turns) FROM coverage) <> (SELECT count(*) FROM turns WHERE is_counted)
                    OR (SELECT count(*) FROM coverage) <> 168""",
    "what wanted one more person was late": "SELECT * FROM coverage WHERE n_short > n_late OR n_late > n_turns OR n_short_days > n_short",
}  # fmt: skip


@pytest.mark.parametrize("invariant", OFFENDERS)
def test_no_offenders(mart: duckdb.DuckDBPyConnection, invariant: str) -> None:
    assert mart.execute(OFFENDERS[invariant]).fetchall() == []


def test_one_more_person_is_counted_as_defined(mart: duckdb.DuckDBPyConnection) -> None:
    """The slow road: each late turn, the turns open in the shop at its second, the people who spoke in its hour."""
    late = mart.execute("SELECT asked_at FROM turns WHERE is_counted AND coalesce(wait_s > 100, true)").fetchall()
    spans = mart.execute("""SELECT asked_at, least(coalesce(answered_at, TIMESTAMP '9999-01-01'), asked_at + INTERVAL 600 SECOND)
                            FROM turns WHERE reason IS DISTINCT FROM 'pleasantry'""").fetchall()  # fmt: skip
    spoke = mart.execute("""SELECT DISTINCT date_trunc('hour', sent_at), agent FROM messages
                            WHERE sender_kind IN ('agent', 'assist') AND content_kind NOT IN ('recall', 'empty')""").fetchall()  # fmt: skip
    short = 0
    for (at,) in late:
        hour = at.replace(minute=0, second=0)
        waiting = sum(a <= at < z or a == at for a, z in spans)
        short += waiting > sum(h == hour for h, _ in spoke)
    assert (short,) == mart.execute("SELECT sum(n_short)::INT FROM coverage").fetchone()


@pytest.mark.parametrize("planned", TRUTH["agents"], ids=lambda a: a["name"])
@pytest.mark.parametrize(("promise", "limit", "slack"), [("first_answer", 30, 0), ("preliminary", 300, 10)])
def test_promises_are_kept_as_often_as_planned(
    mart: duckdb.DuckDBPyConnection, planned: dict, promise: str, limit: int, slack: int
) -> None:
    """Waits are log-normal with a share of late ones; a greeting in front delays the answer by up to ten seconds."""
    kept, n = mart.execute(
        """SELECT count(*) FILTER (WHERE seconds <= ?), count(*) FROM promises
           WHERE promise = ? AND agent = ? AND kept_at IS NOT NULL""",
        [limit, promise, planned["agent"]],
    ).fetchone()
    plan = planned["planted"]
    median = plan["first_wait_p50_s"] / math.exp(plan["sigma"] * NormalDist().inv_cdf(0.5 / (1 - plan["late"])))
    low, high = (
        (1 - plan["late"]) * NormalDist().cdf(math.log((limit + s) / median) / plan["sigma"]) for s in (-slack, 0.5)
    )
    reach = [Z * math.sqrt(max(p * (1 - p), 0.01) / n) for p in (low, high)]
    assert low - reach[0] <= kept / n <= high + reach[1]
