"""Who is signing in: people by email and password, programs by API key."""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.contrib.auth.hashers import check_password, make_password
from django.http import HttpRequest
from django.utils import timezone

from kernel.errors import InvalidInput
from tenants import locking_out
from tenants.auditing.actors import address_of
from tenants.context import TenantRef, acting_as, current_tenant
from tenants.db.prepared import prepared_cursor
from tenants.directory import claim, resolve_tenant
from tenants.models import ApiKey, KeyKind, User
from tenants.sessions import TENANT_KEY
from tenants.signing_in import report_failure

KEY_PREFIX: Final = "fd_sk_"
SHOWN_CHARACTERS: Final = len(KEY_PREFIX) + 6
LAST_USED_EVERY: Final = timedelta(minutes=1)

LIVE_KEY: Final = """
    SELECT id, scopes, coalesce(last_used_at < %s, true)
    FROM public.api_keys
    WHERE key_hash = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""

AREAS: Final = ("knowledge", "widgets", "conversations", "billing", "account")
# The record of what was done is read, and written by nobody's request.
SCOPES: Final = (
    "read",
    "write",
    *(f"{area}:{verb}" for area in AREAS for verb in ("read", "write")),
    "audit:read",
)


class EmailBackend:
    """Django's authentication backend: email to tenant through the directory, then the password inside that tenant."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        """Whose email and password these are, or None. Raises LockedOut after too many tries, before either is looked
        at: the answer to an email that nobody has is the same."""
        email = (username or "").strip().lower()
        counted = [locking_out.account(email)]
        if request is not None:
            counted.insert(0, locking_out.address(request.META.get("REMOTE_ADDR", "")))
        locking_out.begin_try(*counted)
        tenant = resolve_tenant(KeyKind.EMAIL, email) if email else None
        user = self._find(tenant, email)
        if user is None or not user.is_active:
            # As slow as a real check, so that the answer's time does not tell which emails exist.
            make_password(password)
        elif check_password(password or "", user.password):
            return self._let_in(request, user, tenant, counted)
        report_failure(email, address_of(request) if request is not None else None)
        return None

    @staticmethod
    def _let_in(
        request: HttpRequest | None, user: User, tenant: TenantRef | None, counted: list[locking_out.Subject]
    ) -> User:
        locking_out.succeeded(*counted)
        if request is not None and tenant is not None:
            request.session[TENANT_KEY] = str(tenant.id)
        return user

    def get_user(self, user_id: str) -> User | None:
        """The session's user, seen from inside the session's tenant (`tenants.middleware` has entered it)."""
        return User.objects.filter(pk=user_id, is_active=True).first()

    @staticmethod
    def _find(tenant: TenantRef | None, email: str) -> User | None:
        if tenant is None:
            return User.objects.filter(email=email, tenant=None).first()
        with acting_as(tenant):
            return User.objects.filter(email=email).first()


def issue_api_key(
    name: str, scopes: Sequence[str], *, expires_at: datetime | None = None, created_by: User | None = None
) -> tuple[ApiKey, str]:
    """A new key of the acting tenant and its secret, which is shown this once and stored nowhere.

    Raises InvalidInput for an unknown scope, none at all, or an expiry in the past.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InvalidInput.of("scopes", f"choose from {', '.join(SCOPES)}")
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidInput.of("expires_at", "must lie in the future")
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        name=name,
        prefix=secret[:SHOWN_CHARACTERS],
        key_hash=digest(secret),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
        created_by=created_by,
    )
    tenant = current_tenant()
    key.tenant_id = tenant.id if tenant else None  # type: ignore[assignment]  # refused by the database outside a tenant
    claim(KeyKind.API_KEY, key.key_hash)
    key.save(force_insert=True)
    return key, secret


class LiveKey(NamedTuple):
    """An API key that opens something, as far as a door needs to know it."""

    id: uuid.UUID
    scopes: frozenset[str]


def authenticate_api_key(secret: str) -> tuple[TenantRef, LiveKey] | None:
    """Whose key this is, or None when it is unknown, expired or revoked. Notes its use, at most once a minute."""
    if not secret.startswith(KEY_PREFIX):
        return None
    key_hash = digest(secret)
    tenant = resolve_tenant(KeyKind.API_KEY, key_hash)
    if tenant is None:
        return None
    with acting_as(tenant), prepared_cursor() as cursor:
        # Plain SQL: every request passes here, and an instance of the model cost a third of a whole list's CPU.
        cursor.execute(LIVE_KEY, [timezone.now() - LAST_USED_EVERY, key_hash])
        row = cursor.fetchone()
        if row is None:
            return None
        identifier, scopes, is_stale = row
        if is_stale:
            ApiKey.objects.filter(pk=identifier).update(last_used_at=timezone.now())
        return tenant, LiveKey(identifier, frozenset(scopes))


def revoke_api_key(key_id: uuid.UUID) -> None:
    """The key opens nothing from now on."""
    ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=timezone.now())


def digest(secret: str) -> str:
    """SHA-256 in hexadecimal. The secret has 256 random bits: a slow, salted hash would protect nothing more."""
    return hashlib.sha256(secret.encode()).hexdigest()
