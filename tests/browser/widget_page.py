"""The widget on a page, as a test talks to it: the fake server's troubles, the parts of the panel, axe-core."""

import json
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

EMBED = Path(__file__).resolve().parents[2] / "widgets" / "embed"
SHOTS = os.environ.get("FRONTDESK_SHOTS")

OpenPage = Callable[..., Page]


class FakeServer:
    """The fake server's address, and the trouble one can ask it for."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, **trouble: object) -> dict[str, Any]:
        body = json.dumps(trouble).encode()
        request = urllib.request.Request(f"{self.url}control", data=body, method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            told: dict[str, Any] = json.load(answer)
        return told


def launcher(page: Page) -> Locator:
    return page.locator("frontdesk-widget .launcher")


def panel(page: Page) -> Locator:
    return page.get_by_role("dialog")


def box(page: Page) -> Locator:
    return page.locator("frontdesk-widget textarea")


def answers(page: Page) -> Locator:
    return page.locator("frontdesk-widget .theirs")


def start(page: Page) -> None:
    launcher(page).click()
    expect(panel(page)).to_be_visible()
    expect(page.locator("frontdesk-widget .starter").first).to_be_visible()


def ask(page: Page, question: str, *, settle: bool = True) -> None:
    finished = page.get_by_role("button", name="Copy answer")
    before = finished.count()
    box(page).fill(question)
    box(page).press("Enter")
    expect(page.locator("frontdesk-widget .mine").last).to_contain_text(question)
    if settle:
        expect(finished).to_have_count(before + 1, timeout=20_000)


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.wait_for_timeout(300)
        page.screenshot(path=f"{SHOTS}/{name}.png")


AXE = EMBED / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page) -> list[str]:
    """Rules of axe-core that the page breaks, with where. The page's own policy forbids adding a script."""
    page.evaluate(AXE.read_text() + "; 0")
    # What is still fading in has less contrast than it will have: judged is what a reader is left with.
    page.evaluate(
        """() => {
            for (const running of document.querySelector('frontdesk-widget').shadowRoot.getAnimations())
                try { running.finish(); } catch { running.cancel(); }
        }"""
    )
    found = page.evaluate("axe.run({include: ['frontdesk-widget']})")
    return [f"{v['id']}: {[n['target'] for n in v['nodes']]}" for v in found["violations"]]
