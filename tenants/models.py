"""The directory: tenants, their people, sessions and keys. All in the public schema, each under row-level security."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django_tenants.models import TenantMixin
from django_tenants.postgresql_backend.base import _check_schema_name

from tenants.accounts import Invitation as Invitation
from tenants.accounts import RecoveryCode as RecoveryCode
from tenants.accounts import SecondFactor as SecondFactor
from tenants.accounts import SecurityKey as SecurityKey
from tenants.accounts import StaffRecoveryCode as StaffRecoveryCode
from tenants.accounts import StaffSecondFactor as StaffSecondFactor
from tenants.auditing.entries import AuditEntry as AuditEntry
from tenants.exporting.models import Export as Export
from tenants.ownership import Identified, SameTenantForeignKey, TenantOwned, jsonb_default
from tenants.permissions import Role, may, staff_may
from tenants.privacy import ErasureReceipt as ErasureReceipt
from tenants.provider_keys import Provider as Provider
from tenants.provider_keys import ProviderKey as ProviderKey
from tenants.webhooks.models import OutboxEvent as OutboxEvent
from tenants.webhooks.models import WebhookDelivery as WebhookDelivery
from tenants.webhooks.models import WebhookEndpoint as WebhookEndpoint

POOL_SCHEMA = "pool"


class Plan(models.TextChoices):
    STARTER = "starter"
    GROWTH = "growth"
    BUSINESS = "business"
    ENTERPRISE = "enterprise"


class TenantStatus(models.TextChoices):
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class Tenant(Identified, TenantMixin):  # type: ignore[misc]  # upstream ships no types
    """A company. Most share the schema `pool`; an enterprise tenant may have one of its own."""

    auto_create_schema = False
    auto_drop_schema = False

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=63, unique=True)
    plan = models.CharField(max_length=16, choices=Plan, default=Plan.STARTER, db_default=Plan.STARTER)
    status = models.CharField(
        max_length=16, choices=TenantStatus, default=TenantStatus.TRIALING, db_default=TenantStatus.TRIALING
    )
    settings = models.JSONField(default=dict, blank=True, db_default=jsonb_default("{}"))
    stripe_customer_id = models.CharField(max_length=64, null=True, blank=True, unique=True)
    stripe_subscription_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - null: none
    schema_name = models.CharField(
        max_length=63,
        default=POOL_SCHEMA,
        db_default=POOL_SCHEMA,
        validators=[_check_schema_name],
        editable=False,
    )

    class Meta:
        db_table = "tenants"
        constraints = [
            models.CheckConstraint(condition=models.Q(plan__in=Plan.values), name="tenants_plan_known"),
            models.CheckConstraint(
                condition=models.Q(status__in=TenantStatus.values), name="tenants_status_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    # TenantMixin makes and drops schemas as its rows come and go and wants each schema name once; here many share one
    # and only the owner's role has such rights. Its context manager keeps its stack in a list that all threads share.
    def save(self, *args: Any, **kwargs: Any) -> None:
        models.Model.save(self, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        return models.Model.delete(self, *args, **kwargs)

    def _drop_schema(self, force_drop: bool = False) -> None:
        raise RuntimeError("schemas are dropped by manage.py maintain, never through a row")

    def __enter__(self) -> Any:
        raise RuntimeError("use tenants.context.acting_as(tenant)")


class Domain(Identified):
    """A hostname of a tenant's own; serves it only once verified."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="domains", db_index=False)
    hostname = models.CharField(max_length=253, unique=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    is_primary = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "domains"
        indexes = [models.Index(fields=["tenant", "hostname"], name="domains_by_tenant")]

    def __str__(self) -> str:
        return self.hostname


class UserManager(BaseUserManager["User"]):
    """Finds people by their email, which is stored in lower case."""

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email=(email or "").strip().lower())


class User(AbstractBaseUser, Identified):
    """A person who signs in: of one tenant, or of the platform's staff where tenant is null."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, null=True, blank=True, related_name="users", db_index=False
    )
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120, blank=True, default="", db_default="")
    role = models.CharField(max_length=16, choices=Role, default=Role.MEMBER, db_default=Role.MEMBER)
    avatar_url = models.URLField(max_length=500, blank=True, default="", db_default="")
    is_active = models.BooleanField(default=True, db_default=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "users"
        indexes = [models.Index(fields=["tenant", "role"], name="users_by_tenant")]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="users_of_tenant"),
            # Stored in lower case with a plain unique index: lower(email) could not use an index under RLS.
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="users_email_lower"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="users_role_known"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        """Django's name for how a person is called; their email where they have not said."""
        return self.name or self.email

    def get_short_name(self) -> str:
        """The first of their names."""
        return self.get_full_name().split()[0]

    # Of the platform's staff while they act for a tenant (`tenants.visiting`): whether they may change things. None: no
    # tenant is chosen. Set by the middleware for one request.
    visit_writes: bool | None = None

    @property
    def is_owner(self) -> bool:
        """Whether they may do everything, and change other owners. Nobody of the platform's staff may."""
        return self.role == Role.OWNER and not self.is_platform_staff

    @property
    def is_platform_staff(self) -> bool:
        """Whether this is one of the platform's own people."""
        return self.tenant_id is None

    @property
    def is_staff(self) -> bool:
        """Django's name for "may open the admin": everybody with an account here."""
        return self.is_active

    def has_perm(self, perm: str, obj: models.Model | None = None) -> bool:
        """Django's permission names (`app.action_model`), answered by the role table."""
        if self.is_platform_staff:
            writes = self.visit_writes
            return self.is_active and writes is not None and staff_may(perm, writes=writes)
        return self.is_active and may(Role(self.role), perm)

    def has_perms(self, perm_list: list[str], obj: models.Model | None = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active


class AuthSession(models.Model):
    """A signed-in browser (or one about to sign in). Listed for and revocable by its user."""

    key = models.CharField(max_length=80, primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    user = SameTenantForeignKey(User, null=True, related_name="auth_sessions", db_index=True)
    data = models.TextField()
    expires_at = models.DateTimeField(db_index=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True, default="", db_default="")
    last_seen_at = models.DateTimeField(auto_now=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "auth_sessions"
        indexes = [models.Index(fields=["tenant", "user"], name="auth_sessions_by_tenant")]


class ApiKey(Identified):
    """A program's key: shown once, stored as a SHA-256 (it is 256 random bits, so a slow hash would add nothing)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=40))
    last_used_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    created_by = SameTenantForeignKey(
        User, database_action="SET NULL", null=True, editable=False, related_name="+"
    )

    class Meta:
        db_table = "api_keys"
        ordering = ["-id"]
        indexes = [models.Index(fields=["tenant", "-id"], name="api_keys_by_tenant")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class KeyKind(models.TextChoices):
    """What a door may know before it knows the tenant."""

    TENANT = "tenant"
    SLUG = "slug"
    EMAIL = "email"
    API_KEY = "api_key"
    WIDGET = "widget"
    HOSTNAME = "hostname"
    ROOM = "room"
    STRIPE_CUSTOMER = "stripe_customer"


class DirectoryKey(models.Model):
    """One name that is unique over all tenants and leads to its tenant (`tenants.directory`)."""

    pk = models.CompositePrimaryKey("kind", "key")
    kind = models.CharField(max_length=16, choices=KeyKind)
    key = models.CharField(max_length=254)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        db_table = "directory_keys"
        indexes = [models.Index(fields=["tenant", "kind"], name="directory_keys_by_tenant")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=KeyKind.values), name="directory_keys_kind_known"
            )
        ]


class DueWork(models.Model):
    """Something of a tenant's that must be looked at by a certain time even if its process died
    (`tenants.due_work`)."""

    pk = models.CompositePrimaryKey("kind", "key")
    kind = models.CharField(max_length=32)
    key = models.UUIDField()
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    due_at = models.DateTimeField()

    class Meta:
        db_table = "due_work"
        indexes = [
            models.Index(fields=["kind", "due_at"], name="due_work_by_time"),
            models.Index(fields=["tenant", "kind"], name="due_work_by_tenant"),
        ]


class Canary(TenantOwned):
    """A row that its tenant alone may see; whoever sees another's has found a hole (`tenants.canaries`)."""

    class Meta(TenantOwned.Meta):
        db_table = "canaries"
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant"], name="canaries_one_each"),
        ]


class IdempotencyRecord(TenantOwned):
    """One POST that a program may send again: what was asked under a key of its own, and what was answered.

    Without `status` it is still running, until `lease_until` at the latest. `caller` is the API key or person: a key
    of one program's never shows another's answer (`tenants.rest.idempotency`).
    """

    caller = models.UUIDField()
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict, db_default=jsonb_default("{}"))
    body = models.BinaryField(default=b"", db_default=b"")
    lease_until = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta(TenantOwned.Meta):
        db_table = "idempotency_records"
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "caller", "key"], name="idempotency_records_once"),
        ]
        indexes = [models.Index(fields=["tenant", "expires_at"], name="idempotency_records_expiry")]
