"""`qc explain`: from a number back to `file:row`, along the pointers that made it."""

from __future__ import annotations

import json
from typing import Any

import duckdb

from pipelines import felt
from pipelines.query import QueryError
from pipelines.terminal import table
from qc.metrics import BY_ID, REASONS
from reports.views import shown

MOST = 20


def show(con: duckdb.DuckDBPyConnection, what: str, metric: str | None, *, as_json: bool) -> None:
    """A conversation's score, a finding, an order, or an agent's metric, down to the source rows."""
    if metric:
        return _metric(con, what, metric, as_json=as_json)
    for walk in (_conversation, _promise, _finding, _order, _agent):
        if walk(con, what, as_json):
            return None
    raise QueryError(f"找不到「{what}」:它不是会话编号、命中编号、承诺编号、订单号,也不是客服账号")


def _rows(con: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    return con.execute(query, list(parameters)).fetchall()


def _metric(con: duckdb.DuckDBPyConnection, agent: str, metric: str, *, as_json: bool) -> None:
    kpi = BY_ID.get(metric)
    if kpi is None:
        raise QueryError(f"没有叫「{metric}」的指标;可用的有:{'、'.join(BY_ID)}")
    found = [r for r in _rows(con, "SELECT * FROM metric(?, NULL, NULL)", metric) if r[1] == agent]
    # The ones that pull the number the wrong way first: those are what an agent wants to look at.
    worst = {"low": "num DESC", "high": "num", "": "day DESC"}[kpi.better]
    units = _rows(
        con, "SELECT day, unit, num, den FROM observations WHERE metric = ? AND grain = 'agent' AND agent = ? "
        f"AND profile IN (SELECT profile FROM profiles WHERE is_own) AND is_mature ORDER BY {worst}, day DESC, unit", kpi.observed, agent,
    )  # fmt: skip
    if not found:
        raise QueryError(f"客服「{agent}」没有「{kpi.zh}」;原因见 qc sql \"FROM gaps WHERE metric = '{metric}'\"")
    if as_json:
        print(
            json.dumps(
                {"metric": metric, "formula": kpi.formula, "values": found, "units": units},
                ensure_ascii=False,
                default=str,
            )
        )
        return
    for shop, _, value, low, high, n in found:
        print(
            f"{shop} {agent} {kpi.zh} = {shown(value, kpi.unit)} (95%: {shown(low, kpi.unit)} … {shown(high, kpi.unit)}, n = {n})"
        )
    print(f"公式:{kpi.formula}\n由这 {len(units)} 条算出(最该看的 {min(MOST, len(units))} 条在前;全部:qc sql \"FROM observations WHERE metric = "
          f"'{kpi.observed}' AND grain = 'agent' AND agent = '{agent}' AND profile IN (SELECT profile FROM profiles WHERE is_own)\"):")  # fmt: skip
    table(["日", "单位(会话#消息、会话、客户、订单)", "分子", "分母"], units[:MOST], right=(2, 3))
    print("接着看其中一条:qc explain 会话编号")


def _conversation(con: duckdb.DuckDBPyConnection, what: str, as_json: bool) -> bool:
    conversation, _, seq = what.partition("#")
    if seq and not seq.isdigit():
        return False
    rows = _rows(
        con,
        """SELECT m.seq, m.sent_at, m.sender_kind, m.agent, m.text, s.file || ':' || m.source_row
        FROM messages m JOIN sources s USING (source_id) WHERE conversation_id = ? ORDER BY seq""",
        conversation,
    )
    if not rows:
        return False
    scores = _rows(
        con, "SELECT agent, qa, final, is_redline_pending FROM scores WHERE conversation_id = ?", conversation
    )
    entries = _rows(
        con,
        """SELECT e.agent, e.points, e.cause, e.item, r.title, f.seq, f.quote, coalesce(e.finding_id, e.entry_id)
        FROM entries e LEFT JOIN rules r USING (rule_id) LEFT JOIN findings f USING (finding_id)
        WHERE e.conversation_id = ? ORDER BY e.agent, f.seq NULLS LAST, e.entry_id""",
        conversation,
    )
    turns = _rows(
        con,
        """SELECT turn, asked_seq, answered_seq, wait_s, responsible, answered_by, is_counted, reason
        FROM turns WHERE conversation_id = ? ORDER BY turn""",
        conversation,
    )
    case = _rows(con, "SELECT phase, topic, customer_type, case_reason FROM conversations WHERE conversation_id = ?", conversation)
    cues = _rows(
        con,
        """SELECT aspect, value, weight, is_decisive, basis, seq, quote FROM case_reasons WHERE conversation_id = ?
        ORDER BY aspect, is_decisive DESC, weight DESC, seq NULLS FIRST, "start", "end", value, basis""",
        conversation,
    )
    if as_json:
        print(
            json.dumps(
                {
                    "conversation_id": conversation,
                    "case": case,
                    "case_reasons": cues,
                    "scores": scores,
                    "entries": entries,
                    "turns": turns,
                    "messages": rows,
                    **({"mood": _as_json(felt.message(con, conversation, int(seq)))} if seq else {}),
                },
                ensure_ascii=False,
                default=str,
            )
        )
        return True
    for agent, qa, final, pending in scores:
        taken = "".join(f"{points:+f} " for who, points, cause, *_ in entries if who == agent and cause != "veto")
        vetoed = "".join(f" = 质检分 {points:+f} 一票否决" for who, points, cause, *_ in entries if who == agent and cause == "veto")
        waits = ";还有致命项待人工确认" if pending else ""
        print(f"{agent or '(账号不明)'} 质检分 {qa:f} = 100 {taken}(最终分 {final}{vetoed}{waits})")
    for phase, topic, customer_type, why in case:
        print(f"阶段 {phase or '–'} · 话题 {topic or '–'} · 客户类型 {customer_type or '–'}{f'({REASONS[why][0]})' if why else ''}")
    table(["方面", "取值", "分", "胜出", "凭什么", "seq", "原话"], cues, right=(2, 5))
    table(["客服", "分", "缘由", "评分项", "规则", "seq", "原话", "编号"], entries, right=(1, 5))
    table(["轮", "问 seq", "答 seq", "等待 s", "归谁", "谁答", "计入", "原因"], turns, right=(0, 1, 2, 3))
    table(["seq", "时间", "发送方", "客服", "消息", "来源"], rows, right=(0,))
    if seq:
        felt.print_message(felt.message(con, conversation, int(seq)), int(seq))
    return True


def _as_json(found: dict[str, Any] | None) -> dict[str, Any] | None:
    return found and found | {"pushes": felt.listed(found["pushes"])}


def _finding(con: duckdb.DuckDBPyConnection, what: str, as_json: bool) -> bool:
    found = _rows(
        con,
        """SELECT f.finding_id, f.rule_id, r.title, r.why, f.rewrite, f.agent, f.conversation_id, f.seq, f."start", f."end", f.quote,
               m.text, s.file || ':' || m.source_row
        FROM findings f JOIN rules r USING (rule_id) LEFT JOIN messages m ON m.conversation_id = f.conversation_id AND m.seq = f.seq
        LEFT JOIN sources s ON s.source_id = m.source_id WHERE f.finding_id = ?""",
        what,
    )
    if not found:
        return False
    names = ["命中", "规则", "名称", "为什么", "建议说法", "客服", "会话", "seq", "起", "止", "原话", "整句", "来源"]
    table(["", "值"], [[n, v] for n, v in zip(names, found[0], strict=True)], as_json=as_json)
    return True


def _promise(con: duckdb.DuckDBPyConnection, what: str, as_json: bool) -> bool:
    if not what.startswith("promise:"):
        return False
    found = _rows(
        con,
        """SELECT p.promise, p.status, coalesce(r.zh, p.reason), p.agent, p.conversation_id, p.asked_seq, p.asked_at, q.text,
               sq.file || ':' || q.source_row, p.due_at, p.kept_at, p.seconds, p.in_service_s, p.evidence_conversation_id, p.evidence_seq,
               a.text, sa.file || ':' || a.source_row
        FROM promises p LEFT JOIN reasons r ON r.code = p.reason
        LEFT JOIN messages q ON q.conversation_id = p.conversation_id AND q.seq = p.asked_seq LEFT JOIN sources sq ON sq.source_id = q.source_id
        LEFT JOIN messages a ON a.conversation_id = p.evidence_conversation_id AND a.seq = p.evidence_seq
        LEFT JOIN sources sa ON sa.source_id = a.source_id WHERE p.promise_id = ?""",
        what,
    )
    if not found:
        return False
    names = ["承诺", "结果", "原因", "归谁", "会话", "问 seq", "起算", "问的话", "来源", "最迟", "兑现", "用了 s", "其中营业时间 s", "兑现在会话",
             "兑现 seq", "兑现的话", "兑现的来源"]  # fmt: skip
    table(["", "值"], [[n, v] for n, v in zip(names, found[0], strict=True)], as_json=as_json)
    return True


def _order(con: duckdb.DuckDBPyConnection, what: str, as_json: bool) -> bool:
    rows = _rows(
        con,
        """SELECT a.agent, a.class, a.is_primary, a.paid_fen, a.created_at, a.paid_at, a.seconds_before,
               a.evidence_conversation_id, a.evidence_seq, m.text, s.file || ':' || o.source_row
        FROM attributions a LEFT JOIN messages m ON m.conversation_id = a.evidence_conversation_id AND m.seq = a.evidence_seq
        LEFT JOIN orders o ON o.order_id = a.order_id AND o.shop = a.shop LEFT JOIN sources s ON s.source_id = o.source_id
        WHERE a.order_id = ? ORDER BY a.is_primary DESC, a.agent""",
        what,
    )
    if not rows:
        return False
    head = ["客服", "归属", "主", "实付(分)", "下单", "付款", "早多少秒", "凭据会话", "seq", "凭据原话", "订单来源"]
    table(head, rows, as_json=as_json, right=(3, 6))
    return True


def _agent(con: duckdb.DuckDBPyConnection, what: str, as_json: bool) -> bool:
    if not _rows(con, "SELECT 1 FROM agents WHERE agent = ?", what):
        return False
    rows = []
    for kpi in BY_ID.values():
        rows += [[kpi.id, kpi.zh, shown(v, kpi.unit), shown(lo, kpi.unit), shown(hi, kpi.unit), n]
                 for _, agent, v, lo, hi, n in _rows(con, "SELECT * FROM metric(?, NULL, NULL)", kpi.id) if agent == what]  # fmt: skip
    table(["指标", "名称", "值", "95% 下限", "95% 上限", "n"], rows, as_json=as_json, right=(2, 3, 4, 5))
    if not as_json:
        print("某个数字从哪里来:qc explain 客服账号 指标")
    return True
