"""Boot: who is let in, what they are told, and that it leaves no trace."""

import time

import jwt
import pytest

from kernel.encryption import encrypt
from kernel.ids import uuid7
from kernel.limiting import Limit
from tenants.context import acting_as
from tests import conversations
from tests.widgets.chat.visitors import boot
from widgets.chat import asking, guarding, visiting
from widgets.chat.visiting import Guest
from widgets.models import Session, Visitor, Widget

SECRET = "an identity secret that is long enough for HS256"


@pytest.fixture
def widget(acme, bolt, redis):
    from tenants.directory import claim
    from tenants.models import KeyKind

    conversations.session(bolt)
    made = conversations.widget(acme, settings={"greeting": "Hello", "internalNote": "not for visitors"})
    with acting_as(acme):
        claim(KeyKind.WIDGET, made.public_key)
    return made


def test_a_first_visit_gets_a_token_and_no_row(widget, acme):
    response = boot(widget)
    body = response.json()
    assert response.status_code == 200
    assert body["session"] is None
    assert body["messages"] == []
    assert body["socket_url"].startswith("ws://127.0.0.1:8000/ws/v1/chat?ticket=")
    assert body["widget"]["settings"]["greeting"] == "Hello"
    assert "internalNote" not in body["widget"]["settings"]
    assert response["Access-Control-Allow-Origin"] == "https://acme.example"
    with acting_as(acme):
        assert (Visitor.objects.count(), Session.objects.count()) == (0, 0)


def test_a_return_finds_the_open_session(widget, acme):
    token = boot(widget).json()["visitor_token"]
    with acting_as(acme) as ref:
        guest = visiting.read_token(token, ref, widget.pk)
        asked = asking.ask(guest, uuid7(), "Hello?")
    body = boot(widget, token).json()
    assert body["session"] == {"id": str(asked.session_id), "status": "ai", "last_seq": 1}
    assert [message["content"] for message in body["messages"]] == ["Hello?"]


def test_anothers_token_opens_nothing(widget, acme):
    with acting_as(acme) as ref:
        other = conversations.widget(acme)
        stranger = visiting.issue_token(Guest(ref, other.pk, uuid7()))
    first, second = boot(widget, stranger).json(), boot(widget, "forged:token").json()
    assert first["session"] is None
    assert second["session"] is None
    assert first["visitor_token"] != stranger


@pytest.mark.parametrize(
    ("origin", "status", "code"),
    [("https://evil.example", 403, "origin_not_allowed"), ("null", 403, "origin_not_allowed")],
)
def test_a_foreign_origin_is_refused_readably(widget, origin, status, code):
    response = boot(widget, origin=origin)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response["Access-Control-Allow-Origin"] == origin
    assert response["Content-Type"] == "application/problem+json"


def test_an_unknown_widget_comes_before_a_foreign_origin(widget, acme):
    widget.public_key = "pk_nobody"
    response = boot(widget, origin="https://evil.example")
    assert (response.status_code, response.json()["code"]) == (404, "widget_not_found")


def test_an_inactive_widget_is_not_there(widget, acme):
    with acting_as(acme):
        Widget.objects.filter(pk=widget.pk).update(is_active=False)
    assert boot(widget).status_code == 404


def test_bad_bodies_are_named(widget, client):
    for body, field in (("{", "body"), ("{}", "widget"), ('{"widget": 7}', "widget")):
        response = client.post("/widget/v1/boot", body, content_type="application/json")
        assert response.status_code == 400
        assert response.json()["errors"][0]["field"] == field


def test_a_preflight_is_answered_for_anybody(client):
    response = client.options("/widget/v1/boot", headers={"Origin": "https://anybody.example"})
    assert response.status_code == 204
    assert response["Access-Control-Allow-Origin"] == "https://anybody.example"
    assert "Access-Control-Allow-Credentials" not in response


def identity(widget, **claims):
    content = {"sub": "42", "exp": time.time() + 60, "aud": widget.public_key, "name": "Ada", **claims}
    return jwt.encode(content, SECRET, "HS256")


def test_an_identity_is_checked(widget, acme):
    refused = boot(widget, identity=identity(widget))
    assert (refused.status_code, refused.json()["code"]) == (401, "identity_invalid")
    with acting_as(acme):
        Widget.objects.filter(pk=widget.pk).update(identity_secret=encrypt(SECRET))
    assert boot(widget, identity=identity(widget)).status_code == 200
    for wrong in ({"exp": time.time() - 90}, {"aud": "pk_other"}):
        assert boot(widget, identity=identity(widget, **wrong)).status_code == 401
    assert boot(widget, identity="nonsense").status_code == 401


def test_a_verified_visitor_is_known_again_in_another_browser(widget, acme):
    with acting_as(acme) as ref:
        Widget.objects.filter(pk=widget.pk).update(identity_secret=encrypt(SECRET))
        widget.refresh_from_db()
        known = visiting.new_guest(ref, widget, visiting.verify_identity(identity(widget), widget))
        asked = asking.ask(known, uuid7(), "It is me")
    body = boot(widget, identity=identity(widget)).json()
    assert body["session"]["id"] == str(asked.session_id)


def test_the_script_carries_the_look_and_nothing_else(widget, client):
    response = client.get("/widget/v1.js", {"w": widget.public_key})
    source = response.content.decode()
    assert widget.public_key in source
    assert "internalNote" not in source
    assert response["ETag"]
    assert response["Cache-Control"] == "public, max-age=300"
    silent = client.get("/widget/v1.js", {"w": "pk_nobody"})
    assert silent.status_code == 200
    assert '"active":false' in silent.content.decode()


def test_a_look_cannot_break_out_of_the_script(widget, acme, client):
    with acting_as(acme):
        Widget.objects.filter(pk=widget.pk).update(name="</script><script>alert(1)</script>\u2028")
    source = client.get("/widget/v1.js", {"w": widget.public_key}).content.decode()
    assert "</script>" not in source.split("__FRONTDESK", 1)[0][:2000] or "\\u003c/script" in source
    assert "\u2028" not in source


def test_one_address_cannot_boot_without_end(acme, bolt, redis, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setattr(guarding, "PER_ADDRESS", Limit("address", 0.01, 2))
    mine, theirs = conversations.known_widget(acme), conversations.known_widget(bolt)
    assert [boot(mine).status_code for _ in range(3)] == [200, 200, 429]
    refused = boot(theirs)
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limited"
    assert int(refused["Retry-After"]) > 90
    assert refused["Access-Control-Allow-Origin"]
    assert boot(mine, origin="https://evil.example").status_code == 403
