"""What stands behind a person's account besides their row: invitations to the team, second factors, recovery codes.

Models of the app tenants like those in models.py, which offers them too; each belongs to one tenant.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.context import current_tenant_id
from tenants.encrypted import EncryptedField
from tenants.ownership import Identified, SameTenantForeignKey, TenantOwned
from tenants.permissions import Role


class Invitations(models.QuerySet["Invitation"]):
    """What is asked of invitations."""

    def open(self) -> "Invitations":
        """Neither accepted nor cancelled; some of them may have expired."""
        return self.filter(accepted_at=None, cancelled_at=None)


class Invitation(TenantOwned):
    """Somebody was asked to join the team (`tenants.inviting`). `issue` counts its letters: only the last one's link is
    good."""

    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=120, blank=True, default="", db_default="")
    role = models.CharField(max_length=16, choices=Role, default=Role.MEMBER, db_default=Role.MEMBER)
    invited_by = SameTenantForeignKey("tenants.User", database_action="SET NULL", null=True, related_name="+")
    issue = models.PositiveIntegerField(default=1, db_default=1)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    objects = Invitations.as_manager()

    class Meta(TenantOwned.Meta):
        db_table = "invitations"
        ordering = ["-id"]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(accepted_at=None, cancelled_at=None),
                name="invitations_one_open",
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="invitations_role_known"),
        ]

    def __str__(self) -> str:
        return self.email


class AppFactor(models.Model):
    """A person's authenticator app (`tenants.second_factor`); on once confirmed. `last_step` is the time step of the
    last code used, so that none is used twice."""

    user = SameTenantForeignKey("tenants.User", related_name="+")
    secret = EncryptedField()
    last_step = models.BigIntegerField(default=0, db_default=0)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class OneTimeCode(models.Model):
    """A code that stands in for the app or key once; a SHA-256 of 80 random bits."""

    user = SameTenantForeignKey("tenants.User", related_name="+")
    code_hash = models.CharField(max_length=64, editable=False)
    used_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class AnybodysOwn(Identified):
    """A row of a person's: of their tenant's, or of the platform's where they have none. In the directory."""

    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        null=True,
        default=current_tenant_id,
        editable=False,
        db_index=False,
        related_name="+",
    )

    class Meta:
        abstract = True


class SecondFactor(AppFactor, TenantOwned):
    """Of a tenant's person."""

    class Meta(TenantOwned.Meta):
        db_table = "second_factors"
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "user"], name="second_factors_one_each"),
        ]


class RecoveryCode(OneTimeCode, TenantOwned):
    """Of a tenant's person."""

    class Meta(TenantOwned.Meta):
        db_table = "recovery_codes"
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "user", "code_hash"], name="recovery_codes_once"),
        ]


class StaffSecondFactor(AppFactor, AnybodysOwn):
    """Of one of the platform's people, who have no tenant whose schema could hold it."""

    class Meta:
        db_table = "staff_second_factors"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user"], nulls_distinct=False, name="staff_second_factors_one_each"
            )
        ]


class StaffRecoveryCode(OneTimeCode, AnybodysOwn):
    """Of one of the platform's people."""

    class Meta:
        db_table = "staff_recovery_codes"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "code_hash"], nulls_distinct=False, name="staff_recovery_codes_once"
            )
        ]


class SecurityKey(AnybodysOwn):
    """A person's security key or passkey (`tenants.security_keys`), bound to the host `rp_id`; staff's has no tenant.

    `sign_count` is the key's own counter at its last use, `last_challenge` a SHA-256 of what it then signed: the same
    answer opens nothing twice.
    """

    user = SameTenantForeignKey("tenants.User", related_name="+")
    name = models.CharField(max_length=60)
    rp_id = models.CharField(max_length=253, editable=False)
    # In base64url; the longest that the standard allows has 1,023 bytes.
    credential_id = models.CharField(max_length=1_364, editable=False)
    public_key = models.BinaryField(editable=False)
    sign_count = models.BigIntegerField(default=0, db_default=0)
    transports = ArrayField(models.CharField(max_length=20), default=list, db_default=[])
    last_challenge = models.CharField(max_length=64, blank=True, default="", db_default="")
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "security_keys"
        indexes = [models.Index(fields=["tenant", "user"], name="security_keys_by_tenant")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "credential_id"], nulls_distinct=False, name="security_keys_once"
            )
        ]

    def __str__(self) -> str:
        return self.name
