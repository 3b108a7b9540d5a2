"""Clients that anybody can generate from the OpenAPI document: made, type-checked and used over real HTTP.

They are not committed: what is tested is that the document makes good ones.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.build

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
BESIDE = Path(sys.executable).parent


def run(*command, cwd, **environment):
    path = f"{BESIDE}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def came_of(told, expected_listed):
    """What both stories must have come to."""
    assert told["document"] == "ready"
    assert "two years" in told["answer"]
    assert told["cited"]
    assert "two years" in told["said"]
    assert told["session_listed"]
    assert told["sessions"] == expected_listed
    assert told["cost_usd"] is not None
    assert told["refused"] == [400, "invalid", "cursor"]
    assert told["missing"] == [404, "not_found"]


@pytest.fixture(scope="module")
def spoken(copy, acme, bolt):
    """A conversation of bolt's, which no client of acme's may list."""
    import urllib.request

    request = urllib.request.Request(
        f"{copy.url}/api/v1/sessions/",
        b"{}",
        {"Authorization": f"Bearer {bolt.api_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 201


def test_python(copy, acme, spoken, openapi_file, tmp_path):
    package = tmp_path / "frontdesk_client"
    run("openapi-python-client", "generate", "--path", str(openapi_file), "--output-path", str(package),
        "--meta", "none", "--fail-on-warning", cwd=tmp_path)  # fmt: skip
    told = run(
        sys.executable,
        str(HERE / "story.py"),
        cwd=tmp_path,
        PYTHONPATH=str(tmp_path),
        FRONTDESK_URL=copy.url,
        FRONTDESK_KEY=acme.api_key,
    )
    came_of(json.loads(told), expected_listed=1)


def test_typescript(copy, acme, spoken, openapi_file, tmp_path):
    assert MODULES.exists(), "npm ci has not run in tests/clients: .ci/prepare does"
    (tmp_path / "node_modules").symlink_to(MODULES)
    for name in ("story.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / name, tmp_path)
    tools = MODULES / ".bin"
    # What has a default need not be sent.
    run(str(tools / "openapi-typescript"), str(openapi_file), "--output", "api.d.ts",
        "--default-non-nullable", "false", cwd=tmp_path)  # fmt: skip
    run(str(tools / "tsc"), "--project", "tsconfig.json", cwd=tmp_path)
    told = run("node", "story.js", cwd=tmp_path, FRONTDESK_URL=copy.url, FRONTDESK_KEY=acme.api_key)
    came_of(json.loads(told), expected_listed=2)


def test_no_lock_names_a_registry():
    assert "resolved" not in (HERE / "package-lock.json").read_text()
