"""What stands behind a person's account besides their row: invitations to the team, second factors, recovery codes.

Models of the app tenants like those in models.py, which offers them too; each belongs to one tenant.
"""

from django.db import models

from tenants.encrypted import EncryptedField
from tenants.ownership import SameTenantForeignKey, TenantOwned
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


class SecondFactor(TenantOwned):
    """A person's authenticator app (`tenants.second_factor`); on once confirmed. `last_step` is the time step of the
    last code used, so that none is used twice."""

    user = SameTenantForeignKey("tenants.User", related_name="+")
    secret = EncryptedField()
    last_step = models.BigIntegerField(default=0, db_default=0)
    confirmed_at = models.DateTimeField(null=True)

    class Meta(TenantOwned.Meta):
        db_table = "second_factors"
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "user"], name="second_factors_one_each"),
        ]


class RecoveryCode(TenantOwned):
    """A code that stands in for the app once; a SHA-256 of 80 random bits."""

    user = SameTenantForeignKey("tenants.User", related_name="+")
    code_hash = models.CharField(max_length=64, editable=False)
    used_at = models.DateTimeField(null=True)

    class Meta(TenantOwned.Meta):
        db_table = "recovery_codes"
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "user", "code_hash"], name="recovery_codes_once"),
        ]
