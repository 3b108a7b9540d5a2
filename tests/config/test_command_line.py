"""The start as a newcomer or an operator meets it: in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from config import embedded, env
from config.launch import OWNERS_SETTINGS, listen, programs
from config.readers import ConfigurationError
from tests.config.places import CHECKOUT, environment, short_directory


def manage(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=CHECKOUT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_platform_is_a_shelf_and_no_package():
    # With an __init__.py it would shadow the standard library's platform for manage.py, and pytest would not notice.
    assert not (CHECKOUT / "platform" / "__init__.py").exists()


def test_manage_py_works_in_a_process_of_its_own(tmp_path):
    done = manage("check", FRONTDESK_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"PORT": "abc"}, "PORT is 'abc': it must be a whole number from 1 to 65535."),
        ({"HOST": "1.2.3.4"}, "HOST is '1.2.3.4': it must be an address of this machine."),
        ({"RATE_LIMITS": "no"}, "RATE_LIMITS is 'no': it must be one of off, on."),
        ({"DATABASE_URL": "postgresql://a@h/d"}, "DATABASE_OWNER_URL is not set: where DATABASE_URL is, "),
        ({"FRONTDESK_HOME": "/tmp/" + "x" * 100}, "FRONTDESK_HOME is '/tmp/xxx"),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_status_2(tmp_path, given, sentence):
    done = manage("up", **{"FRONTDESK_HOME": str(tmp_path), **given})
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


def test_web_refuses_a_wrong_setting_with_the_same_sentence(tmp_path):
    for settings, sentence in (
        ({"TRUSTED_PROXIES": "nonsense"}, "TRUSTED_PROXIES names 'nonsense': "),
        ({"RATE_LIMITS": "no"}, "RATE_LIMITS is 'no': "),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "config.web"],
            env=environment(FRONTDESK_HOME=str(tmp_path), PORT=str(free_port()), **settings),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.startswith(sentence)
        assert "Traceback" not in done.stderr


def test_a_taken_port_is_named_before_anything_is_started():
    with short_directory() as home, listen("127.0.0.1", free_port()) as taken:
        port = taken.getsockname()[1]
        done = manage("up", FRONTDESK_HOME=str(home), PORT=str(port))
        assert done.returncode == 2
        assert done.stderr == (
            f"PORT is {port}: another program listens on 127.0.0.1:{port}; stop it or set PORT to a free port.\n"
        )
        assert not (home / "pg").exists()


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "x" * 70])
def test_a_host_that_is_not_this_machine_is_named(host):
    with pytest.raises(ConfigurationError, match="HOST is "):
        listen(host, free_port())


def test_only_maintain_gets_the_owners_url(monkeypatch, tmp_path):
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_SUPERUSER_URL", "postgresql://postgres:hunter2@h/d")
    found = {program.name: program.environment or {} for program in programs(tmp_path, 7)}
    assert list(found) == ["web", "worker", "beat", "maintain"]
    for name, given in found.items():
        assert given["DATABASE_URL"] == env.embedded_postgres_url(tmp_path, "frontdesk_app")
        owners = {setting for setting in OWNERS_SETTINGS if setting in given}
        assert owners == ({"DATABASE_OWNER_URL"} if name == "maintain" else set())


def test_bootstrap_says_what_it_needs(tmp_path):
    home = {"FRONTDESK_HOME": str(tmp_path)}
    done = manage("bootstrap", **home)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "DATABASE_SUPERUSER_URL is not set")
    superuser = {"DATABASE_SUPERUSER_URL": "postgresql://postgres@h/postgres"}
    done = manage("bootstrap", **home, **superuser)
    assert done.stderr.startswith("DATABASE_URL and DATABASE_OWNER_URL must both be set")
    urls = {"DATABASE_URL": "postgresql://a@h/one", "DATABASE_OWNER_URL": "postgresql://o@h/two"}
    done = manage("bootstrap", **home, **superuser, **urls)
    assert done.stderr.startswith("DATABASE_URL and DATABASE_OWNER_URL name two databases")


def test_an_operators_own_postgresql_is_prepared_and_migrated():
    with short_directory() as home:
        superuser = embedded.start_postgres(home, durable=False)
        try:
            settings = {
                "FRONTDESK_HOME": str(home),
                "DATABASE_SUPERUSER_URL": superuser,
                "DATABASE_URL": env.embedded_postgres_url(home, "shop_app", "shop"),
                "DATABASE_OWNER_URL": env.embedded_postgres_url(home, "shop_owner", "shop"),
            }
            for _ in range(2):
                done = manage("bootstrap", **settings)
                assert done.returncode == 0, done.stderr
                assert done.stdout == "Database shop is ready: now run manage.py migrate_schemas.\n"
            done = manage("migrate_schemas", "--verbosity", "0", **settings)
            assert done.returncode == 0, done.stderr
        finally:
            embedded.stop_postgres(home)


class Running:
    """A `manage.py up` of the test's own."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port
        self.printed = home.with_suffix(".log")
        with self.printed.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=CHECKOUT,
                env=environment(
                    FRONTDESK_HOME=str(home),
                    PORT=str(port),
                    FRONTDESK_DEMO="0",
                    EMBEDDING_MODEL="hashing",
                    LOG_FORMAT="text",
                ),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.printed.read_text()

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 60
        while text not in self.output():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)

    def child(self, name: str) -> int:
        """The pid of the child's latest life."""
        lines = [line for line in self.output().splitlines() if f" {name} " in line and "started" in line]
        return int(lines[-1].split()[-1])

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


def test_up_starts_recovers_and_stops():
    with short_directory() as home:
        up = Running(home, free_port())
        try:
            up.wait_for("Frontdesk is ready")
            status, body = up.get("/readyz")
            assert status == 200, body
            assert up.get("/healthz") == (200, b"ok")

            second = manage("up", FRONTDESK_HOME=str(home), PORT=str(free_port()))
            assert second.returncode == 2
            assert second.stderr.startswith(f"Another Frontdesk runs on this state (pid {up.process.pid})")

            # A request that comes while the web process is dead waits for its successor.
            os.kill(up.child("web"), signal.SIGKILL)
            assert up.get("/healthz") == (200, b"ok")
            assert "was ended by SIGKILL; it is started again in 0.5 s" in up.output()

            # Kill everything at once, as the out-of-memory killer might; the next start finds its way.
            children = [up.child(name) for name in ("postgres", "redis", "web", "worker", "beat", "maintain")]
            for victim in (up.process.pid, *children):
                os.kill(victim, signal.SIGKILL)
            up.process.wait()
            up = Running(home, up.port)
            up.wait_for("Frontdesk is ready")

            # Kill the supervisor alone; its children notice, and the next start stops whoever does not.
            os.kill(up.process.pid, signal.SIGKILL)
            up.process.wait()
            up = Running(home, up.port)
            up.wait_for("Frontdesk is ready")
            assert up.get("/readyz")[0] == 200

            os.kill(up.process.pid, signal.SIGINT)
            assert up.process.wait(30) == 0
            assert up.output().endswith("up       | stopped\n")
            assert not (home / "pg" / "postmaster.pid").exists()
        finally:
            up.process.send_signal(signal.SIGTERM)
            up.process.wait(30)
            up.printed.unlink()
