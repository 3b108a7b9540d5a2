"""The table of what was done."""

from django.db import models

from tenants.ownership import Now, TenantOwned


class ActorKinds(models.TextChoices):
    """Who may do something."""

    USER = "user", "person"
    KEY = "key", "API key"
    STAFF = "staff", "platform staff"
    SYSTEM = "system"


class AuditEntry(TenantOwned):
    """One thing that somebody did. Never changed and never deleted by the application, whose role may only add and
    read.

    `actor_kind` is user, key, staff or system; ids are kept as text and without keys, so that an entry outlives whom
    and what it names. `before` and `after` hold the columns that changed; of a new row `before` is null, of a deleted
    one `after`. Secrets stand in neither: `•••` says only that there was one.
    """

    created_at = None  # type: ignore[assignment]  # how Django drops an inherited field: it is `at`
    updated_at = None  # type: ignore[assignment]  # nothing of it changes

    actor_kind = models.CharField(max_length=8)
    actor_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    actor_text = models.CharField(max_length=400, blank=True, default="", db_default="")
    action = models.CharField(max_length=40)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    target_text = models.CharField(max_length=400, blank=True, default="", db_default="")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    ip = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(db_default=Now())

    class Meta(TenantOwned.Meta):
        db_table = "audit_entries"
        verbose_name_plural = "audit entries"
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["tenant", "target_kind", "target_id", "-id"], name="audit_entries_by_target"
            ),
            models.Index(fields=["tenant", "actor_id", "-id"], name="audit_entries_by_actor"),
            models.Index(fields=["tenant", "at", "-id"], name="audit_entries_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_text or self.actor_kind} {self.action} {self.target_kind} {self.target_text}"
