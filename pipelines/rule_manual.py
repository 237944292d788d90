"""docs/rules-language.md: every key of a rule file, from the models, each with an example that the tests run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from qc import patterns, rulelimits
from qc.conditions import Condition, Count, Length, Near, Sentiment, Some
from qc.rule import Applies, Cap, Rule, Where
from qc.rulebook import load_pack

EXAMPLES = Path(__file__).parent.parent / "tests" / "rule_kinds.yaml"


def page() -> str:
    """The manual."""
    packs = load_pack(EXAMPLES.read_text(encoding="utf-8"), EXAMPLES.name)
    shown = {use: sample for rule in reversed(packs.rules) for use, sample in _samples(rule)}
    parts = [OPENING]
    for title, owner, model, head in PARTS:
        fields = [
            (f.alias or name, f)
            for name, f in model.model_fields.items()
            if model is not Rule or name not in Condition.model_fields
        ]
        rows = [f"| `{key}` | {f.description} | {shown.get((owner, key), '')} |" for key, f in fields]
        parts.append(
            "\n".join(
                [
                    f"\n## {title} {owner}".rstrip(),
                    "",
                    head,
                    *([""] if head else []),
                    "| 键 | 含义 | 例 |",
                    "| --- | --- | --- |",
                    *rows,
                    "",
                ]
            )
        )
    limits = [f"| {what} | {most:,} |" for what, most in LIMITS]
    parts.append(
        "\n".join(
            [
                "\n## 上限",
                "",
                "规则再多也不能拖慢一晚:超过的不收,并说明原因。",
                "",
                "| 什么 | 最多 |",
                "| --- | --- |",
                *limits,
                "",
            ]
        )
    )
    return "".join(parts)


def _samples(rule: Rule) -> Iterator[tuple[tuple[str, str], str]]:
    """((the key it stands in, key), the line of YAML that shows it) of every key that a rule writes."""
    said = rule.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for top, value in said.items():
        line = "" if top in ("tests", "id") else f"`{top}: {_flow(value)}`"
        yield from ((use, line.replace("|", "\\|")) for use in [("", top), *_uses(top, value)])


def _uses(key: str, value: object) -> Iterator[tuple[str, str]]:
    """(the key it stands in, key) of every key inside; a condition stands in none."""
    owner = key if key in {owner for _, owner, _, _ in PARTS} else ""
    for inside in value if isinstance(value, list) else [value]:
        if isinstance(inside, dict):
            for name, deeper in inside.items():
                yield owner, name
                yield from _uses("" if name == "of" else name, deeper)


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


PARTS = (
    ("一条规则", "", Rule, ""),
    ("找什么:条件", "", Condition, "几个键并排写,都要成立。`any`、`all`、`of` 里的一项可以是一个词、方括号里的几个词(任选其一),或又一个条件。"),
    ("几项里有几项", "some", Some, ""), ("挨得近", "near", Near, ""), ("数次数", "count", Count, ""),
    ("字数", "length", Length, ""), ("情绪", "sentiment", Sentiment, ""),
    ("在哪里找", "where", Where, "first、last、after、before、around 最多写一个;阶段、话题、顾客、订单、渠道可以再加。"),
    ("该说而没说", "applies", Applies, ""), ("最多扣多少", "cap", Cap, ""),
)  # fmt: skip
LIMITS = (
    ("规则,全部包合计", rulelimits.MOST_RULES), ("一条规则的词", rulelimits.MOST_WORDS), ("词,全部包合计", rulelimits.MOST_WORDS_IN_ALL),
    ("一个词的字数", rulelimits.LONGEST_WORD), ("regex,全部包合计", rulelimits.MOST_PATTERNS), ("一个 regex 的字符数", patterns.LONGEST_PATTERN),
    ("一个 regex 里重复次数之和", patterns.MOST_REPEATS), ("条件套几层", rulelimits.DEEPEST),
)  # fmt: skip
OPENING = """# 规则怎么写 The rule language

一个规则文件是一包规则,用记事本就能改。`qc rules new MY_RULE > my-rules/mine.yaml` 给一个样板;`qc rules try my-rules/mine.yaml`
在自己店铺的会话里试;`qc rules diff 旧 新` 看谁的分会动;`qc rules check` 跑例句,`--mutate` 再看例句够不够。
第一行 `# yaml-language-server: $schema=…/data/rule.schema.json` 让编辑器边写边提示。写错了会说在哪个文件哪一行、该怎么改。

```yaml
pack: mine
title: 我的规则
title_en: My rules
disguises: {微信: [薇信, vx, 微❤]}          # 变体,全部规则包合用;写了 disguise: true 的规则先照它还原
rules:
  - id: STEERS_AWAY
    title: 引到别处去
    title_en: Steering away
    any:                                    # 有一项即可
      - 加微信                              # 一个词
      - {near: {within: 8, of: [[加, 扫], [微信, 二维码]]}}   # 挨得近的两个词
      - {regex: '1[3-9][0-9]{9}'}           # 正则
    unless: [不能加微信, 不要加微信]        # 与这些词重叠的不算
    disguise: true
    where: {channel: [web, taobao]}
    category: redline
    severity: redline
    deduction: 4
    cap: {agent: 8}
    why: 私下交易没有保障
    source: 平台规则
    tests:
      hit: [加微信, 加.V.X, 扫一下二维码, "我 1 3 800138000", 加个薇信]
      miss: [不能加微信, 微信支付, 扫地机, 加一件, 您好]
```

**怎么读**:条件看的是一条消息。有词的条件,命中处就是那几个字;没有词的(字数、重复、慢、`not`),命中处是整条消息。
`all`、`some` 的命中处从各项第一处的开头到最后一处的结尾。大小写、全半角、繁简不用管。顾客说的、引号里的、「您说……」后面的、
照抄顾客上一句的,不算客服说的。只有 `by: absent` 的规则看的是有没有说到,引号里的也算说到。

**例句里的事实**:例句可以是一句话,也可以是几行 `客: …`、`服: …`(前面可写时间 `10:00:05`)。要订单、阶段、情绪的规则,
在例句里另起一行写 `@下单 10:00:00`、`@付款 …`、`@退款 …`、`@阶段 pre`、`@话题 …`、`@顾客类型 …`、`@负面 0.9`(顾客的话的负面概率)、`@渠道 taobao`(不写是 web)。

**要的数据没有**:这条规则今晚就不用,`rules` 表的 `unasked` 写明原因;不会当作没有命中来算分。

**事件**:`after`、`before`、`around` 除了规则,还可以写 `ORDER_PLACED` 下单、`ORDER_PAID` 付款、`ORDER_UNPAID` 下单而到会话结束还没付。
"""
