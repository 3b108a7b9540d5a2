"""Signing up: the letter first, then company and owner at once; once per link; telling nobody who exists."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.core import mail
from django.db import connection
from django.test import Client

from billing.costs.models import Budget
from kernel.errors import FrontdeskError
from tenants import signing_up
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.directory import all_tenants, resolve_tenant
from tenants.models import KeyKind, Tenant, TenantStatus, User
from tests.admin.conftest import PASSWORD
from tests.tenants.letters import delivered, link_in
from widgets.models import Personality, Widget

pytestmark = pytest.mark.django_db

EMAIL = "ida@north.example"
FORM = {
    "name": "Ida North", "company": "North Ltd", "slug": "north", "website": "north.example/shop",
    "password": "a rather long one", "again": "a rather long one",
}  # fmt: skip
USED = "This link was used"


@pytest.fixture(autouse=True)
def _on(settings, redis):
    settings.SIGNUP = True
    settings.EMAIL_URL = "smtp://mail.example"


@pytest.fixture
def ask(monkeypatch, settings):
    """ask(email) → the answer's page; the letters are in `mail.outbox`."""

    def asked(email=EMAIL, company="North Ltd", ip="127.0.0.1"):
        with delivered(monkeypatch, settings):
            response = Client(REMOTE_ADDR=ip).post("/signup/", {"company": company, "email": email})
            return response.content.decode()

    return asked


@pytest.fixture
def link(acme, bolt, ask):
    """The link that ida@north.example got."""
    ask()
    return link_in(mail.outbox[-1])


def told(link, **changes):
    return Client().post(link, FORM | changes).content.decode()


def slugs():
    found = set()
    for ref in all_tenants():
        with acting_as(ref):
            found.add(Tenant.objects.get(pk=ref.id).slug)
    return found


def rows():
    """How many rows there are in each table that holds somebody's, whoever may see them: PostgreSQL's own count of what
    this transaction has written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, n_tup_ins + n_tup_upd FROM pg_stat_xact_user_tables WHERE n_tup_ins + n_tup_upd > 0"
        )
        return dict(cursor.fetchall())


def test_asking_and_opening_write_no_row_anywhere(acme, bolt, ask):
    before = rows()
    assert before["tenants"] >= 2
    ask()
    Client().get(link_in(mail.outbox[-1]))
    told(link_in(mail.outbox[-1]), password="short", again="short")
    assert rows() == before


def test_the_whole_story(acme, bolt, ask):
    assert "Look into your mail" in ask(EMAIL.upper())
    (letter,) = mail.outbox
    assert letter.to == [EMAIL]
    link = link_in(letter)
    client = Client()
    page = client.get(link).content.decode()
    assert EMAIL in page
    assert 'value="North Ltd"' in page
    assert 'value="north-ltd"' in page
    # Mail scanners open links too: asking and opening store nothing.
    assert slugs() == {"acme", "bolt"}
    assert resolve_tenant(KeyKind.EMAIL, EMAIL) is None
    assert "is open" in client.post(link, FORM).content.decode()
    north = resolve_tenant(KeyKind.SLUG, "north")
    with acting_as(north):
        tenant, owner, widget = Tenant.objects.get(), User.objects.get(), Widget.objects.get()
        assert (tenant.name, tenant.plan, tenant.status) == ("North Ltd", "starter", TenantStatus.TRIALING)
        assert (owner.email, owner.name, owner.role) == (EMAIL, "Ida North", "owner")
        assert widget.domain_whitelist == ["https://north.example"]
        assert Personality.objects.get().is_default
        assert Budget.objects.get().hard_cap
    for other in (acme, bolt):
        with acting_as(other):
            assert not User.objects.exists()
            assert not Widget.objects.exists()
    client.post("/admin/login/?next=/admin/", {"username": EMAIL, "password": FORM["password"]})
    home = client.get("/admin/").content.decode()
    assert "North Ltd" in home
    assert "Acme" not in home
    for response in (client.get(link), client.post(link, FORM | {"slug": "other"})):
        assert USED in response.content.decode()
    assert slugs() == {"acme", "bolt", "north"}


def test_the_answer_is_the_same_whether_the_email_has_an_account(acme, ask):
    with acting_as(acme):
        create_user("owner@acme.example", PASSWORD)
    User.objects.create(email="staff@platform.example", password="!", tenant=None)
    emails = ("owner@acme.example", "nobody@acme.example", "staff@platform.example")
    plain = {re.sub(r'value="\w{64}"', "", ask(email)) for email in emails}
    assert len(plain) == 1
    assert [letter.subject for letter in mail.outbox] == [
        "You have a Frontdesk account", "Open your Frontdesk account", "You have a Frontdesk account",
    ]  # fmt: skip
    assert "token=" not in mail.outbox[0].body + mail.outbox[2].body


def test_the_letter_holds_nothing_that_a_stranger_wrote(ask):
    ask(company="You won! Call 0900")
    letter = mail.outbox[0]
    words, _, link = letter.body.partition("http")
    assert "won" not in letter.subject + words + link.partition("\n")[2]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"slug": "acme"}, "is taken"),
        ({"slug": "North Ltd"}, "with no - at either end"),
        ({"slug": ""}, "required"),
        ({"website": "ftp://north.example"}, "must be an origin"),
        ({"website": "http://["}, "must be an origin"),
        ({"password": "short", "again": "short"}, "too short"),
        ({"password": EMAIL, "again": EMAIL}, "too similar"),
        ({"again": "another long one"}, "differ"),
        ({"name": ""}, "required"),
        ({"company": "x" * 121}, "at most 120"),
        ({"company": "\0"}, "Null characters"),
    ],
)
def test_what_is_refused_is_said_at_its_field_and_leaves_the_link_good(link, wrong, said):
    assert said in told(link, **wrong)
    assert slugs() == {"acme", "bolt"}
    assert "is open" in told(link, website="")


def test_an_altered_an_expired_and_anothers_link_open_nothing(acme, link, monkeypatch):
    altered = link[:-1] + ("a" if link[-1] != "a" else "b")
    token = link.partition("token=")[2]
    for dead in (altered, "/account/signup/", "/account/signup/?token=x"):
        assert USED in told(dead)
        assert USED in Client().get(dead).content.decode()
    for page in ("join", "password", "email"):
        assert USED in Client().get(f"/account/{page}/?token={token}").content.decode()
    monkeypatch.setattr(signing_up, "LIFETIME", timedelta(seconds=-1))
    assert USED in told(link)
    assert slugs() == {"acme", "bolt"}


def test_an_email_that_has_got_an_account_meanwhile_makes_no_second_one(acme, link):
    with acting_as(acme):
        create_user(EMAIL, PASSWORD)
    assert "has an account already" in told(link)
    assert slugs() == {"acme", "bolt"}


def test_of_two_letters_the_second_opens_nothing_once_the_first_has(link, ask):
    ask()
    assert "is open" in told(link)
    assert "has an account already" in told(link_in(mail.outbox[-1]), slug="other")
    assert "other" not in slugs()


def test_who_asks_too_often_is_told_the_same_and_no_letter_goes(ask):
    answers = {"Look into your mail" in ask(ip=f"203.0.113.{n}") for n in range(6)}
    assert answers == {True}
    assert len(mail.outbox) == 3
    for n in range(12):
        ask(f"p{n}@north.example", ip="203.0.113.99")
    assert len(mail.outbox) == 3 + 10


def test_a_links_page_is_not_for_trying_every_slug(link, monkeypatch):
    monkeypatch.setattr(signing_up, "PER_LINK", signing_up.Limit("sign-up-link", 1 / 3600, 2))
    assert "is taken" in told(link, slug="acme")
    assert "is taken" in told(link, slug="bolt")
    assert "Too many attempts" in told(link)
    assert slugs() == {"acme", "bolt"}


def test_off_means_there_is_no_such_page(acme, link, settings):
    assert "/signup/" in Client().get("/admin/login/").content.decode()
    settings.SIGNUP = False
    for path in ("/signup/", link):
        assert Client().get(path).status_code == 404
        assert Client().post(path, FORM).status_code == 404
    assert "/signup/" not in Client().get("/admin/login/").content.decode()
    assert slugs() == {"acme", "bolt"}


def test_the_pages_have_the_admins_policy_and_are_kept_nowhere(link):
    for path in ("/signup/", link):
        page = Client().get(path)
        assert page["Content-Security-Policy"] == Client().get("/admin/login/")["Content-Security-Policy"]
        assert "no-store" in page["Cache-Control"]


def test_a_form_from_elsewhere_is_refused(link):
    for path in ("/signup/", link):
        assert Client(enforce_csrf_checks=True).post(path, FORM).status_code == 403


@pytest.mark.parametrize(
    ("company", "slug"),
    [("North Ltd", "north-ltd"), ("Müller & Söhne", "muller-sohne"), ("北", ""), ("a" * 80, "a" * 63)],
)
def test_a_slug_is_proposed_where_the_name_makes_one(company, slug):
    assert signing_up.proposed_slug(company) == slug


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["one link", "two links", "one slug"])
def test_eight_at_once_make_one_company(acme, bolt, settings, kind):
    """One link followed eight times; eight links of one email; eight emails that want one slug."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    emails = [f"p{n}@north.example" if kind == "one slug" else EMAIL for n in range(8)]
    for email in emails[: 1 if kind == "one link" else 8]:
        signing_up.write("North", email)
    links = [letter.body for letter in mail.outbox]
    tokens = [re.search(r"token=(\S+)", body).group(1) for body in links] * (8 if kind == "one link" else 1)
    start = Barrier(8)

    def follow(number):
        slug = "north" if kind == "one slug" else f"north-{number}"
        try:
            start.wait(10)
            signing_up.finish(
                tokens[number],
                name="Ida",
                company="North",
                slug=slug,
                website="",
                password="a rather long one",
            )
            return "made"
        except FrontdeskError as error:
            return error.detail
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(follow, range(8)))
    assert outcomes.count("made") == 1, outcomes
    expected = {"one link": USED, "two links": "has an account", "one slug": "is taken"}[kind]
    assert all(expected in outcome for outcome in outcomes if outcome != "made"), outcomes
    assert len(slugs()) == 3
