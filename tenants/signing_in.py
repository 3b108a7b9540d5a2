"""What is noted when somebody signs in."""

from contextlib import nullcontext
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.utils import timezone

from tenants.context import acting_as
from tenants.directory import resolve_tenant
from tenants.models import AuthSession, KeyKind, User
from tenants.sessions import AGENT_KEY, IP_KEY

MAX_AGENT = AuthSession._meta.get_field("user_agent").max_length


def note_sign_ins() -> None:
    """Keep `User.last_login` from now on, in the user's own tenant: Django's own receiver saves outside any, where the
    database shows no user to save."""
    user_logged_in.disconnect(dispatch_uid="update_last_login")
    user_logged_in.connect(_note, dispatch_uid="note_sign_in")


def _note(sender: type[User], user: User, request: HttpRequest | None = None, **_: Any) -> None:
    if request is not None:
        # In the session's data, from which its store fills the row's columns: a new key keeps them.
        request.session[IP_KEY] = request.META.get("REMOTE_ADDR") or None
        request.session[AGENT_KEY] = request.headers.get("User-Agent", "").replace("\0", "")[:MAX_AGENT]
    tenant = resolve_tenant(KeyKind.TENANT, str(user.tenant_id)) if user.tenant_id else None
    with acting_as(tenant) if tenant else nullcontext():
        User.objects.filter(pk=user.pk).update(last_login=timezone.now())
