"""How a tenant and its people come to be."""

import re
import uuid
from typing import Final

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, connection, transaction

from kernel.errors import Conflict, InvalidInput
from kernel.ids import uuid7
from tenants.context import TenantRef, acting_as, require_tenant
from tenants.directory import claim
from tenants.models import POOL_SCHEMA, KeyKind, Plan, Tenant, TenantStatus, User
from tenants.permissions import Role

SLUG: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def create_tenant(
    name: str,
    slug: str,
    *,
    plan: Plan = Plan.STARTER,
    status: TenantStatus = TenantStatus.ACTIVE,
    schema_name: str = POOL_SCHEMA,
    settings: dict[str, object] | None = None,
    tenant_id: uuid.UUID | None = None,
) -> Tenant:
    """A new tenant with nothing in it (`tenants.provisioning` furnishes it): one INSERT and directory keys, no DDL.

    Raises Conflict when the slug, or the id, is taken; InvalidInput for a slug that is none, and where `schema_name`
    holds no tenant tables: a dedicated schema is made first (`manage.py migrate_schemas --schema NAME`).
    """
    if not SLUG.fullmatch(slug):
        raise InvalidInput.of("slug", "must have 1 to 63 of a-z, 0-9 and -, with no - at either end")
    if not _holds_tenants(schema_name):
        raise InvalidInput.of("schema_name", f"there is no schema {schema_name} with a tenant's tables")
    tenant = Tenant(
        id=tenant_id or uuid7(),
        name=name,
        slug=slug,
        plan=plan,
        status=status,
        schema_name=schema_name,
        settings=settings or {},
    )
    # A tenant may write its own row, so it is made while acting for the one it is about to be.
    with acting_as(TenantRef(tenant.id, schema_name)):
        try:
            with transaction.atomic():
                tenant.save(force_insert=True)
        except IntegrityError as error:
            raise Conflict(f"slug {slug} is already in use") from error
        claim(KeyKind.TENANT, str(tenant.id))
        claim(KeyKind.SLUG, slug)
    return tenant


def create_user(email: str, password: str, *, name: str = "", role: Role = Role.MEMBER) -> User:
    """A new person of the acting tenant. Raises Conflict when the email has an account: here, with another tenant, or
    as one of the platform's own people."""
    email = email.strip().lower()
    claim(KeyKind.EMAIL, email)
    hashed, tenant_id = make_password(password), require_tenant().id
    try:
        with transaction.atomic():
            return User.objects.create(
                email=email, password=hashed, name=name, role=role, tenant_id=tenant_id
            )
    except IntegrityError as error:
        # The platform's people have no tenant for a directory key to lead to.
        raise Conflict("email is already in use") from error


def create_staff(email: str, password: str, *, name: str = "") -> User:
    """One of the platform's own people, who has no tenant. Outside any. Raises Conflict when the email has an account,
    with whomever."""
    try:
        with transaction.atomic():
            return User.objects.create(
                email=email.strip().lower(), password=make_password(password), name=name, tenant_id=None
            )
    except IntegrityError as error:
        raise Conflict("email is already in use") from error


def _holds_tenants(schema_name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'sessions')",
            [schema_name],
        )
        return bool(cursor.fetchone()[0])
