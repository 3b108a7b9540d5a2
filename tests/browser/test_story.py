"""The one story, end to end: a newcomer opens the demo page, asks, and sees where the answer comes from."""

import re

import pytest
from playwright.sync_api import Page, expect

from benchmarks.installation import installed

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def copy():
    with installed(FRONTDESK_DEMO="1") as started:
        yield started


@pytest.fixture
def page(browser, copy):
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    troubles: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert troubles == []


def ask(page: Page, question: str) -> None:
    box = page.get_by_role("textbox")
    box.fill(question)
    box.press("Enter")


def test_a_question_is_answered_with_a_link_to_its_document(page, copy):
    page.goto(f"{copy.url}/demo/")
    page.locator("button[aria-haspopup], button[aria-expanded]").first.click()
    ask(page, "How do I set up my hub?")
    source = page.get_by_role("link", name=re.compile("Getting Started Guide")).first
    expect(source).to_be_visible(timeout=15_000)
    assert source.get_attribute("href") == f"{copy.url}/demo/acme/#getting-started-guide"
    ask(page, "Which dinosaur was the largest?")
    expect(page.get_by_text(re.compile("^I don't know"))).to_be_visible(timeout=15_000)
    page.reload()
    page.locator("button[aria-haspopup], button[aria-expanded]").first.click()
    expect(page.get_by_text("How do I set up my hub?").last).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Which dinosaur was the largest?")).to_be_visible()


def test_the_other_company_answers_from_its_own_documents_only(page, copy):
    page.goto(f"{copy.url}/demo/bolt/")
    page.locator("button[aria-haspopup], button[aria-expanded]").first.click()
    ask(page, "How do I unlock a scooter?")
    links = page.locator("a[href*='/demo/']").filter(has_not_text="Acme").filter(has_not_text="Bolt")
    expect(links.first).to_be_visible(timeout=15_000)
    cited = [
        link.get_attribute("href") for link in page.locator("[class*=source] a, [class*=citation] a").all()
    ]
    assert all("/demo/bolt/" in href for href in cited)


def test_behind_a_proxy_without_sockets_the_story_is_the_same(page, copy):
    page.add_init_script(
        "window.WebSocket = class { constructor() { setTimeout(() => this.onclose?.({code: 1006}), 5); }"
        " send() {} close() {} };"
    )
    page.goto(f"{copy.url}/demo/")
    page.locator("button[aria-haspopup], button[aria-expanded]").first.click()
    ask(page, "How do I set up my hub?")
    helpful = page.get_by_role("button", name="Helpful", exact=True)
    expect(helpful).to_be_visible(timeout=15_000)
    helpful.click()
    page.locator("frontdesk-widget .header").get_by_role("button", name="Talk to a person").click()
    expect(page.get_by_role("log").get_by_text("You asked for a person")).to_be_visible(timeout=15_000)
    page.reload()
    page.locator("button[aria-haspopup], button[aria-expanded]").first.click()
    expect(helpful).to_have_attribute("aria-pressed", "true")
