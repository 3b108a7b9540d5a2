"""The benchmarks are there, say what they measure, and their table tells the truth. None of them is run here."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import suite, table
from benchmarks.fuzzing import Mutator
from benchmarks.returning import Recollection
from benchmarks.table import figure, not_run, ratio
from benchmarks.visitors import Broken, quantile

ROOT = Path(__file__).parents[1]
# What goals.md asks to be measured of what exists, and who measures it.
MEASURED_BY = {
    "chat": "chat, full path",
    "connections": "idle connections",
    "search": "search under row-level security",
    "retrieval": "retrieval and abstaining",
    "rest": "REST lists and the tenant context",
    "costs": "rollup, hard cap, intake",
    "start": "start",
}


@pytest.mark.parametrize("name", MEASURED_BY)
def test_every_goal_has_a_benchmark(name):
    module = importlib.import_module(suite.BENCHMARKS[name])
    assert MEASURED_BY[name] in module.TITLE
    assert callable(module.measure)


def test_no_benchmark_is_left_out_of_the_list_of_goals():
    assert set(suite.BENCHMARKS) == set(MEASURED_BY)


def test_the_list_is_printed_without_measuring():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--list", "--only", "chat,rest"],
        cwd=ROOT, capture_output=True, text=True, check=True, env={"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"},
    )  # fmt: skip
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["chat", "rest"]


def test_the_table_shows_what_falls_short_and_what_was_not_run():
    shown = table.render(
        [
            ratio("answers", 35, 50, "/s", 0.7, direction="at least"),
            ratio("list", 4.2, 1.0, "ms", 3, note="three statements"),
            figure("lost", 0, "of 512", 0),
            figure("memory", 24.6, "KB", reference=13.2),
            not_run("retrieval", "no data"),
        ]
    )
    lines = shown.splitlines()
    assert lines[0].split() == ["what", "ours", "reference", "ratio", "bar", "pass"]
    assert lines[2].split() == ["answers", "35", "/s", "50", "/s", "0.7", ">=", "0.7", "yes"]
    assert "NO   (three statements)" in lines[3]
    assert lines[4].endswith("yes")
    assert lines[5].split()[-1] == "-"
    assert lines[6].split() == ["retrieval", "not", "run:", "no", "data"]


def test_the_verdict_counts_bars_and_not_figures():
    rows = [figure("a", 1, "", 2), figure("b", 3, "", 2), figure("c", 3, ""), not_run("d", "no data")]
    assert table.verdict(rows) == "1 of 2 bars met, 1 not run"


def test_nothing_measured_passes_nothing():
    assert not_run("x", "no data").passed is None
    assert ratio("x", 1, 0, "ms", 3).passed is None


def test_what_stops_a_benchmark_becomes_its_row(monkeypatch):
    monkeypatch.setitem(suite.BENCHMARKS, "missing", "benchmarks.there_is_no_such_module")
    (row,) = suite.run("missing", full=False)
    assert row.reason.startswith("ModuleNotFoundError")
    json.dumps(row.as_json())


def test_the_same_seed_makes_the_same_mutations():
    first, second = Mutator(7), Mutator(7)
    frames = [first.frame() for _ in range(200)]
    assert frames == [second.frame() for _ in range(200)]
    assert len({payload for payload, _ in frames}) > 100


def test_a_returned_visitor_notices_a_gap_and_a_double():
    def message(seq: int, role: str, content: str, identifier: str) -> dict[str, object]:
        return {"seq": seq, "role": role, "content": content, "id": identifier, "client_id": identifier}

    known = Recollection()
    known.take(
        {
            "type": "history",
            "messages": [message(1, "user", "?", "q")],
            "complete": True,
            "partial": {"message_id": "a", "text": "It "},
        }
    )
    known.take({"type": "delta", "message_id": "a", "offset": 3, "text": "is"})
    with pytest.raises(Broken, match="a piece at 9"):
        known.take({"type": "delta", "message_id": "a", "offset": 9, "text": "lost"})
    with pytest.raises(Broken, match="told 'It is', stored"):
        known.take({"type": "message", "message": message(2, "assistant", "It was", "a")})
    assert known.answer_to("q") is None
    known.take({"type": "message", "message": message(2, "assistant", "It is", "a")})
    assert known.answer_to("q") == message(2, "assistant", "It is", "a")
    with pytest.raises(Broken, match="twice"):
        known.take({"type": "message", "message": message(2, "assistant", "It is", "a")})
    known.messages[4] = message(4, "user", "?", "later")
    with pytest.raises(Broken, match=r"the seq are \[1, 2, 4\]"):
        known.check_complete()


def test_quantiles():
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([1.0], 0.95) == 1.0
    assert quantile([], 0.5) == 0.0
