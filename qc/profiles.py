"""Definition profiles (口径): which turns count, when, whose they are, and what the platform calls a hit. KPI §2.

The turns themselves depend only on the effective kinds (`dialogue.spans`); everything else of a profile is judged on them
here, so that one night holds the same turns under every profile side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, PositiveFloat, StringConstraints

from qc import frames
from qc.metrics import BY_ID


class Named(BaseModel):
    """A part of a profile: what it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceHours(Named):
    """Hours that count, on the shop's clock: from `opens` until before `closes`; over midnight when it closes first."""

    opens: time
    closes: time
    tested_at: Literal["turn_start", "session_start"] = "turn_start"  # a session starts with its first question


class OnTime(Named):
    """What is a hit: a unit of which every counted turn was answered within so many seconds."""

    unit: Literal["turn", "first_turn", "session", "customer_day"]
    within_s: PositiveFloat


def _known(metric: str) -> str:
    if metric not in BY_ID:
        raise ValueError(f"没有叫「{metric}」的指标;可用的见 qc metrics")
    return metric


class Profile(Named):
    """A definition profile. Units: seconds."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    title_en: str
    status: Literal["official", "secondary", "ours"]  # a published text, told at second hand, our own
    valid_from: date  # since when this wording holds; for the reader, nothing is left out by it
    source: str
    effective_kinds: tuple[Literal["agent", "assist", "bot", "auto"], ...] = ("agent", "assist")
    service_hours: ServiceHours | None = None  # None: all hours
    exempt_days: tuple[date, ...] = ()  # nothing asked on these counts
    censor_s: float = 600
    cap_s: float | None = 600  # the most that one wait counts in the mean; None: as long as it was
    unanswered_s: float | None = 600  # what an unanswered turn counts in the mean; None: not at all
    drops_unanswered_pleasantry: bool = True
    owner: Literal["holder", "replier"] = (
        "holder"  # whose a turn is after a transfer: who held it when it opened, who answered
    )
    on_time: OnTime = OnTime(unit="turn", within_s=180)
    headline: tuple[Annotated[str, AfterValidator(_known)], ...] = ("average_response",)


def judge(spans: pl.DataFrame, profile: Profile, as_of: datetime | None) -> pl.DataFrame:
    """dialogue.spans -> frames.Turn: owner, wait and standing of each turn under the profile."""
    end = pl.lit(as_of, dtype=frames.TIME)
    young = (end - pl.col("asked_at")).dt.total_microseconds() < profile.censor_s * 1e6
    first_human = pl.when(~pl.col("is_answered")).then("first_human")
    owners = {"holder": ("holder", "answered_by", first_human), "replier": ("answered_by", "holder", first_human)}
    judged = spans.with_columns(
        day=pl.col("asked_at").dt.date(),
        responsible=pl.coalesce(*owners[profile.owner]),
        wait_s=(pl.col("answered_at") - pl.col("asked_at")).dt.total_microseconds() / 1e6,
        is_first=pl.col("turn") == 1,
        is_censored=(~pl.col("is_answered") & young).fill_null(False),
    ).with_columns(reason=_reason(profile))
    return frames.of(frames.Turn, judged.with_columns(is_counted=pl.col("reason").is_null()))


def _reason(profile: Profile) -> pl.Expr:
    """Why a turn does not count, NULL when it does; what no later data can change is told first."""
    tested, reason = "asked_at", "outside_hours"
    if profile.service_hours and profile.service_hours.tested_at == "session_start":
        tested, reason = "begun_at", "session_outside_hours"
    timed = pl.col("asked_at", tested).is_not_null()
    timed = pl.all_horizontal(timed) & (pl.col("answered_at").is_not_null() | ~pl.col("is_answered"))
    polite_end = ~pl.col("is_answered") & ~pl.col("needs_reply") & profile.drops_unanswered_pleasantry
    return (
        pl.when(~timed).then(pl.lit("no_times"))
        .when(pl.col("asked_at").dt.date().is_in(list(profile.exempt_days))).then(pl.lit("exempt_day"))
        .when(_outside(pl.col(tested), profile.service_hours)).then(pl.lit(reason))
        .when("is_censored").then(pl.lit("censored"))
        .when(polite_end).then(pl.lit("pleasantry"))
    )  # fmt: skip


def _outside(at: pl.Expr, hours: ServiceHours | None) -> pl.Expr:
    if hours is None:
        return pl.lit(False)
    opened, closed = at.dt.time() >= hours.opens, at.dt.time() >= hours.closes
    return ~((opened & ~closed) if hours.opens < hours.closes else (opened | ~closed))


def listed(own: Profile, others: Iterable[Profile]) -> pl.DataFrame:
    """Profiles as rows, the run's own marked; what a profile leaves open is NULL."""
    rows = [
        {
            "profile": p.id, "title": p.title, "title_en": p.title_en, "status": p.status, "valid_from": p.valid_from,
            "source": p.source, "effective_kinds": list(p.effective_kinds), "opens": p.service_hours and p.service_hours.opens,
            "closes": p.service_hours and p.service_hours.closes, "tested_at": p.service_hours and p.service_hours.tested_at,
            "exempt_days": list(p.exempt_days), "censor_s": p.censor_s, "cap_s": p.cap_s, "unanswered_s": p.unanswered_s,
            "drops_unanswered_pleasantry": p.drops_unanswered_pleasantry, "owner": p.owner, "on_time_unit": p.on_time.unit,
            "on_time_s": p.on_time.within_s, "headline": list(p.headline), "is_own": p.id == own.id,
        }
        for p in sorted((own, *others), key=lambda p: p.id)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema_overrides=_LISTED)


_LISTED: frames.Noun = {
    "opens": pl.Time, "closes": pl.Time, "tested_at": pl.String, "exempt_days": pl.List(pl.Date), "censor_s": pl.Float64,
    "cap_s": pl.Float64, "unanswered_s": pl.Float64, "on_time_s": pl.Float64,
}  # fmt: skip
