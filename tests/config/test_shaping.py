"""Lines of all programs under `up` in one shape."""

import json

import pytest

from config.shaping import PostgresLog, reporter, shaped

ERROR = '2026-11-21 06:09:07.095 UTC [6993] frontdesk_app ERROR:  duplicate key value violates "users_email"'
DETAIL = "2026-11-21 06:09:07.095 UTC [6993] frontdesk_app DETAIL:  Key (email)=(a@b.c) already exists."
PANIC = "2026-11-21 06:09:07.095 UTC [1]  PANIC:  could not write to file"
LOG = "2026-11-21 06:09:07.034 UTC [6976]  LOG:  starting PostgreSQL 18.4"


def test_our_own_lines_keep_their_fields_and_get_their_programs_name():
    line = json.dumps(
        {"timestamp": "t", "level": "error", "process": "command", "event": "it failed", "x": 1}
    )
    assert shaped("prepare", line) == {
        "timestamp": "t", "level": "error", "process": "prepare", "event": "it failed", "x": 1,
    }  # fmt: skip


@pytest.mark.parametrize("line", ["plain text", "{not json", '{"json": "of somebody else"}', '["list"]'])
def test_any_other_line_becomes_an_event(line):
    found = shaped("web", line)
    assert (found["event"], found["process"], found["level"]) == (line, "web", "info")


def test_other_programs_lines_are_redacted_but_for_the_demos_login():
    line = "API key fd_sk_" + "a" * 40
    assert "fd_sk_aaaa" not in shaped("web", line)["event"]
    assert shaped("ready", line)["event"] == line


def test_text_has_the_programs_name_before_each_line():
    lines = []
    reporter("text", lines.append)("web", "it works")
    assert lines[0].endswith(" web      | it works")
    reporter("json", lines.append)("web", "it works")
    assert json.loads(lines[1])["event"] == "it works"


@pytest.mark.parametrize(("form", "events"), [("json", 3), ("text", 1)])
def test_postgresql_is_followed(tmp_path, form, events):
    file = tmp_path / "postgres.log"
    file.write_text(f"{LOG}\nof an earlier start\n")
    said = []
    log = PostgresLog(file, lambda name, line: said.append((name, line)), form)
    log.follow()
    assert said == []
    with file.open("a") as more:
        more.write(f"{LOG}\n{ERROR}\n{DETAIL}\n\tcontinued\n{PANIC[:30]}")
    log.follow()
    with file.open("a") as more:
        more.write(f"{PANIC[30:]}\n")
    log.follow()
    assert len(said) == events
    assert not any("a@b.c" in line for _, line in said)
    assert {name for name, _ in said} == {"postgres"}
    if form == "json":
        found = [json.loads(line) for _, line in said]
        assert [line["level"] for line in found] == ["info", "error", "critical"]
        assert found[1] == {
            "timestamp": "2026-11-21T06:09:07.095Z", "level": "error", "process": "postgres", "logger": "output",
            "event": 'duplicate key value violates "users_email"', "pid": 6993, "role": "frontdesk_app",
        }  # fmt: skip


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path):
    said = []
    log = PostgresLog(tmp_path / "postgres.log", lambda name, line: said.append(line), "json")
    log.follow()
    (tmp_path / "postgres.log").write_text(f"{LOG}\n")
    log.follow()
    assert len(said) == 1
