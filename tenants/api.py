"""The doors of the account: api-keys/, members/, provider-keys/, domains/."""

import uuid
from datetime import timedelta
from typing import Any, Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.authentication import issue_api_key, revoke_api_key
from tenants.bringing_keys import remove_key, set_key
from tenants.hostnames import add_hostname, make_primary, remove_hostname
from tenants.models import ApiKey, Domain, ProviderKey, User
from tenants.permissions import Role
from tenants.representing import (
    ApiKeyFields,
    ApiKeyRenameFields,
    DomainChangeFields,
    DomainFields,
    IssuedApiKeyFields,
    MemberFields,
    NewMemberFields,
    ProviderKeyFields,
    RotationFields,
)
from tenants.rest.filtering import equal, flag, narrowed, one_of, parameters
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.scopes import refuse_escalation
from tenants.rest.views import OneRow, TenantView, found, routes
from tenants.rotating import live, rotate_api_key
from tenants.team import add_person, change_person, remove_person

MEMBER_FILTERS: Final = (
    one_of("role", Role, "Only members of this role."),
    flag("is_active", "Only members who can sign in, or who cannot."),
    equal("email", "Only the member with this email, in lower case."),
)


class ApiKeys(TenantView):
    """Keys that are not revoked."""

    area = "account"
    versioned = True

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

    @extend_schema(operation_id="api_keys_create", request=ApiKeyFields, responses={201: IssuedApiKeyFields})
    def post(self, request: Request) -> Response:
        """Make a key. Nobody can grant a scope that they do not hold."""
        fields = self.valid(ApiKeyFields)
        refuse_escalation(self.principal.scopes, fields["scopes"])
        return _issued(*issue_api_key(**fields, created_by=self.principal.user))


class OneApiKey(OneRow):
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
        operation_id="api_keys_rotate", request=RotationFields, responses={201: IssuedApiKeyFields}
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        """Make a successor with the same name and scopes; the old secret stays good for the overlap."""
        overlap = timedelta(seconds=self.valid(RotationFields)["overlap_s"])
        refuse_escalation(self.principal.scopes, _live(id).scopes)
        return _issued(*rotate_api_key(id, overlap=overlap, created_by=self.principal.user))


class Members(TenantView):
    """The team."""

    area = "account"
    versioned = True

    @extend_schema(
        operation_id="members_list",
        parameters=[*PAGE_PARAMETERS, *parameters(MEMBER_FILTERS)],
        request=None,
        responses=page_of(MemberFields),
    )
    def get(self, request: Request) -> Response:
        """List the team, newest first, with those who were removed."""
        rows = narrowed(request, User.objects.all(), MEMBER_FILTERS)
        return newest_first(request, rows, as_object=lambda user: MemberFields(user).data)

    @extend_schema(operation_id="members_create", request=NewMemberFields, responses={201: MemberFields})
    def post(self, request: Request) -> Response:
        """Add somebody. An email has one account over all tenants. Only owners, and keys with `write`, make owners."""
        fields = self.valid(NewMemberFields)
        role = Role(fields.pop("role", Role.MEMBER))
        return Response(MemberFields(add_person(self.principal, role=role, **fields)).data, status=201)


class OneMember(OneRow):
    """One person of the team."""

    area = "account"

    @extend_schema(operation_id="members_read", responses=MemberFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a member."""
        return Response(MemberFields(found(User.objects.all(), id)).data)

    @extend_schema(operation_id="members_update", request=MemberFields, responses=MemberFields)
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Change a member. One active owner always remains."""
        changed = change_person(self.principal, id, **self.valid(MemberFields, partial=True))
        return Response(MemberFields(changed).data)

    @extend_schema(operation_id="members_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Take somebody off the team. They stay in the list as inactive, so that what they wrote keeps its author."""
        remove_person(self.principal, id)
        return Response(status=204)


class ProviderKeys(TenantView):
    """Your own keys for AI providers."""

    area = "account"
    versioned = True

    @extend_schema(
        operation_id="provider_keys_list",
        parameters=PAGE_PARAMETERS,
        request=None,
        responses=page_of(ProviderKeyFields),
    )
    def get(self, request: Request) -> Response:
        """List your own keys for providers, newest first."""
        return newest_first(
            request, ProviderKey.objects.all(), as_object=lambda key: ProviderKeyFields(key).data
        )

    @extend_schema(
        operation_id="provider_keys_create", request=ProviderKeyFields, responses={201: ProviderKeyFields}
    )
    def post(self, request: Request) -> Response:
        """Set your own key for a provider, in place of the one of before. Calls that it can pay for are made with it
        from now on, and with no other unless the operator says so."""
        stored = set_key(**self.valid(ProviderKeyFields), by=self.principal.user)
        return Response(ProviderKeyFields(stored).data, status=201)


class OneProviderKey(OneRow):
    """One key for a provider."""

    area = "account"

    @extend_schema(operation_id="provider_keys_read", responses=ProviderKeyFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read what is shown of a key."""
        return Response(ProviderKeyFields(found(ProviderKey.objects.all(), id)).data)

    @extend_schema(operation_id="provider_keys_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Forget a key: the installation's is used from now on."""
        remove_key(id)
        return Response(status=204)


class Domains(TenantView):
    """Hostnames of your own."""

    area = "account"
    versioned = True

    @extend_schema(
        operation_id="domains_list", parameters=PAGE_PARAMETERS, request=None, responses=page_of(DomainFields)
    )
    def get(self, request: Request) -> Response:
        """List domains, newest first."""
        return newest_first(request, Domain.objects.all(), as_object=lambda domain: DomainFields(domain).data)

    @extend_schema(operation_id="domains_create", request=DomainFields, responses={201: DomainFields})
    def post(self, request: Request) -> Response:
        """Put a hostname down as yours. It serves nobody before it is verified."""
        return Response(DomainFields(add_hostname(**self.valid(DomainFields))).data, status=201)


class OneDomain(OneRow):
    """One hostname."""

    area = "account"

    @extend_schema(operation_id="domains_read", responses=DomainFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a domain."""
        return Response(DomainFields(found(Domain.objects.all(), id)).data)

    @extend_schema(operation_id="domains_update", request=DomainChangeFields, responses=DomainFields)
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Make a verified domain the primary one, or not."""
        changes = self.valid(DomainChangeFields)
        if "is_primary" in changes:
            make_primary(id, changes["is_primary"])
        return Response(DomainFields(found(Domain.objects.all(), id)).data)

    @extend_schema(operation_id="domains_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Forget a domain; it serves nobody from now on."""
        remove_hostname(id)
        return Response(status=204)


def _live(identifier: uuid.UUID) -> ApiKey:
    return found(ApiKey.objects.filter(live()), identifier)


def _issued(key: ApiKey, secret: str) -> Response:
    body: dict[str, Any] = {**ApiKeyFields(key).data, "key": secret}
    return Response(body, status=201, headers={"Cache-Control": "no-store"})


urlpatterns = [
    *routes("api-keys/", ApiKeys),
    *routes("api-keys/<uuid:id>/", OneApiKey),
    *routes("api-keys/<uuid:id>/rotate", ApiKeyRotation),
    *routes("members/", Members),
    *routes("members/<uuid:id>/", OneMember),
    *routes("provider-keys/", ProviderKeys),
    *routes("provider-keys/<uuid:id>/", OneProviderKey),
    *routes("domains/", Domains),
    *routes("domains/<uuid:id>/", OneDomain),
]
