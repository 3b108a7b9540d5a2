"""Beat's round notices when a tenant can see another's rows, says so once and for all, and goes on where it ended."""

import psycopg
import pytest
from django.db import connection

from config import env, health
from tenants import canaries
from tenants.context import TenantRef, acting_as
from tests import conversations, servers
from widgets.models import Widget

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def superuser(transactional_db):
    with psycopg.connect(
        servers.url(env.SUPERUSER_ROLE, connection.settings_dict["NAME"]), autocommit=True
    ) as opened:
        yield opened


@pytest.fixture
def neighbours(acme, bolt, cargo, redis):
    for tenant in (acme, bolt, cargo):
        conversations.widget(tenant)
    return [TenantRef(tenant.pk, tenant.schema_name) for tenant in (acme, bolt, cargo)]


def test_where_isolation_holds_nothing_is_found(neighbours):
    done = canaries.sound_off()
    assert (done.tenants, done.breaches) == (3, [])
    assert done.tables >= 45
    assert canaries.last_round()["tenants"] == 3
    assert health.isolation_broken() is None
    again = canaries.sound_off()
    assert (again.tenants, again.breaches) == (3, [])


@pytest.mark.parametrize("table", ["widgets", "canaries"])
def test_a_loosened_policy_is_found_and_stays_found(neighbours, superuser, table, caplog):
    canaries.sound_off()
    superuser.execute(f"ALTER POLICY tenant_isolation ON pool.{table} USING (true)")
    try:
        found = canaries.sound_off().breaches
    finally:
        definition = "NULLIF(current_setting('app.current_tenant_id', true), '')::uuid"
        superuser.execute(f"ALTER POLICY tenant_isolation ON pool.{table} USING (tenant_id = {definition})")
    assert any(f"pool.{table}" in line or "canary" in line for line in found)
    assert any(record.levelname == "CRITICAL" for record in caplog.records)
    canaries.sound_off()
    assert "breaches found by the canaries" in health.isolation_broken()
    canaries.forget_breaches()
    assert health.isolation_broken() is None


def test_rounds_take_turns(neighbours):
    canaries.sound_off(limit=2)
    canaries.sound_off(limit=2)
    alive = 0
    for ref in neighbours:
        with acting_as(ref), connection.cursor() as cursor:
            assert Widget.objects.count() == 1
            cursor.execute("SELECT count(*) FROM canaries")
            alive += cursor.fetchone()[0]
    assert alive == 3
