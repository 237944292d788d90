"""docs/rules-evidence.md from the rules, the judgements and the sentences: `python -m tests.evidence_page`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from qc.rulebook import rules_of
from tests.evidence import (
    CORPORA,
    LEAST_PRECISION,
    MEANT,
    hits,
    is_caught,
    is_false_alarm,
    judgements,
    may_deduct,
    offensive,
    read_of,
    real,
    seen,
    sentences,
    wilson,
)  # fmt: skip
from tests.talk import shipped

PAGE = Path(__file__).parent.parent / "docs" / "rules-evidence.md"

HEAD = """\
# 规则的证据

由 `python -m tests.evidence_page` 生成,请不要手改。语料不在项目里;逐条判断在 `tests/rule_judgements.tsv`(只有会话号、第几句、规则、对不对,没有原文),
测试按它重算命中数和准确率。区间都是 Wilson 95%。

## 怎么读
- **准确率**:规则在真实聊天里命中的句子,人读过之后,对的占多少。命中超过 50 处的随机读 50 处(按编号的摘要排序取前 50)。判断的人就是写规则的人。
- jddc_raw 用来调规则;jddc_satisfaction 在规则定下之后才读,读后的改动写在下面。
- **没有命中不等于准**:两份语料都是京东自营客服,很客气;9 407 句客服话里一次没命中的规则,只知道它每 3 100 句误报不到一次(三倍法则),不知道它命中时对不对。
- **扣分的规矩**:读到过错误命中的规则,准确率的 Wilson 下限不到 0.8 就只提示、不扣分;没读到过错误的还可以扣分,但标着「未证实」。为什么这样读 KPI,
  见 [DECISIONS.md](DECISIONS.md);每条扣分规则够不够,见下面「扣分的规则」一表,由测试守着。

## 读后才改的
1. 检验用的语料读到 `CUSTOMER_COMPLAINS` 新加的「还没发货、不能用了、没法用、拿错」多半不是投诉,却会让 `NO_APOLOGY` 扣分。
   于是这些词分到 `CUSTOMER_REPORTS_PROBLEM`,它不触发致歉。因此这两条在 jddc_satisfaction 上的数字不是第一次看的数字(第一次合起来是 40/49)。
2. `DONT_KNOW`(5/6)、`ABSOLUTE_WORDS`(0/1)、`ADMITS_FAKE`(0/1)改为只提示。词没有改,错误命中留在表里。
3. `NO_APOLOGY` 原来在任何「顾客投诉」之后都要致歉:17/23、15/21,错的多半是问旧东西怎么修。现在只在 `APOLOGY_DUE` 之后才要
   (单说一句「坏了」不算,「收到就坏了」算)。这是看着上面两份语料改的,所以另拿一份没用来找词的 weibo_helpdesk(微博上对电信、手机、旅行商家的公开抱怨)
   读随机 50 处命中,规则没有再改。
4. `NO_BARGAIN_ANSWER` 读了 8 处命中,没有一处对(「现在已经是优惠价了」没认出是回应;「我用了优惠券」不是议价)。`NO_ASKING`、`NO_RECOMMENDATION`
   只用在售前的会话里,而标注过的会话里它们命中的 60、59 处只有 44、43 处(73%、73%)真的是售前。三条都改为只提示,从售前评分卡里拿掉,仍用来算流程完整度。
5. `NO_PLEASE`、`NO_WARMTH` 起初按字面没有读。全部读过之后,第一次是 27/32、8/11 和 28/35、3/3(jddc_raw、jddc_satisfaction);错的多半说了「方便提供」「辛苦给」,
   或「哟、嘛、啊」。这些词于是补上,下表是补上以后的数字,不是第一次看的;仍错的留在表里。两条都只提示。
"""


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
    return [f"`{rule_id}`", rule.severity, len(places), f"{len(places) / n:.2%}", len(read), right, ratio(right, len(read))]


def deducting() -> str:
    """Every rule that costs points, by what was read of it in all corpora."""
    rows = []
    for rule in filter(lambda r: r.deduction, rules_of(shipped()).values()):
        right, n = read_of(rule.id)
        proven = wilson(right, n)[0] >= LEAST_PRECISION
        rows.append((not proven, f"`{rule.id}`", rule.severity, n, ratio(right, n), "够" if proven else "未证实" if may_deduct(right, n) else "不够"))
    listed = [row[1:] for row in sorted(rows, key=lambda row: row[0])]
    return table(["规则", "轻重", "读了", "准确率(几份合起来)", f"下限 ≥ {LEAST_PRECISION}"], listed)


def once() -> str:
    """NO_APOLOGY on the corpus that no words were taken from."""
    talks = real("weibo_helpdesk")[1].moments.filter(rule_id="NO_APOLOGY").height
    read = [j.is_correct for j in judgements() if j.corpus == "weibo_helpdesk"]
    found = len(hits("weibo_helpdesk")["NO_APOLOGY"])
    return f"weibo_helpdesk 的 1826 个会话里,该致歉的 {talks} 个,`NO_APOLOGY` 命中 {found} 个,随机读了 {len(read)} 个:{ratio(sum(read), len(read))}。"


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
            "\n`NO_GREETING`、`NO_FAREWELL` 按字面几乎都对,但两份语料从会话中间截起,命中多不等于客服不礼貌。\n",
            "### 扣分的规则\n",
            deducting(),
            "\n" + once() + "错的是:投诉之前已经道过歉的、说的是撤销投诉的、只是着急的、回复读不出来的。\n",
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
