"""A newcomer's walk, timed: from a clean clone to the first answer from a document of their own.

`python -m benchmarks.newcomer` clones this repository, runs `make up` there as the README says, then teaches it one
document in the admin and one through the API, and asks about each: in the widget on the demo page, and by curl's
request. Prints the seconds after each step. Downloads what the lock files name, so it is no part of `make bench`.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import expect, sync_playwright

from benchmarks.installation import INHERITED, ROOT, free_port
from config.program import dying_with_parent

CHROMIUM: Final = {
    "executable_path": "/usr/bin/chromium",
    "args": [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
    ],
}
READY_S: Final = 600.0
ANSWER_MS: Final = 30_000
BY_HAND: Final = (
    "Garden gate",
    "# Garden gate\n\nThe garden gate opens with the brass key number 41. Please lock it at ten.",
)
BY_PROGRAM: Final = (
    "Roof terrace",
    "# Roof terrace\n\nThe roof terrace is closed from November to March because of ice.",
)


class Walk:
    """Says what has been reached after how many seconds."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def reached(self, what: str) -> None:
        print(f"{time.monotonic() - self.began:7.1f} s  {what}", flush=True)


def main() -> int:
    """Walk, in a directory that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="fdn-") as directory:
        walk = Walk()
        clone = Path(directory) / "frontdesk"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        walk.reached("cloned")
        with _up(clone) as url:
            _await(lambda: _request(f"{url}/readyz")["status"] == "ok", READY_S)
            walk.reached("`make up` is ready")
            tenant = _demo_tenant(clone, url)
            _by_the_admin(url, tenant, walk)
            _by_the_api(url, tenant, walk)
    return 0


def _by_the_admin(url: str, tenant: dict[str, str], walk: Walk) -> None:
    title, content = BY_HAND
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(**CHROMIUM).new_page()
        page.goto(f"{url}/admin/")
        page.get_by_label("Email").fill(tenant["email"])
        page.get_by_label("Password").fill(tenant["password"])
        page.keyboard.press("Enter")
        page.wait_for_url(f"{url}/admin/")
        page.goto(f"{url}/admin/knowledge/document/add/")
        page.locator("[name=title]").fill(title)
        page.locator("[name=content]").fill(content)
        page.locator("[name=_save]").first.click()
        walk.reached("a document of one's own is saved in the admin")
        key = tenant["api_key"]
        _await(lambda: _status(url, key, title) == "ready", 60)
        page.goto(f"{url}/demo/")
        page.locator("button[aria-haspopup], button[aria-expanded]").first.click()
        box = page.get_by_role("textbox")
        box.fill("Which key opens the garden gate?")
        box.press("Enter")
        expect(page.get_by_text("brass key number 41").first).to_be_visible(timeout=ANSWER_MS)
        expect(page.get_by_text(title).first).to_be_visible(timeout=ANSWER_MS)
        walk.reached("the widget answers from it and names it")


def _by_the_api(url: str, tenant: dict[str, str], walk: Walk) -> None:
    (title, content), key = BY_PROGRAM, tenant["api_key"]
    _request(f"{url}/api/v1/documents/", key, {"title": title, "content": content})
    walk.reached("a document of one's own is sent through the API")
    _await(lambda: _status(url, key, title) == "ready", 60)
    answer = _request(f"{url}/api/v1/answers/", key, {"question": "When is the roof terrace closed?"})
    assert "November to March" in answer["answer"], answer
    assert answer["citations"][0]["title"] == title, answer
    walk.reached("the API answers from it and names it")


@contextlib.contextmanager
def _up(clone: Path) -> Iterator[str]:
    port = free_port()
    environment = {
        name: os.environ[name] for name in INHERITED if name in os.environ and name != "VIRTUAL_ENV"
    }
    process = subprocess.Popen(
        ["make", "up"],
        cwd=clone,
        env=environment | {"PORT": str(port)},
        stdout=(clone / "up.log").open("wb"),
        stderr=subprocess.STDOUT,
        preexec_fn=dying_with_parent(signal.SIGTERM),
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _demo_tenant(clone: Path, url: str) -> dict[str, str]:
    shown = subprocess.run(
        [clone / ".venv/bin/python", "manage.py", "demo", "--show", "--json"],
        cwd=clone,
        env={"PATH": os.environ["PATH"], "PORT": url.rpartition(":")[2]},
        capture_output=True,
        check=True,
    )
    tenant: dict[str, str] = json.loads(shown.stdout)["tenants"][0]
    return tenant


def _status(url: str, key: str, title: str) -> str:
    documents = _request(f"{url}/api/v1/documents/?limit=5", key)["results"]
    return next((str(one["status"]) for one in documents if one["title"] == title), "unknown")


def _request(url: str, key: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"} if key else {},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def _await(happens: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, OSError):
            if happens():
                return
        time.sleep(0.2)
    raise TimeoutError(f"not so after {seconds:g} s")


if __name__ == "__main__":
    sys.exit(main())
