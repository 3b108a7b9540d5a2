"""The widget when something goes wrong: cut connections, refusals, errors, a visitor who stops or reloads."""

import pytest
from playwright.sync_api import expect

from tests.browser.widget_page import (
    FakeServer,
    OpenPage,
    answers,
    ask,
    box,
    launcher,
    shot,
    start,
    violations,
)

pytestmark = pytest.mark.browser


def test_a_cut_connection_loses_and_doubles_nothing(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    start(page)
    server.control(pace=60)
    ask(page, "emoji", settle=False)
    for _ in range(4):
        page.wait_for_timeout(700)
        server.control(cut=True)
    expect(page.get_by_role("button", name="Copy answer")).to_be_visible(timeout=20_000)
    (messages,) = server.control()["sessions"]
    assert [m["role"] for m in messages] == ["user", "assistant"]
    expect(answers(page).locator(".prose")).to_have_text(messages[1]["content"])
    expect(page.locator("frontdesk-widget .mine")).to_have_count(1)


def test_a_lost_acknowledgement_sends_again_under_the_same_id(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    start(page)
    server.control(losingAck=True)
    ask(page, "hello")
    (messages,) = server.control()["sessions"]
    assert [m["role"] for m in messages] == ["user", "assistant"]
    expect(page.locator("frontdesk-widget .mine")).to_have_count(1)


def test_what_is_written_offline_is_sent_when_back(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    start(page)
    page.context.set_offline(True)
    server.control(cut=True)
    expect(page.locator("frontdesk-widget .status")).to_contain_text("You are offline")
    ask(page, "hello", settle=False)
    expect(page.locator("frontdesk-widget .mine")).to_contain_text("Waiting to be sent")
    assert violations(page) == []
    shot(page, "offline")
    page.context.set_offline(False)
    expect(page.get_by_role("button", name="Copy answer")).to_be_visible(timeout=20_000)


def test_history_is_there_after_a_reload(visit: OpenPage) -> None:
    page = visit()
    start(page)
    ask(page, "hello")
    text = answers(page).locator(".prose").inner_text()
    page.reload()
    launcher(page).click()
    expect(answers(page).locator(".prose")).to_have_text(text, use_inner_text=True)
    expect(page.locator("frontdesk-widget .mine")).to_have_count(1)


def test_stop_keeps_what_was_said_and_offers_to_ask_again(visit: OpenPage) -> None:
    page = visit()
    start(page)
    ask(page, "a long slow answer", settle=False)
    expect(page.locator("frontdesk-widget .writing")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Stop answering").click()
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


@pytest.mark.parametrize(
    ("code", "said"),
    [("budget_reached", "cannot answer any more questions"), ("model_unavailable", "cannot be reached")],
)
def test_an_error_after_the_question_is_told_kindly(
    visit: OpenPage, server: FakeServer, code: str, said: str
) -> None:
    page = visit()
    start(page)
    server.control(refuse=[{"before": False, "frame": {"code": code, "detail": "x"}}])
    ask(page, "hello", settle=False)
    expect(page.locator("frontdesk-widget .notice")).to_contain_text(said)
    shot(page, f"error-{code}")
    page.get_by_role("button", name="Ask again").click()
    expect(page.get_by_role("button", name="Copy answer")).to_be_visible(timeout=20_000)


def test_too_fast_goes_out_again_by_itself(visit: OpenPage, server: FakeServer) -> None:
    page = visit()
    start(page)
    refusal = {"code": "too_fast", "detail": "slow down", "retry_after": 1}
    server.control(refuse=[{"before": True, "frame": refusal}])
    ask(page, "hello", settle=False)
    expect(page.locator("frontdesk-widget .mine")).to_contain_text("goes out again by itself")
    expect(page.get_by_role("button", name="Copy answer")).to_be_visible(timeout=20_000)
    expect(page.locator("frontdesk-widget .mine")).to_have_count(1)


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "origin_not_allowed", "not set up for this website"),
        (404, "widget_not_found", "not available any more"),
        (401, "identity_invalid", "sign-in has expired"),
    ],
)
def test_a_refused_boot_says_why_and_is_not_repeated(
    visit: OpenPage, server: FakeServer, status: int, code: str, said: str
) -> None:
    server.control(boot={"status": status, "code": code, "times": 99})
    page = visit()
    launcher(page).click()
    expect(page.locator("frontdesk-widget .status")).to_contain_text(said)
    expect(box(page)).to_be_disabled()
    page.wait_for_timeout(1500)
    boots = [r for r in server.control()["requests"] if r == "POST /widget/v1/boot"]
    assert len(boots) <= 2
