"""The events of this room."""

from typing import Final

from tenants.webhooks.catalogue import event_type

WEBHOOK_TEST: Final = event_type(
    "webhook.test",
    "Somebody tries an endpoint out. It goes to that endpoint alone.",
    schema="WebhookEndpoint",
)
