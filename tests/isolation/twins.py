"""Two tenants whose rows are alike in all that may be alike: one row each in every table that has tenants' rows.

Rows are made from the models alone, so that a new table joins by itself: every test of isolation has a row of it that
could leak.
"""

import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models

from kernel.encryption import encrypt
from tenants.context import TenantRef, acting_as
from tenants.encrypted import EncryptedField
from tenants.models import Tenant
from tenants.ownership import SameTenantForeignKey
from tenants.placement import is_directory

SAME: Final = "alike"
SAME_ID: Final = uuid.UUID("01970000-0000-7000-8000-000000000001")
SAME_TIME: Final = datetime(2026, 11, 2, tzinfo=UTC)
# Unique over all tenants by nature: the tenant's slug tells its row from its twin's.
GLOBAL: Final = {
    "users.email": "{slug}@twins.example",
    "domains.hostname": "{slug}.twins.example",
    "directory_keys.key": "twin-{slug}",
    "due_work.key": "{slug}",
}
# Where the first allowed value, or the plain one, would break a rule of the table.
PARTICULAR: Final[dict[str, Any]] = {
    "rollup_watermarks.folded_to": 3,
    "cost_events.units": None,
    "rollup_watermarks.timezone": "UTC",
    "knowledge_files.sha256": "0" * 64,
    # What is deleted or revoked is shown to nobody, and could not leak.
    "knowledge_documents.deleted_at": None,
    "api_keys.revoked_at": None,
    "invitations.accepted_at": None,
    # On, it would ask the twin for a code at the door.
    "second_factors.confirmed_at": None,
    "invitations.cancelled_at": None,
    "provider_keys.last4": "like",
    "api_keys.expires_at": None,
    "outbox.body": '{"data": {}}',
}


def owned_models() -> Iterator[type[models.Model]]:
    """Every model of ours whose rows belong to a tenant, but the list of tenants itself."""
    for model in apps.get_models():
        is_ours = getattr(model._meta.app_config, "is_frontdesk", False)
        if is_ours and model is not Tenant and any(field.name == "tenant" for field in model._meta.fields):
            yield model


def same_tenant_keys(model: type[models.Model]) -> list[SameTenantForeignKey]:
    """The keys of a model that may point only at rows of the same tenant."""
    return [field for field in model._meta.fields if isinstance(field, SameTenantForeignKey)]


def make_rows(tenant: TenantRef, slug: str, only: Iterable[type[models.Model]] | None = None) -> None:
    """A row of `tenant` in every table (in those of `only`, and what they point at), each pointing at the tenant's own
    others. Directory tables too."""
    made: dict[type[models.Model], models.Model] = {}
    for model in owned_models() if only is None else only:
        with acting_as(tenant):
            _row(model, tenant, slug, made)


def _row(
    model: type[models.Model], tenant: TenantRef, slug: str, made: dict[type[models.Model], models.Model]
) -> models.Model:
    if model in made:
        return made[model]
    values: dict[str, Any] = {"tenant_id": tenant.id}
    for field in model._meta.fields:
        if isinstance(field, SameTenantForeignKey):
            if field.related_model is model:
                continue  # pointed at itself below
            values[field.name] = _row(field.related_model, tenant, slug, made)
        elif not _is_given(field):
            values[field.name] = _value(field, slug)
    row = model(**values)
    row.save(force_insert=True)
    made[model] = row
    for field in same_tenant_keys(model):
        if field.related_model is model:
            with connection.cursor() as cursor:
                table, column = model._meta.db_table, field.column
                cursor.execute(f'UPDATE "{table}" SET "{column}" = id WHERE id = %s', [row.pk])
    return row


def _is_given(field: "models.Field[Any, Any]") -> bool:
    """Whether the row has a value without us: its tenant, its own id, what the database computes."""
    return (
        field.name in ("tenant", "pk", "id", "created_at", "updated_at")
        or isinstance(field, models.GeneratedField)
        or type(field).__name__ == "CompositePrimaryKey"
        or (type(field).__name__ == "TransactionIdField" and field.has_db_default())
    )


def _value(field: "models.Field[Any, Any]", slug: str) -> Any:
    name = f"{field.model._meta.db_table}.{field.column}"
    if name in PARTICULAR:
        return PARTICULAR[name]
    if name in GLOBAL:
        text = GLOBAL[name].format(slug=slug)
        return uuid.uuid5(SAME_ID, text) if isinstance(field, models.UUIDField) else text
    if isinstance(field, EncryptedField):
        return encrypt(SAME)
    if field.choices:
        return next(iter(field.choices))[0]
    if field.unique and isinstance(field, models.CharField | models.TextField):
        return f"{SAME}-{slug}"
    for kind, value in PLAIN:
        if isinstance(field, kind):
            return value
    if type(field).__name__ == "HalfVectorField":
        return [1.0] + [0.0] * 1023
    raise AssertionError(f"tests/isolation/twins.py knows no value for {name} ({type(field).__name__})")


PLAIN: Final[tuple[tuple[Any, Any], ...]] = (
    (models.EmailField, "alike@twins.example"),
    (models.URLField, "https://twins.example/alike"),
    (models.GenericIPAddressField, "192.0.2.7"),
    (models.CharField, SAME),
    (models.TextField, SAME),
    (models.BooleanField, False),
    (models.DecimalField, Decimal("0.5")),
    (models.FloatField, 0.5),
    (models.IntegerField, 1),
    (models.DateTimeField, SAME_TIME),
    (models.UUIDField, SAME_ID),
    (models.JSONField, {}),
    (models.BinaryField, b"alike"),
    (ArrayField, []),
)


def tables() -> list[tuple[str, bool]]:
    """The table of every owned model and whether it stands in the directory (public)."""
    return [
        (model._meta.db_table, is_directory(model._meta.app_label, model._meta.model_name))
        for model in owned_models()
    ]
