"""Walks over every address: which other websites may read it, who may frame it, and which cookies it sets."""

import re

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse

from config.isolation import doors
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.rest.problems import for_programs
from tests import cast, conversations
from tests.admin.rows import fill
from tests.widgets.chat.visitors import boot
from widgets.models import Widget

STRANGER = "https://evil.example"
ARGUMENT = re.compile(r"<[^>]+>")
SOME_ID = "01970000-0000-7000-8000-00000000000a"
# What anybody may read anyway: it says nothing of a tenant, and tools in browsers fetch it.
READ_BY_ALL = frozenset({"/api/v1/openapi.json"})
FRAMED_BY_US = frozenset({"/admin/widgets/widget/preview/"})
ALLOWING = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods")

pytestmark = pytest.mark.django_db


def addresses():
    return sorted({"/" + ARGUMENT.sub(SOME_ID, door.route) for door in doors.urls()})


@pytest.fixture
def client(redis, settings):
    settings.RATE_LIMITS = False
    return Client()


def sign_in(client, tenant, **how):
    """The answer of the login page to an owner of the tenant's."""
    person = {"username": f"owner@{tenant.slug}.example", "password": "a long enough password"}
    with acting_as(tenant):
        create_user(person["username"], person["password"], role="owner")
    signed_in = client.post(reverse("admin:login"), person, **how)
    assert signed_in.status_code == 302
    return signed_in


class TestWhoMayRead:
    @pytest.mark.django_db(transaction=True)
    def test_no_other_website_reads_anything_but_the_widgets_doors(self, acme, client):
        """Neither with a stolen key nor by a preflight; and nowhere is a browser told to send its cookies along."""
        key = {"Authorization": f"Bearer {cast.api_key(acme)}", "Origin": STRANGER}
        preflight = {"Origin": STRANGER, "Access-Control-Request-Method": "GET"}
        walked = 0
        for path in addresses():
            answers = [client.get(path, headers=key), client.options(path, headers=preflight)]
            for answer in answers:
                assert "Access-Control-Allow-Credentials" not in answer, path
                if not path.startswith("/widget/") and path not in READ_BY_ALL:
                    walked += 1
                    assert [name for name in ALLOWING if name in answer] == [], path
        assert walked > 100

    def test_a_widget_is_read_by_its_own_websites_only(self, acme, bolt, client):
        mine, theirs = conversations.known_widget(acme), conversations.known_widget(bolt)
        assert boot(mine).status_code == 200
        for origin in (STRANGER, theirs.domain_whitelist[0], "null"):
            refused = boot(mine, origin=origin)
            assert refused.status_code == 403
            assert refused.json()["code"] == "origin_not_allowed"
            assert mine.name not in refused.content.decode()
            assert "visitor_token" not in refused.json()
        with acting_as(acme):
            Widget.objects.filter(pk=mine.pk).update(domain_whitelist=[])
        assert boot(mine, origin="https://acme.example").status_code == 403

    def test_its_answers_go_to_the_page_that_asked_and_are_cached_for_it_alone(self, acme, client):
        answer = boot(conversations.known_widget(acme))
        assert answer["Access-Control-Allow-Origin"] == "https://acme.example"
        assert "Origin" in answer["Vary"]
        assert answer["Cache-Control"] == "no-store"


class TestWhoMayFrame:
    @pytest.mark.django_db(transaction=True)
    def test_nobody_frames_a_page_of_ours_but_we_the_preview(self, acme, bolt, client):
        fill(acme)
        sign_in(client, acme)
        pages = 0
        own = ["/" + ARGUMENT.sub(SOME_ID, route) for route in doors.admin_pages()]
        # Last come those that may end the session with which the others are read.
        for route in [*addresses(), *sorted(own, key=lambda route: "/log" in route)]:
            answer = client.get(route)
            policy = answer["Content-Security-Policy"]
            if not answer.get("Content-Type", "").startswith("text/html") or answer.status_code >= 300:
                assert "frame-ancestors" in policy, route
                continue
            pages += 1
            if route in FRAMED_BY_US:
                assert "frame-ancestors 'self'" in policy
                assert answer["X-Frame-Options"] == "SAMEORIGIN"
            else:
                assert "frame-ancestors 'none'" in policy, route
                assert answer["X-Frame-Options"] == "DENY", route
        assert pages > 40


class TestCookies:
    @pytest.mark.django_db(transaction=True)
    def test_only_people_get_any(self, acme, client):
        widget = conversations.known_widget(acme)
        key = {"Authorization": f"Bearer {cast.api_key(acme)}"}
        for path in addresses():
            if for_programs(path):
                client.get(path, headers=key)
        boot(widget)
        assert client.cookies == {}

    def test_a_session_is_out_of_scripts_reach_and_goes_to_nobody_elses_forms(self, acme, client):
        signed_in = sign_in(client, acme)
        session = signed_in.cookies[django_settings.SESSION_COOKIE_NAME]
        assert session["httponly"]
        assert session["samesite"] == "Lax"
        assert (session["path"], session["domain"]) == ("/", "")
        token = signed_in.cookies[django_settings.CSRF_COOKIE_NAME]
        assert (token["samesite"], token["path"], token["domain"]) == ("Lax", "/", "")

    def test_behind_tls_they_never_leave_it(self, acme, client, settings):
        settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
        settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
        signed_in = sign_in(client, acme, secure=True)
        for name in ("__Host-sessionid", "__Host-csrftoken"):
            cookie = signed_in.cookies[name]
            # What browsers ask of the prefix: Secure, for every path, and no domain.
            assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")

    def test_a_foreign_pages_form_does_nothing(self, acme):
        """Same-site cookies are one wall; the token is the other."""
        strict = Client(enforce_csrf_checks=True, headers={"Origin": STRANGER})
        assert strict.post(reverse("admin:login"), {"username": "x", "password": "y"}).status_code == 403


def test_browsers_keep_to_tls_once_they_came_by_it(client, settings):
    from django.middleware.security import SecurityMiddleware

    settings.SECURE_HSTS_SECONDS = 365 * 24 * 3600
    answer = Client().get("/healthz", secure=True)
    assert answer["Strict-Transport-Security"] == "max-age=31536000"
    assert SecurityMiddleware.__module__ + ".SecurityMiddleware" in django_settings.MIDDLEWARE
    assert "Strict-Transport-Security" not in Client().get("/healthz")
