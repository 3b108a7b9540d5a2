"""A database of an earlier version, with a row in every table, becomes today's without losing one."""

from pathlib import Path
from subprocess import run

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from config import embedded, env
from config.bootstrap import Login, bootstrap, make_roles_and_database
from tenants.catalogue import difference, facts
from tenants.context import TenantRef
from tests import database, servers
from tests.database import DEDICATED_SCHEMA
from tests.isolation.probing import Pair, Prober
from tests.isolation.stage import CAST

FOLDER = Path(__file__).parent
DUMPS = sorted(FOLDER.glob("*.dump"))
ROWS = (
    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
    "WHERE schemaname IN ('public', 'pool', 'dedicated_cargo') AND tableowner = 'frontdesk_owner'"
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=DUMPS, ids=lambda path: path.stem)
def upgraded(request, transactional_db):
    """An old database, restored and migrated, as this process's own; what it held before; and what today's is."""
    today = connection.settings_dict["NAME"]
    promised = {schema: facts(schema) for schema in ("public", "pool")}
    name = f"upgraded_{request.param.stem.replace('.', '_')}_{today}"
    server = servers.url(env.SUPERUSER_ROLE, "postgres")
    make_roles_and_database(server, name)
    connection.close()
    try:
        run(
            [
                embedded.postgres_binary("pg_restore"), "--single-transaction", "--exit-on-error",
                "--host", env.postgres_directory(servers.home()), "--username", env.SUPERUSER_ROLE,
                "--dbname", name, request.param,
            ],
            check=True,
        )  # fmt: skip
        bootstrap(server, application=Login(env.APP_ROLE), owner=Login(env.OWNER_ROLE), database=name)
        before = counted(name)
        database.point_at(name)
        call_command("migrate_schemas", verbosity=0)
        yield name, before, promised
    finally:
        connection.close()
        database.point_at(today)
        database.drop(name)


def counted(name):
    with database.superuser(name) as superuser:
        tables = [table for (table,) in superuser.execute(ROWS).fetchall()]
        return {table: superuser.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


def test_nothing_is_lost_and_the_guards_are_todays(upgraded):
    name, before, promised = upgraded
    after = counted(name)
    kept = {table: number for table, number in before.items() if "django_migrations" not in table}
    assert sum(kept.values()) > 100
    # A table may be split or renamed, and then says so here; none may lose rows in silence.
    assert {
        table: (number, after.get(table)) for table, number in kept.items() if after.get(table, 0) < number
    } == {}
    assert difference(promised["public"], facts("public")) == []
    assert difference(promised["pool"], facts("pool")) == []
    assert difference(promised["pool"], facts(DEDICATED_SCHEMA)) == []


def test_no_row_crosses_between_the_upgraded_tenants(upgraded):
    name, *_ = upgraded
    with psycopg.connect(servers.url(env.SUPERUSER_ROLE, name), autocommit=True) as superuser:
        pairs = []
        for schema, *slugs in CAST:
            found = [
                superuser.execute("SELECT id FROM public.tenants WHERE slug = %s", [slug]).fetchone()[0]
                for slug in slugs
            ]
            pairs.append(Pair(schema, *(TenantRef(tenant, schema) for tenant in found)))
    prober = Prober(name, pairs)
    try:
        escapes = list(prober.escapes())
    finally:
        prober.close()
    assert escapes == []
