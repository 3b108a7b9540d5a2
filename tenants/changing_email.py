"""Another email for somebody's account: proved by a link sent there, told to the old one."""

import uuid
from datetime import timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from kernel.errors import Conflict, InvalidInput
from tenants import links, mailing
from tenants.auditing import by_person
from tenants.context import TenantRef, acting_as, require_tenant
from tenants.directory import claim, release
from tenants.ending_sessions import end_sessions
from tenants.models import KeyKind, User
from tenants.second_factor import refuse_wrong_password

LIFETIME: Final = timedelta(days=1)
PURPOSE: Final = "email-change"


def ask(user: User, new: str, password: str) -> None:
    """Have a link sent to `new`. Raises InvalidInput for a wrong password or what is no email, LockedOut after too many
    wrong passwords. Whether `new` has an account is not told here."""
    from tenants.tasks import send_email_change  # a door, which imports this module

    new = new.strip().lower()
    refuse_wrong_password(user, password)
    try:
        validate_email(new)
    except ValidationError as error:
        raise InvalidInput.of("email", "must be an email address") from error
    if len(new) > 254 or new == user.email:
        raise InvalidInput.of("email", "must be another email of at most 254 characters")
    tenant = require_tenant()
    transaction.on_commit(
        lambda: send_email_change.apply_async([user.pk.hex, new], headers={"tenant_id": str(tenant.id)})
    )


def write(tenant: TenantRef, user_id: uuid.UUID, new: str) -> bool:
    """The worker's part: send the link to the new address; whether it went."""
    with acting_as(tenant):
        user = User.objects.filter(pk=user_id, is_active=True).first()
        if user is None:
            return False
        token = links.issue(PURPOSE, tenant, user=user.pk.hex, email=new, proof=user.email)
    return mailing.send(
        new,
        "Confirm your new email",
        f"Sign in to Frontdesk with this address from now on? Confirm it here, within a day:\n"
        f"{links.link('email', token)}",
    )


def opened(token: str) -> str:
    """The email that a link would set. Raises LinkInvalid."""
    tenant, said = links.read(PURPOSE, token, LIFETIME)
    with acting_as(tenant):
        _of(said)
    return str(said["email"])


def confirm(token: str) -> str:
    """Change the email and end every session; the new email. Raises LinkInvalid, Conflict when it has an account."""
    from tenants.tasks import send_email_changed  # a door, which imports this module

    tenant, said = links.read(PURPOSE, token, LIFETIME)
    with acting_as(tenant):
        user = _of(said, lock=True)
        old, user.email = user.email, str(said["email"])
        claim(KeyKind.EMAIL, user.email)
        release(KeyKind.EMAIL, old)
        with by_person(user):
            try:
                with transaction.atomic():
                    user.save(update_fields=["email", "updated_at"])
            except IntegrityError as error:
                # One of the platform's people has it: they have no tenant for a directory key to lead to.
                raise Conflict("email is already in use") from error
            end_sessions(user)
        transaction.on_commit(lambda: send_email_changed.apply_async([old, user.email]))
    return user.email


def tell_old(old: str, new: str) -> bool:
    """The worker's part: tell the address that was."""
    return mailing.send(
        old,
        "Your email was changed",
        f"Your account on Frontdesk is opened with {new} from now on, and no longer with this address.",
        "Was it not you? Tell an owner of your company at once: they can end your sessions and deactivate the account.",
    )


def _of(said: dict[str, object], *, lock: bool = False) -> User:
    users = User.objects.select_for_update() if lock else User.objects.all()
    user = users.filter(pk=uuid.UUID(hex=str(said["user"])), email=said["proof"], is_active=True).first()
    if user is None:
        raise links.LinkInvalid
    return user
