"""Loosened guards are noticed: by the start-up check, by schema_check, and by maintain, which mends partitions."""

from io import StringIO

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from config import env
from tenants.maintaining import guard_partitions
from tenants.owner import owner_connection
from tenants.roles import problems, refuse_if_unsafe
from tests import servers

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def superuser(transactional_db):
    name = connection.settings_dict["NAME"]
    with psycopg.connect(servers.url(env.SUPERUSER_ROLE, name), autocommit=True) as opened:
        yield opened


def test_a_table_without_force_stops_the_start(superuser):
    superuser.execute("ALTER TABLE pool.messages NO FORCE ROW LEVEL SECURITY")
    try:
        with pytest.raises(ImproperlyConfigured, match=r"pool\.messages lacks forced row-level security"):
            refuse_if_unsafe()
    finally:
        superuser.execute("ALTER TABLE pool.messages FORCE ROW LEVEL SECURITY")
    refuse_if_unsafe()


@pytest.mark.parametrize(
    ("loosen", "tighten", "sentence"),
    [
        ("ALTER ROLE frontdesk_app BYPASSRLS", "ALTER ROLE frontdesk_app NOBYPASSRLS", "has BYPASSRLS"),
        ("ALTER ROLE frontdesk_app SUPERUSER", "ALTER ROLE frontdesk_app NOSUPERUSER", "is a superuser"),
        *(
            (f"GRANT {role} TO frontdesk_app", f"REVOKE {role} FROM frontdesk_app", f"is a member of {role}")
            for role in ("frontdesk_owner", "frontdesk_lookup")
        ),
    ],
)
def test_an_unsafe_role_stops_the_start(superuser, loosen, tighten, sentence):
    superuser.execute(loosen)
    try:
        assert any(sentence in problem for problem in problems())
    finally:
        superuser.execute(tighten)
    assert problems() == []


def test_schema_check_prints_what_differs(superuser):
    out = StringIO()
    call_command("schema_check", stdout=out)
    assert "pool: as promised" in out.getvalue()
    superuser.execute("DROP POLICY tenant_isolation ON pool.visitors")
    try:
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("schema_check", stdout=out)
        assert "- policy visitors tenant_isolation" in out.getvalue()
    finally:
        with owner_connection(), connection.cursor() as cursor:
            from tenants.rls import guard_statements

            cursor.execute(guard_statements("pool.visitors")[-1])


def test_maintain_guards_a_bare_partition(superuser):
    superuser.execute(
        "SET ROLE frontdesk_owner; CREATE TABLE pool.walk (tenant_id uuid, x int) PARTITION BY LIST (tenant_id); "
        "CREATE TABLE pool.walk_default PARTITION OF pool.walk DEFAULT; RESET ROLE"
    )
    try:
        assert guard_partitions() == ["pool.walk_default"]
        assert guard_partitions() == []
    finally:
        superuser.execute("DROP TABLE pool.walk")
