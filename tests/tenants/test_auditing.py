"""The record of changes: whole, by whom, unchangeable, without a secret."""

import json
import uuid
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from celery import shared_task
from celery.contrib.django.task import DjangoTask
from django.db import ProgrammingError, connection, transaction

from tenants.auditing import Actor, Target, by_person, doing_as, record
from tenants.authentication import authenticate_api_key, issue_api_key, revoke_api_key
from tenants.configuring import configure_tenant
from tenants.context import TenantContextError, acting_as
from tenants.creating import create_user
from tenants.models import AuditEntry, User
from tenants.tasking import TenantTask
from tests import cast, conversations
from tests.widgets.chat.visitors import arrive
from widgets.models import Message

pytestmark = pytest.mark.django_db


def newest(**wanted):
    return AuditEntry.objects.filter(**wanted).first()


def told(entry):
    return entry.actor_kind, entry.actor_id, entry.actor_text, entry.ip


def test_a_change_tells_who_what_and_from_where(acme):
    ada = cast.person(acme, "ada@acme.com", name="Ada")
    with doing_as(Actor("user", str(ada.pk), ip="192.0.2.9")), acting_as(acme):
        configure_tenant(
            name="Acme & Co", timezone="", locale="", allowed_domains=[], retention_days=None, spend_caps={}
        )
        entry = newest(target_kind="account", action="changed")
    assert told(entry) == ("user", str(ada.pk), "Ada (ada@acme.com)", "192.0.2.9")
    assert (entry.before, entry.after) == ({"name": "Acme"}, {"name": "Acme & Co"})
    assert (entry.target_id, entry.target_text) == (str(acme.pk), "Acme & Co")


def test_a_key_is_named_and_its_secret_is_not(acme):
    with acting_as(acme):
        key, secret = issue_api_key("Voice worker", ["read"])
    with doing_as(Actor("key", str(key.pk))), acting_as(acme):
        revoke_api_key(key.pk)
        created, changed = newest(target_kind="api_key", action="created"), newest(action="changed")
    assert created.actor_kind == "system"
    assert created.after["key_hash"] == "•••"
    assert told(changed)[:3] == ("key", str(key.pk), f"Voice worker ({key.prefix}…)")
    assert list(changed.after) == ["revoked_at"]
    with acting_as(acme):
        whole = json.dumps(list(AuditEntry.objects.values("before", "after")))
    assert secret not in whole
    assert key.key_hash not in whole


def test_looking_and_counting_are_no_changes(acme):
    secret = cast.api_key(acme)
    with acting_as(acme):
        before = AuditEntry.objects.count()
    authenticate_api_key(secret)
    with acting_as(acme):
        User.objects.update(last_login="2026-01-01T00:00Z")
        assert AuditEntry.objects.count() == before


def test_a_change_that_is_rolled_back_leaves_nothing(acme):
    with acting_as(acme):
        before = AuditEntry.objects.count()
        with pytest.raises(RuntimeError), transaction.atomic():
            create_user("nobody@acme.com", "a long enough password")
            raise RuntimeError
        assert AuditEntry.objects.count() == before


def test_an_actor_set_in_the_middle_counts_from_there_on(acme):
    ada = cast.person(acme, "ada@acme.com", name="Ada")
    with acting_as(acme):
        create_user("one@acme.com", "a long enough password")
        with by_person(ada):
            create_user("two@acme.com", "a long enough password")
        create_user("three@acme.com", "a long enough password")
        found = dict(AuditEntry.objects.filter(action="created").values_list("target_text", "actor_kind"))
    assert [found[f"{name}@acme.com"] for name in ("one", "two", "three")] == ["system", "user", "system"]


def test_nobody_is_left_over_for_the_next_transaction(acme, bolt):
    with doing_as(Actor("staff", "7", "Grace", "192.0.2.1")), acting_as(acme):
        create_user("one@acme.com", "a long enough password")
    with acting_as(bolt):
        create_user("one@bolt.com", "a long enough password")
        assert told(newest(target_text="one@bolt.com")) == ("system", "", "", None)
    with acting_as(acme):
        assert told(newest(target_text="one@acme.com")) == ("staff", "7", "Grace", "192.0.2.1")


def test_what_is_no_row_is_recorded_by_hand_and_masked(acme):
    with doing_as(Actor("system", text="cron")), acting_as(acme):
        record(
            "exported",
            Target("account", acme.pk, "Acme"),
            after={"rows": 3, "at": acme.created_at, "api_token": "s3cret", "deep": [{"Password": "s3cret"}]},
        )
        entry = newest(action="exported")
    assert (entry.actor_text, entry.target_id) == ("cron", str(acme.pk))
    assert entry.after == {
        "rows": 3,
        "at": entry.after["at"],
        "api_token": "•••",
        "deep": [{"Password": "•••"}],
    }
    with pytest.raises(TenantContextError):
        record("exported", Target("account"))


@pytest.mark.parametrize("statement", ["UPDATE {} SET action = ''", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_application_can_only_add_and_read(acme, cargo, statement):
    for tenant in (acme, cargo):
        with (
            acting_as(tenant),
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement.format("audit_entries"))


def test_a_dedicated_schema_has_a_record_of_its_own(cargo, acme):
    with acting_as(cargo):
        create_user("ada@cargo.com", "a long enough password")
        assert newest(target_text="ada@cargo.com").tenant_id == cargo.pk
    with acting_as(acme):
        assert newest(target_text="ada@cargo.com") is None


def test_an_actor_that_is_nobodys_leaves_an_entry_all_the_same(acme):
    with doing_as(Actor("user", str(uuid.uuid4()))), acting_as(acme):
        create_user("one@acme.com", "a long enough password")
        assert newest(target_text="one@acme.com").actor_text == ""


def test_a_task_does_what_it_does_for_whoever_sent_it(acme):
    ada = cast.person(acme, "ada@acme.com", name="Ada")

    @shared_task(name="tests.audited", base=TenantTask)
    def audited():
        create_user("later@acme.com", "a long enough password")

    sent = {}
    with (
        doing_as(Actor("user", str(ada.pk), ip="192.0.2.9")),
        acting_as(acme),
        mock.patch.object(DjangoTask, "apply_async", lambda self, *_, headers, **__: sent.update(headers)),
    ):
        audited.apply_async()
    audited.apply(headers=sent, throw=True)
    with acting_as(acme):
        assert told(newest(target_text="later@acme.com")) == (
            "user",
            str(ada.pk),
            "Ada (ada@acme.com)",
            "192.0.2.9",
        )


@pytest.mark.django_db(transaction=True)
async def test_a_visitors_conversation_leaves_nothing(acme, redis):
    def counted():
        with acting_as(acme):
            return Message.objects.count(), AuditEntry.objects.count()

    widget = await sync_to_async(conversations.known_widget)(acme)
    _, before = await sync_to_async(counted)()
    visitor = await arrive(widget)
    await visitor.receive()
    await visitor.ask("Where is the button?")
    await visitor.send(type="end")
    await visitor.until("status")
    await visitor.leave()
    said, after = await sync_to_async(counted)()
    assert said >= 2
    assert after == before
