"""Where a tenant wants to be told, what there was to tell, and how each telling went."""

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.encrypted import EncryptedField
from tenants.ownership import Now, SameTenantForeignKey, TenantOwned, jsonb_default

MAX_URL: Final = 2_000


class DisabledReason(models.TextChoices):
    """Why an endpoint is told nothing any more; its owner turning it off is no reason to name."""

    GONE = "gone", "It answered 410 Gone"
    FAILING = "failing", "It failed for days"


class WebhookEndpoint(TenantOwned):
    """An address of the tenant's own that is told of events. `events` empty: of every type.

    The secrets are encrypted (`kernel.encryption`). The previous one signs beside the new one until `previous_until`.
    `failing_since` is the first failure after the last success, `last_duration_ms` how long the last attempt took.
    """

    url = models.CharField(max_length=MAX_URL)
    description = models.CharField(max_length=200, blank=True, default="", db_default="")
    events = ArrayField(models.CharField(max_length=60), default=list, blank=True, db_default=[])
    is_active = models.BooleanField(default=True, db_default=True)
    disabled_reason = models.CharField(
        max_length=16, choices=DisabledReason, blank=True, default="", db_default="", editable=False
    )
    disabled_at = models.DateTimeField(null=True, editable=False)
    secret = EncryptedField()
    previous_secret = EncryptedField(null=True)
    previous_until = models.DateTimeField(null=True, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    last_duration_ms = models.PositiveIntegerField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)

    class Meta(TenantOwned.Meta):
        db_table = "webhook_endpoints"
        ordering = ["-id"]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(disabled_reason="") | models.Q(disabled_reason__in=DisabledReason.values),
                name="webhook_endpoints_reason_known",
            ),
            models.CheckConstraint(
                condition=models.Q(is_active=False) | models.Q(disabled_reason=""),
                name="webhook_endpoints_reason_of_disabled",
            ),
        ]

    def __str__(self) -> str:
        return self.description or self.url


class OutboxEvent(TenantOwned):
    """Something that happened, as it is told: `body` is exactly the bytes that are signed and sent. Written only where
    somebody is to be told (`tenants.webhooks.publishing`); its id is the `webhook-id`."""

    updated_at = None  # type: ignore[assignment]  # how Django drops an inherited field

    type = models.CharField(max_length=60)
    body = models.TextField()

    class Meta(TenantOwned.Meta):
        db_table = "outbox"
        ordering = ["-id"]
        indexes = [models.Index(fields=["tenant", "created_at"], name="outbox_by_age")]


class DeliveryStatus(models.TextChoices):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookDelivery(TenantOwned):
    """One event on its way to one endpoint, with how each attempt went.

    `tries` are the attempts since `due_from`, which is when it was published or last replayed; `attempts` is the log of
    all: `[{at, status, duration_ms, error, body}]`, the body's first KB. `status` of the last attempt and so on are
    columns of their own for the list. `leased_until`: a worker is at it, or has died at it.
    """

    event = SameTenantForeignKey(OutboxEvent, related_name="deliveries")
    endpoint = SameTenantForeignKey(WebhookEndpoint, related_name="deliveries")
    status = models.CharField(
        max_length=12,
        choices=DeliveryStatus,
        default=DeliveryStatus.PENDING,
        db_default=DeliveryStatus.PENDING,
    )
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    due_from = models.DateTimeField(db_default=Now())
    next_attempt_at = models.DateTimeField(null=True, db_default=Now())
    leased_until = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True)
    delivered_at = models.DateTimeField(null=True)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.TextField(blank=True, default="", db_default="")
    duration_ms = models.PositiveIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True, default="", db_default="")
    attempts = models.JSONField(default=list, db_default=jsonb_default("[]"))

    class Meta(TenantOwned.Meta):
        db_table = "webhook_deliveries"
        verbose_name_plural = "webhook deliveries"
        ordering = ["-id"]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "event", "endpoint"], name="webhook_deliveries_once"),
            models.CheckConstraint(
                condition=models.Q(status__in=DeliveryStatus.values), name="webhook_deliveries_status_known"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "endpoint", "-id"], name="webhook_deliveries_log"),
            models.Index(
                fields=["tenant", "endpoint", "next_attempt_at"],
                condition=models.Q(status="pending"),
                name="webhook_deliveries_due",
            ),
            models.Index(
                fields=["tenant", "leased_until"],
                condition=models.Q(leased_until__isnull=False),
                name="webhook_deliveries_leased",
            ),
        ]

    def __str__(self) -> str:
        return str(self.event.type)


ENDPOINT_WORK: Final = "webhook_endpoint"
"""A promise (`tenants.due_work`): this endpoint has deliveries to be attempted at that time."""
DELIVERY_WORK: Final = "webhook_delivery"
"""A promise, of a delivery that no worker has seen yet."""
NOTICE_WORK: Final = "webhook_notice"
"""A promise: the tenant's people are to be told that this endpoint was disabled."""
