"""What every tenant-owned table is made of."""

from typing import Any, Final, Literal

from django.db import models
from django.db.models.expressions import RawSQL

from kernel.ids import uuid7
from tenants.context import current_tenant_id

DatabaseAction = Literal["CASCADE", "SET NULL", "NO ACTION"]

MODEL_ACTIONS: Final = {
    "CASCADE": models.CASCADE,
    "SET NULL": models.DO_NOTHING,
    "NO ACTION": models.DO_NOTHING,
}


class UUIDv7(models.Func):
    """PostgreSQL 18's `uuidv7()`, the default where a row is made by SQL."""

    function = "uuidv7"
    template = "%(function)s()"
    output_field = models.UUIDField()


class Now(models.Func):
    """The transaction's time, as a column default."""

    function = "now"
    template = "%(function)s()"
    output_field = models.DateTimeField()


class Identified(models.Model):
    """A row with a UUIDv7 and the times it was made and last changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=UUIDv7(), editable=False)
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True, db_default=Now(), editable=False)

    class Meta:
        abstract = True


class TenantOwned(Identified):
    """A row of one tenant, which only that tenant can see, change or point at.

    Each concrete model needs `GuardTable` and a `SameTenantKey` per SameTenantForeignKey in its migration; the
    catalogue
    walk in tests/isolation fails without them. A Meta of one's own extends this one and keeps its constraints.
    """

    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        default=current_tenant_id,
        editable=False,
        db_index=False,
        related_name="+",
    )

    class Meta:
        abstract = True
        constraints = [models.UniqueConstraint(fields=["tenant", "id"], name="%(class)s_of_tenant")]


class SameTenantForeignKey(models.ForeignKey):  # type: ignore[type-arg]  # django-stubs types a ForeignKey by its target
    """A key to a row of the same tenant. The database keeps it through `SameTenantKey`, so Django makes no key of
    its own.

    `database_action` is what PostgreSQL does when the parent goes. SET NULL nulls the column alone (Django's would null
    tenant_id's half as well), which is why Django itself does nothing then.
    """

    def __init__(self, to: Any, *, database_action: DatabaseAction = "CASCADE", **kwargs: Any) -> None:
        self.database_action = database_action
        kwargs.setdefault("on_delete", MODEL_ACTIONS[database_action])
        kwargs["db_constraint"] = False
        kwargs.setdefault("db_index", False)
        super().__init__(to, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("db_constraint", None)
        kwargs["database_action"] = self.database_action
        return name, path, args, kwargs


def jsonb_default(literal: str) -> RawSQL:
    """A JSON document as a column default: `jsonb_default('{}')`. The literal is ours, never anybody's input."""
    return RawSQL(f"'{literal}'::jsonb", [])  # noqa: S611 - a constant from a model's definition
