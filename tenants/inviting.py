"""Asking somebody to join the team. Whoever opens the link chooses their own name and password."""

import uuid
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from kernel.errors import Conflict, NotFound
from tenants import links, mailing
from tenants.auditing import by_person
from tenants.context import TenantRef, acting_as, require_tenant
from tenants.creating import create_user
from tenants.models import Invitation, Tenant, User
from tenants.permissions import Role
from tenants.team import Actor, refuse_promotion, refuse_weak_password

LIFETIME: Final = timedelta(days=7)
PURPOSE: Final = "invitation"


def invite(by: User, email: str, *, role: Role = Role.MEMBER, name: str = "") -> Invitation:
    """Invite `email` to the acting tenant's team; the letter goes once this is committed.

    Raises NotAllowed when one who is not an owner invites an owner, Conflict when the team has this person or an open
    invitation. An account with another company is not told apart: it shows when the link is used.
    """
    refuse_promotion(by, role)
    email = email.strip().lower()
    if User.objects.filter(email=email).exists():
        raise Conflict("This person is on the team already.")
    # An expired one makes room; the lock keeps two invitations at once apart.
    Tenant.objects.select_for_update().get(pk=require_tenant().id)
    if Invitation.objects.open().filter(email=email, expires_at__gt=timezone.now()).exists():
        raise Conflict("This person is invited already. Send that invitation again, or cancel it.")
    Invitation.objects.open().filter(email=email).update(cancelled_at=timezone.now())
    invitation = Invitation.objects.create(
        email=email, role=role, name=name, invited_by=by, expires_at=timezone.now() + LIFETIME
    )
    _post(invitation)
    return invitation


def resend(by: Actor, invitation_id: uuid.UUID) -> Invitation:
    """Send it again, for another seven days; links that were sent before open nothing any more.
    Raises NotFound, NotAllowed."""
    invitation = _open(by, invitation_id)
    invitation.issue += 1
    invitation.expires_at = timezone.now() + LIFETIME
    invitation.save(update_fields=["issue", "expires_at", "updated_at"])
    _post(invitation)
    return invitation


def cancel(by: Actor, invitation_id: uuid.UUID) -> None:
    """Its link opens nothing any more. Raises NotFound, NotAllowed."""
    invitation = _open(by, invitation_id)
    invitation.cancelled_at = timezone.now()
    invitation.save(update_fields=["cancelled_at", "updated_at"])


def link_of(invitation: Invitation) -> str:
    """What the letter holds. Whoever has it can join as this person."""
    token = links.issue(PURPOSE, require_tenant(), invitation=invitation.pk.hex, proof=invitation.issue)
    return links.link("join", token)


def write(tenant: TenantRef, invitation_id: uuid.UUID) -> bool:
    """The worker's part: send the letter of an invitation that is still open; whether it went."""
    with acting_as(tenant):
        invitation = Invitation.objects.open().filter(pk=invitation_id).select_related("invited_by").first()
        if invitation is None:
            return False
        company = Tenant.objects.get(pk=tenant.id).name
        address = link_of(invitation)
    return mailing.send(
        invitation.email,
        f"Join {company} on Frontdesk",
        f"{invitation.invited_by or company} invites you to {company}'s support desk.",
        f"Choose your name and password here, within 7 days:\n{address}",
    )


def opened(token: str) -> tuple[TenantRef, Invitation, str]:
    """Whose invitation a link is, and the company's name. Raises LinkInvalid."""
    tenant, said = links.read(PURPOSE, token, LIFETIME)
    with acting_as(tenant):
        return tenant, _of(said), Tenant.objects.get(pk=tenant.id).name


def accept(token: str, *, name: str, password: str) -> User:
    """The invited person joins. Raises LinkInvalid, InvalidInput for a weak password, Conflict when the email has an
    account, with whatever company: one email opens one account."""
    tenant, said = links.read(PURPOSE, token, LIFETIME)
    with acting_as(tenant):
        # Locked, so that a link opened twice at once makes one person.
        invitation = _of(said, lock=True)
        refuse_weak_password(password, invitation.email)
        with by_person(None, invitation.email):
            return _joined(invitation, name, password)


def _joined(invitation: Invitation, name: str, password: str) -> User:
    try:
        user = create_user(invitation.email, password, name=name, role=Role(invitation.role))
    except Conflict as taken:
        raise Conflict(
            f"{invitation.email} has an account already, and an email opens one. Sign in, or ask to be invited"
            " at another address."
        ) from taken
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at", "updated_at"])
    return user


def _of(said: dict[str, Any], *, lock: bool = False) -> Invitation:
    rows = Invitation.objects.select_for_update() if lock else Invitation.objects.all()
    invitation = (
        rows.open()
        .filter(
            pk=uuid.UUID(hex=str(said["invitation"])), issue=int(said["proof"]), expires_at__gt=timezone.now()
        )
        .first()
    )
    if invitation is None:
        raise links.LinkInvalid
    return invitation


def _open(by: Actor, invitation_id: uuid.UUID) -> Invitation:
    invitation = Invitation.objects.select_for_update().open().filter(pk=invitation_id).first()
    if invitation is None:
        raise NotFound("There is no such open invitation.")
    refuse_promotion(by, Role(invitation.role))
    return invitation


def _post(invitation: Invitation) -> None:
    from tenants.tasks import send_invitation  # a door, which imports this module

    tenant = require_tenant()
    transaction.on_commit(
        lambda: send_invitation.apply_async([invitation.pk.hex], headers={"tenant_id": str(tenant.id)})
    )
