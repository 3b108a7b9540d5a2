"""feedback/ as programs read and give it."""

import pytest

from kernel.ids import uuid7
from tenants.context import acting_as
from tests import conversations
from tests.tenants.callers import caller, code_of, every, wrong_fields
from widgets.models import Feedback, Message


@pytest.fixture
def as_acme(client, acme):
    return caller(client, acme)


def answer(tenant):
    session = conversations.session(tenant)
    with acting_as(tenant):
        return Message.objects.create(session=session, seq=1, role="assistant", content="Two years.")


def test_given_read_and_given_again(client, as_acme, acme, bolt):
    theirs = answer(bolt)
    given = caller(client, bolt)("POST", "feedback/", {"message": str(theirs.pk), "rating": 1}).json()
    mine = answer(acme)
    made = as_acme("POST", "feedback/", {"message": str(mine.pk), "rating": -1, "comment": "Too short."})
    assert made.status_code == 201, made.content
    opinion = made.json()
    assert (opinion["session"], opinion["rating"], opinion["comment"]) == (
        str(mine.session_id),
        -1,
        "Too short.",
    )
    assert as_acme("GET", f"feedback/{opinion['id']}/").json() == opinion
    for query in ("", f"?session={mine.session_id}", f"?message={mine.pk}", "?rating=-1"):
        assert [row["id"] for row in every(as_acme, f"feedback/{query}")] == [opinion["id"]]
    assert every(as_acme, "feedback/?rating=1") == every(as_acme, f"feedback/?message={theirs.pk}") == []
    again = as_acme("POST", "feedback/", {"message": str(mine.pk), "rating": 1}).json()
    assert (again["id"], again["rating"]) == (opinion["id"], 1)
    assert code_of(as_acme("GET", f"feedback/{given['id']}/"), 404) == "not_found"
    assert wrong_fields(as_acme("POST", "feedback/", {"message": str(theirs.pk), "rating": -1})) == {
        "message"
    }
    with acting_as(bolt):
        assert Feedback.objects.get().rating == 1


def test_only_answers_are_rated(as_acme, acme):
    session = conversations.session(acme)
    with acting_as(acme):
        question = Message.objects.create(session=session, seq=1, role="user", content="How long?")
    assert as_acme("POST", "feedback/", {"message": str(question.pk), "rating": 1}).status_code == 404
    assert wrong_fields(as_acme("POST", "feedback/", {"message": str(uuid7()), "rating": 1})) == {"message"}


@pytest.mark.parametrize(
    ("body", "field"),
    [({"rating": 0}, "rating"), ({"rating": "1"}, "rating"), ({"rating": True}, "rating"), ({"comment": 5}, "comment"),
     ({"message": "x"}, "message"), ({"stars": 5}, "stars")],
)  # fmt: skip
def test_a_wrong_field_is_named(as_acme, acme, body, field):
    good = {"message": str(answer(acme).pk), "rating": 1}
    assert wrong_fields(as_acme("POST", "feedback/", {**good, **body})) == {field}


def test_a_wrong_filter_is_named(as_acme):
    assert wrong_fields(as_acme("GET", "feedback/?rating=5&session=x&created_after=x")) == {
        "rating", "session", "created_after",
    }  # fmt: skip
