"""Every table with tenants' rows, in an order that keys allow: whoever copies, exports or erases a tenant walks this
list, so that a new table joins by being a model."""

from collections.abc import Iterable
from functools import cache
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection, models

from tenants.models import Tenant
from tenants.ownership import SameTenantForeignKey
from tenants.placement import is_directory


class OwnedTable(NamedTuple):
    """A table whose rows name their tenant in `tenant_id`. In the directory it stands in public, else in the tenant's
    own schema."""

    name: str
    model: type[models.Model]
    in_directory: bool

    @property
    def columns(self) -> list[str]:
        """The columns that are written, in the order of the model; the database computes the others."""
        return [
            field.column
            for field in self.model._meta.concrete_fields
            if field.column and not isinstance(field, models.GeneratedField)
        ]

    @property
    def key(self) -> list[str]:
        """The columns that tell one row from another within the schema."""
        primary = self.model._meta.pk
        parts: Iterable[models.Field[Any, Any]] = getattr(primary, "fields", None) or [primary]
        return [field.column for field in parts if field.column]

    @property
    def parents(self) -> list[tuple[str, str]]:
        """Its keys to rows of the same tenant, as (column, table they point at)."""
        return [
            (field.column, field.related_model._meta.db_table)
            for field in self.model._meta.concrete_fields
            if isinstance(field, SameTenantForeignKey)
        ]


@cache
def owned_tables() -> tuple[OwnedTable, ...]:
    """All of them, but `tenants` itself: each after the tables that its keys point at, so that rows can be written in
    this order and deleted in the reverse. Django's models must be loaded."""
    found = {
        model._meta.db_table: OwnedTable(model._meta.db_table, model, _in_directory(model))
        for model in apps.get_models()
        if _is_owned(model)
    }
    order: TopologicalSorter[str] = TopologicalSorter()
    for name in sorted(found):
        order.add(name, *sorted({parent for _, parent in found[name].parents if parent != name}))
    return tuple(found[name] for name in order.static_order())


def tables_in_catalogue(schema: str) -> set[str]:
    """The tables of `schema` that hold tenants' rows as PostgreSQL itself has them; partitions are not counted apart
    from their table. Of pool, and of a dedicated schema, these are `owned_tables` outside the directory."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
            WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = %s
            """,
            [schema],
        )
        return {name for (name,) in cursor.fetchall()}


def _is_owned(model: type[models.Model]) -> bool:
    is_ours = getattr(model._meta.app_config, "is_frontdesk", False)
    return (
        is_ours
        and model is not Tenant
        and model._meta.managed
        and any(field.column == "tenant_id" for field in model._meta.concrete_fields)
    )


def _in_directory(model: type[models.Model]) -> bool:
    return is_directory(model._meta.app_label, str(model._meta.model_name))
