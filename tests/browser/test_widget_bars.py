"""The widget's bars in a real browser: requests, layout shift, long tasks, a strict policy, axe in every state."""

import json

import pytest
from playwright.sync_api import Browser, Page, expect

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

HISTORY = 50
LONGEST_TASK_MS = 50
# A machine under load also costs a task more CPU (caches, the sibling thread): judged is the best of these tries.
TRIES = 3

WATCH_SHIFTS = """() => { window.shifts = 0;
new PerformanceObserver(l => l.getEntries().forEach(e => { window.shifts += e.hadRecentInput ? 0 : e.value; }))
  .observe({type: 'layout-shift', buffered: true}); }"""


def longest_task_ms(trace: bytes) -> float:
    """CPU milliseconds of the page's longest task. A long task is one of 50 ms by the clock, which on a machine that
    does other things besides says little about the page: its main thread's own time does."""
    events = json.loads(trace)["traceEvents"]
    main = {
        (e["pid"], e["tid"])
        for e in events
        if e.get("name") == "thread_name" and e["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        e["tdur"] / 1000
        for e in events
        if e.get("ph") == "X"
        and e["name"].endswith("RunTask")
        and (e["pid"], e["tid"]) in main
        and "tdur" in e
    ]
    assert tasks, "the trace has no tasks"
    return max(tasks)


def loaded_from(page: Page) -> list[str]:
    return page.evaluate("performance.getEntriesByType('resource').map(e => new URL(e.name).pathname)")


def test_one_request_and_no_socket_before_intent(visit: OpenPage) -> None:
    sockets: list[str] = []
    page = visit()
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.mouse.move(300, 300)
    page.wait_for_timeout(800)
    assert [path for path in loaded_from(page) if path.startswith("/widget/")] == ["/widget/v1.js"]
    assert sockets == []
    launcher(page).click()
    expect(page.locator("frontdesk-widget .starter").first).to_be_visible()
    page.wait_for_timeout(300)
    widget = [path for path in loaded_from(page) if path.startswith("/widget/")]
    assert len(widget) == 3, widget
    assert len(sockets) == 1


def test_opening_fifty_messages_and_a_streamed_answer_shift_nothing_and_hold_up_nothing(
    visit: OpenPage, server: FakeServer, browser: Browser
) -> None:
    server.control(seed=HISTORY)
    longest = []
    for _ in range(TRIES):
        page = visit()
        page.evaluate(WATCH_SHIFTS)
        browser.start_tracing(page=page, categories=["toplevel", "disabled-by-default-devtools.timeline"])
        launcher(page).click()
        expect(answers(page)).to_have_count(HISTORY // 2)
        box(page).fill("a long one")
        box(page).press("Enter")
        expect(page.get_by_role("button", name="Copy answer")).to_have_count(HISTORY // 2 + 1, timeout=60_000)
        page.wait_for_timeout(200)
        longest.append(longest_task_ms(browser.stop_tracing()))
        assert page.evaluate("window.shifts") == 0
        if longest[-1] <= LONGEST_TASK_MS:
            break
    print(f"longest tasks, in ms of CPU: {longest}")
    assert min(longest) <= LONGEST_TASK_MS


def test_a_strict_policy_is_enough(visit: OpenPage) -> None:
    page = visit()
    header = page.request.get(page.url).headers["content-security-policy"]
    assert "unsafe" not in header
    assert "default-src 'none'" in header
    assert "require-trusted-types-for 'script'" in header
    start(page)
    ask(page, "rich")
    page.get_by_role("button", name="Not helpful").click()
    # `visit` fails the test when the browser reports a violation of the policy.
    expect(page.locator("frontdesk-widget .comment")).to_be_visible()
    assert (
        page.evaluate("document.querySelector('frontdesk-widget').shadowRoot.querySelector('style')") is None
    )


@pytest.mark.parametrize(
    ("look", "options"),
    [
        ("light", {"color_scheme": "light"}),
        ("dark", {"color_scheme": "dark"}),
        ("phone", {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}),
        ("rtl", {"color_scheme": "dark"}),
    ],
)
def test_axe_finds_nothing_in_any_state(
    visit: OpenPage, server: FakeServer, look: str, options: dict[str, object]
) -> None:
    server.control(seed=12)
    page = visit("?locale=ar&position=bottom-left" if look == "rtl" else "", **options)
    found = {"closed": violations(page)}
    launcher(page).click()
    expect(answers(page)).to_have_count(6)
    found["history"] = violations(page)
    shot(page, f"bars-{look}-history")
    server.control(pace=40)
    ask(page, "a long one", settle=False)
    expect(page.locator("frontdesk-widget .writing")).to_be_visible(timeout=10_000)
    found["streaming"] = violations(page)
    shot(page, f"bars-{look}-streaming")
    page.get_by_role("button", name="Stop answering").click()
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()
    server.control(pace=5, refuse=[{"before": True, "frame": {"code": "attachment_refused", "detail": "no"}}])
    ask(page, "refused", settle=False)
    expect(page.locator("frontdesk-widget .refused")).to_be_visible()
    found["not sent"] = violations(page)
    shot(page, f"bars-{look}-refused")
    page.get_by_role("button", name="Remove").click()
    ask(page, "code")
    shot(page, f"bars-{look}-code")
    server.control(change=["waiting", "waiting"])
    expect(page.locator("frontdesk-widget .waits")).to_be_visible()
    found["waiting"] = violations(page)
    page.context.set_offline(True)
    expect(page.locator("frontdesk-widget .status")).to_contain_text("You are offline")
    found["offline"] = violations(page)
    shot(page, f"bars-{look}-offline")
    page.context.set_offline(False)
    page.keyboard.press("Escape")
    expect(panel(page)).to_be_hidden()
    found["closed again"] = violations(page)
    assert {state: rules for state, rules in found.items() if rules} == {}
