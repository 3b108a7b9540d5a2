"""Restart, back off, give up, stop in order: with small real programs."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from config.forked import Step
from config.program import Program, process_started
from config.supervisor import Stopped, Supervisor, pause_after

# Ten seconds of the supervisor's time pass in each real one.
HURRY = 10


def clock() -> float:
    return time.monotonic() * HURRY


def shell(name: str, script: str, **options) -> Program:
    return Program(name, ("/bin/sh", "-c", script), **options)


class Said:
    """What the supervisor printed."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for who, line in self.lines if who == name]

    def wait_for(self, supervisor: Supervisor, name: str, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + 10
        while sum(text in line for line in self.of(name)) < times:
            assert time.monotonic() < deadline, self.lines
            supervisor.tick(0.05)


@pytest.fixture
def said() -> Said:
    return Said()


def test_pauses_double_up_to_a_limit():
    assert [pause_after(deaths) for deaths in range(1, 8)] == [0.5, 1, 2, 4, 8, 15, 15]


def test_output_is_prefixed_line_by_line_whatever_its_shape(said):
    with Supervisor(said) as supervisor:
        supervisor.start(shell("web", r"printf 'one\n\ntw'; sleep 0.1; printf 'o\nd\377bad\nlast'; sleep 60"))
        said.wait_for(supervisor, "web", "bad")
    assert said.of("web")[1:] == ["one", "two", "d\N{REPLACEMENT CHARACTER}bad", "last"]


def test_a_dead_child_is_started_again_after_a_pause(said):
    with Supervisor(said, clock=clock) as supervisor:
        supervisor.start(shell("worker", "echo up; sleep 0.05; exit 3"))
        said.wait_for(supervisor, "worker", "up", times=3)
    assert said.of("worker")[0].startswith("started, pid ")
    assert "ended with status 3; it is started again in 0.5 s" in said.of("worker")
    assert "ended with status 3; it is started again in 1 s" in said.of("worker")
    assert any(line.startswith("started again, pid ") for line in said.of("worker"))


def test_a_killed_child_is_started_again(said):
    with Supervisor(said, clock=clock) as supervisor:
        process = supervisor.start(shell("web", "echo up; exec sleep 60"))
        said.wait_for(supervisor, "web", "up")
        os.kill(process.pid, signal.SIGKILL)
        said.wait_for(supervisor, "web", "up", times=2)
    assert "was ended by SIGKILL; it is started again in 0.5 s" in said.of("web")


def test_five_deaths_within_a_minute_stop_everything_with_the_reason_and_the_last_lines(said):
    with Supervisor(said, clock=clock) as supervisor:
        other = supervisor.start(shell("web", "exec sleep 60"))
        supervisor.start(shell("worker", "echo no such module: nonsense; exit 1"))
        with pytest.raises(Stopped) as stopped:
            supervisor.run()
    assert stopped.value.status == 1
    reason = str(stopped.value)
    assert reason.startswith("worker died 5 times within a minute (the last time it ended with status 1)")
    assert "no such module: nonsense" in reason
    assert said.of("worker").count("no such module: nonsense") == 5
    assert other.poll() is not None


def test_deaths_further_apart_than_a_minute_are_forgiven(said):
    # 30 s of the supervisor's time each: at most two or three deaths fall into one minute.
    with Supervisor(said, clock=lambda: time.monotonic() * 300) as supervisor:
        supervisor.start(shell("web", "sleep 0.1; exit 1"))
        said.wait_for(supervisor, "web", "started again", times=6)
    assert max(line.count("0.5 s") for line in said.of("web")) == 1


def test_a_child_takes_what_it_started_with_it(said, tmp_path):
    with Supervisor(said, clock=clock) as supervisor:
        supervisor.start(shell("worker", f"sleep 60 & echo $! >> {tmp_path}/pids; echo up; exit 1"))
        said.wait_for(supervisor, "worker", "up", times=2)
        first = int((tmp_path / "pids").read_text().splitlines()[0])
        assert process_started(first) is None


def test_children_stop_group_after_group(said, tmp_path):
    log = tmp_path / "order"

    def until_told(name: str) -> Program:
        return shell(
            name,
            f"trap 'sleep 0.1; echo {name} >> {log}; exit 0' TERM; echo up; while :; do sleep 0.02; done",
        )

    with Supervisor(said, stop_order=(("web", "beat"), ("worker",), ("redis",))) as supervisor:
        for name in ("redis", "worker", "beat", "web"):
            supervisor.start(until_told(name))
            said.wait_for(supervisor, name, "up")
    order = log.read_text().split()
    assert set(order[:2]) == {"web", "beat"}
    assert order[2:] == ["worker", "redis"]


def test_a_child_that_does_not_stop_in_time_is_killed(said):
    with Supervisor(said) as supervisor:
        process = supervisor.start(
            shell("worker", "trap '' TERM; echo up; while :; do sleep 0.05; done", stop_within=0.3)
        )
        said.wait_for(supervisor, "worker", "up")
        began = time.monotonic()
    assert 0.3 <= time.monotonic() - began < 5
    assert process.poll() == -signal.SIGKILL
    assert "did not stop in time and is killed" in said.of("worker")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_at_once_and_leaves_the_handlers_as_they_were(said, number):
    before = signal.getsignal(number)
    with Supervisor(said) as supervisor:
        supervisor.start(shell("web", "exec sleep 60"))
        supervisor.start_once(shell("signaller", f"sleep 0.1; kill -{int(number)} {os.getpid()}"))
        began = time.monotonic()
        with pytest.raises(Stopped) as stopped:
            supervisor.run()
    assert stopped.value.status == 0
    assert time.monotonic() - began < 3
    assert signal.getsignal(number) is before


def test_a_step_runs_to_its_end_in_a_copy_of_this_process(said):
    seen: list[int] = []

    def step() -> None:
        seen.append(1)
        print("from the copy", os.getpid())

    with Supervisor(said) as supervisor:
        supervisor.run_to_end(Step("prepare", step))
    assert seen == []
    assert len(said.of("prepare")) == 1
    assert said.of("prepare")[0] != f"from the copy {os.getpid()}"


def test_a_step_that_fails_ends_the_run_and_shows_why(said):
    def step() -> None:
        raise ValueError("the cluster is upside down")

    with pytest.raises(Stopped, match="prepare failed") as stopped, Supervisor(said) as supervisor:
        supervisor.run_to_end(Step("prepare", step))
    assert stopped.value.status == 1
    assert said.of("prepare")[-1] == "ValueError: the cluster is upside down"


def test_a_step_that_exits_keeps_its_status(said):
    with (
        pytest.raises(Stopped, match=r"prepare failed \(ended with status 2\)"),
        Supervisor(said) as supervisor,
    ):
        supervisor.run_to_end(Step("prepare", lambda: sys.exit(2)))


def test_whoever_watches_is_told_which_processes_run(said):
    told: list[dict[str, int]] = []
    with Supervisor(said, on_change=told.append) as supervisor:
        process = supervisor.start(shell("web", "exec sleep 60"))
    assert told[0] == {"web": process.pid}
    assert told[-1] == {}


def test_children_do_not_outlive_a_supervisor_that_is_killed(tmp_path):
    script = textwrap.dedent(
        """
        import sys
        from config.program import Program
        from config.supervisor import Supervisor
        with Supervisor(lambda name, line: print(name, line, flush=True)) as supervisor:
            for name in ("web", "worker"):
                supervisor.start(Program(name, ("/bin/sleep", "600")))
            print("running", flush=True)
            supervisor.run()
        """
    )
    run = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONPATH=python_path()),
    )
    assert run.stdout is not None
    children = []
    for line in run.stdout:
        if line.strip() == "running":
            break
        children.append(int(line.split()[-1]))
    assert len(children) == 2
    run.kill()
    run.wait()
    deadline = time.monotonic() + 5
    while any(process_started(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def python_path() -> str:
    root = Path(__file__).resolve().parents[2]
    return os.pathsep.join([str(root), str(root / "platform")])
