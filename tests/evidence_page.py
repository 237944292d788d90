"""docs/rules-evidence.md from the rules, the judgements and the sentences: `python -m tests.evidence_page`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from qc.rulebook import rules_of
from tests.evidence import CORPORA, MEANT, hits, is_caught, is_false_alarm, judgements, offensive, real, seen, sentences
from tests.talk import shipped

PAGE = Path(__file__).parent.parent / "docs" / "rules-evidence.md"
Z = 1.959963984540054  # 95 %

HEAD = """\
# 规则的证据

由 `python -m tests.evidence_page` 生成,请不要手改。语料不在项目里;逐条判断在 `tests/rule_judgements.tsv`(只有会话号、第几句、规则、对不对,没有原文),
测试按它重算命中数和准确率。区间都是 Wilson 95%。

## 怎么读
- **准确率**:规则在真实聊天里命中的句子,人读过之后,对的占多少。命中超过 50 处的随机读 50 处(按编号的摘要排序取前 50)。判断的人就是写规则的人。
- jddc_raw 用来调规则;jddc_satisfaction 在规则定下之后才读,读后的改动写在下面。
- **没有命中不等于准**:两份语料都是京东自营客服,很客气;9 407 句客服话里一次没命中的规则,只知道它每 3 100 句误报不到一次(三倍法则),不知道它命中时对不对。
- **扣分的规矩**:读到过错误命中的新规则只提示、不扣分(`DONT_KNOW`、`ABSOLUTE_WORDS`、`ADMITS_FAKE`)。按 KPI 的规矩(准确率下限低于 0.8 的只提示),
  现有命中太少,除 `INFORMAL_YOU` 一类本来就不扣分的以外,没有一条扣分规则够得上;店铺要用自己的复核样本再定。

## 读后才改的
1. 检验用的语料读到 `CUSTOMER_COMPLAINS` 新加的「还没发货、不能用了、没法用、拿错」多半不是投诉,却会让 `NO_APOLOGY` 扣分。
   于是这些词分到 `CUSTOMER_REPORTS_PROBLEM`,它不触发致歉。因此这两条在 jddc_satisfaction 上的数字不是第一次看的数字(第一次合起来是 40/49)。
2. `DONT_KNOW`(5/6)、`ABSOLUTE_WORDS`(0/1)、`ADMITS_FAKE`(0/1)改为只提示。词没有改,错误命中留在表里。
"""


def wilson(k: int, n: int) -> tuple[float, float]:
    """The 95 % interval of k of n; (0, 1) of nothing."""
    if not n:
        return 0.0, 1.0
    centre, reach = k / n + Z * Z / (2 * n), Z * ((k / n * (1 - k / n) + Z * Z / (4 * n)) / n) ** 0.5
    return max(0.0, (centre - reach) / (1 + Z * Z / n)), min(1.0, (centre + reach) / (1 + Z * Z / n))


def ratio(k: int, n: int) -> str:
    low, high = wilson(k, n)
    return f"{k}/{n} = {k / n:.0%}({low:.0%}–{high:.0%})" if n else "–"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in lines)


def precision() -> str:
    """Every rule on every corpus."""
    parts = []
    for corpus, use in CORPORA.items():
        messages = real(corpus)[0]
        spoken = {who: messages.filter(sender_kind=who).height for who in ("agent", "customer")}
        talks = messages["conversation_id"].n_unique()
        parts.append(f"### {corpus}({use}):{talks} 个会话,客服 {spoken['agent']} 句,顾客 {spoken['customer']} 句\n")
        rows = [_precision(corpus, rule_id, spoken, talks) for rule_id in rules_of(shipped()) if hits(corpus)[rule_id]]
        parts.append(table(["规则", "轻重", "命中句", "占", "读了", "对的", "准确率"], rows) + "\n")
        silent = [f"`{r}`" for r, places in hits(corpus).items() if not places]
        parts.append(f"没有命中:{'、'.join(silent)}。\n")
    return "\n".join(parts)


def _precision(corpus: str, rule_id: str, spoken: dict[str, int], talks: int) -> list[object]:
    rule, places = rules_of(shipped())[rule_id], hits(corpus)[rule_id]
    n = talks if rule.by == "absent" else spoken[rule.who]
    read = [j for j in judgements() if (j.corpus, j.rule_id) == (corpus, rule_id)]
    right = sum(j.is_correct for j in read)
    said = "按字面,不读" if rule.by == "absent" and not read else ratio(right, len(read))
    return [f"`{rule_id}`", rule.severity, len(places), f"{len(places) / n:.2%}", len(read), right, said]


def gravest() -> str:
    """How often a redline fires on real chat."""
    known = rules_of(shipped())
    found = {(c, p) for c in CORPORA for r, places in hits(c).items() if known[r].severity == "redline" for p in places}
    n = sum(real(c)[0].filter(sender_kind="agent").height for c in CORPORA)
    return (
        f"全部致命项规则(含辱骂)在 {n} 句真实客服话里命中 {len(found)} 句,每千句 {1000 * len(found) / n:.2f};"
        "都是 `ASKS_SECRETS`:客服在聊天里要顾客把收到的验证码说出来(核对身份)。规则没有看错话,"
        "但平台自己的核对流程可能允许,所以它和所有致命项一样只标「待确认」。"
    )


def recall(name: str) -> str:
    """Caught of planted, by category: plain and disguised, tuned on and held out."""
    some = [s for s in sentences(name) if s.category != "none"]
    caught = [is_caught(s, rules) for s, rules in zip(some, seen(some), strict=True)]
    cuts = [(d, h) for d in (False, True) for h in (False, True)]
    rows = []
    for category in (*(c for c in MEANT if any(s.category == c for s in some)), None):
        row: list[object] = [category or "**合计**"]
        for is_disguised, is_held_out in cuts:
            mine = [
                ok
                for s, ok in zip(some, caught, strict=True)
                if category in (s.category, None) and (s.is_disguised, s.is_held_out) == (is_disguised, is_held_out)
            ]
            row.append(f"{sum(mine)}/{len(mine)}" if category else ratio(sum(mine), len(mine)))
        rows.append(row)
    return table(["类别", "直白·调规则用", "直白·留出", "变体·调规则用", "变体·留出"], rows)


def false_alarms() -> str:
    some = [s for s in sentences("planted_sentences") if s.category == "none"]
    wrong = [(s, is_false_alarm(rules)) for s, rules in zip(some, seen(some), strict=True)]
    tuned, held = ([w for s, w in wrong if s.is_held_out == half] for half in (False, True))
    named = "、".join(f"「{s.text}」" for s, w in wrong if w)
    return (
        f"{len(some)} 句无害的相似句里,误报(扣分的或顾客侧的规则命中):调规则用的一半 {ratio(sum(tuned), len(tuned))},"
        f"留出的一半 {ratio(sum(held), len(held))}。误报的是:{named or '没有'}。"
    )


def page() -> str:
    bad, fine = offensive(1), offensive(0)
    return "\n".join(
        [
            HEAD,
            "## 真实聊天里的准确率\n",
            precision(),
            gravest(),
            "\n`NO_APOLOGY` 是旧规则,也扣分:它的错多半在「顾客投诉」这一步(问旧机器怎么修,不是投诉这次买卖)。"
            "`NO_GREETING`、`NO_FAREWELL` 按字面几乎都对,但两份语料从会话中间截起,命中多不等于客服不礼貌。\n",
            "## 召回:写好的句子\n",
            "`tests/planted_sentences.tsv` 在动规则之前写好,隔行留出。**留出的一半不是真正的盲测**:写句子和写规则的是同一个人,相隔不到一小时,"
            "下面「直白·留出」因此偏乐观。第一次看:直白 204/220,变体 82/107(变体还原刚接上时)。\n",
            recall("planted_sentences"),
            "\n" + false_alarms() + "\n",
            "### 第二份句子:知道词表,故意绕开\n",
            "`tests/fresh_sentences.tsv` 在规则写完之后写,有意不用词表里的说法,只看一次、没有据此改规则。它是下限:"
            "词表只认得写进去的话,换一种说法就漏。真实的召回在两份之间,要靠复核样本来估。\n",
            recall("fresh_sentences"),
            "\n## 辱骂规则在 COLD 上\n",
            f"COLD 是社交媒体上的冒犯言论(地域、种族、性别),不是买卖里的骂人,只作对照,不作目标:冒犯的 {ratio(*bad)},无害的 {ratio(*fine)}。\n",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
