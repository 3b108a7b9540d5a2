"""Closing a tenant's account, which can be undone until it is erased.

A closed tenant's names lead nowhere (`resolve_tenant`): its widgets, keys, people, tasks and webhooks find no door. Its
rows stay. Its owners get a letter with the way back; an operator has `manage.py reopen_tenant`.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from kernel import clock
from kernel.errors import Conflict
from tenants import auditing, due_work, links, mailing
from tenants.auditing import by_person
from tenants.context import TenantRef, acting_as, require_tenant
from tenants.models import AuthSession, Tenant, TenantStatus, User
from tenants.permissions import Role

WORK: Final = "erase_tenant"
GRACE: Final = timedelta(days=30)
"""For how long after closing an account is not erased unless somebody insists, and the letter's link reopens it."""
PURPOSE: Final = "reopen"
CLOSING: Final = "closing"


def close() -> Tenant:
    """Close the acting tenant's account and sign everybody out. Raises Conflict where it is closed already."""
    tenant = Tenant.objects.select_for_update().get(pk=require_tenant().id)
    if tenant.status == TenantStatus.CLOSED:
        raise Conflict("The account is closed already.")
    at = clock.now()
    tenant.settings = {**tenant.settings, CLOSING: {"at": at.isoformat(), "was": tenant.status}}
    tenant.status = TenantStatus.CLOSED
    tenant.save(update_fields=["status", "settings", "updated_at"])
    auditing.record("closed", tenant)
    AuthSession.objects.all().delete()
    due_work.promise(WORK, tenant.pk, at)
    _write_soon(require_tenant())
    return tenant


def reopen(token: str) -> Tenant:
    """Reopen the account that an owner's link names, as it was. Raises LinkInvalid."""
    ref, said = _read(token)
    with acting_as(ref):
        owner = _owner_of(said)
        with by_person(owner):
            return _reopen()


def reopen_by_operator(ref: TenantRef) -> Tenant:
    """Reopen an account. Raises Conflict where it is not closed."""
    with acting_as(ref):
        if _closing(Tenant.objects.get(pk=ref.id)) is None:
            raise Conflict("The account is not closed.")
        return _reopen()


def refuse_dead_link(token: str) -> Tenant:
    """The closed tenant that a link would reopen. Raises LinkInvalid."""
    ref, said = _read(token)
    with acting_as(ref):
        _owner_of(said)
        return Tenant.objects.get(pk=ref.id)


def write(ref: TenantRef) -> int:
    """The worker's part: tell the owners of a closed account how to reopen it; how many letters went."""
    with acting_as(ref):
        tenant = Tenant.objects.filter(pk=ref.id).first()
        closed = _closing(tenant) if tenant else None
        if tenant is None or closed is None:
            return 0
        name, ends = tenant.name, closed_at(tenant) + GRACE
        letters = [(owner.email, link_of(ref, owner)) for owner in _owners()]
    return sum(
        mailing.send(
            email,
            f"{name}: your account is closed",
            f"The Frontdesk account of {name} is closed. Widgets, API keys and sign-ins are off; nothing is deleted "
            f"yet. Until {ends:%d %B %Y} you can reopen it here, as it was:\n{address}",
            "After that it may be erased for good.",
        )
        for email, address in letters
    )


def link_of(ref: TenantRef, owner: User) -> str:
    """The way back, for one owner of a closed account."""
    closed = _closing(Tenant.objects.get(pk=ref.id)) or {}
    token = links.issue(PURPOSE, ref, schema=ref.schema_name, user=owner.pk.hex, proof=closed.get("at", ""))
    return links.link("reopen", token)


def closed_at(tenant: Tenant) -> datetime:
    """When a closed tenant was closed; where nobody noted it, when its row last changed."""
    closed = _closing(tenant)
    return datetime.fromisoformat(closed["at"]) if closed and "at" in closed else tenant.updated_at


def _reopen() -> Tenant:
    tenant = Tenant.objects.select_for_update().get(pk=require_tenant().id)
    kept = dict(tenant.settings)
    tenant.status = kept.pop(CLOSING, {}).get("was", TenantStatus.ACTIVE)
    tenant.settings = kept
    tenant.save(update_fields=["status", "settings", "updated_at"])
    auditing.record("reopened", tenant)
    due_work.keep(WORK, tenant.pk)
    return tenant


def _closing(tenant: Tenant) -> dict[str, Any] | None:
    """What was noted when it was closed; None where it is open."""
    return dict(tenant.settings.get(CLOSING, {})) if tenant.status == TenantStatus.CLOSED else None


def _read(token: str) -> tuple[TenantRef, dict[str, Any]]:
    tenant_id, said = links.said(PURPOSE, token, GRACE)
    if tenant_id is None:
        raise links.LinkInvalid
    return TenantRef(tenant_id, str(said["schema"])), said


def _owner_of(said: dict[str, Any]) -> User:
    """The owner whose link it is, if it is for this closing. Inside `acting_as`."""
    tenant = Tenant.objects.select_for_update().filter(pk=require_tenant().id).first()
    closed = _closing(tenant) if tenant else None
    owner = _owners().filter(pk=uuid.UUID(hex=str(said["user"]))).first()
    if closed is None or owner is None or closed.get("at") != said["proof"]:
        raise links.LinkInvalid
    return owner


def _owners() -> "QuerySet[User]":
    return User.objects.filter(role=Role.OWNER, is_active=True).order_by("pk")


def _write_soon(ref: TenantRef) -> None:
    from tenants.tasks import send_closed  # a door, which imports this module

    transaction.on_commit(lambda: send_closed.apply_async([str(ref.id), ref.schema_name]))
