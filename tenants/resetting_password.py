"""A forgotten password: a link by email, good once and for an hour, that tells nobody which emails exist."""

import uuid
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.utils.crypto import constant_time_compare, salted_hmac

from kernel.limiting import Limit, take
from tenants import links, locking_out, mailing
from tenants.auditing import by_person
from tenants.context import at_home
from tenants.directory import resolve_tenant
from tenants.ending_sessions import end_sessions
from tenants.models import KeyKind, User
from tenants.team import refuse_weak_password

LIFETIME: Final = timedelta(hours=1)
PURPOSE: Final = "password-reset"
PER_ADDRESS: Final = Limit("password-reset-address", 10 / 3600, 10)
PER_EMAIL: Final = Limit("password-reset-email", 3 / 3600, 3)


def ask(email: str, address: str) -> None:
    """Have the worker write to `email` if it has an account. The same is done, and told, whatever the email: who has
    asked too often gets no letter."""
    from tenants.tasks import send_password_reset  # a door, which imports this module

    email = email.strip().lower()
    asked = take(
        (PER_ADDRESS, locking_out.address(address).name), (PER_EMAIL, locking_out.account(email).name)
    )
    if asked is None or asked.allowed:
        send_password_reset.apply_async([email])


def write(email: str) -> bool:
    """The worker's part: send the letter where `email` is an active person's; whether it went."""
    tenant = resolve_tenant(KeyKind.EMAIL, email)
    with at_home(tenant):
        user = User.objects.filter(email=email, is_active=True).first()
        if user is None:
            return False
        token = links.issue(PURPOSE, tenant, user=user.pk.hex, proof=_proof(user))
    return mailing.send(
        email,
        "Choose a new password",
        f"Choose a new password for Frontdesk here, within an hour:\n{links.link('password', token)}",
        "You will be signed out everywhere.",
    )


def refuse_dead_link(token: str) -> None:
    """Raise LinkInvalid where the link would not set a password."""
    tenant, said = links.read_account(PURPOSE, token, LIFETIME)
    with at_home(tenant):
        _of(said)


def set_password(token: str, password: str) -> None:
    """Set the password and end every session. Raises LinkInvalid, InvalidInput for a weak password."""
    tenant, said = links.read_account(PURPOSE, token, LIFETIME)
    with at_home(tenant):
        user = _of(said, lock=True)
        refuse_weak_password(password, user.email)
        user.password = make_password(password)
        with by_person(user):
            user.save(update_fields=["password", "updated_at"])
            end_sessions(user)
    locking_out.succeeded(locking_out.account(user.email))


def _of(said: dict[str, object], *, lock: bool = False) -> User:
    users = User.objects.select_for_update() if lock else User.objects.all()
    user = users.filter(pk=uuid.UUID(hex=str(said["user"])), is_active=True).first()
    if user is None or not _is_proof(str(said["proof"]), user):
        raise links.LinkInvalid
    return user


def _proof(user: User, key: str | None = None) -> str:
    """Changes with the password and the email, so that a link sets one password and none after either changed."""
    said = f"{user.password}:{user.email}"
    return salted_hmac("frontdesk.password-reset", said, secret=key).hexdigest()[:32]


def _is_proof(given: str, user: User) -> bool:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(constant_time_compare(given, _proof(user, key)) for key in keys)
