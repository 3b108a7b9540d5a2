"""Every page of the admin in a real browser: light and dark, wide and phone; and what its scripts do."""

import json
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from benchmarks.installation import ROOT, installed
from tests.browser.widget_page import AXE

pytestmark = pytest.mark.browser

LISTS = (
    "knowledge/document", "widgets/widget", "widgets/session", "widgets/message", "widgets/personality",
    "meetings/meeting", "billing/costevent", "billing/budget", "billing/modelprice", "tenants/user", "tenants/apikey",
    "tenants/webhookendpoint", "tenants/webhookdelivery", "tenants/export", "tenants/auditentry",
    "tenants/providerkey", "tenants/erasurereceipt", "tenants/invitation",
)  # fmt: skip
ADDED = (
    "knowledge/document",
    "widgets/widget",
    "widgets/personality",
    "billing/budget",
    "tenants/user",
    "tenants/apikey",
    "tenants/webhookendpoint",
    "tenants/export",
    "tenants/providerkey",
    "tenants/invitation",
)
OWN = ("", "?days=7", "costs/", "costs/?by=model&days=90", "search-bench/", "knowledge/document/upload/",
    "tenants/tenant/",
       "knowledge/document/?deleted=yes", "password_change/",
       "your/second-factor/", "your/sessions/", "your/email/")  # fmt: skip
EMPTY_IN_THE_DEMO = {
    "meetings/meeting", "billing/modelprice", "tenants/webhookendpoint", "tenants/webhookdelivery",
    "tenants/export", "tenants/providerkey", "tenants/erasurereceipt", "tenants/invitation",
}  # fmt: skip
SIZES = {"wide": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def copy():
    with installed(FRONTDESK_DEMO="1") as started:
        yield started


@pytest.fixture(scope="module")
def signed_in(browser, copy):
    """The cookies of the demo's owner."""
    shown = subprocess.run(
        [sys.executable, "manage.py", "demo", "--json"], cwd=ROOT, env=dict(copy.environment),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    owner = json.loads(shown.stdout)["tenants"][0]
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{copy.url}/admin/login/")
    page.fill("input[name=username]", owner["email"])
    page.fill("input[name=password]", owner["password"])
    page.click("button[type=submit]")
    page.wait_for_url("**/admin/")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def visit(browser, copy, signed_in):
    """visit(size, theme) → a page, signed in; afterwards nothing may have failed but `refused` requests."""
    troubles, contexts, expected = [], [], []

    def start(size="wide", theme="light", refused=0):
        expected.append(refused)
        width, height = SIZES[size]
        context = browser.new_context(
            storage_state=signed_in, viewport={"width": width, "height": height}, color_scheme=theme,
            base_url=f"{copy.url}/admin/",
        )  # fmt: skip
        contexts.append(context)
        context.add_init_script(f"localStorage.setItem('_x_adminTheme', JSON.stringify('{theme}'))")
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda line: troubles.append(f"{page.url}: {line.text}") if line.type == "error" else None,
        )
        page.on(
            "response", lambda got: troubles.append(f"{got.status} {got.url}") if got.status >= 400 else None
        )
        return page

    yield start
    for context in contexts:
        context.close()
    # A refusal is one answer of 400 and the browser's line about it.
    assert sum("400" in trouble for trouble in troubles) == 2 * sum(expected)
    assert [trouble for trouble in troubles if "400" not in trouble] == []


def details(page):
    """The first row's page of every list that has one."""
    for name in LISTS:
        page.goto(f"{name}/")
        link = page.locator("#result_list tbody a[href*='/change/']").first
        if link.count():
            yield link.get_attribute("href")


def rules_broken(page):
    """Rules of WCAG 2.2 AA that the page breaks by axe-core, with where."""
    page.evaluate(AXE.read_text() + "; 0")
    levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = page.evaluate("levels => axe.run({runOnly: levels})", levels)
    return [f"{v['id']}: {[n['target'] for n in v['nodes']]}" for v in found["violations"]]


# Two of the four show every width and every theme, in half the time.
@pytest.mark.parametrize(("size", "theme"), [("wide", "light"), ("phone", "dark")])
def test_every_page_fits_and_says_no_error(visit, copy, size, theme):
    page = visit(size, theme)
    found = list(details(page))
    assert len(found) >= len(LISTS) - len(EMPTY_IN_THE_DEMO)
    paths = [*OWN, *(f"{name}/" for name in LISTS), *(f"{name}/add/" for name in ADDED), *found]
    for path in paths:
        response = page.goto(f"{copy.url}{path}" if path.startswith("/") else path)
        assert response.status == 200, path
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, f"{path} is {too_wide} px too wide"
        assert page.evaluate("document.documentElement.classList.contains('dark')") is (theme == "dark"), path
        assert rules_broken(page) == [], path


def test_the_preview_follows_the_form_before_it_is_saved(visit):
    page = visit()
    page.goto("widgets/widget/add/")
    page.fill("#id_name", "Helpful Harry")
    page.fill("#id_greeting", "Ahoi there!")
    frame = page.frame_locator("iframe[data-preview-of]")
    expect(frame.get_by_text("Ahoi there!")).to_be_visible()
    expect(frame.get_by_text("Helpful Harry")).to_be_visible()
    box = frame.get_by_role("textbox")
    box.fill("Hello?")
    box.press("Enter")
    expect(frame.get_by_text("This is a sample answer.").first).to_be_visible()


def test_files_are_uploaded_with_their_progress_until_they_are_ready(visit):
    page = visit()
    page.goto("knowledge/document/upload/")
    document = {
        "name": "umbrella.md",
        "mimeType": "text/markdown",
        "buffer": b"# Umbrellas\n\nAn umbrella costs 12 euros.",
    }
    page.set_input_files("input[type=file]", [document])
    expect(page.locator(".fd-uploads .fd-good")).to_have_text("ready", timeout=30_000)
    page.goto("search-bench/")
    page.fill("input[name=question]", "What does an umbrella cost?")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("The AI would answer.")).to_be_visible()
    expect(page.locator("#findings a").first).to_contain_text("mbrella")


def test_a_file_that_is_refused_says_why(visit):
    page = visit(refused=1)
    page.goto("knowledge/document/upload/")
    broken = {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"no pdf at all"}
    page.set_input_files("input[type=file]", [broken])
    expect(page.locator(".fd-uploads .fd-bad")).to_contain_text("broken.pdf")


def test_a_personality_is_tried_out_unsaved(visit):
    page = visit()
    page.goto("widgets/personality/add/")
    page.locator(".fd-ask input[name=question]").fill("What is your return policy?")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#answer .fd-answer")).to_be_visible(timeout=15_000)
