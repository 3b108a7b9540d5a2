"""How a caller of the API is recognised: `Authorization: Bearer fd_sk_…`, or the admin's session with CSRF."""

from django.contrib.auth import get_user
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from kernel import observing
from tenants.authentication import authenticate_api_key
from tenants.context import acting_as
from tenants.middleware import session_tenant
from tenants.models import User
from tenants.permissions import Role
from tenants.rest.scopes import ROLE_SCOPES, Principal
from tenants.second_factor import is_missing

CHALLENGE = 'Bearer realm="frontdesk"'
SCHEME = b"bearer"


class ApiKeyAuthentication(BaseAuthentication):
    """A program by its API key, looked up in a short transaction of its own."""

    def authenticate(self, request: Request) -> tuple[Principal, Principal] | None:
        parts = get_authorization_header(request).split()
        if not parts:
            return None
        if len(parts) != 2 or parts[0].lower() != SCHEME:
            raise AuthenticationFailed("Send Authorization: Bearer fd_sk_…", code="bad_authorization")
        found = authenticate_api_key(parts[1].decode("latin-1"))
        if found is None:
            raise AuthenticationFailed("This API key is unknown, expired or revoked.", code="bad_key")
        tenant, key = found
        observing.note(key_id=key.id)
        principal = Principal(tenant, key.scopes, key.id)
        return principal, principal

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class AdminSessionAuthentication(SessionAuthentication):
    """A tenant's person, signed in to the admin. Platform staff have no tenant here and so no access."""

    def authenticate(self, request: Request) -> tuple[Principal, Principal] | None:
        tenant = session_tenant(request._request)
        if tenant is None:
            return None
        with acting_as(tenant):
            user = get_user(request._request)
            if not isinstance(user, User) or not user.is_active:
                return None
            if is_missing(user):
                raise AuthenticationFailed(
                    "Set up a second factor in the admin first.", code="second_factor_needed"
                )
        self.enforce_csrf(request)
        observing.note(user_id=user.pk)
        principal = Principal(tenant, ROLE_SCOPES[Role(user.role)], user.pk, user)
        return principal, principal
