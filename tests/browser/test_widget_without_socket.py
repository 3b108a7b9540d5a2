"""The widget behind a proxy that lets no socket through: it goes on over HTTP and says nothing about it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.widget_page import FakeServer, OpenPage, answers, ask, box, launcher, start

pytestmark = pytest.mark.browser

MO = {"name": "Mo", "avatar_url": None}


@pytest.fixture
def page(visit: OpenPage, server: FakeServer) -> Page:
    server.control(blocked=True)
    page = visit()
    start(page)
    return page


def test_a_question_is_answered_and_nothing_is_said_of_it(page: Page, server: FakeServer) -> None:
    ask(page, "hello")
    (messages,) = server.control()["sessions"]
    assert [m["role"] for m in messages] == ["user", "assistant"]
    expect(page.locator("frontdesk-widget .status")).to_be_hidden()
    assert "POST /widget/v1/messages" in server.control()["requests"]
    ask(page, "rich")
    expect(page.locator("frontdesk-widget .mine")).to_have_count(2)
    expect(answers(page)).to_have_count(2)


def test_signals_arrive_too(page: Page, server: FakeServer) -> None:
    ask(page, "hello")
    page.get_by_role("button", name="Helpful", exact=True).click()
    page.locator("frontdesk-widget .header").get_by_role("button", name="Talk to a person").click()
    expect(page.locator("frontdesk-widget .status")).to_contain_text("A person will join soon")
    kinds = {frame["type"] for frame in server.control()["received"]}
    assert {"message", "feedback", "handoff", "read"} <= kinds
    server.control(change=["human", "taken_over", MO], say="Hello, I am Mo.", author=MO)
    expect(answers(page).last).to_contain_text("Hello, I am Mo.", timeout=10_000)


def test_stop_works_while_the_answer_comes(page: Page) -> None:
    ask(page, "a long slow answer", settle=False)
    expect(page.locator("frontdesk-widget .writing")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Stop answering").click()
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()


def test_a_cut_stream_loses_and_doubles_nothing(page: Page, server: FakeServer) -> None:
    server.control(pace=60)
    ask(page, "emoji", settle=False)
    for _ in range(2):
        page.wait_for_timeout(900)
        server.control(cut=True)
    expect(page.get_by_role("button", name="Copy answer")).to_be_visible(timeout=20_000)
    (messages,) = server.control()["sessions"]
    assert [m["role"] for m in messages] == ["user", "assistant"]
    expect(answers(page).locator(".prose")).to_have_text(messages[1]["content"])
    expect(page.locator("frontdesk-widget .mine")).to_have_count(1)


def test_the_next_page_does_not_try_again_at_once(page: Page, server: FakeServer) -> None:
    ask(page, "hello")
    page.evaluate("performance.clearResourceTimings()")
    page.reload()
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    launcher(page).click()
    expect(answers(page)).to_have_count(1)
    box(page).fill("And now?")
    box(page).press("Enter")
    expect(page.get_by_role("button", name="Copy answer")).to_have_count(2, timeout=20_000)
    assert sockets == []
