"""A company's first quarter of an hour, in a real browser: it signs up by a letter, adds a security key, and signs in
with it."""

import re
import socketserver
import threading
import time

import pytest
from playwright.sync_api import expect

from benchmarks.installation import installed
from tests.browser.test_admin_pages import SIZES, rules_broken

pytestmark = pytest.mark.browser

EMAIL, PASSWORD = "ida@north.example", "a rather long one"


class Postman(socketserver.StreamRequestHandler):
    """As much of an SMTP server as it takes to be given a letter."""

    def handle(self):
        self._say(220)
        for line in self.rfile:
            verb = line[:4].upper()
            self._say(354 if verb == b"DATA" else 221 if verb == b"QUIT" else 250)
            if verb == b"DATA":
                letter = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.letters.append(letter.decode())
                self._say(250)

    def _say(self, code):
        self.wfile.write(b"%d so\r\n" % code)


@pytest.fixture(scope="module")
def post_office():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Postman) as server:
        server.letters = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def copy(post_office):
    port = post_office.server_address[1]
    with installed(
        SIGNUP="on", EMAIL_URL=f"smtp://127.0.0.1:{port}?tls=0&from=desk@frontdesk.example"
    ) as made:
        yield made


@pytest.fixture
def page(browser, copy):
    """A page that has a security key at hand; browsers ask keys at localhost, not at 127.0.0.1."""
    context = browser.new_context(base_url=copy.url.replace("127.0.0.1", "localhost"))
    page, troubles = context.new_page(), []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield page
    context.close()
    assert troubles == []


def link_in(post_office):
    until = time.monotonic() + 30
    while not post_office.letters:
        assert time.monotonic() < until, "no letter came"
        time.sleep(0.1)
    return re.search(r"http://\S+?(/account/\S+)", post_office.letters[-1]).group(1)


def looked_at(page):
    """The page fits on a phone and breaks no rule of axe's, in light and in dark."""
    for theme in ("light", "dark"):
        page.evaluate("dark => document.documentElement.classList.toggle('dark', dark)", theme == "dark")
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            too_wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert too_wide <= 0, f"{page.url} is {too_wide} px too wide on {size}"
        assert rules_broken(page) == [], f"{page.url}, {theme}"


def sign_in(page):
    page.goto("/admin/login/")
    page.fill("input[name=username]", EMAIL)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")


def test_from_signing_up_to_signing_in_with_a_key(page, post_office):
    page.goto("/admin/login/")
    looked_at(page)
    page.get_by_role("link", name="Open an account for your company").click()
    looked_at(page)
    page.fill("input[name=company]", "North Ltd")
    page.fill("input[name=email]", EMAIL)
    page.click("button[type=submit]")
    expect(page.get_by_text("A letter is on its way to you.")).to_be_visible()
    page.goto(link_in(post_office))
    expect(page.locator("input[name=slug]")).to_have_value("north-ltd")
    looked_at(page)
    page.fill("input[name=name]", "Ida North")
    page.fill("input[name=website]", "north.example")
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=again]", PASSWORD)
    page.click("button[type=submit]")
    expect(page.get_by_text("The account of North Ltd is open.")).to_be_visible()

    sign_in(page)
    page.wait_for_url("**/admin/")
    page.goto("/admin/widgets/widget/")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.goto("/admin/your/second-factor/")
    adding = page.locator("form", has_text="Add a security key or passkey")
    adding.locator("input[name=name]").fill("Blue key")
    adding.locator("input[name=password]").fill(PASSWORD)
    adding.get_by_role("button").click()
    looked_at(page)
    page.get_by_role("button", name="Ask the key").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    looked_at(page)

    page.context.clear_cookies()
    sign_in(page)
    page.wait_for_url("**/admin/login/code/")
    looked_at(page)
    page.get_by_role("button", name="Use your security key").click()
    page.wait_for_url("**/admin/")
    page.goto("/admin/your/second-factor/")
    expect(page.get_by_role("row", name="Blue key")).not_to_contain_text("not yet")
    looked_at(page)
