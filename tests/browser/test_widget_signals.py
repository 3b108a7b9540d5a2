"""What a visitor can say without words, and what they are told: thumbs, a person, typing, unread, quotes, the end."""

import pytest
from playwright.sync_api import expect

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

MO = {"name": "Mo", "avatar_url": None}


def received(server: FakeServer, kind: str) -> list[dict[str, object]]:
    return [frame for frame in server.control()["received"] if frame["type"] == kind]


def test_a_thumb_stays_pressed_may_be_explained_and_outlives_a_reload(
    visit: OpenPage, server: FakeServer
) -> None:
    page = visit()
    start(page)
    ask(page, "hello")
    down = page.get_by_role("button", name="Not helpful")
    up = page.get_by_role("button", name="Helpful", exact=True)
    down.click()
    expect(down).to_have_attribute("aria-pressed", "true")
    expect(down).to_be_focused()
    why = page.get_by_label("Would you like to say why? (optional)")
    why.fill("Which dashboard?")
    shot(page, "comment")
    assert violations(page) == []
    page.get_by_role("button", name="Send comment").click()
    expect(why).to_be_hidden()
    expect(page.locator("frontdesk-widget .thanks")).to_be_focused()
    (answer,) = [m for m in server.control()["sessions"][0] if m["role"] == "assistant"]
    assert answer["metadata"]["feedback"] == {"rating": -1, "comment": "Which dashboard?"}
    page.reload()
    launcher(page).click()
    expect(down).to_have_attribute("aria-pressed", "true")
    up.click()
    expect(up).to_have_attribute("aria-pressed", "true")
    expect(down).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="No, thanks").click()
    assert [f["rating"] for f in received(server, "feedback")] == [-1, -1, 1]


def test_a_person_is_asked_for_waited_for_and_talked_to(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    start(page)
    ask(page, "abstain")
    page.locator("frontdesk-widget .hint").get_by_role("button", name="Talk to a person").click()
    expect(page.locator("frontdesk-widget .status")).to_contain_text("A person will join soon")
    expect(page.locator("frontdesk-widget .row.system")).to_have_text("You asked for a person")
    expect(page.locator("frontdesk-widget .hint").get_by_role("button")).to_be_hidden()
    expect(
        page.locator("frontdesk-widget .header").get_by_role("button", name="Talk to a person")
    ).to_be_hidden()
    expect(box(page)).to_be_focused()
    shot(page, "waiting")
    assert violations(page) == []
    box(page).type("It is about my invoice")
    server.control(change=["human", "taken_over", MO])
    expect(page.locator("frontdesk-widget .subtitle")).to_have_text("You are talking to Mo")
    expect(page.locator("frontdesk-widget .row.system").last).to_have_text("Mo has joined")
    server.control(typing="Mo")
    expect(page.locator("frontdesk-widget .dots")).to_contain_text("Mo is typing")
    shot(page, "typing")
    server.control(say="Which invoice?", author=MO)
    expect(answers(page).last).to_contain_text("Which invoice?")
    expect(page.locator("frontdesk-widget .dots")).to_have_count(0)
    shot(page, "person")
    assert 1 <= len(received(server, "typing")) <= 3
    page.reload()
    launcher(page).click()
    expect(page.locator("frontdesk-widget .subtitle")).to_have_text("You are talking to Mo")


def test_a_person_can_be_asked_for_before_the_first_word(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    start(page)
    page.locator("frontdesk-widget .header").get_by_role("button", name="Talk to a person").click()
    expect(page.locator("frontdesk-widget .status")).to_contain_text("A person gets it with your message")
    expect(box(page)).to_be_focused()
    box(page).fill("My order is late")
    box(page).press("Enter")
    expect(page.locator("frontdesk-widget .status")).to_contain_text("A person will join soon")
    assert len(received(server, "handoff")) == 1


def test_an_ended_conversation_is_put_away(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    start(page)
    ask(page, "hello")
    page.get_by_role("button", name="End conversation").click()
    assert received(server, "end") == []
    page.get_by_role("button", name="End it now?").click()
    expect(page.locator("frontdesk-widget .row.system")).to_have_text("This conversation has ended")
    expect(page.locator("frontdesk-widget [aria-live=polite]")).to_contain_text("This conversation has ended")
    shot(page, "ended")
    assert violations(page) == []
    page.get_by_role("button", name="Start a new conversation").click()
    expect(page.locator("frontdesk-widget .mine")).to_have_count(0)
    expect(page.locator("frontdesk-widget .starter").first).to_be_visible()
    expect(box(page)).to_be_focused()
    ask(page, "hello")
    expect(page.locator("frontdesk-widget .mine")).to_have_count(1)


def test_a_reference_shows_its_passage_to_pointer_and_keyboard(visit: OpenPage) -> None:
    page = visit()
    start(page)
    ask(page, "hello")
    card = page.get_by_role("tooltip")
    reference = page.get_by_role("link", name="Source 1")
    assert reference.get_attribute("href") == "https://docs.example.com/getting-started"
    reference.hover()
    expect(card).to_contain_text("The launcher appears at once.")
    shot(page, "quote")
    assert violations(page) == []
    card.hover()
    page.wait_for_timeout(400)
    expect(card).to_be_visible()
    page.mouse.move(5, 5)
    expect(card).to_be_hidden()
    reference.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    expect(card).to_be_visible()
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(panel(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel(page)).to_be_hidden()
    expect(launcher(page)).to_be_focused()


def test_unread_is_counted_in_the_title_on_the_next_page_and_read_once_seen(
    visit: OpenPage, server: FakeServer
) -> None:
    page = visit()
    start(page)
    ask(page, "hello")
    page.keyboard.press("Escape")
    server.control(say="Are you still there?", author=MO)
    expect(page.locator("frontdesk-widget .badge")).to_have_text("1")
    expect(page).to_have_title("(1) Acme Cloud")
    expect(page.locator("frontdesk-widget [aria-live=polite]")).to_contain_text("1 unread")
    before = len(server.control()["requests"])
    page.reload()
    expect(launcher(page)).to_have_attribute("aria-label", "Ask us (1 unread)")
    loaded = [r for r in server.control()["requests"][before:] if "/widget/" in r]
    assert loaded == ["GET /widget/v1.js"], "the badge costs no request"
    launcher(page).click()
    expect(answers(page).last).to_contain_text("Are you still there?")
    expect(page).to_have_title("Acme Cloud")
    expect(page.locator("frontdesk-widget .badge")).to_be_hidden()
    page.wait_for_timeout(300)
    assert [f["seq"] for f in received(server, "read")] == [2, 3]
    page.reload()
    launcher(page).hover()
    page.wait_for_timeout(600)
    expect(page.locator("frontdesk-widget .badge")).to_be_hidden()


def test_what_came_while_away_is_counted_on_the_first_intent(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    start(page)
    ask(page, "hello")
    page.goto("about:blank")
    server.control(say="One more thing.", author=MO)
    page.goto(server.url)
    expect(launcher(page)).to_be_visible()
    expect(page.locator("frontdesk-widget .badge")).to_be_hidden()
    launcher(page).hover()
    expect(page.locator("frontdesk-widget .badge")).to_have_text("1")


def test_what_is_behind_another_tab_is_not_read(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    start(page)
    ask(page, "hello")
    hidden = "Object.defineProperty(document, 'hidden', {get: () => %s, configurable: true});"
    page.evaluate(hidden % "true" + "document.dispatchEvent(new Event('visibilitychange'))")
    server.control(say="Psst.", author=MO)
    expect(page).to_have_title("(1) Acme Cloud")
    page.evaluate(hidden % "false" + "document.dispatchEvent(new Event('visibilitychange'))")
    expect(page).to_have_title("Acme Cloud")


@pytest.mark.parametrize(
    ("locale", "placeholder"),
    [
        ("de-AT", "Stellen Sie eine Frage…"),
        ("fr", "Posez une question…"),
        ("es-MX", "Haga una pregunta…"),
        ("en-GB", "Ask a question…"),
        ("ja", "Ask a question…"),
    ],
)
def test_it_speaks_the_visitor_s_language(visit: OpenPage, locale: str, placeholder: str) -> None:
    # The page says that it is English; the widget's own setting comes before that.
    page = visit(f"?locale={locale}")
    launcher(page).click()
    expect(page.get_by_placeholder(placeholder)).to_be_visible()
    shot(page, f"locale-{locale}")


def test_auto_follows_the_system_live_and_colours_stay_readable(visit: OpenPage) -> None:
    page = visit("?color=%23fde047&secondary=%23fce7f3", color_scheme="light", reduced_motion="reduce")
    start(page)
    look = page.locator("frontdesk-widget .fd")
    expect(look).to_have_attribute("data-theme", "light")
    assert violations(page) == []
    shot(page, "pale-light")
    page.emulate_media(color_scheme="dark")
    expect(look).to_have_attribute("data-theme", "dark")
    ask(page, "hello")
    assert violations(page) == []
    shot(page, "pale-dark")
    assert page.evaluate(
        "document.querySelector('frontdesk-widget').shadowRoot.getAnimations().length === 0"
    ), "reduced motion means none"
