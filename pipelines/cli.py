"""The command line. Each command is a few lines; what is heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, Optional

import typer

app = typer.Typer(
    name="qc", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="客服质检:每晚检查全部客服会话,算清每位客服的响应、用语、满意度与销售,每个数字都能追到原话。",
)  # fmt: skip
rules_app = typer.Typer(no_args_is_help=True, help="规则:检查、试用、比较、新写。")
app.add_typer(rules_app, name="rules")
profiles_app = typer.Typer(no_args_is_help=True, help="定义口径:同样的会话,各平台各怎么算。")
app.add_typer(profiles_app, name="profiles")
attribution_app = typer.Typer(no_args_is_help=True, help="订单归属:换一种规则,各人的销售额会动多少。")
app.add_typer(attribution_app, name="attribution")

Home = Annotated[Path, typer.Option("--home", help="工作目录(数据库、报告、密钥都在里面)", show_default=True)]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="数据时点,如 2026-09-30 或 2026-09-30T23:59:59;不给则取数据里最新的时间"),
]
Profile = Annotated[Optional[str], typer.Option("--profile", help="定义口径,如 fair")]  # noqa: UP045
Lang = Annotated[str, typer.Option("--lang", help="页面语言:zh 或 en")]
Json = Annotated[bool, typer.Option("--json", help="结果用 JSON 输出")]
Inputs = Annotated[list[Path], typer.Argument(help="文件或文件夹:会话、订单、评价、花名册", show_default=False)]
Mapping = Annotated[Optional[Path], typer.Option("--mapping", help="映射文件(YAML),认不出的表用它")]  # noqa: UP045
Encoding = Annotated[Optional[str], typer.Option("--encoding", help="文件编码;不给则自动判断")]  # noqa: UP045
Kind = Annotated[Optional[str], typer.Option("--as", help="表的种类:messages、orders、ratings、agents")]  # noqa: UP045
Shop = Annotated[Optional[str], typer.Option("--shop", help="店铺名,给没有写明店铺的文件")]  # noqa: UP045
Channel = Annotated[Optional[str], typer.Option("--channel", help="渠道,给没有写明渠道的文件,如 taobao、jd、wechat")]  # noqa: UP045
Suggest = Annotated[bool, typer.Option("--suggest", help="不读入:为认不出的表打印一份猜好的映射文件")]
AuditSenders = Annotated[
    bool,
    typer.Option("--audit-senders", help="读入后列出这些文件里谁在说话:每种发送方多少条、凭什么定的、三句例子(全部会话见 qc senders)"),
]
KeepRaw = Annotated[
    bool,
    typer.Option("--keep-raw", help="另存打码前的原文:只在仓库的 raw_texts 表里,不进发布的结果和页面;qc forget 一并删除。默认不存"),
]
FromDay = Annotated[Optional[str], typer.Option("--from", help="起日,如 2026-09-01")]  # noqa: UP045
ToDay = Annotated[Optional[str], typer.Option("--to", help="止日(含)")]  # noqa: UP045
DEFAULT_HOME = Path("qc-home")
INTERRUPTED = "已中断;已读完的文件保留,没有发布新结果。再次运行会接着做。"


@app.command()
def nightly(
    inputs: Inputs, home: Home = DEFAULT_HOME, as_of: AsOf = None, profile: Profile = None, lang: Lang = "zh",
    mapping: Mapping = None, encoding: Encoding = None, kind: Kind = None, shop: Shop = None, channel: Channel = None,
    keep_raw: KeepRaw = False, json: Json = False,
) -> None:  # fmt: skip
    """整晚的工作:读入、质检、发布、写成绩单。重复运行不会重复计数。"""
    from pipelines import nightly as job
    from pipelines import terminal
    from reports import pages

    request = _request(
        home,
        as_of=as_of,
        profile=profile,
        lang=lang,
        mapping=mapping,
        encoding=encoding,
        kind=kind,
        shop=shop,
        channel=channel,
        keep_raw=keep_raw,
    )
    with terminal.working() as show:
        done = _guarded(lambda: job.night(inputs, request, progress=show.file, step=show.step, pages=pages.write))
    terminal.night(done, home, lang, as_json=json)
    raise typer.Exit(done.exit_code)


@app.command()
def ingest(
    inputs: Inputs, home: Home = DEFAULT_HOME, mapping: Mapping = None, encoding: Encoding = None, kind: Kind = None,
    shop: Shop = None, channel: Channel = None, suggest: Suggest = False, keep_raw: KeepRaw = False,
    audit_senders: AuditSenders = False, json: Json = False,
) -> None:  # fmt: skip
    """只读入文件,不算、不发布。"""
    from pipelines import audit, terminal
    from pipelines import nightly as job

    if suggest:
        return _suggest(inputs, encoding, kind)
    request = _request(home, mapping=mapping, encoding=encoding, kind=kind, shop=shop, channel=channel, keep_raw=keep_raw)
    with terminal.working() as show:
        files, passed = _guarded(lambda: job.read_in(inputs, request, show.file))
    if audit_senders:
        decided = _guarded(lambda: audit.decided(home, {o.source_id for o in files}))
        terminal.read_and_decided(files, passed, audit.HEAD, decided, as_json=json)
    else:
        terminal.files(files, passed, as_json=json)
    if files and all(o.problem for o in files):
        raise typer.Exit(1)
    raise typer.Exit(3 if any(o.n_quarantined for o in files) else 0)


def _suggest(inputs: list[Path], encoding: str | None, kind: Any) -> None:
    from pipelines import suggest

    if missing := [p for p in inputs if not p.is_file()]:
        _fail(f"--suggest 要的是文件,不是 {'、'.join(map(str, missing))}", 2)
    for path in inputs:
        typer.echo(_guarded(lambda p=path: suggest.mapping_for(p, encoding=encoding, kind=kind)), nl=False)


@app.command()
def report(home: Home = DEFAULT_HOME, lang: Lang = "zh") -> None:
    """用已发布的结果重写页面。"""
    from pipelines import nightly as job
    from reports import pages

    typer.echo(_guarded(lambda: job.write_pages(home, lang, pages.write)))


@app.command()
def explain(what: Annotated[Optional[str], typer.Argument(help="会话编号(加 #seq 则说明那句话的情绪)、命中编号、承诺编号,或「客服账号 指标」", show_default=False)] = None,  # noqa: UP045
            metric: Annotated[Optional[str], typer.Argument(help="指标编号,与客服账号一起给", show_default=False)] = None,  # noqa: UP045
            text: Annotated[Optional[str], typer.Option("--text", help="任意一句话:在用的情绪模型怎么看,哪些字把它推向哪一类")] = None,  # noqa: UP045
            home: Home = DEFAULT_HOME, json: Json = False) -> None:  # fmt: skip
    """一个数字从哪里来:从客服的指标或会话的得分,一直走到源文件的那一行;--text 说明任意一句话的情绪。"""
    from pipelines import explain as walk
    from pipelines import felt, settings, store

    if text is not None:
        return _guarded(lambda: felt.show(home, settings.load(home).sentiment, text, as_json=json))
    if what is None:
        _fail("没有说要解释什么;例:qc explain 会话编号,qc explain 客服账号 指标,qc explain --text 太慢了", 2)

    with _guarded(lambda: store.open_mart(home)) as con:
        _guarded(lambda: walk.show(con, what, metric, as_json=json))


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="SELECT 语句", show_default=False)],
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """对已发布的结果跑一条只读 SQL;不能读写文件,不能上网。"""
    from pipelines import query as ask

    _guarded(lambda: ask.show(home, query, as_json=json))


@app.command()
def trend(metric: Annotated[str, typer.Argument(help="指标编号,见 qc metrics", show_default=False)],
          agent: Annotated[Optional[str], typer.Option("--agent", help="客服账号;不给则为全店")] = None,  # noqa: UP045
          home: Home = DEFAULT_HOME, json: Json = False) -> None:  # fmt: skip
    """一个指标逐日的值、区间和单位数;未成熟的日子注明。"""
    from pipelines import query as ask

    _guarded(lambda: ask.trend(home, metric, agent, as_json=json))


@app.command()
def crosscheck(agent: Annotated[Optional[str], typer.Option("--agent", help="只看这位客服")] = None,  # noqa: UP045
               home: Home = DEFAULT_HOME, json: Json = False) -> None:  # fmt: skip
    """我们的数与别家绩效表(生意参谋、赤兔…)的数并排:差多少、在不在容差内、按哪个定义算最接近。"""
    from pipelines import crosscheck as check

    _guarded(lambda: check.show(home, agent, as_json=json))


@attribution_app.command("compare")
def attribution_compare(from_day: FromDay = None, to_day: ToDay = None,
                        look_back: Annotated[Optional[list[float]], typer.Option("--look-back", min=0.01, help="再加一列:下单前最后接待,往回看这么多小时;可以给几次")] = None,  # noqa: UP045
                        home: Home = DEFAULT_HOME, json: Json = False) -> None:  # fmt: skip
    """每位客服在每种归属规则下的销售额,并排;规则在 attribution.yaml,可以自己加。"""
    from pipelines import money

    _guarded(lambda: money.compare(home, _day(from_day), _day(to_day), look_back or (), as_json=json))


@app.command()
def why(from_day: FromDay = None, to_day: ToDay = None,
        before_from: Annotated[Optional[str], typer.Option("--before-from", help="和哪段时间比,起;不给则紧挨着的前一段")] = None,  # noqa: UP045
        before_to: Annotated[Optional[str], typer.Option("--before-to", help="和哪段时间比,止")] = None,  # noqa: UP045
        home: Home = DEFAULT_HOME, json: Json = False) -> None:  # fmt: skip
    """销售额为什么变:流量(询单)、转化、客单价、其余、静默各占多少,加起来分毫不差。"""
    from pipelines import money

    period, before = _period(from_day, to_day), _period(before_from, before_to)
    _guarded(lambda: money.why(home, period, before, as_json=json))


@app.command()
def metrics(json: Json = False) -> None:
    """全部指标:编号、名称、公式。"""
    from pipelines import terminal
    from qc.metrics import KPIS

    terminal.table(["编号", "名称", "English", "公式"], [[k.id, k.zh, k.en, k.formula] for k in KPIS], as_json=json)


@rules_app.command("check")
def rules_check(what: Annotated[Optional[Path], typer.Argument(metavar="[文件]", help="只看这个规则文件或文件夹(草稿也行);不写就是全部", show_default=False)] = None,  # noqa: UP045
                home: Home = DEFAULT_HOME, json: Json = False,
                mutate: Annotated[bool, typer.Option("--mutate", help="再把每条规则逐处弄坏,看例句察觉不察觉")] = False) -> None:  # fmt: skip
    """把每条规则自带的例句全部跑一遍:该中的要中,不该中的不能中。"""
    from pipelines import rulebench, terminal

    if not terminal.examples(_guarded(lambda: rulebench.check(home, what, mutate=mutate)), as_json=json):
        raise typer.Exit(1)


@rules_app.command("try")
def rules_try(what: Annotated[str, typer.Argument(help="规则编号,或规则文件、文件夹", show_default=False)],
              since: Annotated[Optional[str], typer.Option("--since", help="只看这一天起的会话,如 2026-09-01")] = None,  # noqa: UP045
              quotes: Annotated[int, typer.Option("--quotes", help="每条规则随机看几句")] = 20,
              home: Home = DEFAULT_HOME, json: Json = False) -> None:  # fmt: skip
    """规则在自己店铺的会话里命中多少处、占多少会话(带区间),随机看二十句原话;不改任何结果。"""
    from pipelines import rulebench, terminal

    day = _instant(since)
    terminal.trial(_guarded(lambda: rulebench.attempt(home, what, day.date() if day else None, quotes)), as_json=json)


@rules_app.command("diff")
def rules_diff(old: Annotated[Path, typer.Argument(help="旧的规则文件或文件夹", show_default=False)],
               new: Annotated[Path, typer.Argument(help="新的规则文件或文件夹", show_default=False)],
               home: Home = DEFAULT_HOME, json: Json = False) -> None:  # fmt: skip
    """换成新规则,哪些会话、哪些客服的质检分会动,动多少,因为哪条规则;不改任何结果。"""
    from pipelines import rulebench, terminal

    terminal.moved(_guarded(lambda: rulebench.compare(home, old, new)), as_json=json)


@rules_app.command("new")
def rules_new(rule_id: Annotated[str, typer.Argument(metavar="ID", help="编号:大写英文、数字、下划线", show_default=False)]) -> None:
    """打印一个规则文件的样板,例句留着要填;用 > 存成 .yaml。"""
    from pipelines import rulebench

    typer.echo(rulebench.template(rule_id))


@app.command()
def standard(template: Annotated[bool, typer.Option("--template", help="不看结果:打印一份 standard.yaml 的样板,列出要店铺自己答的项")] = False,
             home: Home = DEFAULT_HOME, json: Json = False) -> None:  # fmt: skip
    """店铺自评(GB/T 27922—2011):每一项几分、凭什么,100 × 得到的分 ÷ 适用项的分,达标和星级。只评店铺,不评人。"""
    from pipelines import assessment, settings
    from pipelines import standard as standards

    if template:
        return typer.echo(standards.template(_guarded(lambda: settings.standard(home, settings.load(home)))))
    _guarded(lambda: assessment.show(home, as_json=json))


@profiles_app.command("compare")
def profiles_compare(
    conversation: Annotated[Optional[str], typer.Option("--conversation", help="只看这个会话:哪一轮在哪个口径计入,为什么")] = None,  # noqa: UP045
    from_day: FromDay = None, to_day: ToDay = None,
    home: Home = DEFAULT_HOME, lang: Lang = "zh", json: Json = False,
) -> None:  # fmt: skip
    """同样的夜晚,各口径并排:各自的主要指标和共同的指标,带 95% 区间和单位数;或一个会话逐轮对照。"""
    from pipelines import compare_profiles

    lang = _request(home, lang=lang).lang
    _guarded(lambda: compare_profiles.show(home, conversation, _day(from_day), _day(to_day), lang, as_json=json))


@app.command()
def senders(home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """谁在说话:每个店铺、渠道里各种发送方有多少、凭什么定的、三句例子。规则在 lexicons/sender_patterns.yaml。"""
    from pipelines import audit

    _guarded(lambda: audit.senders(home, as_json=json))


@app.command()
def forget(customer: Annotated[str, typer.Argument(help="客户号,店铺自己的写法;写 - 则从标准输入读,不留在命令历史里", show_default=False)],
           home: Home = DEFAULT_HOME, lang: Lang = "zh", json: Json = False) -> None:  # fmt: skip
    """按客户要求删除其全部记录:会话、订单、评价、缓存、隔离、出现过的报告;留一行不含身份的证明,以后再读旧文件也不会回来。"""
    from pipelines import forget as job
    from pipelines import terminal
    from reports import pages

    who = sys.stdin.readline().strip() if customer == "-" else customer
    with terminal.working() as show:
        done = _guarded(lambda: job.forget(who, _request(home, lang=lang), show.step, pages.write))
    terminal.table(["哪里", "多少"], job.told(done), as_json=json, right=(1,))
    typer.echo(f"已删除,证明编号 {done.erasure_id}" if done.erasure_id else "这位顾客早已删除,没有新的记录", err=True)
    if said := job.advice(done):
        typer.echo(said, err=True)


Column = Annotated[str, typer.Option("--text", help="文字在哪一列")]
LabelColumn = Annotated[str, typer.Option("--label", help="标签在哪一列")]
Mapped = Annotated[Optional[str], typer.Option("--map", help="标签对应什么,如 0=negative,1=neutral,2=positive;不给则认 负面/中性/正面 等")]  # noqa: UP045
Grouped = Annotated[Optional[str], typer.Option("--group", help="会话在哪一列;同一会话的不拆开")]  # noqa: UP045
Where = Annotated[Optional[str], typer.Option("--where", help="只用符合条件的行,SQL 条件")]  # noqa: UP045


@app.command("eval")
def evaluate(
    files: Annotated[Optional[list[Path]], typer.Argument(help="标好的文件:CSV、TSV、JSON Lines、Parquet", show_default=False)] = None,  # noqa: UP045
    home: Home = DEFAULT_HOME, text: Column = "text", label: LabelColumn = "label", map_: Mapped = None, group: Grouped = None,
    where: Where = None, worst: Annotated[int, typer.Option("--worst", help="列出错得最自信的多少句")] = 50,
    sets: Annotated[Optional[Path], typer.Option("--sets", help="评测集清单(YAML),如 data/evaluation.yaml;与 --folder 一起给")] = None,  # noqa: UP045
    folder: Annotated[Path, typer.Option("--folder", help="评测集的文件在哪个文件夹")] = Path(),
    write: Annotated[Optional[Path], typer.Option("--write", help="把清单的结果写成这个文档,如 docs/sentiment.md")] = None,  # noqa: UP045
    json: Json = False,
) -> None:  # fmt: skip
    """情绪模型准不准:在标好的句子上,几个模型并排比——排序、判断、校准、混淆、错得最狠的句子。"""
    from pipelines import evaluate as job
    from pipelines import labels, settings

    def work() -> None:
        if write and sets:
            return job.write_page(home, sets, folder, write)
        layout = labels.Layout(text=text, label=label, map=labels.mapped(map_), group=group, where=where)
        found = [labels.read(f, layout) for f in files or []]
        found += [one for _, one in job.described(sets, folder)] if sets else []
        if not found:
            _fail("没有给文件;例:qc eval 标好的.csv --text 内容 --label 情绪 --map 0=negative,1=positive", 2)
        job.show(home, found, settings.load(home).sentiment, worst, as_json=json)

    _guarded(work)


@app.command()
def train(
    files: Annotated[Optional[list[Path]], typer.Argument(help="标好的文件;不给则用工作目录里的星级评价", show_default=False)] = None,  # noqa: UP045
    home: Home = DEFAULT_HOME, text: Column = "text", label: LabelColumn = "label", map_: Mapped = None, group: Grouped = None,
    where: Where = None, undo: Annotated[bool, typer.Option("--undo", help="换回上一个模型")] = False,
    default: Annotated[bool, typer.Option("--default", help="重做自带的模型(开发用)")] = False, json: Json = False,
    folder: Annotated[Path, typer.Option("--folder", help="satisfaction --write 用:公开数据集在哪个文件夹")] = Path(),
    write: Annotated[Optional[Path], typer.Option("--write", help="satisfaction:在公开数据集上量一遍,写成这个文档")] = None,  # noqa: UP045
) -> None:  # fmt: skip
    """用本店自己的标注或星级评价训练情绪模型;交叉验证确实更好才换上,可以撤销。qc train satisfaction 则训练满意度预测。"""
    if files == [Path("satisfaction")]:
        return _train_satisfaction(home, folder, write, undo=undo, as_json=json)
    from pipelines import labels, shop_weights, terminal
    from pipelines import train as job

    if default:
        typer.echo(_guarded(shop_weights.rebuild))
    elif undo:
        typer.echo(f"已换回 {_guarded(lambda: job.undo(home))};下一次 qc nightly 起生效")
    else:
        layout = labels.Layout(text=text, label=label, map=labels.mapped(map_), group=group, where=where)
        given = _guarded(lambda: [labels.read(f, layout) for f in files] if files else [job.from_ratings(home)])
        done = _guarded(lambda: job.try_out(home, given))
        terminal.table(["", "在用", "新训练", "差"], job.told(done), as_json=json)
        typer.echo(job.verdict(home, given, done), err=True)


def _train_satisfaction(home: Path, folder: Path, write: Path | None, *, undo: bool, as_json: bool) -> None:
    from pipelines import satisfaction as job
    from pipelines import terminal

    if write:
        write.write_text(_guarded(lambda: job.page(home, folder)), encoding="utf-8")
    elif undo:
        typer.echo(f"已换回 {_guarded(lambda: job.undo(home))}")
    else:
        done = _guarded(lambda: job.try_out(home, job.of_mart(home)))
        terminal.table(["", "平均满意率", "在用", "新训练"], job.told(done), as_json=as_json)
        if not as_json:
            terminal.table(["谁评价了", "评价了的", "没评价的", "差"], job.who_rates(home), right=(1, 2, 3))
        typer.echo(job.verdict(home, done), err=True)


@app.command()
def doctor(home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """检查环境和工作目录:缺什么、哪里不对、怎么办。"""
    from pipelines import doctor as checks

    if not checks.show(home, as_json=json):
        raise typer.Exit(1)


@app.command()
def demo(
    home: Annotated[Path, typer.Option("--home", help="演示用的工作目录")] = Path("qc-demo"), lang: Lang = "zh"
) -> None:
    """用自带的示例店铺走完整晚,打开成绩单看看。"""
    from pipelines.resources import data_dir

    nightly([data_dir() / "sample"], home=home, lang=lang)


@app.command()
def sample(out: Annotated[Path, typer.Argument(help="写到哪个文件夹", show_default=False)],
           messages: Annotated[int, typer.Option("--messages", help="大约多少条消息")] = 12_000,
           seed: Annotated[int, typer.Option("--seed", help="随机种子,同种子同结果")] = 20260901) -> None:  # fmt: skip
    """生成任意大小的示例店铺(会话、订单、评价、花名册和真值)。"""
    from pipelines.sample import generate

    generate(out, messages=messages, seed=seed)
    typer.echo(out)


def _request(home: Path, *, as_of: str | None = None, lang: str = "zh", kind: str | None = None, **wishes: Any) -> Any:
    from pipelines.nightly import Request

    if lang not in ("zh", "en"):
        _fail(f"--lang 只能是 zh 或 en,不是 {lang}", 2)
    if kind and kind not in ("messages", "orders", "ratings", "agents"):
        _fail(f"--as 只能是 messages、orders、ratings、agents,不是 {kind}", 2)
    return Request(home, as_of=_instant(as_of), lang=lang, kind=kind, **wishes)  # type: ignore[arg-type]


def _instant(text: str | None) -> datetime | None:
    """A day means its end: what was known when that day was over."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        _fail(f'--as-of "{text}" 不是时间(例:2026-09-30 或 2026-09-30T23:59:59)', 2)
    return at.replace(hour=23, minute=59, second=59) if len(text) == 10 else at.replace(tzinfo=None)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        _fail(f'"{text}" 不是日期(例:2026-09-30)', 2)


def _period(from_text: str | None, to_text: str | None) -> tuple[date, date] | None:
    """Two days in their order, or None when neither is given."""
    first, last = _day(from_text), _day(to_text)
    if first is None and last is None:
        return None
    if first is None or last is None or first > last:
        _fail("起日和止日要一起给,而且起日不晚于止日", 2)
    return first, last


def _guarded(work: Callable[[], Any]) -> Any:
    """Run; what can be foreseen to go wrong ends in one message and the exit code of the contract."""
    import duckdb

    from pipelines.ingest import UnreadableFile
    from pipelines.labels import LabelsError
    from pipelines.mapping import MappingError
    from pipelines.nightly import NightError
    from pipelines.query import QueryError
    from pipelines.settings import SettingsError
    from pipelines.shop_weights import WeightsError
    from pipelines.store import StoreError
    from qc.attribution import LedgerError
    from qc.rulebook import RulebookError

    try:
        return work()
    except (KeyboardInterrupt, duckdb.InterruptException):
        _fail(INTERRUPTED, 1)
    except RuntimeError as e:
        if str(e) != "Query interrupted":  # what DuckDB makes of Ctrl-C while it works
            raise
        _fail(INTERRUPTED, 1)
    except (SettingsError, MappingError, RulebookError, FileNotFoundError, QueryError, LabelsError) as e:
        _fail(str(e), 2)
    except (NightError, LedgerError, StoreError, UnreadableFile, WeightsError, LookupError, duckdb.Error, PermissionError) as e:
        _fail(str(e), 1)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)


def main() -> None:
    """Entry point; UTF-8 on every terminal."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    app()


if __name__ == "__main__":
    main()
