"""The doors of the account: api-keys/."""

import uuid
from datetime import timedelta
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.authentication import SCOPES, issue_api_key, revoke_api_key
from tenants.models import ApiKey
from tenants.rest.fields import Id, Integer, StrictSerializer, Text, TextList, Time
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.scopes import refuse_escalation
from tenants.rest.views import TenantView, found, routes
from tenants.rotating import MAX_OVERLAP, OVERLAP, live, rotate_api_key


class ApiKeyFields(StrictSerializer):
    """A key without its secret."""

    id = Id(read_only=True)
    name = Text(max_length=120)
    prefix = Text(read_only=True, help_text="How the secret begins, to recognise it by.")
    scopes = TextList(item_length=40, min_length=1, help_text=f"One or more of {', '.join(SCOPES)}.")
    expires_at = Time(required=False, allow_null=True)
    last_used_at = Time(read_only=True, allow_null=True, help_text="To the minute.")
    created_at = Time(read_only=True)
    updated_at = Time(read_only=True)


class IssuedApiKeyFields(ApiKeyFields):
    """A new key with its secret, which is shown this once and stored nowhere."""

    key = Text(read_only=True)


class ApiKeyRenameFields(StrictSerializer):
    """All of a key that may change. For other scopes make another key."""

    name = Text(max_length=120, required=False)


class RotationFields(StrictSerializer):
    """How a key is rotated."""

    overlap_s = Integer(
        min_value=0,
        max_value=int(MAX_OVERLAP.total_seconds()),
        default=int(OVERLAP.total_seconds()),
        help_text="For how many seconds the old secret stays good; 0 revokes it at once.",
    )


ISSUED = OpenApiExample(
    "A new key",
    value={
        "id": "01987a5e-6d3b-7c41-9f60-2a4b8c1d0e9f",
        "name": "Voice worker",
        "prefix": "fd_sk_Ab12Cd",
        "scopes": ["billing:write"],
        "expires_at": None,
        "last_used_at": None,
        "created_at": "2026-01-05T09:30:00Z",
        "updated_at": "2026-01-05T09:30:00Z",
        "key": "fd_sk_Ab12Cd…",
    },
    response_only=True,
)


class ApiKeys(TenantView):
    """Keys that are not revoked."""

    area = "account"

    @extend_schema(
        operation_id="api_keys_list",
        parameters=PAGE_PARAMETERS,
        request=None,
        responses=page_of(ApiKeyFields),
    )
    def get(self, request: Request) -> Response:
        """List keys, newest first."""
        return newest_first(
            request, ApiKey.objects.filter(live()), as_object=lambda key: ApiKeyFields(key).data
        )

    @extend_schema(
        operation_id="api_keys_create",
        request=ApiKeyFields,
        responses={201: IssuedApiKeyFields},
        examples=[ISSUED],
    )
    def post(self, request: Request) -> Response:
        """Make a key. Nobody can grant a scope that they do not hold."""
        fields = self.valid(ApiKeyFields)
        refuse_escalation(self.principal.scopes, fields["scopes"])
        return _issued(*issue_api_key(**fields, created_by=self.principal.user))


class OneApiKey(TenantView):
    """One key."""

    area = "account"

    @extend_schema(operation_id="api_keys_read", responses=ApiKeyFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a key."""
        return Response(ApiKeyFields(_live(id)).data)

    @extend_schema(operation_id="api_keys_update", request=ApiKeyRenameFields, responses=ApiKeyFields)
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Rename a key."""
        key = _live(id)
        key.name = self.valid(ApiKeyRenameFields).get("name", key.name)
        key.save(update_fields=["name", "updated_at"])
        return Response(ApiKeyFields(key).data)

    @extend_schema(operation_id="api_keys_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Revoke a key: it opens nothing from now on."""
        revoke_api_key(_live(id).pk)
        return Response(status=204)


class ApiKeyRotation(TenantView):
    """A new secret for a key."""

    area = "account"

    @extend_schema(
        operation_id="api_keys_rotate",
        request=RotationFields,
        responses={201: IssuedApiKeyFields},
        examples=[ISSUED],
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        """Make a successor with the same name and scopes; the old secret stays good for the overlap."""
        overlap = timedelta(seconds=self.valid(RotationFields)["overlap_s"])
        refuse_escalation(self.principal.scopes, _live(id).scopes)
        return _issued(*rotate_api_key(id, overlap=overlap, created_by=self.principal.user))


def _live(identifier: uuid.UUID) -> ApiKey:
    return found(ApiKey.objects.filter(live()), identifier)


def _issued(key: ApiKey, secret: str) -> Response:
    body: dict[str, Any] = {**ApiKeyFields(key).data, "key": secret}
    return Response(body, status=201, headers={"Cache-Control": "no-store"})


urlpatterns = [
    *routes("api-keys/", ApiKeys),
    *routes("api-keys/<uuid:id>/", OneApiKey),
    *routes("api-keys/<uuid:id>/rotate", ApiKeyRotation),
]
