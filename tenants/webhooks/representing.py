"""Endpoints and deliveries as the API shows and reads them."""

from typing import Any, Final

import orjson
from rest_framework import serializers

from tenants.rest.fields import Choice, Flag, Id, Integer, JsonObject, StrictSerializer, Text, TextList, Time
from tenants.webhooks.endpoints import MAX_DESCRIPTION, MAX_OVERLAP, OVERLAP
from tenants.webhooks.models import (
    MAX_URL,
    DeliveryStatus,
    DisabledReason,
    WebhookDelivery,
    WebhookEndpoint,
)

MAX_EVENTS: Final = 100


class WebhookEndpointFields(StrictSerializer):
    """Where you want to be told of events."""

    id = Id(read_only=True)
    url = Text(max_length=MAX_URL, help_text="https (or http), on the public internet.")
    description = Text(max_length=MAX_DESCRIPTION, allow_blank=True, required=False)
    events = TextList(
        item_length=60,
        max_length=MAX_EVENTS,
        required=False,
        help_text="The types it is told of, as under `webhooks` in this document; empty: all, later ones too.",
    )
    is_active = Flag(required=False, help_text="false: it is told nothing. Default: true.")
    disabled_reason = Choice(
        DisabledReason,
        read_only=True,
        allow_blank=True,
        help_text="Why it was turned off for you: gone (410) or failing (for five days); empty: it was not.",
    )
    disabled_at = Time(read_only=True, allow_null=True)
    failing_since = Time(
        read_only=True,
        allow_null=True,
        help_text="The first failure after the last success; null: it does well.",
    )
    last_success_at = Time(read_only=True, allow_null=True)
    previous_secret_until = Time(
        read_only=True,
        allow_null=True,
        source="previous_until",
        help_text="Until when the secret before a rotation signs, too.",
    )
    created_at = Time(read_only=True)
    updated_at = Time(read_only=True)


class NewWebhookEndpointFields(WebhookEndpointFields):
    """A new endpoint, or one with a new secret, which is shown this once."""

    secret = Text(read_only=True, help_text="`whsec_…`: what deliveries are signed with.")


class SecretRotationFields(StrictSerializer):
    """How a secret is rotated."""

    overlap_s = Integer(
        min_value=0,
        max_value=int(MAX_OVERLAP.total_seconds()),
        default=int(OVERLAP.total_seconds()),
        help_text="For how many seconds the old secret signs as well; 0: no longer.",
    )


class EventFields(serializers.Serializer[Any]):
    """What a delivery tells of."""

    id = Id(help_text="The `webhook-id`, the same over all attempts and replays.")
    type = Text()


class WebhookDeliveryFields(serializers.Serializer[Any]):
    """One event on its way to one endpoint."""

    id = Id()
    endpoint = Id(source="endpoint_id")
    event = EventFields()
    status = Choice(DeliveryStatus, help_text="failed: given up, after three days or a 410.")
    tries = Integer(help_text="Attempts since it was published or last replayed.")
    response_status = Integer(allow_null=True, help_text="Of the last attempt; null: no answer came.")
    response_body = Text(help_text="The first KB of it.")
    duration_ms = Integer(allow_null=True)
    error = Text(help_text="What was wrong with the last attempt, for a person.")
    next_attempt_at = Time(allow_null=True)
    delivered_at = Time(allow_null=True)
    created_at = Time()
    updated_at = Time()


class AttemptFields(serializers.Serializer[Any]):
    """One attempt."""

    at = Text()
    status = Integer(allow_null=True)
    duration_ms = Integer()
    error = Text()
    body = Text()


class OneWebhookDeliveryFields(WebhookDeliveryFields):
    """A delivery with what was sent and every attempt at it."""

    payload = JsonObject(help_text="What was sent: type, timestamp and data.")
    attempts = AttemptFields(many=True)


class ReplayFields(StrictSerializer):
    """What to send again: one delivery, or what happened since a time."""

    delivery = Id(required=False)
    since = Time(required=False)
    delivered_too = Flag(
        required=False,
        help_text="With `since`: also what arrived; else only what was given up. Default: false.",
    )


class ReplayedFields(serializers.Serializer[Any]):
    """What is sent again."""

    replayed = Integer(help_text="How many deliveries.")


def as_endpoint_object(endpoint: WebhookEndpoint) -> Any:
    """An endpoint as the API shows it, without its secret."""
    return WebhookEndpointFields(endpoint).data


def as_delivery_object(delivery: WebhookDelivery) -> Any:
    """A delivery with its payload and attempts."""
    whole = dict(WebhookDeliveryFields(delivery).data)
    return {**whole, "payload": orjson.loads(delivery.event.body), "attempts": delivery.attempts}
