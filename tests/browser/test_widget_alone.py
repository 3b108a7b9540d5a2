"""The widget in a real browser, against the fake server of widgets/embed/dev: no Django, no database.

The page it stands on has a strict Content-Security-Policy with Trusted Types and styles that would ruin a
widget without a shadow root. Screenshots go to FRONTDESK_SHOTS where that is set.
"""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.widget_page import (
    FakeServer,
    OpenPage,
    answers,
    ask,
    box,
    launcher,
    panel,
    shot,
    start,
    violations,
)

pytestmark = pytest.mark.browser


def test_nothing_but_the_loader_is_asked_for_before_intent(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    page.wait_for_timeout(500)
    assert [r for r in server.control()["requests"] if "/widget/" in r or "/ws/" in r] == [
        "GET /widget/v1.js"
    ]
    launcher(page).hover()
    page.wait_for_timeout(500)
    asked = [r.split("/")[-1] for r in server.control()["requests"] if "/widget/v1/" in r]
    assert len(asked) == 2
    assert asked[1] == "boot"
    assert page.evaluate("localStorage.getItem('frontdesk:pk_demo')")
    start(page)
    boots = [r for r in server.control()["requests"] if r == "POST /widget/v1/boot"]
    assert len(boots) == 1, "the prewarmed boot is the one that connects"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_conversation_reads_well_and_breaks_no_rule_of_axe(visit: OpenPage, theme: str) -> None:
    page = visit(color_scheme=theme, reduced_motion="reduce")
    assert violations(page) == []
    shot(page, f"{theme}-launcher")
    start(page)
    assert violations(page) == []
    shot(page, f"{theme}-open")
    page.locator("frontdesk-widget .starter").first.click()
    expect(page.get_by_role("button", name="Copy answer")).to_be_visible(timeout=20_000)
    expect(answers(page).locator("ol").first.locator("li")).to_have_count(3)
    expect(page.get_by_role("link", name="Getting Started Guide")).to_have_attribute(
        "rel", "noopener noreferrer nofollow"
    )
    page.get_by_role("button", name="Show quote from Plans").click()
    expect(page.locator("frontdesk-widget .quote").nth(1)).to_be_visible()
    shot(page, f"{theme}-answer")
    ask(page, "abstain")
    expect(answers(page).last).to_contain_text("Other words may help")
    ask(page, "rich")
    shot(page, f"{theme}-rich")
    ask(page, "interrupted")
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()
    assert violations(page) == []


def test_on_a_phone_it_fills_the_screen_and_keeps_the_focus(visit: OpenPage) -> None:
    page = visit(viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    launcher(page).tap()
    expect(panel(page)).to_have_attribute("aria-modal", "true")
    page.wait_for_timeout(400)
    size = panel(page).bounding_box()
    assert size is not None
    assert (size["x"], size["y"], size["width"], size["height"]) == (0, 0, 390, 780)
    assert page.evaluate("getComputedStyle(document.documentElement).overflow") == "hidden"
    ask(page, "hello")
    shot(page, "phone-answer")
    assert violations(page) == []
    for _ in range(30):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.localName") == "frontdesk-widget"
        inside = "document.activeElement.shadowRoot.activeElement.closest('.panel') !== null"
        assert page.evaluate(inside)
    page.get_by_role("button", name="Close chat").tap()
    expect(panel(page)).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.documentElement).overflow") != "hidden"


def test_the_keyboard_alone_opens_asks_and_closes(visit: OpenPage) -> None:
    page = visit()
    launcher(page).focus()
    page.keyboard.press("Enter")
    expect(box(page)).to_be_focused()
    page.keyboard.type("line one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("line two")
    page.keyboard.press("Enter")
    expect(page.locator("frontdesk-widget .mine .bubble")).to_have_text("line one\nline two")
    expect(page.get_by_role("button", name="Copy answer")).to_be_visible(timeout=20_000)
    said = page.locator("frontdesk-widget [aria-live=polite]")
    expect(said).to_contain_text("AI assistant: You can be up and running")
    page.keyboard.press("Escape")
    expect(panel(page)).to_be_hidden()
    expect(launcher(page)).to_be_focused()


def test_hostile_answers_run_nothing_and_load_nothing(visit: OpenPage) -> None:
    page = visit()
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    start(page)
    ask(page, "hostile")
    inside = page.locator("frontdesk-widget .theirs")
    expect(inside.locator("img, script, iframe, style, svg[onload]")).to_have_count(0)
    addresses = inside.locator("a").evaluate_all("links => links.map(a => a.href)")
    assert all(address.startswith("https://") for address in addresses)
    expect(inside).to_contain_text("<script>alert(2)</script>")


def test_the_page_s_styles_stay_out_and_ours_stay_in(visit: OpenPage) -> None:
    page = visit()
    before = page.locator("main button").evaluate("e => getComputedStyle(e).cssText + e.offsetHeight")
    start(page)
    send = page.get_by_role("button", name="Send", exact=True)
    assert send.evaluate("e => getComputedStyle(e).borderStyle") == "none"
    assert panel(page).evaluate("e => getComputedStyle(e).textTransform") == "none"
    assert page.locator("main button").evaluate("e => getComputedStyle(e).cssText + e.offsetHeight") == before
    assert page.evaluate("document.styleSheets.length") == 1


def test_a_long_message_is_counted_and_held_back(visit: OpenPage) -> None:
    page = visit()
    start(page)
    box(page).fill("👋" * 8001)
    expect(page.locator("frontdesk-widget .counter")).to_have_text("1 characters too many")
    box(page).press("Enter")
    expect(page.locator("frontdesk-widget .mine")).to_have_count(0)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    assert violations(page) == []
    box(page).fill("👋" * 7999)
    expect(page.locator("frontdesk-widget .counter")).to_have_text("1 characters left")


def test_a_person_s_reply_counts_as_unread_while_closed(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    start(page)
    ask(page, "hello")
    page.keyboard.press("Escape")
    server.control(say="I looked into it for you.", author={"name": "Mo", "avatar_url": None})
    expect(launcher(page)).to_have_attribute("aria-label", "Ask us (1 unread)")
    shot(page, "unread")
    launcher(page).click()
    expect(answers(page).last).to_contain_text("I looked into it for you.")
    expect(answers(page).last.locator(".author")).to_have_text("Mo")
    expect(launcher(page)).to_have_attribute("aria-label", "Ask us")


def test_reading_further_up_is_not_disturbed(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    start(page)
    server.control(pace=1)
    ask(page, "a long one")
    log = page.locator("frontdesk-widget .log")
    assert log.evaluate("e => e.scrollHeight - e.scrollTop - e.clientHeight") < 2
    log.evaluate("e => { e.scrollTop = 100; }")
    page.wait_for_timeout(100)
    server.control(say="One more thing.", author={"name": "Mo", "avatar_url": None})
    pill = page.get_by_role("button", name="New messages")
    expect(pill).to_be_visible()
    shot(page, "pill")
    assert log.evaluate("e => e.scrollTop") == 100
    pill.click()
    expect(pill).to_be_hidden()


def test_the_page_s_calls_before_and_after_loading(visit: OpenPage) -> None:
    page = visit()
    page.evaluate("window.Frontdesk.send('hello')")
    expect(panel(page)).to_be_visible()
    expect(page.get_by_role("button", name="Copy answer")).to_be_visible(timeout=20_000)
    names = page.evaluate("window.seen.map(([name]) => name)")
    assert names == ["ready", "open", "message", "message"]
    page.evaluate("window.Frontdesk.toggle()")
    expect(panel(page)).to_be_hidden()
    page.evaluate("window.Frontdesk.shutdown()")
    expect(page.locator("frontdesk-widget")).to_have_count(0)
    page.evaluate("window.Frontdesk.open()")
    expect(panel(page)).to_be_visible()
    expect(answers(page)).to_have_count(1)


def test_right_to_left_and_other_languages(visit: OpenPage) -> None:
    page = visit("?locale=ar&position=bottom-left&color=%23ffb703&theme=dark")
    start(page)
    expect(page.locator("frontdesk-widget .fd")).to_have_attribute("dir", "rtl")
    ask(page, "arabic")
    shot(page, "rtl-dark")
    assert violations(page) == []
    german = visit("?locale=de&color=%230f766e")
    start(german)
    expect(german.get_by_placeholder("Stellen Sie eine Frage…")).to_be_visible()
    shot(german, "german")


def test_an_inactive_widget_shows_nothing(browser: Browser, server: FakeServer) -> None:
    page = browser.new_page()
    page.goto(f"{server.url}?active=0")
    page.wait_for_timeout(300)
    page.evaluate("window.Frontdesk.open()")
    page.wait_for_timeout(300)
    assert page.locator("frontdesk-widget").count() == 0
    page.close()
