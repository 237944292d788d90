"""`qc ingest --suggest`: a first mapping file for an unknown table, for a person to correct.

Columns are guessed by `column_guess`; whatever it is not sure of is marked `# ?` with some of its values. What is printed
is a whole mapping file and loads as it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import polars as pl

from pipelines import column_guess, sources
from pipelines.column_guess import Guess, Table, stated, translated
from pipelines.mapping import Mapping, is_private
from pipelines.sources import Head, content, excel, json_records, jsonl, lines, parquet, table
from pipelines.sources.lines import UnreadableFile
from pipelines.units import AMOUNTS
from qc import privacy
from qc.intake import NATIVE, REQUIRED, SENDER_WORDS, TIMES, Kind

ROWS = 50_000  # looked at
SHOWN = 5  # sample rows, and values of a column that is unsure
DECIMAL_COMMA = r"^\s*-?\d+(?:\.\d{3})*,\d{1,2}\s*$"  # 2,55 · 1.234,50; never 1,234
PLAIN = re.compile(r"[A-Za-z_\u4e00-\u9fff][\w\u4e00-\u9fff]*(?: [\w\u4e00-\u9fff]+)*")
YAML_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
# What a table of the kind cannot be read without; where it lacks one, a constant stands in and a person is asked.
PLACEHOLDERS = {"shop": "我的店", "channel": "web", "sender_kind": "customer"}


class Sample(NamedTuple):
    """The beginning of a table, every column as text, and whether the file has a header."""

    rows: pl.DataFrame
    has_header: bool = True


def mapping_for(path: Path, *, encoding: str | None = None, kind: Kind | None = None) -> str:
    """The text of a mapping file. UnreadableFile says why the file is no table, or needs no mapping."""
    with TemporaryDirectory() as folder:
        part = sources.parts(path, Path(folder))[0]
        sample = _sample(part, encoding)
    guessed = column_guess.guess(sample.rows, kind)
    return "\n".join(_written(path.name, sample, guessed, encoding)) + "\n"


def _sample(part: sources.Part, encoding: str | None) -> Sample:
    if part.problem:
        raise UnreadableFile(part.problem)
    if part.sheet is not None:
        header, names = excel.header_in(part.path, part.sheet, _n_known)
        anything = Mapping(id="any", title="", kind="agents")
        return _whole(excel.read(part.path, part.sheet, header, names, anything))
    if part.path.stat().st_size == 0:
        raise UnreadableFile("文件是空的;请重新导出")
    if parquet.is_parquet(part.path):
        return _whole(parquet.read(part.path))
    return _text_sample(part, encoding or lines.encoding_of(part.path))


def _text_sample(part: sources.Part, encoding: str) -> Sample:
    block = next(lines.read(part.path, encoding), None)
    first = next((raw for raw in block.lines["raw"] if raw.strip()), "") if block else ""
    if block is None or not first:
        raise UnreadableFile("文件里没有一行可读的内容;请重新导出")
    head = Head(block.lines["raw"].head(200).to_list(), part.name)
    if reader := next((r for r in sources.READERS if r.fits(head)), None):
        raise UnreadableFile(f"{part.name} 是「{reader.TITLE}」,不用映射文件,直接 qc ingest 就能读")
    objects = jsonl.names_in(block)
    if json_records.keys_of(head) and not objects:
        raise UnreadableFile(json_records.unknown(head, [r.TITLE for r in sources.READERS if "JSON" in r.TITLE]))
    if objects:
        return _whole(jsonl.read(iter([block]), objects))
    separator = table.separator_of(first)
    names = table.names_in(first, separator)
    has_header = not any(_is_value(n) for n in names)
    names = names if has_header else [f"c{n}" for n in range(1, len(names) + 1)]
    layout = table.Layout(separator, True, _unique(names), first if has_header else None)
    return _whole(table.read(iter([block]), layout))._replace(has_header=has_header)


def _whole(chunks: Iterator[table.Chunk]) -> Sample:
    fields = pl.concat([c.fields for c in islice(chunks, 2)]).head(ROWS)
    return Sample(fields.drop("_line", "_raw").cast(pl.String))


def _n_known(row: list[str]) -> int:
    words = {
        column_guess.plain(w)
        for kind in NATIVE
        for n, s in column_guess.lexicon().get(kind, {}).items()
        for w in (n, *s)
    }
    return sum(column_guess.plain(cell) in words for cell in row)


def _is_value(name: str) -> bool:
    """Whether a cell of the first line is no column name: a time, an amount, a long number."""
    return re.fullmatch(r"[-+¥￥]?\d[\d,.:/\- T年月日时分秒]*", name.strip()) is not None


def _unique(names: list[str]) -> list[str]:
    """The table's own names; one that comes twice or not at all gets a number, so that the sample can be looked at."""
    return [n if n and names.count(n) == 1 else f"{n}#{i}" for i, n in enumerate(names, 1)]


def _written(file: str, sample: Sample, guessed: Table, encoding: str | None) -> Iterator[str]:
    kind, columns = guessed
    names = sample.rows.columns
    yield f"# {_comment(file)} 的映射草稿。标了 # ? 的是猜的,请核对;改好后 qc ingest --mapping 这个文件。"
    yield from (f"# 第 {n} 行: {line}" for n, line in enumerate(_shown(sample.rows), 1))
    yield "id: my_" + kind
    yield f"title: {_scalar(Path(file).stem)}"
    yield f"kind: {kind}" + ("" if _is_clear(guessed) else "  # ? 也可能是别的种类:messages orders ratings agents")
    if sample.has_header:
        sure = [g.column for n, g in columns.items() if g.is_sure] or names
        yield f"match: {{columns: [{', '.join(map(_scalar, sure))}]}}"
    yield from _format(sample, columns, encoding)
    if any(
        re.search(r"[((]分[))]|fen\b|cents?\b", columns[n].column.lower()) for n in ("paid", "refunded") if n in columns
    ):
        yield "money: fen"
    yield "columns:" if columns else "columns: {}  # ? 没有认出任何一列"
    for name, found in columns.items():
        yield from _column(name, found, sample.rows[found.column])
    yield from _rest(kind, columns, sample.rows)
    unused = [n for n in names if n not in {g.column for g in columns.values()}]
    for says, told in (("没有用到的列(照原样另存)", False), ("不存的列(收货人是谁、住哪、怎么联系)", True)):
        if some := [n for n in unused if is_private(n) is told]:
            yield f"# {says}:{_comment('、'.join(some))}"


def _is_clear(guessed: Table) -> bool:
    return sum(guessed.columns[n].is_sure for n in column_guess.SIGNATURE[guessed.kind] if n in guessed.columns) >= 2


def _format(sample: Sample, columns: dict[str, Guess], encoding: str | None) -> Iterator[str]:
    forms: dict[str, str | None] = {}
    for name in (n for n in columns if n in TIMES):
        read = column_guess.times(stated(sample.rows[columns[name].column]))
        if read and read.form:
            forms[read.form] = read.other
    amounts = [sample.rows[columns[n].column] for n in AMOUNTS if n in columns]
    has_comma = any(a.drop_nulls().str.contains(DECIMAL_COMMA).any() for a in amounts)
    if sample.has_header and not forms and not encoding and not has_comma:
        return
    yield "format:"
    if has_comma:
        yield '  decimal: ","'
    if encoding:
        yield f"  encoding: {_scalar(encoding)}"
    if not sample.has_header:
        yield f"  header: false  # ? 第一行像数据,不像表头\n  columns: [{', '.join(map(_scalar, sample.rows.columns))}]"
    if forms:
        other = next((o for o in forms.values() if o), None)
        yield f"  time_formats: [{', '.join(map(_scalar, forms))}]" + (f"  # ? 也可能是 {other}" if other else "")


def _column(name: str, found: Guess, values: pl.Series) -> Iterator[str]:
    told = stated(values)
    mark = "" if found.is_sure else f"  # ? 例:{_examples(told)}"
    words = _words(name, told)
    if not words:
        yield f"  {name}: {_scalar(found.column)}{mark}"
        return
    yield f"  {name}:{mark}"
    yield f"    column: {_scalar(found.column)}"
    known = {v: m for v, m in words.items() if m}
    if known:
        yield "    values:"
    for value, meant in known.items():
        is_number = name == "sender_kind" and value.lower() in column_guess.lexicon()["numbers"]
        yield f"      {_scalar(value, quote=True)}: {_scalar(meant, quote=name == 'stars')}" + (
            "  # ?" if is_number else ""
        )
    if unknown := [v for v, m in words.items() if not m]:
        yield f"      # ? 还没有翻译的值:{_comment('、'.join(unknown[:20]))}"
    if name == "content_kind":
        yield "    default: text"


def _words(name: str, told: pl.Series) -> dict[str, str | None]:
    """Values that have to be translated, and what they mean."""
    if name == "sender_kind":
        meant = translated(told, column_guess.sender_words()) or {}
        return {} if all(v.lower() in SENDER_WORDS for v in meant) else meant
    if name == "stars":
        meant = translated(told, column_guess.star_words()) or {}
        return {} if all(v in "12345" for v in meant) else meant
    if name == "content_kind":
        return {v: content.of_word(v) for v in told.unique().sort().to_list() if content.of_word(v)}
    return {}


def _rest(kind: Kind, columns: dict[str, Guess], rows: pl.DataFrame) -> Iterator[str]:
    """Constants and absent columns for what the table does not have."""
    lacks = sorted(REQUIRED[kind] - columns.keys())
    wanted = [*lacks, *(["channel"] if kind == "orders" and "channel" not in columns else [])]
    constants = {n: PLACEHOLDERS[n] for n in wanted if n in PLACEHOLDERS}
    told = {"channel": column_guess.channel_of(rows.columns), "shop": _shop(columns, rows)}
    if constants:
        yield "constants:"
    for name, value in constants.items():
        yield f"  {name}: {_scalar(told.get(name) or value)}  # ? 表里没有这一列"
    if absent := [n for n in lacks if n in ("sent_at", "customer", "created_at")]:
        yield f"absent: [{', '.join(absent)}]  # ? 表里没有这些列,相关的数字会空着"
    if lost := [n for n in lacks if n not in PLACEHOLDERS and n not in absent]:
        yield f"# ? 没有找到必须有的列:{'、'.join(lost)};请在 columns 里写上"


def _shop(columns: dict[str, Guess], rows: pl.DataFrame) -> str | None:
    """The shop that all accounts written `店铺:子账号` are of."""
    if "agent" not in columns:
        return None
    shops = stated(rows[columns["agent"].column]).str.extract(r"^([^::]{2,}):.").unique()
    return shops.drop_nulls()[0] if shops.drop_nulls().len() == 1 else None


def _shown(rows: pl.DataFrame) -> Iterator[str]:
    for row in rows.head(SHOWN).iter_rows():
        told = zip(rows.columns, row, strict=True)
        cells = (f"{name}={value[:40]}" for name, value in told if value and not is_private(name))
        yield _comment(privacy.mask_text(" | ".join(cells)))[:400]


def _examples(told: pl.Series) -> str:
    values = told.unique(maintain_order=True).head(SHOWN).to_list()
    return _comment(privacy.mask_text("、".join(v[:20] for v in values))) or "(全是空的)"


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _scalar(text: str, *, quote: bool = False) -> str:
    if not quote and PLAIN.fullmatch(text) and text.lower() not in YAML_WORDS:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
