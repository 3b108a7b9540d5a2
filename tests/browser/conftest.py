"""A browser, and a page with the widget on it that talks to the fake server of widgets/embed/dev."""

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.widget_page import EMBED, FakeServer, OpenPage, launcher

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    process = subprocess.Popen(
        ["node", "dev/fake-server.mjs", "--port", "0"], cwd=EMBED, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url.startswith("http://"), "the fake server did not start; run `npm ci` in widgets/embed"
    fake = FakeServer(url)
    fake.control(pace=5)
    yield fake
    process.terminate()
    process.wait(5)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser, server: FakeServer) -> Iterator[OpenPage]:
    """Opens the page; afterwards nothing may have thrown or been refused by the page's policy."""
    troubles: list[str] = []
    contexts = []

    def open_page(query: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1100, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console", lambda line: troubles.append(line.text) if "Security Policy" in line.text else None
        )
        page.goto(server.url + query)
        expect(launcher(page)).to_be_visible()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []
