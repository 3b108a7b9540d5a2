"""The table of exports."""

from typing import Final

from django.db import models

from tenants.ownership import TenantOwned


class ExportStatus(models.TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


UNDER_WAY: Final = (ExportStatus.PENDING, ExportStatus.RUNNING)


class Export(TenantOwned):
    """One archive of all that a tenant has. `requested_by` is such as "user:<id>" or "key:<id>"; `rows`, `files` and
    `size` (bytes) are of the finished archive, which is deleted at `expires_at`."""

    status = models.CharField(
        max_length=8, choices=ExportStatus, default=ExportStatus.PENDING, db_default=ExportStatus.PENDING
    )
    progress = models.FloatField(default=0.0, db_default=0.0)
    requested_by = models.CharField(max_length=80, default="", db_default="")
    rows = models.BigIntegerField(null=True)
    files = models.BigIntegerField(null=True)
    size = models.BigIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True, default="", db_default="")
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta(TenantOwned.Meta):
        db_table = "exports"
        ordering = ["-id"]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(status__in=ExportStatus.values), name="exports_status_known"
            ),
            # One at a time: whoever asks twice does not have everything read twice.
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(status__in=UNDER_WAY), name="exports_one_under_way"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-id"], name="exports_newest")]

    def __str__(self) -> str:
        return f"Export of {self.created_at:%Y-%m-%d %H:%M}"
