"""The list of tables with tenants' rows is whole, and in an order that keys allow."""

import pytest
from django.db import connection

from tenants.owned_tables import owned_tables, tables_in_catalogue
from tests.database import DEDICATED_SCHEMA


def test_parents_come_before_what_points_at_them():
    place = {table.name: number for number, table in enumerate(owned_tables())}
    keys = 0
    for table in owned_tables():
        for column, parent in table.parents:
            assert parent == table.name or place[parent] < place[table.name], f"{table.name}.{column}"
            keys += 1
    assert keys >= 20
    assert place["widgets"] < place["sessions"] < place["messages"] < place["cost_events"]


@pytest.mark.django_db
def test_it_is_what_postgresql_says():
    in_directory = {table.name for table in owned_tables() if table.in_directory}
    in_schemas = {table.name for table in owned_tables() if not table.in_directory}
    assert tables_in_catalogue("public") == in_directory
    assert tables_in_catalogue("pool") == tables_in_catalogue(DEDICATED_SCHEMA) == in_schemas
    assert "chunk_embeddings" in in_schemas


@pytest.mark.django_db
def test_columns_are_those_that_can_be_written():
    with connection.cursor() as cursor:
        for table in owned_tables():
            schema = "public" if table.in_directory else "pool"
            cursor.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
                "AND NOT attisdropped AND attgenerated = ''",
                [f'{schema}."{table.name}"'],
            )
            assert set(table.columns) == {name for (name,) in cursor.fetchall()}, table.name
            assert set(table.key) <= set(table.columns)
            assert "tenant_id" in table.columns
