"""How a tenant and its people come to be."""

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, connection, transaction

from kernel.errors import Conflict, InvalidInput
from tenants.context import TenantRef, acting_as, require_tenant
from tenants.directory import claim
from tenants.models import POOL_SCHEMA, KeyKind, Plan, Tenant, TenantStatus, User
from tenants.permissions import Role


def create_tenant(
    name: str,
    slug: str,
    *,
    plan: Plan = Plan.STARTER,
    schema_name: str = POOL_SCHEMA,
    settings: dict[str, object] | None = None,
) -> Tenant:
    """A new, active tenant: one INSERT and its directory keys, no DDL.

    Raises Conflict when the slug is taken, InvalidInput where `schema_name` holds no tenant tables: a dedicated schema
    is made first (`manage.py migrate_schemas --schema NAME`).
    """
    if not _holds_tenants(schema_name):
        raise InvalidInput.of("schema_name", f"there is no schema {schema_name} with a tenant's tables")
    tenant = Tenant(
        name=name,
        slug=slug,
        plan=plan,
        status=TenantStatus.ACTIVE,
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
    """A new person of the acting tenant. Raises Conflict when the email has an account, here or with another tenant."""
    email = email.strip().lower()
    claim(KeyKind.EMAIL, email)
    return User.objects.create(
        email=email, password=make_password(password), name=name, role=role, tenant_id=require_tenant().id
    )


def _holds_tenants(schema_name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'sessions')",
            [schema_name],
        )
        return bool(cursor.fetchone()[0])
