"""Each migration runs forth and back, in every kind of schema, and the models are in step with them."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from tenants.catalogue import facts
from tenants.owner import owner_connection

APPS = ("billing", "widgets", "meetings", "knowledge", "tenants")
SCRATCH = "migrations_scratch"


@pytest.mark.django_db
def test_models_are_in_step():
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


@pytest.mark.django_db(transaction=True)
def test_each_migration_goes_forth_and_back(django_db_blocker):
    call_command("migrate_schemas", schema_name=SCRATCH, verbosity=0)
    try:
        with owner_connection():
            before = facts(SCRATCH)
        graph = MigrationLoader(None, ignore_no_migrations=True).graph
        leaves = [leaf for leaf in graph.leaf_nodes() if leaf[0] in APPS]
        plan = [node for node in graph._generate_plan(leaves, at_end=True) if node[0] in APPS]
        assert len(plan) >= 8
        for app, name in reversed(plan):
            _migrate(app, _before(graph, app, name))
        with owner_connection():
            # What Django and its libraries keep is all that is left.
            assert {fact.of for fact in facts(SCRATCH) if fact.kind == "table"} == {"django_migrations"}
        for app, name in plan:
            _migrate(app, name)
        with owner_connection():
            assert facts(SCRATCH) == before
    finally:
        with owner_connection(), connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA {SCRATCH} CASCADE")


def _before(graph, app, name):
    earlier = [parent for parent in graph.node_map[(app, name)].parents if parent.key[0] == app]
    return earlier[0].key[1] if earlier else "zero"


def _migrate(app, name):
    call_command("migrate_schemas", app, name, schema_name=SCRATCH, verbosity=0)
