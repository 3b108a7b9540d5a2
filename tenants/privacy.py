"""Models of what is done with personal data, which models.py offers too: receipts that outlive what they are about."""

from django.db import models

from tenants.ownership import TenantOwned, jsonb_default


class ErasureReceipts(models.QuerySet["ErasureReceipt"]):
    """What is asked of receipts."""

    def unfinished(self) -> "ErasureReceipts":
        """Of erasures that are still being carried out."""
        return self.filter(finished_at=None)


class ErasureReceipt(TenantOwned):
    """What was erased of a visitor, in numbers and names of tables alone; `subject` is the id that the visitor had.

    From the moment that it exists the visitor is gone for every door, though its erasure may take a while.
    `counted` maps what was held ("messages", "redis: running answers") to {"before", "after"}. `remaining` are the ids
    that an unfinished erasure still needs, and empty afterwards. `requested_by` is such as "user:<id>" or "key:<id>".
    """

    subject = models.UUIDField()
    requested_by = models.CharField(max_length=80, default="", db_default="")
    counted = models.JSONField(default=dict, db_default=jsonb_default("{}"))
    remaining = models.JSONField(default=dict, db_default=jsonb_default("{}"), editable=False)
    finished_at = models.DateTimeField(null=True)

    objects = ErasureReceipts.as_manager()

    class Meta(TenantOwned.Meta):
        db_table = "erasure_receipts"
        ordering = ["-id"]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "subject"], name="erasure_receipts_once"),
        ]
        indexes = [models.Index(fields=["tenant", "-id"], name="erasure_receipts_newest")]

    def __str__(self) -> str:
        return f"Erasure {str(self.pk)[-6:]}"
