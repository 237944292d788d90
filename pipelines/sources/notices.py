"""What a chat window shows between the bubbles and copies with them: recalls, hand-overs, where the customer came from.

- `X 撤回了一条消息` stands where the message stood: a message of X of content recall, which is no reply and no question.
- `由 A 转交给 B` is a system message whose agent is B, whole where its shop is known.
- `当前用户来自 …` and the card below it is a system message of the talk that follows.
A notice right below who and when is what that record says; elsewhere it is a record without a time of its own.
"""

from __future__ import annotations

import polars as pl

from pipelines.sources import talks

WE, THEY = ["你", "您", "我"], "对方"
RECALL = r"^\s*[\"“]?([^\n]{1,60}?)[\"”]?(\s*)撤回了一条消息[。.]?\s*$"
HANDOVER = r"^\s*(?:会话)?由(?:\s*服务助手\s*|\s+\S+\s+)转(?:交给|接给|移给|接至)\s*([^\s,，]+)(?:\s*[,，][^\n]*)?$"
ENTRY = r"^\s*当前用户来自"
BOT = r"[:：](?:服务助手|店小蜜|智能客服|全自动机器人|客服机器人|机器人)$"
AUTO = r"^\s*[\[【(（]自动回复[\]】)）]"


def seen(marked: pl.DataFrame, speakers: set[str]) -> pl.DataFrame:
    """Lines (raw, name of heads) -> the same with who (recalled a message) and is_notice. `speakers` grows by names.

    Anybody may write 「我撤回了一条消息」 in a message: one who recalls is a speaker, a sub-account, or stands apart.
    """
    raw = pl.col("raw")
    speakers |= set(marked["name"].drop_nulls())
    whole = {name.replace("：", ":").partition(":")[2]: name for name in sorted(speakers)} | {n: n for n in speakers}
    who = pl.when(raw.str.contains("撤回了一条消息", literal=True)).then(raw.str.extract(RECALL, 1).str.strip_chars())
    is_person = who.is_in([*WE, THEY, *whole]) | who.str.contains(talks.PREFIX)
    stands_apart = (raw.str.extract(RECALL, 2) != "") & ~who.str.contains(r"\s")
    known = pl.when(is_person | stands_apart).then(who)
    return marked.with_columns(
        who=known.replace(whole) if whole else known,
        is_notice=raw.str.contains(HANDOVER) | raw.str.contains(ENTRY),
    )


def stands_alone(is_timed: pl.Expr) -> pl.Expr:
    """Whether a line is a notice and a record of its own; `is_timed`: heads that say who and when."""
    by_speaker = pl.col("who").is_in(WE) | (pl.col("who") == pl.col("name").shift())
    is_said = is_timed.shift().fill_null(False) & (pl.col("is_notice") | by_speaker.fill_null(False))
    return (pl.col("is_notice") | pl.col("who").is_not_null()) & ~is_timed & ~is_said


def named(rows: pl.DataFrame) -> pl.DataFrame:
    """Records -> the same with target (of a hand-over), is_recall, is_entry, and the name of who recalled."""
    body = pl.col("body")
    is_recall = body.str.contains(RECALL) & (pl.col("who").is_not_null() | pl.col("at").is_not_null())
    return rows.with_columns(
        name=pl.coalesce("name", pl.when(~pl.col("who").is_in([*WE, THEY])).then("who")),
        target=body.str.extract(HANDOVER, 1),
        is_entry=body.str.contains(ENTRY),
        is_recall=is_recall,
    )


def spoken(rows: pl.DataFrame) -> pl.DataFrame:
    """Named records with their `kind` -> sender_kind, text, content_kind, leads, speaker (None where no mapping may judge)."""
    body, kind = pl.col("body"), pl.col("kind")
    is_system = pl.col("target").is_not_null() | pl.col("is_entry")
    nobody = pl.col("name").is_null() & pl.col("is_recall")
    sender = (
        pl.when(is_system).then(pl.lit("system"))
        .when(nobody).then(pl.when(pl.col("who") == THEY).then(pl.lit("customer")).otherwise(pl.lit("agent")))
        .when((kind == "agent") & body.str.contains(AUTO)).then(pl.lit("auto"))
        .otherwise(kind)
    )  # fmt: skip
    return rows.with_columns(
        sender_kind=sender,
        leads=pl.col("is_entry") & pl.col("name").is_null(),
        text=pl.when("is_recall").then(pl.lit("")).otherwise(body),
        content_kind=pl.when("is_recall").then(pl.lit("recall")).otherwise(talks.content_kind(body)),
        speaker=pl.when(sender == kind).then("name"),
    )


def handed_over(rows: pl.DataFrame, shops: set[str]) -> pl.DataFrame:
    """Settled rows with shop and agent; a hand-over names the sub-account that takes over without its shop."""
    target, shop = pl.col("target"), pl.col("shop")
    rows = rows.with_columns(shop=shop.fill_null(min(shops)) if len(shops) == 1 else shop)
    whole = pl.when(target.str.contains(talks.PREFIX) | shop.is_null()).then(target).otherwise(shop + ":" + target)
    spoke = pl.col("sender_kind").is_in([*talks.OURS, "internal"])
    return rows.with_columns(
        agent=pl.when(target.is_not_null()).then(whole).when(spoke).then(pl.coalesce("name", "holder"))
    )
