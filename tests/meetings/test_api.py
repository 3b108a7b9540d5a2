"""meetings/: rooms that conversations may move to."""

import pytest

from meetings.models import Meeting
from tenants.context import acting_as
from tenants.directory import resolve_tenant
from tenants.models import KeyKind
from tests import conversations
from tests.tenants.callers import caller, code_of, every, wrong_fields
from widgets.models import Session


@pytest.fixture
def as_acme(client, acme):
    return caller(client, acme)


@pytest.fixture
def theirs(client, bolt):
    session = conversations.session(bolt)
    return caller(client, bolt)("POST", "meetings/", {"title": "Bolt's", "session": str(session.pk)}).json()


def test_from_opening_to_end(as_acme, acme, theirs):
    session = conversations.session(acme)
    made = as_acme("POST", "meetings/", {"title": "Refund", "session": str(session.pk)})
    assert made.status_code == 201, made.content
    meeting = made.json()
    assert meeting["room_name"].startswith("room_")
    assert (meeting["title"], meeting["description"], meeting["ended_at"]) == ("Refund", "", None)
    assert resolve_tenant(KeyKind.ROOM, meeting["room_name"]).id == acme.pk
    path = f"meetings/{meeting['id']}/"
    assert as_acme("GET", path).json() == meeting
    assert as_acme("GET", f"sessions/{session.pk}/").json()["meeting"] == meeting["id"]
    changed = as_acme("PATCH", path, {"title": "", "description": "About the lamp"}).json()
    assert (changed["title"], changed["description"]) == ("", "About the lamp")
    assert as_acme("POST", path + "end").json()["ended_at"] is not None
    assert code_of(as_acme("POST", path + "end"), 409) == "meeting_ended"
    alone = as_acme("POST", "meetings/", {}).json()
    assert [row["id"] for row in every(as_acme, "meetings/", 1)] == [alone["id"], meeting["id"]]
    assert [row["id"] for row in every(as_acme, f"meetings/?session={session.pk}")] == [meeting["id"]]


def test_another_tenants_are_not_there(as_acme, bolt, theirs):
    path = f"meetings/{theirs['id']}/"
    for verb, rest in (("GET", ""), ("PATCH", ""), ("POST", "end")):
        assert code_of(as_acme(verb, path + rest, {}), 404) == "not_found"
    with acting_as(bolt):
        foreign = Session.objects.get()
        assert Meeting.objects.get().ended_at is None
    assert every(as_acme, f"meetings/?session={foreign.pk}") == []
    assert wrong_fields(as_acme("POST", "meetings/", {"session": str(foreign.pk)})) == {"session"}


def test_a_conversation_is_in_one_meeting_and_must_be_open(as_acme, acme):
    session = str(conversations.session(acme).pk)
    ended = str(conversations.session(acme, status="ended").pk)
    first = as_acme("POST", "meetings/", {"session": session}).json()["id"]
    assert code_of(as_acme("POST", "meetings/", {"session": session}), 409) == "session_in_meeting"
    as_acme("POST", f"meetings/{first}/end")
    assert as_acme("POST", "meetings/", {"session": session}).status_code == 201
    assert code_of(as_acme("POST", "meetings/", {"session": ended}), 409) == "session_ended"


@pytest.mark.parametrize(
    ("body", "field"), [({"title": 5}, "title"), ({"title": "x" * 201}, "title"), ({"session": "x"}, "session"),
                        ({"room_name": "mine"}, "room_name")],
)  # fmt: skip
def test_a_wrong_field_is_named(as_acme, body, field):
    assert wrong_fields(as_acme("POST", "meetings/", body)) == {field}
