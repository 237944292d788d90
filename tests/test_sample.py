"""The sample shop: deterministic, in the native contract, and every planted truth is found again in its files."""

import csv
import json
import math
import re
import subprocess
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

import pytest

from pipelines.resources import data_dir
from pipelines.sample import COLUMNS, generate, texts
from qc.frames import ASKING_CONTENT, CONTENT_KINDS, SENDER_KINDS

FILES = ("messages.csv", "orders.csv", "ratings.csv", "agents.csv", "truth.json")
Z = 3.2905  # 99.9 %: about a hundred planted figures are looked at
DAY = timedelta(days=1)
GREETING = re.compile(r"[您你]好|欢迎|在的|哈喽")
THANKS = re.compile(r"谢|再见|祝|多谢|欢迎|慢走|愉快|随时")
APOLOGY = re.compile(r"抱歉|不好意思|对不起|歉")
COMPLAINT = re.compile(
    r"收到就碎|破损|碎渣|霉味|假货|头发|发错|发的.*发错|少了一罐|气死|投诉|骗人|太差|拉肚子|胃疼|过敏"
)
FORBIDDEN = re.compile(
    "我不能|我不会|我不可以|我不愿意|不归我管|不是我应该做的|不行|急什么|自己看|说了多少遍|爱买不买|^恩$|^哦$"
)
ABSOLUTE = re.compile("最好|第一|绝对|国家级|微信|返现|V信")


@pytest.fixture(scope="session")
def month(tmp_path_factory):
    """Five times the committed sample, read back and cut into talks."""
    out = tmp_path_factory.mktemp("sample")
    truth = generate(out, messages=60_000)
    return {
        "truth": truth,
        "talks": talks(rows(out / "messages.csv")),
        "orders": rows(out / "orders.csv"),
        "ratings": rows(out / "ratings.csv"),
        "planted": {one["agent"]: one["planted"] for one in truth["agents"]},
        "realised": {one["agent"]: Counter(one["realised"]) for one in truth["agents"]},
    }


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    for row in found:
        row.update({name: moment(text) for name, text in row.items() if name.endswith("_at")})
    return found


def moment(text):
    return datetime.fromisoformat(text) if text else None


# -- a second, slow and simple road to the figures ----------------------------------------------------------------


def is_effective(row):
    return row["sender_kind"] in ("agent", "assist") and row["content_kind"] not in ("recall", "empty")


def is_asking(row):
    return row["sender_kind"] == "customer" and row["content_kind"] in ASKING_CONTENT


def talks(messages):
    """Messages → lists of rows: by conversation id, else by the 30-minute rule of KPI §1."""
    by_customer = defaultdict(list)
    for row in messages:
        by_customer[row["channel"], row["customer"], row["conversation_id"]].append(row)
    found = []
    for (channel, _, _), some in by_customer.items():
        found += [some] if channel == "jd" else cut(some)
    return found


def cut(some):
    found, last, is_open = [], None, False
    for row in some:
        gap = row["sent_at"] - last if last else None
        is_late_answer = is_open and is_effective(row) and gap and gap <= DAY
        if not found or (gap and gap > timedelta(minutes=30) and not is_late_answer):
            found.append([])
            is_open = False
        found[-1].append(row)
        is_open = (is_open or is_asking(row)) and not is_effective(row)
        last = row["sent_at"] if row["sender_kind"] != "system" else last
    return found


def speakers(talk):
    """agent → its effective messages."""
    said = defaultdict(list)
    for row in filter(is_effective, talk):
        said[row["agent"]].append(row)
    return said


def first_turn(talk):
    """Who is responsible for the first turn, and its wait in seconds; None if nobody answered it."""
    asked, holder = None, None
    for row in talk:
        if asked is None and is_asking(row):
            asked = row["sent_at"]
        elif is_effective(row):
            if asked:
                return holder or row["agent"], (row["sent_at"] - asked).total_seconds()
            holder = row["agent"]
    return None


def credited(orders, all_talks):
    """order_id → (class, agent), KPI §4."""
    spoken = defaultdict(list)
    for row in sorted((row for talk in all_talks for row in talk if is_effective(row)), key=lambda row: row["sent_at"]):
        spoken[row["customer"]].append((row["sent_at"], row["agent"]))
    return {order["order_id"]: credit(order, spoken[order["customer"]]) for order in orders if order["paid_at"]}


def credit(order, said):
    times = [at for at, _ in said]
    before = bisect_left(times, order["created_at"])
    if before and times[before - 1] >= order["created_at"] - timedelta(hours=72):
        return "consulted", said[before - 1][1]
    until = [agent for at, agent in said[before:] if at <= order["paid_at"]]
    return ("reminded", until[-1]) if until else ("silent", None)


def wilson(hits, n):
    center = (hits + Z * Z / 2) / (n + Z * Z)
    half = Z / (n + Z * Z) * math.sqrt(hits * (n - hits) / n + Z * Z / 4)
    return center - half, center + half


def assert_planted(month, name, found):
    """`found` agent → list of hits and misses; each agent's planted probability lies in the interval."""
    assert len(found) >= 6
    for agent, hits in found.items():
        low, high = wilson(sum(hits), len(hits))
        assert low <= month["planted"][agent][name] <= high, (name, agent, sum(hits), len(hits))


# -- the files ----------------------------------------------------------------------------------------------------


def test_same_arguments_same_bytes(tmp_path):
    generate(tmp_path / "a", messages=2_000, seed=7)
    generate(tmp_path / "b", messages=2_000, seed=7)
    generate(tmp_path / "c", messages=2_000, seed=8)
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in FILES)
    assert (tmp_path / "a" / "messages.csv").read_bytes() != (tmp_path / "c" / "messages.csv").read_bytes()


def test_the_committed_sample_is_current(tmp_path):
    generate(tmp_path)
    committed = data_dir() / "sample"
    stale = [name for name in FILES if (tmp_path / name).read_bytes() != (committed / name).read_bytes()]
    assert not stale, "run: python -m pipelines.sample data/sample"
    assert sum((committed / name).stat().st_size for name in FILES) < 2_500_000


def test_every_message_keeps_the_native_contract():
    committed = data_dir() / "sample"
    messages, people = rows(committed / "messages.csv"), {row["agent"] for row in rows(committed / "agents.csv")}
    assert list(messages[0]) == COLUMNS["messages"].split(",")
    assert len({row["message_id"] for row in messages}) == len(messages) >= 12_000
    assert [row["sent_at"] for row in messages] == sorted(row["sent_at"] for row in messages)
    for row in messages:
        assert row["sender_kind"] in SENDER_KINDS and row["content_kind"] in CONTENT_KINDS
        assert row["customer"] and row["shop"] and row["channel"] in ("taobao", "jd")
        assert bool(row["conversation_id"]) == (row["channel"] == "jd")
        assert (row["text"] == "") == (row["content_kind"] in ("recall", "empty"))
        assert not re.search(r"[<>]|%\(|%s|None", row["text"]), row["text"]
        named = row["agent"] in people
        assert named or (row["agent"] == "" and row["sender_kind"] in ("customer", "auto", "bot", "system"))
        assert not (named and row["sender_kind"] in ("customer", "auto", "bot"))
    assert {row["sender_kind"] for row in messages} == set(SENDER_KINDS)
    assert {row["content_kind"] for row in messages} == set(CONTENT_KINDS)


def test_every_order_and_rating_keeps_the_native_contract():
    committed = data_dir() / "sample"
    orders, ratings = rows(committed / "orders.csv"), rows(committed / "ratings.csv")
    assert list(orders[0]) == COLUMNS["orders"].split(",") and list(ratings[0]) == COLUMNS["ratings"].split(",")
    assert len({order["order_id"] for order in orders}) == len(orders)
    for order in orders:
        assert re.fullmatch(r"\d+\.\d\d", order["paid"]) and re.fullmatch(r"\d+\.\d\d", order["refunded"])
        assert (order["paid_at"] is None) == (order["paid"] == "0.00")
        assert float(order["refunded"]) <= float(order["paid"]) and int(order["items"]) >= 1
        times = [order[name] for name in ("created_at", "paid_at", "refund_applied_at", "refund_finished_at")]
        known = [at for at in times if at]
        assert known == sorted(known) and known[-1] < datetime(2026, 10, 1)
    for rating in ratings:
        assert bool(rating["conversation_id"]) != bool(rating["customer"] and rating["agent"])
        assert (rating["stars"] in "12345" and rating["rated_at"] >= rating["invited_at"]) if rating["stars"] else True
        assert bool(rating["stars"]) == bool(rating["rated_at"])


def test_talks_of_a_customer_lie_well_apart(month):
    by_customer = defaultdict(list)
    for talk in month["talks"]:
        by_customer[talk[0]["customer"]].append(talk)
    for some in by_customer.values():
        for one, other in pairwise(some):
            assert other[0]["sent_at"] - one[-1]["sent_at"] > timedelta(minutes=31)


PEAK = """
import resource, sys, tempfile
from pathlib import Path
from pipelines.sample import generate
generate(Path(tempfile.mkdtemp(dir=sys.argv[2])), messages=int(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kb(messages, out):
    command = [sys.executable, "-c", PEAK, str(messages), str(out)]
    return int(subprocess.run(command, capture_output=True, check=True, cwd=data_dir().parent).stdout)


def test_memory_does_not_grow_with_the_sample(tmp_path):
    peaks = [peak_kb(n, tmp_path) for n in (50_000, 200_000)]
    assert peaks[1] - peaks[0] < 10_000, f"{peaks} kB: four times the messages may not need 10 MB more"


# -- the truths ---------------------------------------------------------------------------------------------------


def test_conversations_and_first_waits(month):
    n, waits = Counter(), defaultdict(list)
    for talk in month["talks"]:
        n.update(speakers(talk).keys())
        if turn := first_turn(talk):
            waits[turn[0]].append(turn[1])
    assert len(month["talks"]) == month["truth"]["shop_truth"]["conversations"]
    for agent, realised in month["realised"].items():
        assert n[agent] == realised["conversations"]
        assert median(waits[agent]) == realised["first_wait_p50_s"]
        some, half = sorted(waits[agent]), Z * math.sqrt(len(waits[agent])) / 2
        low, high = some[max(0, int(len(some) / 2 - half))], some[min(len(some) - 1, math.ceil(len(some) / 2 + half))]
        assert low - 0.5 <= month["planted"][agent]["first_wait_p50_s"] <= high + 0.5, agent


def test_politeness(month):
    greeting, address, farewell, apology = (defaultdict(list) for _ in range(4))
    for talk in month["talks"]:
        for agent, said in speakers(talk).items():
            greeting[agent].append(any(GREETING.search(row["text"]) for row in said[:2]))
            address[agent].append(any(re.search("[您亲]", row["text"]) for row in said))
            if len(speakers(talk)) == 1 and is_effective(talk[-1]):
                farewell[agent].append(any(THANKS.search(row["text"]) for row in said[-2:]))
        opening = next((row["text"] for row in talk if row["sender_kind"] == "customer"), "")
        if COMPLAINT.search(opening) and is_asking(talk[0]) and (turn := first_turn(talk)):
            apology[turn[0]].append(any(APOLOGY.search(row["text"]) for row in speakers(talk)[turn[0]]))
    for name, found in (("greeting", greeting), ("address", address), ("farewell", farewell)):
        assert_planted(month, name, found)
    for agent, realised in month["realised"].items():
        assert (sum(greeting[agent]), sum(address[agent])) == (realised["greeting"], realised["address"])
    assert_planted(month, "apology", {agent: hits for agent, hits in apology.items() if len(hits) >= 10})


def test_forbidden_sentences(month):
    book = texts.load()
    planted = {w[0] for phrases in book.forbidden.values() for _, both in phrases for some in both for w in some}
    found, sentences = defaultdict(list), Counter()
    for talk in month["talks"]:
        for agent, said in speakers(talk).items():
            hits = sum(row["text"] in planted for row in said)
            sentences[agent] += hits
            found[agent].append(hits > 0)
    assert_planted(month, "forbidden", found)
    for agent, realised in month["realised"].items():
        assert sentences[agent] == realised["forbidden_sentences"] == sum(realised["phrases"].values())
        assert sum(found[agent]) == realised["forbidden_conversations"]


def test_red_lines_are_a_couple_a_month(month):
    said = [row["text"] for talk in month["talks"] for row in talk if row["sender_kind"] == "agent"]
    assert sum(bool(re.search("加V信|加我微信|返现", text)) for text in said) == 3


def test_conversion(month):
    credits = credited(month["orders"], month["talks"])
    bought, asked = defaultdict(list), {}
    for order in month["orders"]:
        bought[order["customer"]].append(order)
    answered = defaultdict(set)
    for row in (row for talk in month["talks"] for row in talk):
        day = row["customer"], row["sent_at"].date()
        if is_asking(row):
            asked.setdefault(day, row["sent_at"])
        elif is_effective(row):
            answered[day].add(row["agent"])
    found = defaultdict(list)
    for (customer, day), at in asked.items():
        if day > datetime(2026, 9, 26).date() or any(at - 30 * DAY <= o["created_at"] < at for o in bought[customer]):
            continue
        end = datetime.combine(day, datetime.min.time()) + 4 * DAY
        paid = [o for o in bought[customer] if o["created_at"] > at and o["paid_at"] and o["paid_at"] < end]
        for agent in answered[customer, day]:
            found[agent].append(any(credits[o["order_id"]] == ("consulted", agent) for o in paid))
    assert_planted(month, "conversion", found)
    for agent, realised in month["realised"].items():
        gap = realised["mature_inquiries"] - len(found[agent])
        assert -0.01 * len(found[agent]) <= gap <= realised["returning_inquiries"] + 0.01 * len(found[agent]) + 1


def test_every_order_is_credited_as_planted(month):
    fen, orders = Counter(), Counter()
    for order in month["orders"]:
        if order["paid_at"]:
            kind, agent = credited_once(month)[order["order_id"]]
            fen[kind, agent] += round(float(order["paid"]) * 100)
            orders[kind] += 1
    shop = month["truth"]["shop_truth"]
    assert {kind: orders[kind] for kind in ("consulted", "reminded", "silent")} == {
        kind: shop[f"{kind}_orders"] for kind in ("consulted", "reminded", "silent")
    }
    assert sum(fen.values()) == shop["sales_fen"] and fen["silent", None] == shop["silent_fen"]
    for agent, realised in month["realised"].items():
        assert fen["consulted", agent] == realised["consulted_fen"]
        assert fen["reminded", agent] == realised["reminded_fen"]


def credited_once(month):
    if "credits" not in month:
        month["credits"] = credited(month["orders"], month["talks"])
    return month["credits"]


def test_shop_figures(month):
    shop, orders = month["truth"]["shop_truth"], month["orders"]
    paid = [order for order in orders if order["paid_at"]]
    buyers = {order["customer"] for order in paid}
    assert (len(orders), len(paid), len(buyers)) == (shop["orders"], shop["paid_orders"], shop["buyers"])
    assert len(buyers) < len(paid)
    assert sum(round(float(order["refunded"]) * 100) for order in orders) == shop["refunded_fen"] > 0
    assert sum(map(len, month["talks"])) == shop["messages"]
    assert shop["sales_per_buyer_fen"] == round(shop["sales_fen"] / len(buyers), 2)


def test_ratings(month):
    last = {talk[0]["conversation_id"]: [r["agent"] for r in talk if is_effective(r)][-1:] for talk in month["talks"]}
    rated, invited = defaultdict(list), Counter()
    for rating in month["ratings"]:
        agent = rating["agent"] or last[rating["conversation_id"]][0]
        invited[agent] += 1
        if rating["stars"]:
            rated[agent].append(int(rating["stars"]) >= 4)
    assert_planted(month, "satisfied", rated)
    for agent, realised in month["realised"].items():
        assert (invited[agent], len(rated[agent]), sum(rated[agent])) == (
            realised["invited"],
            realised["rated"],
            realised["satisfied"],
        )


# -- the texts ----------------------------------------------------------------------------------------------------


def answers(book):
    steps = [step for some in book.scenarios.values() for scene in some for step in scene.steps]
    steps += [step for some in book.more.values() for step in some]
    lines = [step.answers for step in steps]
    other = ("order_placed", "reminded", "reminder", "takeover", "handover", "shrug")
    return [*lines, *(book.agent[name] for name in other)]


def test_ordinary_answers_hold_no_planted_thing():
    for both in answers(texts.load()):
        for bubble in (bubble for some in both for wording in some for bubble in wording):
            for wrong in (FORBIDDEN, GREETING, THANKS, APOLOGY, ABSOLUTE):
                assert not wrong.search(bubble), bubble
        assert not any(re.search("[您亲]", bubble) for wording in both[0] for bubble in wording)


def test_planted_lines_are_what_they_claim():
    book = texts.load()
    for name, what in (("greeting", GREETING), ("apology", APOLOGY), ("handover_farewell", THANKS)):
        assert all(what.search(wording[0]) for some in book.agent[name] for wording in some), name
    for phase in ("pre", "mid", "after"):
        assert all(THANKS.search(w[0]) for some in book.agent[f"farewell_{phase}"] for w in some), phase
    for both in (both for phrases in book.forbidden.values() for _, both in phrases):
        for line in (wording[0] for some in both for wording in some):
            assert FORBIDDEN.search(line) and not any(rule.search(line) for rule in (GREETING, THANKS, APOLOGY)), line
    for name in ("reminder", "takeover"):
        assert all(re.search("[您亲]", "".join(wording)) for wording in book.agent[name][1])
    for line in (w[0] for phase in ("pre", "after") for some in book.agent[f"near_miss_{phase}"] for w in some):
        assert not any(rule.search(line) for rule in (GREETING, THANKS, APOLOGY)), line


def test_texts_are_plentiful(month):
    said = [row["text"] for talk in month["talks"] for row in talk]
    assert len(set(said)) / len(said) > 0.4
    scenes = {scene.id: scene for some in texts.load().scenarios.values() for scene in some}
    assert len(scenes) >= 35
    assert all(len(step.asks) >= 3 and len(step.answers[1]) >= 3 for scene in scenes.values() for step in scene.steps)


def test_the_truth_says_what_it_means(month):
    truth = json.loads((data_dir() / "sample" / "truth.json").read_text(encoding="utf-8"))
    named = set(month["truth"]["meaning"])
    for agent in truth["agents"]:
        assert set(agent["planted"]) - {"sigma", "late"} <= named
