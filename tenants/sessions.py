"""Django's session engine over AuthSession: bound to a user, listable, revocable.

A session must be found before its tenant is known, yet its row is under the strict policy. So the key itself begins
with the tenant's id: the store enters that tenant and looks for the rest there. A forged beginning finds nothing.
"""

import uuid
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import get_random_string

from tenants.context import TenantRef, acting_as, current_tenant
from tenants.directory import resolve_tenant
from tenants.models import AuthSession, KeyKind

TENANT_KEY: Final = "_tenant"
IP_KEY: Final = "_ip"
AGENT_KEY: Final = "_agent"
SEEN_EVERY: Final = timedelta(minutes=1)
RANDOM_CHARACTERS: Final = 32
ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


class SessionStore(SessionBase):
    """Sessions in PostgreSQL, each in its own tenant."""

    def load(self) -> dict[str, Any]:
        with self._tenant_of(self.session_key) as found:
            now = timezone.now()
            row = self._rows(self.session_key).filter(expires_at__gt=now).first() if found else None
            if row and row.user_id and row.last_seen_at < now - SEEN_EVERY:
                self._rows(self.session_key).update(last_seen_at=now)
        if row is None:
            self._session_key = None
            return {}
        return self.decode(row.data)

    def exists(self, session_key: str) -> bool:
        with self._tenant_of(session_key) as found:
            return bool(found) and self._rows(session_key).exists()

    def create(self) -> None:
        while True:
            self._session_key = self._new_key()
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    def save(self, must_create: bool = False) -> None:
        if self.session_key is None:
            return self.create()
        values = self._get_session(no_load=must_create)  # type: ignore[attr-defined]  # not in the stubs
        columns = {
            "data": self.encode(values),
            "expires_at": self.get_expiry_date(),
            "user_id": values.get(SESSION_KEY),
            "ip": values.get(IP_KEY),
            "user_agent": values.get(AGENT_KEY, ""),
        }
        with self._tenant_of(self.session_key) as found:
            if not found:
                raise UpdateError
            if must_create:
                try:
                    with transaction.atomic():
                        AuthSession.objects.create(
                            key=self.session_key, tenant_id=values.get(TENANT_KEY), **columns
                        )
                except IntegrityError as error:
                    raise CreateError from error
            elif not self._rows(self.session_key).update(last_seen_at=timezone.now(), **columns):
                raise UpdateError  # revoked meanwhile, and stays revoked
        return None

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key:
            with self._tenant_of(key) as found:
                if found:
                    self._rows(key).delete()

    @classmethod
    def clear_expired(cls) -> None:
        """Delete expired sessions of the acting tenant, or the platform's where there is none."""
        AuthSession.objects.filter(expires_at__lt=timezone.now()).delete()

    def _new_key(self) -> str:
        tenant = getattr(self, "_session_cache", {}).get(TENANT_KEY)
        owner = uuid.UUID(tenant).hex if tenant else "platform"
        return f"{owner}-{get_random_string(RANDOM_CHARACTERS, ALPHABET)}"

    @staticmethod
    def _rows(session_key: str | None) -> Any:
        return AuthSession.objects.filter(key=session_key)

    @staticmethod
    def _tenant_of(session_key: str | None) -> AbstractContextManager[Any]:
        """The context in which the session's row can be seen; yields something false where there is no such tenant."""
        owner = (session_key or "").partition("-")[0]
        if owner == "platform":
            return nullcontext(True)
        acting = current_tenant()
        try:
            tenant = uuid.UUID(hex=owner)
        except ValueError:
            return nullcontext(False)
        if acting and acting.id == tenant:
            return nullcontext(acting)
        ref: TenantRef | None = resolve_tenant(KeyKind.TENANT, str(tenant))
        return acting_as(ref) if ref else nullcontext(False)
