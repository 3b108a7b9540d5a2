"""What is noted when somebody signs in."""

from contextlib import nullcontext
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.utils import timezone

from tenants.context import acting_as
from tenants.directory import resolve_tenant
from tenants.models import KeyKind, User


def note_sign_ins() -> None:
    """Keep `User.last_login` from now on, in the user's own tenant: Django's own receiver saves outside any, where the
    database shows no user to save."""
    user_logged_in.disconnect(dispatch_uid="update_last_login")
    user_logged_in.connect(_note, dispatch_uid="note_sign_in")


def _note(sender: type[User], user: User, **_: Any) -> None:
    tenant = resolve_tenant(KeyKind.TENANT, str(user.tenant_id)) if user.tenant_id else None
    with acting_as(tenant) if tenant else nullcontext():
        User.objects.filter(pk=user.pk).update(last_login=timezone.now())
