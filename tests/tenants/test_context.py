"""The tenant context: nobody's rows without it, only one's own within it, nothing left behind after it."""

import threading

import pytest
from django.db import DataError, IntegrityError, ProgrammingError, connection, transaction

from tenants.context import TenantContextError, acting_as, current_tenant, run_as
from tenants.db.base import TENANT_SETTING
from tests import conversations
from widgets.models import Message, Personality, Session, Widget


def setting():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s, true), current_setting('search_path')", [TENANT_SETTING])
        return cursor.fetchone()


@pytest.fixture
def peopled(acme, bolt, cargo):
    for tenant in (acme, bolt, cargo):
        with acting_as(tenant):
            Personality.objects.create(name=f"{tenant.slug}'s")
    return acme, bolt, cargo


def names():
    return [row.name for row in Personality.objects.all()]


def test_tests_run_as_the_application_role(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == ("frontdesk_app", False, False)


def test_each_tenant_sees_its_own_rows_only(peopled):
    for tenant in peopled:
        with acting_as(tenant):
            assert names() == [f"{tenant.slug}'s"]
            assert setting()[:2] == (str(tenant.pk), f'"{tenant.schema_name}", public')


def test_without_a_context_nothing_is_there(peopled):
    with pytest.raises(ProgrammingError, match="does not exist"), transaction.atomic():
        names()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pool.ai_personalities")
        assert cursor.fetchone() == (0,)
        cursor.execute("UPDATE pool.ai_personalities SET name = 'stolen'")
        assert cursor.rowcount == 0
        cursor.execute("SELECT count(*) FROM tenants")
        assert cursor.fetchone() == (0,)
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            cursor.execute(
                "INSERT INTO pool.ai_personalities (name, tenant_id) VALUES ('x', %s)", [peopled[0].pk]
            )


def test_a_row_cannot_be_written_for_or_moved_to_another_tenant(peopled):
    acme, bolt, _ = peopled
    with pytest.raises(ProgrammingError, match="row-level security"), acting_as(acme):
        Personality.objects.create(name="x", tenant=bolt)
    with pytest.raises(ProgrammingError, match="row-level security"), acting_as(acme):
        Personality.objects.update(tenant=bolt)


def test_a_key_cannot_point_at_another_tenants_row(acme, bolt):
    theirs = conversations.session(acme)
    with pytest.raises(IntegrityError, match="same_tenant"), acting_as(bolt):
        Message.objects.create(session_id=theirs.pk, seq=1, role="user", content="x")
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_nesting_another_tenant_is_refused(acme, bolt):
    with acting_as(acme), pytest.raises(TenantContextError, match="refusing"), acting_as(bolt):
        pass
    assert current_tenant() is None


def test_a_context_leaves_nothing_behind(peopled):
    acme, *_ = peopled
    for end in ("normally", "by an error", "by a database error"):
        try:
            with acting_as(acme):
                names()
                if end == "by an error":
                    raise ZeroDivisionError
                if end == "by a database error":
                    connection.cursor().execute("SELECT nope")
        except (ZeroDivisionError, ProgrammingError):
            pass
        found = setting()
        assert (found[0] or "", found[1].strip('"')) == ("", "public"), end


def test_a_savepoint_that_rolls_back_keeps_the_tenant(peopled):
    acme, *_ = peopled
    with acting_as(acme):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Personality.objects.create(name="gone")
            raise ZeroDivisionError
        assert names() == ["acme's"]
        assert setting()[0] == str(acme.pk)


def test_a_setting_that_is_no_uuid_is_an_error(acme):
    with (
        connection.cursor() as cursor,
        pytest.raises(DataError, match="invalid input syntax"),
        transaction.atomic(),
    ):
        cursor.execute(f"SET LOCAL {TENANT_SETTING} = 'nope'")
        cursor.execute("SELECT count(*) FROM pool.widgets")


def test_deleting_a_widget_keeps_its_sessions_and_their_tenant(acme):
    session = conversations.session(acme)
    with acting_as(acme):
        Widget.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        kept = Session.objects.get(pk=session.pk)
    assert (kept.widget_id, kept.tenant_id) == (None, acme.pk)


@pytest.mark.django_db(transaction=True)
def test_a_tenant_outside_a_transaction_is_refused(acme):
    from tenants.context import NOBODY, TenantRef

    connection.set_tenant(TenantRef(acme.pk, acme.schema_name))
    try:
        with pytest.raises(TenantContextError, match="no transaction"):
            names()
    finally:
        connection.set_tenant(NOBODY)


@pytest.mark.django_db(transaction=True)
def test_a_new_connection_may_be_made_for_a_tenant(acme, monkeypatch):
    connection.close()
    monkeypatch.setattr("django.db.backends.base.base.RAN_DB_VERSION_CHECK", set())
    connection.__dict__.pop("pg_version", None)
    with acting_as(acme):
        assert Personality.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_threads_never_meet(peopled):
    foreign = []

    def work(tenant):
        for _ in range(30):
            with acting_as(tenant):
                Personality.objects.create(name=f"{tenant.slug}'s")
                foreign.extend(name for name in names() if name != f"{tenant.slug}'s")
        connection.close()

    threads = [threading.Thread(target=work, args=(tenant,)) for tenant in peopled for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not foreign
    for tenant in peopled:
        with acting_as(tenant):
            assert Personality.objects.count() == 61


@pytest.mark.django_db(transaction=True)
async def test_async_tasks_never_meet(peopled_async):
    import asyncio

    def work(slug):
        Personality.objects.create(name=f"{slug}'s")
        return set(names()) == {f"{slug}'s"}

    results = await asyncio.gather(*(run_as(tenant, work, tenant.slug) for tenant in peopled_async * 20))
    assert all(results)


@pytest.fixture
def peopled_async(transactional_db, peopled):
    return list(peopled)


@pytest.mark.django_db(transaction=True)
def test_a_killed_backend_leaves_no_tenant(peopled):
    acme, *_ = peopled
    with pytest.raises(Exception, match="terminating connection"), acting_as(acme):
        connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.close()
    assert setting()[:2] == (None, "public")
