"""Widgets and personalities: their forms, the preview, the versions, the playground."""

import json
import re

import pytest
from django.test import Client, RequestFactory

from tenants.context import acting_as
from tenants.permissions import Role
from tests import conversations
from tests.admin.rows import address
from widgets.admin.preview import asked_settings
from widgets.models import Message, Personality, Widget
from widgets.settings import DEFAULTS

WIDGET = {
    "name": "New", "is_active": "on", "domain_whitelist": "https://acme.example\nhttps://*.acme.example",
    "personality": "",
    "collections": "", "theme": "dark", "position": "bottom-left", "greeting": "Hello", "primaryColor": "#112233",
    "secondaryColor": "#445566", "launcherLabel": "", "starterQuestions": "One?\nTwo?", "locale": "",
    "offlineMessage": "",
    "privacyUrl": "", "sessionCapUsd": "", "proofOfWork": "on", "visitorDayCapUsd": "0.40", "addressDayCapUsd": "",
}  # fmt: skip


def test_choices_list_ones_own_rows_only(filled, acme, sign_in):
    page = sign_in(acme).get("/admin/widgets/widget/add/").content.decode()
    assert "acme voice" in page
    assert "bolt voice" not in page


def test_another_tenants_row_cannot_be_chosen(filled, acme, bolt, sign_in):
    client = sign_in(acme)
    with acting_as(bolt):
        foreign = Personality.objects.get()
    response = client.post("/admin/widgets/widget/add/", {**WIDGET, "personality": str(foreign.pk)})
    assert response.status_code == 200
    assert "personality" in response.context["adminform"].form.errors


class TestWidgets:
    def test_make_change_and_delete(self, acme, sign_in):
        client = sign_in(acme)
        assert client.post("/admin/widgets/widget/add/", WIDGET).status_code == 302
        with acting_as(acme):
            widget = Widget.objects.get()
            assert widget.domain_whitelist == ["https://acme.example", "https://*.acme.example"]
            assert widget.settings["starterQuestions"] == ["One?", "Two?"]
            assert widget.settings["visitorDayCapUsd"] == "0.40"
            assert "sessionCapUsd" not in widget.settings
        path = address(Widget, "change", widget.pk)
        page = client.get(path).content.decode()
        assert f"/widget/v1.js?w={widget.public_key}" in page
        assert "&lt;script src=" in page
        assert client.post(path, {**WIDGET, "name": "Renamed", "greeting": ""}).status_code == 302
        with acting_as(acme):
            widget.refresh_from_db()
        assert (widget.name, widget.settings["greeting"]) == ("Renamed", "")
        assert client.get(address(Widget, "delete", widget.pk)).status_code == 200
        assert client.post(address(Widget, "delete", widget.pk), {"post": "yes"}).status_code == 302
        with acting_as(acme):
            assert not Widget.objects.exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [("name", ""), ("domain_whitelist", "acme.com"), ("primaryColor", "red"), ("starterQuestions", "a\n" * 7),
         ("privacyUrl", "javascript:alert(1)"), ("theme", "pink"), ("proofOfWork", "maybe"),
         ("visitorDayCapUsd", "-1"), ("locale", "no such")],
    )  # fmt: skip
    def test_what_is_refused_is_said_at_its_field(self, acme, sign_in, field, value):
        response = sign_in(acme).post("/admin/widgets/widget/add/", {**WIDGET, field: value})
        assert response.status_code == 200
        assert list(response.context["adminform"].form.errors) == [field]
        with acting_as(acme):
            assert not Widget.objects.exists()

    def test_how_often_a_cap_stopped_the_ai_is_told(self, filled, acme, bolt, sign_in):
        session, theirs = filled
        path = address(Widget, "change", session.widget_id)
        client = sign_in(acme)
        assert "Stopped by a spend cap" not in client.get(path).content.decode()
        for tenant, of, caps in (
            (acme, session, ["visitor", "visitor", "address"]),
            (bolt, theirs, ["session"]),
        ):
            with acting_as(tenant):
                for seq, cap in enumerate(caps, 10):
                    Message.objects.create(
                        session=of,
                        seq=seq,
                        role="assistant",
                        content="x",
                        metadata={"event": "budget_reached", "cap": cap},
                    )
        page = " ".join(client.get(path).content.decode().split())
        assert "2 by the cap per visitor, 1 by the cap per address." in page
        assert "per conversation." not in page
        assert "Stopped by a spend cap today" in client.get("/admin/").content.decode()
        listed = client.get("/admin/widgets/message/?outcome=capped").context["cl"].result_list
        assert len(listed) == 3

    def test_one_with_conversations_stays_and_says_why(self, filled, acme, sign_in):
        session, _ = filled
        response = sign_in(acme).post(
            address(Widget, "delete", session.widget_id), {"post": "yes"}, follow=True
        )
        assert "has conversations" in response.content.decode()
        with acting_as(acme):
            assert Widget.objects.filter(pk=session.widget_id).exists()


class TestPersonalities:
    FORM = {"name": "Kind", "description": "", "system_prompt": "Be kind.", "temperature": "0.5", "max_tokens": "500",
            "top_p": "1", "frequency_penalty": "0", "presence_penalty": "0", "preferred_model": "",
            "is_active": "on"}  # fmt: skip

    def test_each_save_is_a_version_and_the_default_stays(self, acme, sign_in):
        client = sign_in(acme)
        assert client.post("/admin/widgets/personality/add/", self.FORM).status_code == 302
        with acting_as(acme):
            personality = Personality.objects.get()
        assert personality.is_default
        path = address(Personality, "change", personality.pk)
        changed = client.post(path, {**self.FORM, "is_default": "on", "system_prompt": "Be kinder."})
        assert changed.status_code == 302
        assert "Version 2" in client.get(path).content.decode()
        page = client.get(path).content.decode()
        assert "owner of acme" in page
        assert "+ Be kinder." in page
        assert "- Be kind." in page
        refused = client.post(path, self.FORM)
        assert "make another one the default" in refused.content.decode()
        refused = client.post(path, {**self.FORM, "is_default": "on", "temperature": "3"})
        assert "temperature" in refused.context["adminform"].form.errors
        deleted = client.post(address(Personality, "delete", personality.pk), {"post": "yes"}, follow=True)
        assert "cannot be deleted" in deleted.content.decode()

    def test_a_draft_is_tried_without_being_saved(self, acme, bolt, sign_in):
        conversations.teach(acme, "Returns", "# Returns\n\nYou can return an item within 30 days.")
        conversations.teach(bolt, "Secrets", "# Returns\n\nBolt's own way to return an item is secret.")
        client = sign_in(acme)
        form = {
            **self.FORM,
            "question": "Within how many days can I return an item?",
            "system_prompt": "Unsaved.",
        }
        answer = said(client.post("/admin/widgets/personality/ask/", form))
        assert "30 days" in answer
        assert "secret" not in answer
        with acting_as(acme):
            assert not Personality.objects.exists()
        for change, problem in (
            ({"question": " "}, "must have 1 to"),
            ({"temperature": "9"}, "not valid"),
            ({"temperature": "NaN"}, "must be a number"),
            ({"preferred_model": "nonsense"}, "not valid"),
        ):
            assert problem in said(client.post("/admin/widgets/personality/ask/", {**form, **change}))
        assert sign_in(acme, Role.MEMBER).post("/admin/widgets/personality/ask/", form).status_code == 403


class TestPreview:
    PAGE, SCRIPT = "/admin/widgets/widget/preview/", "/admin/widgets/widget/preview.js"

    def test_it_shows_what_is_not_saved(self, acme, sign_in):
        client = sign_in(acme)
        query = {**WIDGET, "greeting": "Ahoi <script>", "name": "New </script> one"}
        page = client.get(self.PAGE, query)
        assert page["X-Frame-Options"] == "SAMEORIGIN"
        boot = json.loads(re.search(r'id="boot"[^>]*>(.*?)</script>', page.content.decode()).group(1))
        assert boot["widget"]["settings"]["greeting"] == "Ahoi <script>"
        assert boot["widget"]["settings"]["starterQuestions"] == ["One?", "Two?"]
        source = client.get(self.SCRIPT, query).content.decode()
        assert "#112233" in source
        assert "bottom-left" in source
        assert "New </script>" not in source

    def test_what_is_not_valid_yet_is_as_by_default(self, acme, sign_in):
        query = {
            "primaryColor": "#11",
            "theme": "pink",
            "starterQuestions": "a\n" * 9,
            "locale": "?",
            "name": "\0",
        }
        settings = asked_settings(RequestFactory().get(self.PAGE, query))
        assert settings == DEFAULTS
        assert sign_in(acme).get(self.PAGE, query).status_code == 200

    def test_only_for_those_who_may_see_widgets(self, acme, sign_in):
        assert Client().get(self.PAGE).status_code == 302
        assert Client().get(self.SCRIPT).status_code == 302
        assert sign_in(acme, Role.MEMBER).get(self.SCRIPT).status_code == 200


def said(response):
    """A piece of a page that was made after the request's transaction."""
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


def test_an_error_in_a_list_names_its_line(acme, sign_in):
    form = {**WIDGET, "domain_whitelist": "https://acme.example\nacme.com"}
    response = sign_in(acme).post("/admin/widgets/widget/add/", form)
    (error,) = response.context["adminform"].form.errors["domain_whitelist"]
    assert error.startswith("Line 2: must be an origin")
