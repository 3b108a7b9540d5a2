from datetime import timedelta
from decimal import Decimal

import orjson
import pytest
from django.utils import timezone

from kernel.ids import uuid7
from tenants.context import acting_as
from tenants.directory import resolve_tenant
from tenants.models import KeyKind
from tests import cast, conversations
from widgets.editing import create_widget
from widgets.models import Message, Session, Visitor
from widgets.personalities import create_personality


def caller(client, tenant, *scopes):
    secret = cast.api_key(tenant, *scopes)

    def call(method, path, body=None):
        return client.generic(
            method,
            f"/api/v1/{path}",
            b"" if body is None else orjson.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )

    return call


@pytest.fixture
def as_acme(client, acme):
    return caller(client, acme)


@pytest.fixture
def as_bolt(client, bolt):
    return caller(client, bolt)


@pytest.fixture
def bolts_widget(bolt):
    with acting_as(bolt):
        return create_widget("Bolt's", domain_whitelist=["https://bolt.example"])


def wrong_fields(response):
    assert response.status_code == 400, response.content
    return {error["field"] for error in response.json()["errors"]}


class TestWidgets:
    def test_a_widget_from_birth_to_death(self, as_acme, acme):
        made = as_acme("POST", "widgets/", {"name": " Main ", "domain_whitelist": ["https://ACME.com:443"]})
        assert made.status_code == 201
        widget = made.json()
        assert widget["name"] == "Main"
        assert widget["public_key"].startswith("pk_")
        assert widget["domain_whitelist"] == ["https://acme.com"]
        assert widget["settings"]["theme"] == "auto"
        assert (widget["personality"], widget["is_active"]) == (None, True)
        assert resolve_tenant(KeyKind.WIDGET, widget["public_key"]).id == acme.id

        path = f"widgets/{widget['id']}/"
        changed = as_acme(
            "PATCH", path, {**widget, "settings": {"theme": "dark", "own": {"a": 1}}, "public_key": "x"}
        )
        assert changed.status_code == 200
        assert changed.json()["settings"]["own"] == {"a": 1}
        changed = as_acme("PATCH", path, {"settings": {"primaryColor": "#ff0000", "theme": None}})
        assert (
            changed.json()["settings"] | {"theme": "auto", "primaryColor": "#ff0000", "own": {"a": 1}}
            == (changed.json()["settings"])
        )
        assert changed.json()["public_key"] == widget["public_key"]
        assert as_acme("GET", path).json() == changed.json()
        assert [row["id"] for row in as_acme("GET", "widgets/").json()["results"]] == [widget["id"]]

        assert as_acme("DELETE", path).status_code == 204
        assert as_acme("GET", path).status_code == 404
        assert resolve_tenant(KeyKind.WIDGET, widget["public_key"]) is None

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "name"), ({"name": ""}, "name"), ({"name": "a", "nope": 1}, "nope"),
            ({"name": "a", "domain_whitelist": "https://a.com"}, "domain_whitelist"),
            ({"name": "a", "domain_whitelist": ["https://a.com", "a.com"]}, "domain_whitelist.1"),
            ({"name": "a", "domain_whitelist": ["https://a.com"] * 51}, "domain_whitelist"),
            ({"name": "a", "settings": {"primaryColor": "red"}}, "settings.primaryColor"),
            ({"name": "a", "settings": {"theme": 1}}, "settings.theme"),
            ({"name": "a", "settings": {"starterQuestions": ["q"] * 7}}, "settings.starterQuestions"),
            ({"name": "a", "settings": {"starterQuestions": ["q", 1]}}, "settings.starterQuestions.1"),
            ({"name": "a", "settings": {"privacyUrl": "javascript:alert(1)"}}, "settings.privacyUrl"),
            ({"name": "a", "settings": {"collectEmail": "yes"}}, "settings.collectEmail"),
            ({"name": "a", "personality": str(uuid7())}, "personality"),
            ({"name": "a", "is_active": 1}, "is_active"),
        ],
    )  # fmt: skip
    def test_a_wrong_field_is_named(self, as_acme, body, field):
        assert wrong_fields(as_acme("POST", "widgets/", body)) == {field}

    def test_another_tenants_widget_is_not_there(self, as_acme, bolt, bolts_widget):
        path = f"widgets/{bolts_widget.pk}/"
        assert as_acme("GET", "widgets/").json() == {"results": [], "next": None}
        for verb, body in (("GET", None), ("PATCH", {"name": "stolen"}), ("DELETE", None)):
            assert as_acme(verb, path, body).status_code == 404
        with acting_as(bolt):
            bolts_widget.refresh_from_db()
            assert bolts_widget.name == "Bolt's"

    def test_another_tenants_personality_cannot_be_used(self, as_acme, bolt):
        with acting_as(bolt):
            theirs = create_personality("Theirs")
        assert wrong_fields(as_acme("POST", "widgets/", {"name": "a", "personality": str(theirs.pk)})) == {
            "personality"
        }

    def test_a_widget_with_conversations_is_not_deleted(self, as_acme, acme):
        session = conversations.session(acme)
        response = as_acme("DELETE", f"widgets/{session.widget_id}/")
        assert (response.status_code, response.json()["code"]) == (409, "widget_in_use")
        with acting_as(acme):
            assert Session.objects.filter(pk=session.pk).exists()

    def test_whitelists_lie_inside_the_tenants_domains(self, as_acme, acme):
        with acting_as(acme):
            acme.settings = {"allowedDomains": ["acme.com"]}
            acme.save()
        good = ["https://acme.com", "https://*.acme.com", "https://www.acme.com"]
        assert as_acme("POST", "widgets/", {"name": "a", "domain_whitelist": good}).status_code == 201
        bad = ["https://evilacme.com", "https://acme.com.evil.org"]
        assert wrong_fields(as_acme("POST", "widgets/", {"name": "a", "domain_whitelist": bad})) == {
            "domain_whitelist.0", "domain_whitelist.1",
        }  # fmt: skip


class TestPersonalities:
    def test_there_is_always_one_active_default(self, as_acme):
        first = as_acme("POST", "personalities/", {"name": "First"}).json()
        assert (first["is_default"], first["version"], first["temperature"]) == (True, 1, 0.7)
        second = as_acme("POST", "personalities/", {"name": "Second", "temperature": 1.25}).json()
        assert (second["is_default"], second["temperature"]) == (False, 1.25)
        one, two = f"personalities/{first['id']}/", f"personalities/{second['id']}/"
        for verb, path, body in (
            ("DELETE", one, None), ("PATCH", one, {"is_active": False}), ("PATCH", one, {"is_default": False}),
            ("PATCH", two, {"is_default": True, "is_active": False}),
        ):  # fmt: skip
            assert as_acme(verb, path, body).status_code == 409
        changed = as_acme("PATCH", two, {"is_default": True}).json()
        assert (changed["is_default"], changed["version"]) == (True, 2)
        assert as_acme("GET", one).json()["is_default"] is False
        assert as_acme("DELETE", one).status_code == 204

    @pytest.mark.parametrize(
        ("field", "value"),
        [("temperature", 2.01), ("temperature", "0.7"), ("top_p", -0.1), ("frequency_penalty", 3), ("max_tokens", 0),
         ("max_tokens", 1e30), ("name", "   "), ("preferred_model", "gpt 4"), ("version", None), ("is_default", "yes")],
    )  # fmt: skip
    def test_bounds(self, as_acme, field, value):
        response = as_acme("POST", "personalities/", {"name": "a", field: value})
        if field == "version":
            assert response.json()["version"] == 1
        else:
            assert wrong_fields(response) == {field}

    def test_another_tenants_are_not_there(self, as_acme, as_bolt):
        theirs = as_bolt("POST", "personalities/", {"name": "Theirs"}).json()
        mine = as_acme("POST", "personalities/", {"name": "Mine"}).json()
        assert mine["is_default"] is True
        assert [row["name"] for row in as_acme("GET", "personalities/").json()["results"]] == ["Mine"]
        assert as_acme("PATCH", f"personalities/{theirs['id']}/", {"name": "x"}).status_code == 404

    def test_usage_statistics_are_not_the_callers_to_write(self, as_acme):
        made = as_acme(
            "POST",
            "personalities/",
            {"name": "a", "metadata": {"usageStats": {"totalUses": 9}, "tags": ["x"]}},
        )
        assert made.json()["metadata"] == {"tags": ["x"]}


class TestSessions:
    @pytest.fixture
    def history(self, acme, bolt):
        """Five sessions of acme's, the newest ended, each with messages; one of bolt's."""
        widget = conversations.widget(acme)
        moment = timezone.now()
        with acting_as(acme):
            sessions = []
            for number in range(5):
                session = Session.objects.create(
                    widget=widget, visitor=Visitor.objects.create(widget=widget), last_seq=3,
                    status="ended" if number == 4 else "ai", cost_usd=Decimal("0.0000002"),
                )  # fmt: skip
                # The same instant for all: the cursor must not lose any of them.
                Session.objects.filter(pk=session.pk).update(created_at=moment - timedelta(hours=number == 0))
                for seq in (1, 2, 3):
                    Message.objects.create(session=session, seq=seq, role="user", content=f"{number}.{seq}")
                sessions.append(session)
        theirs = conversations.session(bolt)
        with acting_as(bolt):
            Message.objects.create(session=theirs, seq=1, role="user", content="bolt's secret")
        return sessions, theirs

    def test_pages_hold_every_session_of_ones_own_once(self, as_acme, history):
        sessions, _ = history
        seen, cursor = [], ""
        while cursor is not None:
            page = as_acme("GET", f"sessions/?limit=2{cursor and '&cursor=' + cursor}").json()
            seen += [row["id"] for row in page["results"]]
            cursor = page["next"]
        assert sorted(seen) == sorted(str(session.pk) for session in sessions)
        assert seen[-1] == str(sessions[0].pk)

    def test_filters(self, as_acme, history):
        sessions, theirs = history
        assert [row["id"] for row in as_acme("GET", "sessions/?status=ended").json()["results"]] == [
            str(sessions[4].pk)
        ]
        assert len(as_acme("GET", f"sessions/?widget={sessions[0].widget_id}").json()["results"]) == 5
        assert as_acme("GET", f"sessions/?widget={theirs.widget_id}").json()["results"] == []
        assert wrong_fields(as_acme("GET", "sessions/?status=open")) == {"status"}
        assert wrong_fields(as_acme("GET", "sessions/?widget=1")) == {"widget"}

    def test_one_session(self, as_acme, history):
        sessions, theirs = history
        body = as_acme("GET", f"sessions/{sessions[0].pk}/").json()
        assert (body["cost_usd"], body["last_seq"], body["widget"]) == (
            "0.0000002",
            3,
            str(sessions[0].widget_id),
        )
        assert as_acme("GET", f"sessions/{theirs.pk}/").status_code == 404

    def test_messages_newest_first(self, as_acme, history):
        sessions, theirs = history
        path = f"sessions/{sessions[1].pk}/messages/"
        page = as_acme("GET", path + "?limit=2").json()
        assert [row["content"] for row in page["results"]] == ["1.3", "1.2"]
        rest = as_acme("GET", f"{path}?limit=2&cursor={page['next']}").json()
        assert [row["seq"] for row in rest["results"]] == [1]
        assert rest["next"] is None
        assert set(page["results"][0]) == {
            "id", "session", "seq", "role", "author", "content", "attachments", "citations", "status", "client_id",
            "event", "metadata", "timestamp",
        }  # fmt: skip
        assert as_acme("GET", f"{path}{page['results'][0]['id']}/").json() == page["results"][0]
        assert as_acme("GET", f"sessions/{theirs.pk}/messages/").status_code == 404
        assert as_acme("GET", f"sessions/{uuid7()}/messages/").status_code == 404

    def test_a_session_in_which_nothing_was_said(self, as_acme, acme):
        empty = conversations.session(acme)
        assert as_acme("GET", f"sessions/{empty.pk}/messages/").json() == {"results": [], "next": None}

    def test_scopes(self, client, acme):
        as_reader = caller(client, acme, "conversations:read")
        assert as_reader("GET", "sessions/").status_code == 200
        assert as_reader("GET", "widgets/").json()["code"] == "missing_scope"
