"""Lines of a copied talk → records: a line that says who and when, and what stands below it until the next such line.

Shared by the text exports beside this file. A record is one message and one row; its `_raw` is every line it is made of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from pipelines.mapping import Mapping
from pipelines.sources import content, lines
from pipelines.sources.lines import Block, UnreadableFile
from pipelines.sources.table import Chunk

if TYPE_CHECKING:
    from pipelines.sources import Head

# head: who and when · before: part of the record that follows (banner, date line, name above a time) · body · torn: a
# line that could not be decoded; what stands below it may belong to a head that was lost with it.
Mark = Callable[[pl.DataFrame], pl.DataFrame]  # (line, raw, after_blank) -> the same with role, said and what heads say
MAX_RECORD = 2 * lines.BLOCK  # bytes; a record that is longer has lost its next head
LEAST = 1 << 20  # bytes; a last line without its end comes as a block of its own
MAX_WAITING = 100_000  # rows at the start of a talk whose customer has not spoken yet
TALK_GOES_BACK_S = 60  # clocks of two machines differ by less; another talk copied below starts earlier by more
STRAY = "上面没有「谁、何时」的抬头,不知道这一行是谁在何时说的;请补上抬头,或删去这一行"


class Records(NamedTuple):
    """rows(_line, _raw, body, <columns of the head line>); bad(line, raw, code, reason); how many bytes were read."""

    rows: pl.DataFrame
    bad: pl.DataFrame
    is_end: bool
    at: int | None = None


def records(blocks: Iterator[Block], mark: Mark, lasting: Sequence[str] = ()) -> Iterator[Records]:
    """Blocks of lines -> records; one that reaches over the end of a block is finished in the next.

    `lasting`: columns of `mark` that hold for all lines from the one that says it to the next that does (a date line).
    """
    held: dict[str, str | None] = dict.fromkeys(lasting)
    carried = pl.DataFrame(schema={"line": pl.Int64, "raw": pl.String, "torn": pl.Boolean})
    for block, is_end in _evened(blocks):
        found = pl.concat([carried, _legible(block)])
        marked = _marked(found, mark, held)
        cut = len(found) if is_end else _last_record(marked)
        if not cut and found.estimated_size() > MAX_RECORD:
            cut = len(found)
        yield _gathered(marked.head(cut), block.bad, is_end=is_end)._replace(at=block.at)
        held = {name: marked[name][cut - 1] for name in lasting} if cut else held
        carried = found.slice(cut)


def _evened(blocks: Iterator[Block]) -> Iterator[tuple[Block, bool]]:
    """Blocks that are large enough to tell from the first who is who, and whether each is the last."""
    held: Block | None = None
    for block in blocks:
        if held is None:
            held = block
        elif min(held.lines.estimated_size(), block.lines.estimated_size()) < LEAST:
            held = Block(pl.concat([held.lines, block.lines]), pl.concat([held.bad, block.bad]), at=block.at)
        else:
            yield held, False
            held = block
    if held is not None:
        yield held, True


def _legible(block: Block) -> pl.DataFrame:
    """The block's lines that are not blank, with an empty one where a line could not be read."""
    good = block.lines.filter(pl.col("raw").str.contains(r"\S")).with_columns(torn=pl.lit(False))
    if block.bad.is_empty():
        return good
    return pl.concat([good, block.bad.select("line", raw=pl.lit(""), torn=pl.lit(True))]).sort("line")


def _marked(found: pl.DataFrame, mark: Mark, held: dict[str, str | None]) -> pl.DataFrame:
    after_blank = (pl.col("line").diff() > 1).fill_null(True)
    marked = mark(found.with_columns(after_blank=after_blank))
    role = pl.when("torn").then(pl.lit("torn")).otherwise("role")
    last = [pl.col(n).forward_fill().fill_null(pl.lit(v, dtype=pl.String)) for n, v in held.items()]
    is_body = pl.col("role") == "body"
    said = (
        pl.when(is_body & pl.col("after_blank")).then("\n" + pl.col("said")).when(is_body | (pl.col("role") == "head"))
    )
    marked = marked.with_columns(*last, role=role, said=said.then("said"))
    opens = pl.col("role").is_in(["head", "before"]) & (pl.col("role").shift() != "before").fill_null(True)
    return marked.with_columns(record=(opens | (pl.col("role") == "torn")).cum_sum())


def _last_record(marked: pl.DataFrame) -> int:
    """Where the last record begins whose head is known."""
    heads = marked.filter(pl.col("role") == "head")["record"]
    return int(marked["record"].search_sorted(heads[-1])) if len(heads) else 0


def _gathered(marked: pl.DataFrame, bad: pl.DataFrame, *, is_end: bool) -> Records:
    """Marked lines -> a row per record, and the lines that belong to none."""
    heads = marked.filter(pl.col("role") == "head")
    if is_end and len(heads):  # a banner with nothing below it is the end of the last record
        rest = marked.filter(pl.col("record") > heads["record"][-1])
        if (rest["role"] == "before").all():
            marked = marked.with_columns(pl.col("record").clip(upper_bound=heads["record"][-1]))
    owned = pl.col("record").is_in(heads["record"].implode())
    stray = marked.filter(~owned & (pl.col("role") != "torn")).select(
        "line", "raw", code=pl.lit("stray"), reason=pl.lit(STRAY)
    )
    joined = marked.filter(owned).group_by("record", maintain_order=True).agg(
        _raw=pl.col("raw").str.join("\n"), body=pl.col("said").str.join("\n")
    )  # fmt: skip
    told = heads.rename({"line": "_line"}).drop("raw", "torn", "after_blank", "role", "said", "record")
    texts = joined.select("_raw", pl.col("body").fill_null("").str.strip_chars())
    return Records(pl.concat([told, texts], how="horizontal"), pl.concat([bad, stray]), is_end)


PLACEHOLDERS = r"^\s*[\[【]([^\]】:：\n]{1,8})[^\]】\n]*[\]】]\s*(?:[\[【][^\]】\n]*[\]】]\s*)*$"  # [图片], [图片: a.jpg(请在附件中查看)]
TITLED = r"^\s*\[(\S{2,5})\]\s*[^\n?？]+$"  # [链接] its title, [文件] its name
IMAGE_LINK = r"(?i)^\s*(?:`?https?://\S+\.(?:jpe?g|png|gif|webp|bmp)(?:[?_]\S*)?\s*)+$|^\s*<img\b[^>]*>\s*$"
ITEM_LINK = r"https?://[^\s/]*(?:taobao|tmall|yangkeduo|pinduoduo)\.com/\S*(?:id|goods_id|order_id)=\S+|https?://m?\.?tb\.cn/\S+"
# A card copied as text is a title, a price and a link; a question asked beside a bare link is a question.
ITEM = rf"^`?(?:{ITEM_LINK})`?$|^[^\n?？]*\n(?:[^\n?？]*\n)*?[¥￥]\s?\d[^\n]*(?:\n[^\n?？]*|\n`?(?:{ITEM_LINK})`?)*$"


def content_kind(text: pl.Expr) -> pl.Expr:
    """Content kind of a message's text: placeholders by the words of the lexicon, pictures and item cards; else text."""
    word = text.str.extract(PLACEHOLDERS, 1).str.strip_chars().str.to_lowercase()
    titled = {w: k for w, k in content.words().items() if k in ("card", "file")}
    thing = text.str.extract(TITLED, 1).str.to_lowercase().replace_strict(titled, default=None, return_dtype=pl.String)
    kind = (
        pl.when(text.str.contains(IMAGE_LINK)).then(pl.lit("image"))
        .when(text.str.contains(ITEM)).then(pl.lit("card"))
        .otherwise(word.replace_strict(content.words(), default=None, return_dtype=pl.String))
    )  # fmt: skip
    return pl.coalesce(kind, thing, pl.lit("text"))


def by_time(rows: pl.DataFrame, last: pl.DataFrame | None) -> pl.DataFrame:
    """Rows with `part` and `clock`: another talk was copied below where the time goes back. `last`: the row before."""
    own = pl.col("sent_at").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False).alias("clock")
    clocks = rows.select(own) if last is None else pl.concat([last.select("clock"), rows.select(own)])
    clocks = clocks.with_columns(pl.col("clock").forward_fill())
    went_back = (pl.col("clock").diff().dt.total_seconds() < -TALK_GOES_BACK_S).fill_null(False)
    first = 0 if last is None else int(last["part"][0])
    parts = clocks.with_columns(part=first + went_back.cum_sum().cast(pl.Int64)).tail(len(rows))
    return pl.concat([rows, parts], how="horizontal")


def settled(
    found: Iterator[Records], told: Callable[[pl.DataFrame, pl.DataFrame | None], pl.DataFrame]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, int | None]]:
    """Records -> rows whose customer, shop, holder and time are known wherever the talk says them, rejects, and the bytes read.

    `told(rows, last)` adds part, clock, and on the rows that say it customer, shop and holder (the agent who speaks).
    What an agent says is said to the customer who spoke last in the talk, before anybody did to the first who will.
    A row that `leads` is of the message below it. Rows wait for what follows as long as that may tell.
    """
    last: pl.DataFrame | None = None
    waiting: pl.DataFrame | None = None
    for rows, bad, is_end, at in found:
        if rows.is_empty() and not (is_end and waiting is not None):
            yield rows, bad, at
            continue
        fresh = [told(rows, last if waiting is None else waiting.tail(1))] if len(rows) else []
        whole = pl.concat([*(f for f in (last, waiting) if f is not None), *fresh], how="diagonal_relaxed")
        n_before = 0 if last is None else 1
        done = _filled(whole)
        n_done = len(whole) if is_end else max(n_before, _n_settled(done))
        if len(whole) - n_done > MAX_WAITING:
            n_done = len(whole)
        waiting = whole.slice(n_done) if n_done < len(whole) else None
        last = done.slice(n_done - 1, 1) if n_done else None
        yield done.slice(n_before, n_done - n_before), bad, at


def _filled(rows: pl.DataFrame) -> pl.DataFrame:
    above = [
        pl.coalesce(pl.col(n), pl.col(n).forward_fill().over("part"), pl.col(n).backward_fill().over("part")).alias(n)
        for n in ("customer", "shop", "holder")
    ]
    at, customer = pl.col("sent_at"), pl.col("customer")
    below = rows.select(at.backward_fill(), customer.backward_fill())
    filled = rows.with_columns(*above, pl.coalesce(at, at.forward_fill(), at.backward_fill()))
    leading = [pl.when("leads").then(pl.coalesce(below[n], n)).otherwise(n).alias(n) for n in below.columns]
    return filled.with_columns(leading)


def _n_settled(rows: pl.DataFrame) -> int:
    """How many rows nothing that follows can change."""
    is_open = rows["leads"] & (rows["leads"].cast(pl.Int8).reverse().cum_min().reverse() == 1)
    is_open |= rows["customer"].is_null() & (rows["part"] == rows["part"][-1])
    return int(is_open.arg_true()[0]) if is_open.any() else len(rows)


def chunk(rows: pl.DataFrame, bad: pl.DataFrame, channel: str, mapping: Mapping, *extra: str) -> Chunk:
    """Settled rows -> what a reader gives; `channel` unless the user says otherwise."""
    columns = [
        "_line",
        "_raw",
        "shop",
        "sent_at",
        "sender_kind",
        "agent",
        "customer",
        "content_kind",
        "text",
        "speaker",
    ]
    if rows.is_empty():
        return Chunk(
            pl.DataFrame(schema={"_line": pl.Int64} | dict.fromkeys([*columns[1:], "channel", *extra], pl.String)), bad
        )
    return Chunk(rows.select(*columns, *extra, channel=pl.lit(mapping.constants.get("channel", channel))), bad)


def first_lines(head: Head) -> pl.DataFrame:
    """The first lines that are not blank, as `mark` takes them."""
    found = pl.DataFrame({"raw": head.lines}, schema={"raw": pl.String}).with_row_index("line", 1)
    found = found.filter(pl.col("raw").str.contains(r"\S")).head(40).with_columns(pl.col("line").cast(pl.Int64))
    return found.with_columns(torn=pl.lit(False), after_blank=(pl.col("line").diff() > 1).fill_null(True))


def is_delimited(line: str) -> bool:
    """Whether a first line is rather a table's header or a JSON value: no talk begins like that."""
    return line.lstrip().startswith(("{", "[{", '["')) or max(map(line.count, "\t,;|")) >= 2


def clock_text(at: pl.Expr, form: str = "%Y-%m-%d %H:%M:%S") -> pl.Expr:
    """A time as the checks take it; one that is none stays as it is written, for the reason to quote."""
    return pl.coalesce(at.str.to_datetime(form, time_unit="us", strict=False).dt.strftime("%Y-%m-%d %H:%M:%S"), at)


def shop_told(mapping: Mapping, title: str) -> str:
    """The shop's name for an export that has none; UnreadableFile says how to give it."""
    if shop := mapping.constants.get("shop"):
        return shop
    raise UnreadableFile(f"{title}里没有写店铺名;请用 --shop 店名 指明,或写在 qc.toml 的 shop 里")


PREFIX = r"^([^:：]+)[:：]."  # 店铺:子账号
OURS = ("agent", "assist", "bot", "auto")


def agents_known(rows: pl.DataFrame, source: str, title: str, mapping: Mapping) -> None:
    """UnreadableFile where several speak (rows(name, kind)), none of whom is known to be the shop's."""
    named = rows.filter(pl.col("name").is_not_null() & (pl.col("kind") != "system").fill_null(True))
    names = named["name"].unique(maintain_order=True).to_list()
    if len(names) > 1 and not mapping.senders and not named["kind"].is_in(OURS).any():
        raise senders_untold(names, source, title, mapping)


def senders_untold(names: Sequence[str], source: str, title: str, mapping: Mapping) -> UnreadableFile:
    """What to write when an export names the speakers and nothing tells who of them is the shop.

    The names stand from the second line on, so that the first can be kept on record without them.
    """
    known = [f"  {json.dumps(name, ensure_ascii=False)}: customer" for name in names[:20]]
    snippet = [f"id: my_{source}", f"title: {title}", "kind: messages", f"source: {source}"]
    snippet += [
        f"constants: {{shop: {json.dumps(mapping.constants.get('shop', '店名'), ensure_ascii=False)}}}",
        "senders:",
    ]
    hint = f"把下面的内容存成 {source}.yaml,把客服的 customer 改成 agent,再加 --mapping {source}.yaml(没列出的人算顾客)"
    return UnreadableFile("\n".join([f"{title}没有写明谁是客服,谁是顾客;请用映射文件指明", hint, *snippet, *known]))
