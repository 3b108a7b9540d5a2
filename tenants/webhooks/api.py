"""The doors of webhook-endpoints/."""

import uuid
from datetime import timedelta
from typing import Any, Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.errors import InvalidInput
from tenants.rest.filtering import equal, moment, narrowed, one_of, parameters
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.views import OneRow, TenantView, found, routes
from tenants.webhooks import endpoints, replaying
from tenants.webhooks.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from tenants.webhooks.representing import (
    NewWebhookEndpointFields,
    OneWebhookDeliveryFields,
    ReplayedFields,
    ReplayFields,
    SecretRotationFields,
    WebhookDeliveryFields,
    WebhookEndpointFields,
    as_delivery_object,
    as_endpoint_object,
)

DELIVERY_FILTERS: Final = (
    one_of("status", DeliveryStatus, "Only deliveries in this state."),
    equal("type", "Only deliveries of events of this type.", lookup="event__type"),
    moment("created_after", "created_at__gte", "Only of what happened at or after this time."),
    moment("created_before", "created_at__lt", "Only of what happened before this time."),
)


class WebhookEndpoints(TenantView):
    """Where you want to be told of events."""

    area = "account"
    versioned = True

    @extend_schema(
        operation_id="webhook_endpoints_list",
        parameters=PAGE_PARAMETERS,
        request=None,
        responses=page_of(WebhookEndpointFields),
    )
    def get(self, request: Request) -> Response:
        """List webhook endpoints, newest first."""
        return newest_first(request, WebhookEndpoint.objects.all(), as_object=as_endpoint_object)

    @extend_schema(
        operation_id="webhook_endpoints_create",
        request=WebhookEndpointFields,
        responses={201: NewWebhookEndpointFields},
    )
    def post(self, request: Request) -> Response:
        """Add an endpoint. Its secret is shown this once: verify the signature of every delivery with it."""
        return _with_secret(*endpoints.create_endpoint(**self.valid(WebhookEndpointFields)))


class OneWebhookEndpoint(OneRow):
    """One endpoint."""

    area = "account"

    @extend_schema(operation_id="webhook_endpoints_read", responses=WebhookEndpointFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a webhook endpoint."""
        return Response(as_endpoint_object(found(WebhookEndpoint.objects.all(), id)))

    @extend_schema(
        operation_id="webhook_endpoints_update",
        request=WebhookEndpointFields,
        responses=WebhookEndpointFields,
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Change a webhook endpoint, turn it off or on again."""
        changes = self.valid(WebhookEndpointFields, partial=True)
        return Response(as_endpoint_object(endpoints.change_endpoint(id, **changes)))

    @extend_schema(operation_id="webhook_endpoints_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Delete a webhook endpoint and the log of its deliveries."""
        endpoints.delete_endpoint(id)
        return Response(status=204)


class WebhookSecretRotation(TenantView):
    """A new secret for an endpoint."""

    area = "account"

    @extend_schema(
        operation_id="webhook_endpoints_rotate",
        request=SecretRotationFields,
        responses={201: NewWebhookEndpointFields},
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        """Give an endpoint a new secret. For the overlap every delivery carries a signature by each of the two."""
        overlap = timedelta(seconds=self.valid(SecretRotationFields)["overlap_s"])
        return _with_secret(*endpoints.rotate_secret(id, overlap=overlap))


class WebhookDeliveries(TenantView):
    """The log of an endpoint."""

    area = "account"

    @extend_schema(
        operation_id="webhook_deliveries_list",
        parameters=[*PAGE_PARAMETERS, *parameters(DELIVERY_FILTERS)],
        request=None,
        responses=page_of(WebhookDeliveryFields),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """List the deliveries to an endpoint, newest first. They are kept for 30 days."""
        found(WebhookEndpoint.objects.all(), id)
        rows = WebhookDelivery.objects.filter(endpoint_id=id).select_related("event")
        rows = narrowed(request, rows.defer("attempts", "event__body"), DELIVERY_FILTERS)
        return newest_first(request, rows, as_object=lambda one: WebhookDeliveryFields(one).data)


class OneWebhookDelivery(OneRow):
    """One delivery."""

    area = "account"

    @extend_schema(operation_id="webhook_deliveries_read", responses=OneWebhookDeliveryFields)
    def get(self, request: Request, id: uuid.UUID, delivery_id: uuid.UUID) -> Response:
        """Read a delivery with what was sent and every attempt at it."""
        rows = WebhookDelivery.objects.filter(endpoint_id=id).select_related("event")
        return Response(as_delivery_object(found(rows, delivery_id)))


class WebhookReplay(TenantView):
    """Sending again."""

    area = "account"

    @extend_schema(
        operation_id="webhook_endpoints_replay", request=ReplayFields, responses={202: ReplayedFields}
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        """Send one delivery again, or all since a time, each with the `webhook-id` it had."""
        fields = self.valid(ReplayFields)
        if ("delivery" in fields) == ("since" in fields):
            raise InvalidInput.of("delivery", "name either a delivery or since")
        if "delivery" in fields:
            replaying.replay_one(id, fields["delivery"])
            return Response({"replayed": 1}, status=202)
        count = replaying.replay_since(id, fields["since"], delivered_too=fields.get("delivered_too", False))
        return Response({"replayed": count}, status=202)


class WebhookTrial(TenantView):
    """Trying out."""

    area = "account"

    @extend_schema(
        operation_id="webhook_endpoints_test", request=None, responses={202: OneWebhookDeliveryFields}
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        """Send a `webhook.test` to an endpoint; read the delivery again to see how it went."""
        return Response(as_delivery_object(replaying.send_test(id)), status=202)


def _with_secret(endpoint: WebhookEndpoint, secret: str) -> Response:
    body: dict[str, Any] = {**as_endpoint_object(endpoint), "secret": secret}
    return Response(body, status=201, headers={"Cache-Control": "no-store"})


urlpatterns = [
    *routes("webhook-endpoints/", WebhookEndpoints),
    *routes("webhook-endpoints/<uuid:id>/", OneWebhookEndpoint),
    *routes("webhook-endpoints/<uuid:id>/rotate", WebhookSecretRotation),
    *routes("webhook-endpoints/<uuid:id>/deliveries/", WebhookDeliveries),
    *routes("webhook-endpoints/<uuid:id>/deliveries/<uuid:delivery_id>/", OneWebhookDelivery),
    *routes("webhook-endpoints/<uuid:id>/replay", WebhookReplay),
    *routes("webhook-endpoints/<uuid:id>/test", WebhookTrial),
]
