"""What PostgreSQL lets a tenant do to another's rows, table by table: nothing."""

import psycopg
import pytest
from django.db import connection

from config import env
from tests import servers
from tests.isolation import stage, twins
from tests.isolation.probing import Prober

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def prober(transactional_db, django_db_blocker):
    name = connection.settings_dict["NAME"]
    with psycopg.connect(servers.url(env.SUPERUSER_ROLE, name), autocommit=True) as superuser:
        grants = superuser.execute(stage.GRANTS).fetchall()
        made = Prober(name, stage.furnish(superuser))
        yield made
        made.close()
        stage.give_back(superuser, grants)


def test_no_row_crosses_between_tenants(prober):
    assert list(prober.escapes()) == []


def test_every_table_has_a_row_that_could_leak(prober):
    for table in prober.tables():
        parent_or_itself = table.name if table.name in dict(twins.tables()) else None
        for pair in prober.pairs:
            if parent_or_itself and pair.schema == table.schema:
                query = f'SELECT count(*) FROM "{table.schema}"."{table.name}" WHERE tenant_id = %s'
                for tenant in (pair.mine, pair.theirs):
                    assert prober.superuser.execute(query, [tenant.id]).fetchone()[0] >= 1, table
