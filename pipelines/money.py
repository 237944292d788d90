"""`qc attribution compare` and `qc why`: whose sales they are under every rule, and why they moved between two periods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb

from pipelines import store, terminal
from pipelines.query import QueryError
from qc import attribution, frames
from reports.views import shown

SILENT = "静默"


def compare(home: Path, from_day: date | None, to_day: date | None, look_back_h: Sequence[float] = (), *, as_json: bool) -> None:
    """Print each agent's sales under every attribution rule and how far they move; a column more for each look-back (hours)."""
    with store.open_mart(home) as con:
        rules = con.execute("SELECT rule, title FROM attribution_rules ORDER BY nth").fetchall()
        found = con.execute(
            "SELECT shop, agent, rule, fen FROM attribution_by_rule(?, ?) ORDER BY shop, agent NULLS LAST",
            [from_day, to_day],
        ).fetchall()
        further = [_looking_back(hours) for hours in look_back_h]
        rules += [(rule.id, rule.title) for rule in further]
        found += _booked(con, further, from_day, to_day)
    booked: dict[tuple[str, str], dict[str, int]] = {}
    for shop, agent, rule, fen in found:
        booked.setdefault((shop, agent or SILENT), {})[rule] = fen
    rows = [[*who, *_under(fens, [r for r, _ in rules], as_json=as_json)] for who, fens in booked.items()]
    if not rows:
        raise QueryError('这段时间没有已付款的订单;日期见 qc sql "SELECT min(day), max(day) FROM attributions"')
    head = ["店铺", "客服", *(title for _, title in rules), "相差", "相差占比"]
    terminal.table(head, rows, as_json=as_json, right=tuple(range(2, len(head))))


def _looking_back(hours: float) -> attribution.Rule:
    """The rule that counts, looking back so many hours."""
    said = f"下单前最后接待(回看 {hours:g} 小时)"
    return attribution.DEFAULT.model_copy(
        update={"id": f"looking_back_{hours:g}h", "title": said, "title_en": said, "look_back_h": hours}
    )


def _booked(
    con: duckdb.DuckDBPyConnection, rules: Sequence[attribution.Rule], from_day: date | None, to_day: date | None
) -> list[tuple[str, str | None, str, int]]:
    """shop, agent, rule, fen of rules that the night has not run, from the published orders and messages."""
    if not rules:
        return []
    orders = frames.of(frames.Order, store.frame(con, "FROM orders"))
    messages = frames.of(frames.Message, store.frame(con, "FROM messages"))
    con.register("shares_", attribution.shares(orders, messages, rules))
    return con.execute(
        "SELECT s.shop, s.agent, s.rule, sum(s.paid_fen)::BIGINT FROM shares_ s JOIN attributions a USING (shop, order_id) "
        "WHERE a.is_primary AND ($from_day IS NULL OR a.day >= $from_day) AND ($to_day IS NULL OR a.day <= $to_day) "
        "GROUP BY s.shop, s.agent, s.rule ORDER BY s.shop, s.agent NULLS LAST, s.rule", {"from_day": from_day, "to_day": to_day},
    ).fetchall()  # fmt: skip


def _under(fens: dict[str, int], rules: list[str], *, as_json: bool) -> list[object]:
    """The sales under each rule, the widest difference, and its share of the sales that count."""
    each = [fens.get(rule, 0) for rule in rules]
    spread = max(each) - min(each)
    share = spread / each[0] if each[0] else None
    return [*each, spread, share] if as_json else [*(shown(fen, "fen") for fen in [*each, spread]), shown(share, "%")]


def why(home: Path, period: tuple[date, date] | None, before: tuple[date, date] | None, *, as_json: bool) -> None:
    """Print the change of sales between two periods, split exactly; without dates the last seven days and the seven before."""
    with store.open_mart(home) as con:
        after = period or _last_week(con)
        length = after[1] - after[0] + timedelta(days=1)
        then = before or (after[0] - length, after[0] - timedelta(days=1))
        found = con.execute(
            "SELECT shop, coalesce(a.name, c.agent, '全店'), before_fen, after_fen, change_fen, traffic_fen, conversion_fen, value_fen, "
            "other_fen, silent_fen, n0, n1 FROM sales_change(?, ?, ?, ?) c LEFT JOIN agents a USING (shop, agent) "
            "ORDER BY shop, c.agent NULLS FIRST", [*then, *after],
        ).fetchall()  # fmt: skip
    if not found:
        raise QueryError(f"{then[0]} 到 {after[1]} 没有订单,也没有询单")
    head = ["店铺", "客服", f"{then[0]:%m-%d}–{then[1]:%m-%d}", f"{after[0]:%m-%d}–{after[1]:%m-%d}", "变化", "流量(询单)", "转化", "客单价",
            "其余归客服", "静默", "询单(前)", "询单(后)"]  # fmt: skip
    rows = [list(r) if as_json else [*r[:2], *(shown(fen, "fen") for fen in r[2:10]), *r[10:]] for r in found]
    terminal.table(head, rows, as_json=as_json, right=tuple(range(2, 12)))


def _last_week(con: duckdb.DuckDBPyConnection) -> tuple[date, date]:
    row = con.execute("SELECT after_from, after_to FROM sales_periods() WHERE n_days = 7").fetchone()
    if row is None:
        raise QueryError(
            "数据不足两个星期,说不了销售额为什么变;用 --from、--to、--before-from、--before-to 指明两段时间"
        )
    return row[0], row[1]
