"""Meetings: a table only, until the meetings issue fills the room."""

from django.db import models

from tenants.ownership import SameTenantForeignKey, TenantOwned, jsonb_default


class Meeting(TenantOwned):
    """A LiveKit room that a conversation may move to."""

    room_name = models.CharField(max_length=80, unique=True)
    livekit_room_id = models.CharField(max_length=80, unique=True, null=True, blank=True)
    created_by = SameTenantForeignKey(
        "tenants.User", database_action="SET NULL", null=True, blank=True, related_name="+"
    )
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True, db_default=jsonb_default("{}"))
    recording = models.JSONField(null=True, blank=True)
    transcript = models.JSONField(null=True, blank=True)

    class Meta(TenantOwned.Meta):
        db_table = "meetings"
        ordering = ["-id"]
        indexes = [models.Index(fields=["tenant", "-id"], name="meetings_by_tenant")]

    def __str__(self) -> str:
        return str(self.metadata.get("title") or self.room_name)
