"""Good files damaged in the ways real files are: no crash, no silent loss, no good row lost beside a bad one."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import quiet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import ingest, store
from pipelines.sources import Wishes

HEAD = "shop,channel,conversation_id,message_id,sent_at,sender_kind,agent,customer,text,content_kind"
OPTIONS = ingest.Options([], b"key", Wishes())
# A record is a list of physical lines; some have line breaks, quotes and separators in their text.
TEXTS = ["在吗", '"有货吗,要两件"', '"他说""好的"""', '"第一行\n第二行"', '"a\n\nb,c"', '5"屏', "好的谢谢😀", ""]
RECORDS = [
    f"甲店,jd,s{n % 7},m{n},2026-09-01 10:{n // 60:02d}:{n % 60:02d},{'customer' if n % 2 else 'agent'},小一,买家{n % 7},{TEXTS[n % len(TEXTS)]},text"
    for n in range(60)
]


def drop_field(record: str, _: random.Random) -> str:
    return record.replace(",jd", "", 1)


def add_field(record: str, _: random.Random) -> str:
    return record + ",多"


def open_quote(record: str, _: random.Random) -> str:
    return record.replace("甲店", '"甲店', 1)


def nul(record: str, _: random.Random) -> str:
    return record.replace("jd", "j\0d", 1)


def bare_return(record: str, _: random.Random) -> str:
    return record.replace("甲店", "甲\r店", 1)


def bad_time(record: str, _: random.Random) -> str:
    return record.replace("2026-09-01", "2026-13-01", 1)


def half(record: str, rng: random.Random) -> str:
    return record[: rng.randrange(1, 12)]


def header_again(record: str, _: random.Random) -> str:
    return HEAD + "\n" + record


def long_line(record: str, _: random.Random) -> str:
    return record + ",x" * 200_000


def bad_bytes(record: str, _: random.Random) -> str:
    return record.replace("买家", "\udcff\udcfe", 1)


DAMAGES: list[Callable[[str, random.Random], str]] = [
    drop_field, add_field, open_quote, nul, bare_return, bad_time, half, header_again, long_line, bad_bytes,
]  # fmt: skip
HARMLESS = {header_again, bare_return}


def load(tmp: Path, content: bytes, name: str = "f.csv") -> tuple[ingest.Outcome, set[str]]:
    """What became of a file with this content, and the message ids that were stored."""
    (tmp / name).write_bytes(content)
    con = store.connect(":memory:")
    con.execute("ATTACH ':memory:' AS warehouse")
    con.execute((store.MODELS / "facts.sql").read_text(encoding="utf-8"))
    (outcome,) = ingest.ingest(con, [tmp / name], OPTIONS, quiet)
    return outcome, {m for (m,) in con.execute("SELECT message_id FROM fact_messages").fetchall()}


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.integers(0, 59), st.sampled_from(DAMAGES)), max_size=8, unique_by=lambda d: d[0]),
    st.integers(0, 2**16),
    st.sampled_from(["\n", "\r\n"]),
)
def test_damaged_rows_cost_themselves_and_no_other(tmp_path: Path, damages: list, seed: int, newline: str) -> None:
    rng, records = random.Random(seed), list(RECORDS)
    for place, damage in damages:
        records[place] = damage(records[place], rng)
    body = newline.join([HEAD, *records]) + newline
    outcome, stored = load(tmp_path, body.encode("utf-8", "surrogateescape"))
    assert outcome.n_rows == outcome.n_stored + outcome.n_duplicate + outcome.n_quarantined
    hurt = {f"m{place}" for place, damage in damages if damage not in HARMLESS}
    assert {f"m{n}" for n in range(60)} - hurt <= stored
    # What is torn is told: one row at least for each damaged record that was not stored all the same.
    assert outcome.n_quarantined >= len(hurt - stored)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_breaks_off_keeps_what_came_before(tmp_path: Path, packed: bool, share: float) -> None:
    whole = "\n".join([HEAD, *(RECORDS * 200)]).encode()
    content = gzip.compress(whole) if packed else whole
    outcome, stored = load(tmp_path, content[: int(len(content) * share)])
    assert outcome.n_rows == outcome.n_stored + outcome.n_duplicate + outcome.n_quarantined
    if share >= 0.5:
        assert stored == {f"m{n}" for n in range(60)}
    assert outcome.n_quarantined >= (1 if packed else 0)


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400), st.integers(0, 3))
def test_any_bytes_at_all_end_in_an_outcome(tmp_path: Path, noise: bytes, kind: int) -> None:
    content = [noise, gzip.compress(noise)[:-4], HEAD.encode() + b"\n" + noise, b'{"text": 1}\n' + noise][kind]
    outcome, _ = load(tmp_path, content)
    assert outcome.n_rows == outcome.n_stored + outcome.n_duplicate + outcome.n_quarantined


def test_line_ends_of_an_old_macintosh(tmp_path: Path) -> None:
    plain = [r for r in RECORDS if "\n" not in r]
    outcome, _ = load(tmp_path, "\r".join([HEAD, *plain]).encode())
    assert (outcome.n_rows, outcome.n_stored) == (len(plain), len(plain))


def test_ten_megabytes_in_one_line(tmp_path: Path) -> None:
    long = RECORDS[0].replace("在吗", "在吗" * 2_000_000)
    outcome, stored = load(tmp_path, "\n".join([HEAD, RECORDS[1], long, RECORDS[2]]).encode())
    assert outcome.n_stored == 3 and stored == {"m0", "m1", "m2"}
