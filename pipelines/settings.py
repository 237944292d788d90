"""One TOML file → Settings. Everything has a default; a workspace without qc.toml is a workspace with the defaults."""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml.error import YAMLError

from pipelines import mapping as mappings
from pipelines import rules
from pipelines import standard as standards
from pipelines.mart import Book
from pipelines.resources import data_dir, read_yaml
from qc import hours
from qc.attribution import Rule
from qc.casewords import Lexicon
from qc.profiles import Profile
from qc.rulebook import Pack
from qc.scorecards import Scorecard
from qc.senders import Pattern
from qc.substance import Lexicon as Substance

KEY_FILE = "customer.key"


class SettingsError(Exception):
    """qc.toml, a profile or the key cannot be used; the message says file, what and what to do."""


class Settings(BaseModel):
    """qc.toml of a workspace."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    profile: str = "fair"
    scorecard: str | list[str] = "general"  # one for all, or several: the first that is meant for a conversation
    standard: str = "gbt_27922"  # of the shop's self-assessment: standards/<name>.yaml
    sentiment: str = "shop"  # the model of the customers' mood: shop or snownlp
    lang: str = "zh"
    shop: str | None = None  # for files that do not say which shop they are of
    channel: str | None = None
    hours: str | None = None  # the calendar of opening hours and holidays; without one all hours are open
    rules: list[str] = []  # folders with the shop's own rule packs, beside the shipped ones
    mappings: list[str] = []  # folders with the shop's own mapping files


def load(home: Path) -> Settings:
    """The workspace's qc.toml, checked."""
    path = home / "qc.toml"
    if not path.exists():
        return Settings()
    try:
        return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except tomllib.TOMLDecodeError as e:
        raise SettingsError(f"{path}: 不是有效的 TOML:{e}") from e
    except ValidationError as e:
        known = "、".join(Settings.model_fields)
        raise SettingsError(f"{path}: {_wrong(e)}。可用的键:{known}") from e


def book(home: Path, settings: Settings) -> Book:
    """Rule packs, scorecard, profile and word lists that this workspace judges by."""
    packs = rules.load(data_dir() / "rules", *(_folder(home, f) for f in settings.rules))
    return Book(
        packs, scorecards(home, settings, packs), profile(home, settings.profile), rules.load_words(data_dir() / "lexicons" / "pleasantries.yaml"),
        substance(home), attribution_rules(home), sender_patterns(home), case_lexicons(home), opening_hours(home, settings),
        tuple(p for p in profiles(home) if p.id != settings.profile), standard(home, settings),
    )  # fmt: skip


def standard(home: Path, settings: Settings) -> standards.Book:
    """What the shop assesses itself by, and what it declares."""
    return standards.load(_named(home, "standards", settings.standard), home)


def attribution_rules(home: Path) -> tuple[Rule, ...]:
    """How orders are given to agents: the workspace's own `attribution.yaml`, else the product's; the first one counts."""
    path = home / "attribution.yaml"
    path = path if path.is_file() else data_dir() / "attribution.yaml"
    try:
        listed = [Rule.model_validate(r) for r in read_yaml(path)["rules"]]
    except (ValidationError, YAMLError, KeyError, TypeError) as e:
        raise SettingsError(f"{path}: {e}") from e
    if not listed or listed[0].pick != "last" or listed[0].until != "order":
        raise SettingsError(f"{path}: 第一种规则是计算用的,要写 pick: last、until: order;别的写在它后面,用来比较")
    if len({r.id for r in listed}) < len(listed):
        raise SettingsError(f"{path}: 有两种规则的 id 相同;请改名")
    return tuple(listed)


def scorecards(home: Path, settings: Settings, packs: Sequence[Pack]) -> tuple[Scorecard, ...]:
    """The workspace's scorecards in the order of the setting, checked against these packs."""
    names = [settings.scorecard] if isinstance(settings.scorecard, str) else settings.scorecard
    if not names or len(set(names)) < len(names):
        raise SettingsError(f"{home / 'qc.toml'}: scorecard 至少写一张评分卡,同一张不写两次")
    cards = tuple(rules.load_scorecard(_named(home, "scorecards", name), packs) for name in names)
    if len({card.scorecard for card in cards}) < len(cards):
        raise SettingsError(f"{home / 'qc.toml'}: 几张评分卡的 scorecard: 编号相同;请在文件里改名")
    return cards


def sender_patterns(home: Path) -> tuple[Pattern, ...]:
    """How bots, automatic replies and notices are told from people: the workspace's own `lexicons/`, else the product's."""
    path = _named(home, "lexicons", "sender_patterns")
    try:
        listed = read_yaml(path)["patterns"]
        return tuple(Pattern.model_validate(p) for p in listed)
    except (ValidationError, YAMLError, KeyError, TypeError) as e:
        raise SettingsError(f"{path}: {e}") from e


def substance(home: Path) -> Substance:
    """What counts as a substantive answer: the workspace's own `lexicons/`, else the product's."""
    path = _named(home, "lexicons", "substance")
    try:
        return Substance.model_validate(read_yaml(path))
    except (ValidationError, YAMLError) as e:
        raise SettingsError(f"{path}: {_wrong(e)}") from e


def case_lexicons(home: Path) -> tuple[Lexicon, ...]:
    """The words by which topic, phase and customer type are told: the workspace's own `lexicons/`, else the product's."""
    return tuple(_lexicon(_named(home, "lexicons", name)) for name in ("topics", "phases", "customer_types"))


def _lexicon(path: Path) -> Lexicon:
    try:
        return Lexicon.model_validate(read_yaml(path))
    except (ValidationError, YAMLError) as e:
        raise SettingsError(f"{path}: {_wrong(e)}") from e


def opening_hours(home: Path, settings: Settings) -> hours.Calendar:
    """The calendar that qc.toml names, relative to the workspace; none: all hours are open."""
    if settings.hours is None:
        return ()
    path = home / settings.hours
    if not path.is_file():
        raise SettingsError(f"{home / 'qc.toml'}: 没有营业时间文件 {settings.hours}(相对于工作目录)")
    try:
        return hours.load(path.read_text(encoding="utf-8-sig"), str(path))
    except UnicodeDecodeError as e:
        raise SettingsError(f"{path}:1 不是 UTF-8 文字;请另存为 UTF-8") from e
    except hours.HoursError as e:
        raise SettingsError(str(e)) from e


def profile(home: Path, name: str) -> Profile:
    """A definition profile by its id."""
    path = _named(home, "profiles", name)
    try:
        found = Profile.model_validate(read_yaml(path))
    except (ValidationError, YAMLError) as e:
        raise SettingsError(f"{path}: {_wrong(e)}。各键的含义见自带的 data/profiles/fair.yaml") from e
    if found.id != name:
        raise SettingsError(f"{path}: id 是「{found.id}」,文件名是「{name}」;两者要一致")
    return found


def profiles(home: Path) -> tuple[Profile, ...]:
    """Every definition profile of the workspace and the product, in the order of their ids."""
    folders = (home / "profiles", data_dir() / "profiles")
    return tuple(profile(home, n) for n in sorted({p.stem for f in folders if f.is_dir() for p in f.glob("*.yaml")}))


def _wrong(error: ValidationError | YAMLError) -> str:
    if isinstance(error, YAMLError):
        return f"不是有效的 YAML:{error}"
    return ";".join(f"「{'.'.join(map(str, x['loc']))}」{x['msg']}" for x in error.errors())


def known_mappings(home: Path, settings: Settings) -> list[mappings.Mapping]:
    """Mapping files: shipped ones and the shop's own, which win."""
    folders = [*(_folder(home, f) for f in settings.mappings), home / "mappings", data_dir() / "mappings"]
    return [mappings.load(p) for folder in folders if folder.is_dir() for p in sorted(folder.glob("*.yaml"))]


def customer_key(home: Path) -> bytes:
    """The key of the customers' pseudonyms, made once for a workspace; readable by its owner only, never printed."""
    path = home / KEY_FILE
    home.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(handle, "w") as f:
            f.write(secrets.token_hex(32))
    key = path.read_text().strip()
    if len(key) < 32:
        raise SettingsError(f"{path} 里的密钥不完整;从备份恢复它,否则客户假名会全部改变")
    return bytes.fromhex(key)


def _folder(home: Path, name: str) -> Path:
    folder = (home / name).resolve()
    if not folder.is_dir():
        raise SettingsError(f"{home / 'qc.toml'}: 没有文件夹 {name}(相对于工作目录)")
    return folder


def _named(home: Path, what: str, name: str) -> Path:
    """`<what>/<name>.yaml` of the workspace, else of the product."""
    places = [home / what, data_dir() / what]
    found = next((p / f"{name}.yaml" for p in places if (p / f"{name}.yaml").is_file()), None)
    if found is None:
        names = sorted({p.stem for place in places if place.is_dir() for p in place.glob("*.yaml")})
        raise SettingsError(f"没有叫「{name}」的 {what};可用的有:{'、'.join(names)}")
    return found
