"""What is noted when somebody signs in, fails to, or signs out."""

import logging
from typing import Any, Final

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest
from django.utils import timezone
from kombu.exceptions import OperationalError

from tenants import locking_out, visiting
from tenants.auditing import Actor, by_person, doing_as, record
from tenants.context import acting_as, current_tenant
from tenants.directory import resolve_tenant
from tenants.models import AuthSession, KeyKind, User
from tenants.sessions import AGENT_KEY, IP_KEY

MAX_AGENT: Final = AuthSession._meta.get_field("user_agent").max_length
# Each of the first tries is recorded, then every tenth with its number: guessing must not fill the record.
TOLD_EACH: Final = 5
TOLD_EVERY: Final = 10

_log = logging.getLogger(__name__)


def note_sign_ins() -> None:
    """Keep `User.last_login` from now on, in the user's own tenant: Django's own receiver saves outside any, where the
    database shows no user to save."""
    user_logged_in.disconnect(dispatch_uid="update_last_login")
    user_logged_in.connect(_note, dispatch_uid="note_sign_in")
    user_logged_out.connect(_note_out, dispatch_uid="note_sign_out")


def report_failure(email: str, ip: str | None) -> None:
    """Have the worker record a wrong password. The same is done whether there is such an account or not, so that the
    answer's time does not tell; a broker that is away keeps nobody from signing in."""
    from tenants.tasks import note_failed_sign_in  # a door, which imports this module

    try:
        note_failed_sign_in.apply_async([email, ip], retry=False)
    except OperationalError:
        _log.warning("a failed sign-in could not be recorded: the broker is away")


def note_failure(email: str, ip: str | None) -> bool:
    """The worker's part: an entry for the account's tenant, with how many tries there were since the last right one;
    whether there is such an account and the try was one of those that are told."""
    tenant = resolve_tenant(KeyKind.EMAIL, email)
    if tenant is None:
        return False
    with doing_as(Actor("system", ip=ip)), acting_as(tenant):
        user = User.objects.filter(email=email).first()
        return user is not None and record_failure(user, locking_out.account(email), "password")


def record_failure(user: User, counted: locking_out.Subject, step: str) -> bool:
    """Record a wrong password or code, one of many where there are many; whether it was recorded. The platform's people
    belong to no tenant, and so have no record."""
    if user.is_platform_staff:
        return False
    tries = locking_out.tries(counted)
    if tries > TOLD_EACH and tries % TOLD_EVERY:
        return False
    record("sign_in_failed", user, after={"step": step, "tries": tries})
    return True


def _note(sender: type[User], user: User, request: HttpRequest | None = None, **_: Any) -> None:
    if request is not None:
        # In the session's data, from which its store fills the row's columns: a new key keeps them.
        request.session[IP_KEY] = request.META.get("REMOTE_ADDR") or None
        request.session[AGENT_KEY] = request.headers.get("User-Agent", "").replace("\0", "")[:MAX_AGENT]
    tenant = resolve_tenant(KeyKind.TENANT, str(user.tenant_id)) if user.tenant_id else None
    if tenant is None:
        User.objects.filter(pk=user.pk).update(last_login=timezone.now())
        return
    with by_person(user), acting_as(tenant):
        User.objects.filter(pk=user.pk).update(last_login=timezone.now())
        record("signed_in", user)


def _note_out(sender: type[User], user: User | None, request: HttpRequest | None = None, **_: Any) -> None:
    if request is not None:
        visiting.leave(request.session, "they signed out")
    if user is not None and current_tenant() is not None:
        record("signed_out", user)
