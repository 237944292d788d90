"""One rule as pydantic models, whose fields are the keys of the YAML file and whose descriptions are its manual."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from qc.casewords import ASPECTS
from qc.conditions import Sought, Strict, asked, distinct, leaves
from qc.rulefile import closest
from qc.rulelimits import limit_problem

OrderState = Literal["none", "unpaid", "paid", "refunding"]  # of the customer's last order, as things stood then
EVENTS = (
    "ORDER_PLACED",
    "ORDER_PAID",
    "ORDER_UNPAID",
)  # of the customer's orders during the talk; stand where a rule may
REWRITE_HOLES = ("topic", "product", "asked")  # what a rewrite may leave open, to be filled in from the talk
SEVERITIES = ("info", "minor", "major", "redline")  # from the mildest; redline = 致命项
LEAST_EXAMPLES = 5  # of hits and of misses, each rule: ours


class Where(Strict):
    """Which bubbles count: where they stand in the talk, and what the talk is about."""

    first: int | None = Field(default=None, ge=1, description="说话的一方的前几条消息")
    last: int | None = Field(default=None, ge=1, description="说话的一方的最后几条消息")
    after: str | None = Field(default=None, description="另一条规则(或事件)第一次命中之后,几轮之内;和 turns 一起写")
    before: str | None = Field(default=None, description="另一条规则(或事件)第一次命中之前,几轮之内;和 turns 一起写")
    around: str | None = Field(default=None, description="另一条规则(或事件)第一次命中前后,几轮之内;和 turns 一起写")
    turns: int | None = Field(default=None, ge=1, description="几轮:1 就是同一轮")
    phase: list[str] | None = Field(default=None, min_length=1, description="会话的阶段:pre 售前、mid 售中、after 售后")
    topic: list[str] | None = Field(default=None, min_length=1, description="会话的话题,如 价格、物流")
    customer: list[str] | None = Field(
        default=None,
        min_length=1,
        description="顾客的类型:agitated 激动型、demanding 要求型、confused 困惑型、plain 平常",
    )
    order: list[OrderState] | None = Field(
        default=None, min_length=1, description="说这句话时顾客最近一单的状态;要有订单"
    )
    channel: list[str] | None = Field(default=None, min_length=1, description="渠道")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        places = [self.first, self.last, self.after, self.before, self.around]
        written = sum(place is not None for place in places)
        if written > 1 or not (written or self.filters()):
            raise ValueError(
                "「where」要在 first、last、after、before、around 里写一个,而且只写一个(按阶段、话题、订单、渠道限定的不算);不限位置就删去 where"
            )
        if (self.anchor is None) != (self.turns is None):
            raise ValueError(
                "「after」和「turns」要一起写,例如 {after: CUSTOMER_COMPLAINS, turns: 2}(before、around 也一样)"
            )
        return self

    @field_validator("phase", "topic", "customer")
    @classmethod
    def _known(cls, values: list[str] | None, info: ValidationInfo) -> list[str] | None:
        known = ASPECTS["customer_type" if info.field_name == "customer" else str(info.field_name)]
        for value in values or []:
            if value not in known:
                raise ValueError(
                    f"「{info.field_name}」没有「{value}」{closest(value, known)}(可用的有 {'、'.join(known)})"
                )
        return values

    @property
    def anchor(self) -> str | None:
        """The rule or event that the place is measured from."""
        return self.after or self.before or self.around

    def filters(self) -> dict[str, list[str]]:
        """What the talk or the order must be, by key."""
        keys = ("phase", "topic", "customer", "order", "channel")
        return {key: list(value) for key in keys if (value := getattr(self, key))}


class Applies(Strict):
    """When an absent rule is asked for at all."""

    unless_left_mid_turn: bool = Field(default=False, description="顾客最后一问没人答就走了的会话不算")


class Cap(Strict):
    """The most that a rule may cost in one conversation, in points of the scorecard item."""

    agent: float | None = Field(default=None, gt=0, description="一个会话里一位客服最多扣几分")
    conversation: float | None = Field(default=None, gt=0, description="一个会话里全部客服加起来最多扣几分")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.agent is None) == (self.conversation is None):
            raise ValueError("「cap」写 agent(每位客服)或 conversation(整个会话)之一,例如 {agent: 10}")
        return self


class Tests(Strict):
    """Examples that are run: a sentence, or a dialogue of 客:/服: lines."""

    hit: list[str] = Field(min_length=LEAST_EXAMPLES)
    miss: list[str] = Field(min_length=LEAST_EXAMPLES)


class Rule(Sought):
    """One rule of a pack; its fields are the keys of the YAML file."""

    id: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$", description="编号:大写英文、数字、下划线;成绩单、申诉都用它")
    title: str = Field(min_length=1, description="名称")
    title_en: str = Field(min_length=1, description="英文名称")
    who: Literal["agent", "customer"] = Field(default="agent", description="谁说的:agent 客服(默认)、customer 顾客")
    where: Where | None = Field(default=None, description="在会话的哪里找;不写就是哪里都找")
    applies: Applies = Field(default=Applies(), description="absent 规则在什么时候才要求")
    category: str = Field(min_length=1, description="类别:同一处文字在一个类别里只记最重的一条")
    severity: Literal["info", "minor", "major", "redline"] = Field(description="轻重;redline 是致命项,人确认后才生效")
    deduction: float = Field(default=0.0, ge=0, description="每处扣评分项的几分")
    cap: Cap | None = Field(default=None, description="在一个会话里最多扣几分")
    why: str = Field(min_length=1, description="为什么不好,写给客服看")
    why_en: str = Field(default="", description="英文页面上的 why;不写就显示中文")
    rewrite: str = Field(default="", description="可以换成怎么说")
    rewrite_en: str = Field(default="", description="rewrite 的意思,给英文页面的读者;中文的说法照样列出")
    rewrite_for: str = Field(
        default="",
        description="知道顾客要什么时怎么说:{topic} 话题、{product} 商品、{asked} 顾客刚问的;有一样不知道就用 rewrite",
    )
    source: str = Field(min_length=1, description="出处")
    tests: Tests = Field(description="例子:每次 qc rules check 都会跑")

    @field_validator("unless")
    @classmethod
    def _no_exception_twice(cls, words: list[str]) -> list[str]:
        return distinct(words)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if problem := rule_problem(self):
            raise ValueError(problem)
        return self


def _holes_are_wrong(wording: str) -> bool:
    holes = re.findall(r"\{([^{}]*)\}", wording)
    is_loose = bool(re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", wording)))
    return is_loose or not set(holes) <= set(REWRITE_HOLES) or len(set(holes)) < len(holes)


def rule_problem(rule: Rule) -> str:
    """What does not go together in a rule, in Chinese; "" when all does."""
    kinds = {key for _, key, _ in leaves(rule, "")}
    problems = (
        (not asked(rule), "缺少「any」(或 all、near、regex 等条件);请补上"),
        (rule.by == "absent" and (rule.who != "agent" or rule.exact),
         "absent 规则只看客服,也没有 exact;请删去 who、exact,或改成 by: phrase"),
        (rule.by == "phrase" and rule.applies != Applies(), "「applies」只用于 by: absent;请删去"),
        (rule.deduction and (rule.who == "customer" or rule.severity == "info"),
         "顾客的话和 info 级的规则不扣分;请把 deduction 删去,或改 severity"),
        (rule.cap and not rule.deduction, "「cap」是扣分的上限,这条规则不扣分;请删去 cap"),
        ("sentiment" in kinds and rule.who != "customer",
         "「sentiment」看的是顾客的情绪;请写 who: customer,客服的规则用 where: {after: 这条规则, turns: 2}"),
        ("slow" in kinds and rule.who != "agent", "「slow」看的是客服的回复;请删去 who: customer"),
        (bool(rule.rewrite_for) and not rule.rewrite, "「rewrite_for」要和「rewrite」一起写:顾客要什么不知道时用 rewrite"),
        (bool(rule.rewrite_en) and not rule.rewrite, "「rewrite_en」要和「rewrite」一起写;请补上中文的说法"),
        (bool(set(re.findall(r"[{}]", rule.rewrite))), "「rewrite」里不能有花括号;要填顾客需要的写在 rewrite_for 里"),
        (_holes_are_wrong(rule.rewrite_for), f"「rewrite_for」里只能填 {'、'.join(f'{{{h}}}' for h in REWRITE_HOLES)},每样至多一次;请改正"),
    )  # fmt: skip
    return next((problem for is_wrong, problem in problems if is_wrong), "") or limit_problem(rule)
