"""Where one is signed in, and how that ends; the login page after too many tries."""

import pytest
from django.test import Client

from tenants.context import acting_as
from tenants.models import AuthSession, User
from tenants.permissions import Role
from tests.admin.conftest import PASSWORD
from tests.admin.rows import address

PAGE = "/admin/your/sessions/"


def again(email, agent="Second browser", ip="203.0.113.9"):
    """Another browser of a person's."""
    client = Client(headers={"User-Agent": agent}, REMOTE_ADDR=ip)
    response = client.post("/admin/login/?next=/admin/", {"username": email, "password": PASSWORD})
    assert response.status_code == 302
    return client


def handles(client):
    return {session.user_agent: session.handle for session in client.get(PAGE).context["sessions"]}


def test_the_page_lists_ones_own_and_shows_no_key(acme, bolt, sign_in):
    client, theirs = sign_in(acme), sign_in(bolt)
    other = again("owner@acme.example", agent="Firefox <b>1</b>")
    again("owner@bolt.example", agent="Of Bolt")
    sign_in(acme, Role.ADMIN)
    page = client.get(PAGE)
    html = page.content.decode()
    assert len(page.context["sessions"]) == 2
    assert page.context["sessions"][0].is_this
    assert "203.0.113.9" in html
    assert "Firefox &lt;b&gt;1&lt;/b&gt;" in html
    assert "Of Bolt" not in html
    for one in (client, other, theirs):
        assert one.session.session_key not in html


def test_one_is_ended_and_is_out_at_once(acme, sign_in):
    client, other = sign_in(acme), again("owner@acme.example")
    assert client.post(PAGE, {"handle": handles(client)["Second browser"]}).status_code == 302
    assert other.get("/admin/").status_code == 302
    assert client.get("/admin/").status_code == 200


def test_all_others_are_ended(acme, sign_in):
    client = sign_in(acme)
    others = [again("owner@acme.example", agent=f"Browser {number}") for number in range(3)]
    colleague = sign_in(acme, Role.MEMBER)
    assert "3 other sessions ended" in client.post(PAGE, {}, follow=True).content.decode()
    assert [one.get("/admin/").status_code for one in others] == [302, 302, 302]
    assert client.get("/admin/").status_code == colleague.get("/admin/").status_code == 200


def test_ending_this_one_signs_out(acme, sign_in):
    client = sign_in(acme)
    (handle,) = handles(client).values()
    assert client.post(PAGE, {"handle": handle})["Location"] == "/admin/login/"
    assert client.get("/admin/").status_code == 302


def test_nobody_ends_another_persons_by_its_handle(acme, bolt, sign_in):
    client, member, theirs = sign_in(acme), sign_in(acme, Role.MEMBER), sign_in(bolt)
    for handle in (*handles(client).values(), *handles(theirs).values()):
        told = member.post(PAGE, {"handle": handle}, follow=True).content.decode()
        assert "no such session" in told
    assert client.get("/admin/").status_code == theirs.get("/admin/").status_code == 200


def test_platform_staff_have_the_page_too(acme, db):
    from django.contrib.auth.hashers import make_password

    User.objects.create(email="staff@platform.example", password=make_password(PASSWORD), role=Role.OWNER)
    client, other = again("staff@platform.example", agent="One"), again("staff@platform.example", agent="Two")
    assert set(handles(client)) == {"One", "Two"}
    client.post(PAGE, {})
    assert other.get("/admin/").status_code == 302


def test_a_change_of_password_deletes_the_other_sessions(acme, sign_in):
    client = again("owner@acme.example") if sign_in(acme) else None
    form = {
        "old_password": PASSWORD,
        "new_password1": "another long one",
        "new_password2": "another long one",
    }
    assert client.post("/admin/password_change/", form).status_code == 302
    with acting_as(acme):
        (left,) = AuthSession.objects.all()
    assert left.key == client.session.session_key
    assert (left.ip, left.user_agent) == ("203.0.113.9", "Second browser")


@pytest.mark.parametrize(
    ("by", "whose", "is_ended"),
    [
        (Role.OWNER, Role.MEMBER, True),
        (Role.OWNER, Role.ADMIN, True),
        (Role.ADMIN, Role.MEMBER, True),
        (Role.ADMIN, Role.OWNER, False),
        (Role.MEMBER, Role.ADMIN, False),
    ],
)
def test_who_signs_a_colleague_out(acme, bolt, sign_in, by, whose, is_ended):
    client, colleague, theirs = sign_in(acme, by), sign_in(acme, whose), sign_in(bolt, whose)
    with acting_as(acme):
        path = address(User, "sign-out", User.objects.get(role=whose).pk)
    with acting_as(bolt):
        foreign = address(User, "sign-out", User.objects.get(role=whose).pk)
    client.post(path)
    assert colleague.get("/admin/").status_code == (302 if is_ended else 200)
    assert client.post(foreign).status_code == (403 if by == Role.MEMBER else 404)
    assert client.get(path).status_code == 405
    assert theirs.get("/admin/").status_code == 200


class TestTooManyTries:
    @pytest.mark.parametrize("email", ["owner@acme.example", "nobody@acme.example"])
    def test_the_answer_is_the_same_whether_there_is_such_a_person(self, acme, sign_in, email):
        sign_in(acme)
        client = Client()
        said = [
            client.post("/admin/login/", {"username": email, "password": f"wrong {number}"})
            .context["form"]
            .non_field_errors()[0]
            for number in range(6)
        ]
        assert len(set(said[:5])) == 1
        assert said[5] == "Too many attempts. Try again in 15 seconds."

    def test_even_the_right_password_waits_and_other_people_do_not(self, acme, bolt, sign_in):
        sign_in(acme), sign_in(bolt)
        client = Client()
        for _ in range(5):
            client.post("/admin/login/", {"username": "owner@acme.example", "password": "wrong"})
        response = client.post(
            "/admin/login/", {"username": "OWNER@acme.example ", "password": PASSWORD}, follow=True
        )
        assert "Too many attempts" in response.content.decode()
        again("owner@bolt.example")

    def test_an_address_that_tries_many_accounts_waits(self, acme, sign_in):
        sign_in(acme)
        client = Client(REMOTE_ADDR="198.51.100.9")
        for number in range(30):
            client.post("/admin/login/", {"username": f"{number}@acme.example", "password": "wrong"})
        form = {"username": "owner@acme.example", "password": PASSWORD}
        assert "Too many attempts" in client.post("/admin/login/", form).content.decode()
        again("owner@acme.example", ip="198.51.100.10")
