"""One Frontdesk per state directory, also after its predecessor was killed."""

import fcntl
import os
import signal
import subprocess
from pathlib import Path

import pytest

from config.readers import ConfigurationError
from config.state import ChildRecord, sole_use


def test_a_second_start_on_the_same_state_is_refused_with_the_pid_of_the_first(tmp_path):
    with (
        sole_use(tmp_path),
        pytest.raises(
            ConfigurationError, match=rf"Another Frontdesk runs on this state \(pid {os.getpid()}\)"
        ),
    ):
        sole_use(tmp_path).__enter__()
    with sole_use(tmp_path):
        pass


def test_a_lock_left_by_a_killed_process_is_no_obstacle(tmp_path):
    (tmp_path / "up.lock").write_text("1\n")  # a pid that runs
    with sole_use(tmp_path):
        assert (tmp_path / "up.lock").read_text() == f"{os.getpid()}\n"


def test_children_do_not_hold_the_lock(tmp_path):
    with sole_use(tmp_path):
        child = subprocess.Popen(
            ["/bin/sh", "-c", "echo up; exec sleep 60"], stdout=subprocess.PIPE, close_fds=False
        )
        assert child.stdout is not None
        child.stdout.readline()
    try:
        with (tmp_path / "up.lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        child.kill()
        child.wait()


def test_a_directory_that_cannot_be_written_is_named():
    with pytest.raises(
        ConfigurationError, match="FRONTDESK_HOME is '/proc/nowhere': it cannot be written to"
    ):
        sole_use(Path("/proc/nowhere")).__enter__()


def test_what_a_killed_supervisor_left_running_is_stopped(tmp_path):
    survivor = subprocess.Popen(["/bin/sleep", "60"])
    stubborn = subprocess.Popen(
        ["/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.02; done"], stdout=subprocess.PIPE
    )
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    record = ChildRecord(tmp_path)
    record.write({"web": survivor.pid, "worker": stubborn.pid, "beat": ended.pid})
    assert record.stop_survivors(within=0.2) == ["web", "worker"]
    assert survivor.wait() in (0, -signal.SIGTERM)
    stubborn.wait()
    assert record.stop_survivors() == []


def test_a_process_that_only_got_the_pid_is_left_alone(tmp_path):
    other = subprocess.Popen(["/bin/sleep", "60"])
    try:
        record = ChildRecord(tmp_path)
        record.write({"web": other.pid})
        file = tmp_path / "children.json"
        file.write_text(
            file.read_text().replace("/", "/1", 1)
        )  # another start time: an earlier process of that pid
        assert record.stop_survivors() == []
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("content", ["", "[[", '[["web", 1]]', "{}"])
def test_a_record_that_was_cut_short_is_no_obstacle(tmp_path, content):
    (tmp_path / "children.json").write_text(content)
    assert ChildRecord(tmp_path).stop_survivors() == []
