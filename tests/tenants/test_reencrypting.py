"""ENCRYPTION_KEYS are rotated: everything encrypted is found, moved under the newest key, and nothing else changes."""

from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import models

from kernel.encryption import InvalidToken, decrypt, encrypt, is_current
from tenants import reencrypting
from tenants.context import acting_as
from tenants.encrypted import EncryptedField, encrypted_columns
from tenants.models import SecondFactor, Tenant, TenantStatus, User
from tests.isolation import twins
from widgets.models import Widget

OLD, NEW = "old-key-" * 5, "new-key-" * 5
# Columns of bytes that hold no secret.
PLAIN_BYTES = {
    "idempotency_records.body": "what a POST was answered, as it was sent",
    "security_keys.public_key": "the public half of a key",
}


@pytest.fixture
def rows(acme, bolt, cargo, settings):
    """A row of all three tenants in every table with a secret, under the old key; the new one stands in front."""
    settings.ENCRYPTION_KEYS = (OLD,)
    for tenant in (acme, bolt, cargo):
        twins.make_rows(tenant, tenant.slug, [model for model, _ in encrypted_columns()])
    settings.ENCRYPTION_KEYS = (NEW, OLD)
    return acme, bolt, cargo


def run(*arguments):
    out = StringIO()
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue().splitlines()


def secrets(tenant):
    found = {}
    for model, field in encrypted_columns():
        with acting_as(tenant):
            for key, token in model.objects.values_list("pk", field.name):
                found[f"{model._meta.db_table}.{field.name}", key] = bytes(token)
    return found


def test_no_column_of_bytes_is_forgotten():
    """What `encrypt` gives is bytes: a column for it is of the type that rotate_keys finds, or explained here."""
    ours = [model for model in apps.get_models() if getattr(model._meta.app_config, "is_frontdesk", False)]
    bare = {
        f"{model._meta.db_table}.{field.column}"
        for model in ours
        for field in model._meta.local_fields
        if isinstance(field, models.BinaryField) and not isinstance(field, EncryptedField)
    }
    assert bare == set(PLAIN_BYTES)
    assert {f"{model._meta.db_table}.{field.column}" for model, field in encrypted_columns()} >= {
        "second_factors.secret",
        "provider_keys.secret",
        "widgets.identity_secret",
    }


@pytest.mark.django_db
def test_a_secret_in_clear_is_refused(acme):
    with acting_as(acme):
        widget = Widget.objects.create(name="w", public_key="pk_1", domain_whitelist=[])
        widget.identity_secret = b"in clear"
        with pytest.raises(ValueError, match=r"Widget\.identity_secret holds tokens"):
            widget.save()
        with pytest.raises(ValueError, match="holds tokens"):
            Widget.objects.update(identity_secret=b"in clear")


@pytest.mark.django_db(transaction=True)
def test_everything_comes_under_the_new_key(rows, settings):
    every = 3 * len(list(encrypted_columns()))
    with pytest.raises(CommandError, match=f"{every} secrets are under an older key"):
        run("--check")
    before = {tenant.slug: secrets(tenant) for tenant in rows}
    assert (
        run()[-1] == f"all tenants: {every} secrets, {every} re-encrypted, 0 under an older key, 0 unreadable"
    )
    for tenant in rows:
        after = secrets(tenant)
        assert after.keys() == before[tenant.slug].keys()
        assert all(is_current(token) for token in after.values())
        assert {decrypt(token) for token in after.values()} == {twins.SAME}
    settings.ENCRYPTION_KEYS = (NEW,)
    assert run("--check") == [
        f"all tenants: {every} secrets, 0 re-encrypted, 0 under an older key, 0 unreadable"
    ]
    # Again: nothing is left to do, and nothing is written.
    kept = secrets(rows[0])
    run()
    assert secrets(rows[0]) == kept


@pytest.mark.django_db(transaction=True)
def test_a_closed_tenants_secrets_come_too(rows, settings):
    with acting_as(rows[1]):
        Tenant.objects.filter(pk=rows[1].pk).update(status=TenantStatus.CLOSED)
    run()
    settings.ENCRYPTION_KEYS = (NEW,)
    with acting_as(rows[1]):
        assert decrypt(SecondFactor.objects.get().secret) == twins.SAME


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_broken_off_goes_on(rows, settings, monkeypatch):
    monkeypatch.setattr(reencrypting, "BATCH", 1)
    renewed, done = reencrypting.renewed, []

    def dies_after_two(token):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(token)
        return renewed(token)

    monkeypatch.setattr(reencrypting, "renewed", dies_after_two)
    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.setattr(reencrypting, "renewed", renewed)
    assert f" {3 * len(list(encrypted_columns())) - 2} re-encrypted" in run()[-1]
    settings.ENCRYPTION_KEYS = (NEW,)
    run("--check")


@pytest.mark.django_db(transaction=True)
def test_batches_reach_the_last_row(acme, bolt, settings, monkeypatch):
    settings.ENCRYPTION_KEYS = (OLD,)
    monkeypatch.setattr(reencrypting, "BATCH", 3)
    for tenant, count in ((acme, 7), (bolt, 3)):
        with acting_as(tenant):
            for number in range(count):
                user = User.objects.create(email=f"{number}@{tenant.slug}.example", tenant_id=tenant.pk)
                SecondFactor.objects.create(user=user, secret=encrypt(str(number)))
    settings.ENCRYPTION_KEYS = (NEW, OLD)
    assert reencrypting.reencrypt(acme).renewed == 7
    assert reencrypting.count(bolt).outdated == 3
    settings.ENCRYPTION_KEYS = (NEW,)
    with acting_as(acme):
        assert sorted(decrypt(one.secret) for one in SecondFactor.objects.all()) == list("0123456")


@pytest.mark.django_db(transaction=True)
def test_what_somebody_sets_meanwhile_stays(acme, bolt, settings, monkeypatch):
    settings.ENCRYPTION_KEYS = (OLD,)
    for tenant in (acme, bolt):
        with acting_as(tenant):
            Widget.objects.create(
                name="w",
                public_key=f"pk_{tenant.slug}",
                domain_whitelist=[],
                identity_secret=encrypt("first"),
            )
    theirs = secrets(bolt)
    settings.ENCRYPTION_KEYS = (NEW, OLD)
    renewed = reencrypting.renewed

    def somebody_is_faster(token):
        Widget.objects.update(identity_secret=encrypt("second"))
        return renewed(token)

    monkeypatch.setattr(reencrypting, "renewed", somebody_is_faster)
    assert reencrypting.reencrypt(acme).renewed == 0
    with acting_as(acme):
        assert decrypt(Widget.objects.get().identity_secret) == "second"
    assert secrets(bolt) == theirs


@pytest.mark.django_db(transaction=True)
def test_one_that_no_key_reads_is_told_and_left(acme, settings):
    settings.ENCRYPTION_KEYS = ("lost-key-" * 5,)
    with acting_as(acme):
        Widget.objects.create(
            name="w", public_key="pk_1", domain_whitelist=[], identity_secret=encrypt("gone")
        )
    settings.ENCRYPTION_KEYS = (NEW, OLD)
    before = secrets(acme)
    with pytest.raises(CommandError, match="1 secrets can be read with none"):
        run()
    assert secrets(acme) == before
    with pytest.raises(InvalidToken):
        decrypt(next(iter(before.values())))
