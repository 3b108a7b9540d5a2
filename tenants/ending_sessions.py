"""The browsers in which somebody is signed in: listed for them, and ended by them or by who looks after the team."""

import hashlib
import uuid
from datetime import datetime
from typing import NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from kernel.errors import NotAllowed, NotFound
from tenants import visiting
from tenants.auditing import record
from tenants.context import current_tenant
from tenants.models import AuthSession, User
from tenants.permissions import Role
from tenants.sessions import SessionStore


class SignedIn(NamedTuple):
    """One session. `handle` names it without opening it, as its key would."""

    handle: str
    ip: str | None
    user_agent: str
    last_seen_at: datetime
    created_at: datetime
    is_this: bool


def handle_of(key: str) -> str:
    """What a page may show of a session's key."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def sessions_of(user: User, *, this: str | None = None) -> list[SignedIn]:
    """Where `user` is signed in, the session with the key `this` first and then the last seen."""
    found = [
        SignedIn(
            handle_of(row.key), row.ip, row.user_agent, row.last_seen_at, row.created_at, row.key == this
        )
        for row in _live(user).order_by("-last_seen_at")
    ]
    return sorted(found, key=lambda one: not one.is_this)


def end_session(user: User, handle: str) -> None:
    """End one of `user`'s sessions. Raises NotFound."""
    for row in _live(user):
        if handle_of(row.key) == handle:
            _end_visit(row)
            row.delete()
            _record(user, {"sessions": 1, "from": row.ip, "browser": row.user_agent})
            return
    raise NotFound("There is no such session; it may have ended already.")


def end_sessions(user: User, *, but: str | None = None) -> int:
    """End every session of `user`'s except the one with the key `but`; how many."""
    others = AuthSession.objects.filter(user=user).exclude(key=but or "")
    if user.is_platform_staff:
        for row in others:
            _end_visit(row)
    ended = others.delete()[0]
    if ended:
        _record(user, {"sessions": ended})
    return ended


def end_sessions_of(by: User, user_id: uuid.UUID) -> int:
    """End a colleague's sessions: an owner anybody's, an admin those of people who are not owners; how many.

    Raises NotFound, NotAllowed.
    """
    person = User.objects.filter(pk=user_id).first()
    if person is None:
        raise NotFound(f"There is no person {user_id}.")
    if not by.is_owner and (by.role != Role.ADMIN or person.is_owner):
        raise NotAllowed("Only an owner can end an owner's sessions.")
    return end_sessions(person)


def _live(user: User) -> "QuerySet[AuthSession]":
    return AuthSession.objects.filter(user=user, expires_at__gt=timezone.now())


def _end_visit(row: AuthSession) -> None:
    visit = visiting.visit_of(SessionStore().decode(row.data))
    if visit is not None:
        visiting.end(visit, "their session was ended")


def _record(user: User, what: dict[str, object]) -> None:
    # The platform's own people belong to no tenant, and so have no record.
    if current_tenant() is not None:
        record("signed_out_elsewhere", user, after=what)
