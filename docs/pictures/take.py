"""`make pictures`: the README's pictures, taken from a fresh demo with a real browser.

Needs Chromium. Starts a private copy of the product, has a conversation as a visitor, signs in as Acme's owner.
"""

import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.installation import Installation, installed
from config.demo.credentials import kept

FOLDER: Final = Path(__file__).resolve().parent
CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]
QUESTION: Final = "What is your return policy?"


def main() -> int:
    """Take every picture anew."""
    with installed(FRONTDESK_DEMO="1") as copy, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        _widget(browser, copy)
        _admin(browser, copy)
        browser.close()
    return 0


def _widget(browser: Browser, copy: Installation) -> None:
    page = browser.new_page(viewport={"width": 1100, "height": 760}, reduced_motion="reduce")
    page.goto(f"{copy.url}/demo/")
    page.locator("button[aria-haspopup], button[aria-expanded]").first.click()
    box = page.get_by_role("textbox")
    box.fill(QUESTION)
    box.press("Enter")
    expect(page.get_by_text("Sources").last).to_be_visible(timeout=30_000)
    page.wait_for_timeout(800)
    _keep(page, "widget")


def _admin(browser: Browser, copy: Installation) -> None:
    shown = kept(copy.home)[0]
    for theme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=theme)
        page.goto(f"{copy.url}/admin/")
        page.get_by_label("Email").fill(shown["email"])
        page.get_by_label("Password").fill(shown["password"])
        page.keyboard.press("Enter")
        page.wait_for_url(f"{copy.url}/admin/")
        page.wait_for_timeout(800)
        _keep(page, f"admin-{theme}")


def _keep(page: Page, name: str) -> None:
    page.screenshot(path=FOLDER / f"{name}.png")
    print(f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
