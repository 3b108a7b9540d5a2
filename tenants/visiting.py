"""Platform staff act for a tenant: chosen with a reason, for an hour at most, in the tenant's own record.

A visit lives in the session of the person who makes it. It bypasses nothing: while it lasts, their pages run inside
`acting_as(tenant)` as anybody else's, with the permissions of `tenants.permissions.staff_may`. Its end is promised as a
row (`tenants.due_work`), so that it is recorded also where its browser never comes back; whoever deletes that row
records it, so that it ends once.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.contrib.sessions.backends.base import SessionBase
from django.db import connection

from kernel.clock import now
from kernel.errors import InvalidInput, NotFound
from kernel.ids import uuid7
from tenants import due_work
from tenants.auditing import Actor, Target, current_actor, doing_as, record
from tenants.context import TenantRef, acting_as
from tenants.directory import resolve_tenant
from tenants.models import AuditEntry, DueWork, KeyKind, Tenant, User

LASTS: Final = timedelta(minutes=60)
REASON: Final = (5, 300)
FOUND: Final = 20
SHORTEST_SEARCH: Final = 2
WORK: Final = "staff-visit"
KEY: Final = "_visit"
SWEPT: Final = 100


class Company(NamedTuple):
    """A tenant as the page of choice shows it."""

    id: uuid.UUID
    name: str
    slug: str


class Visit(NamedTuple):
    """One of the platform's staff acting for one tenant. `writes`: whether they may change things."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    schema_name: str
    tenant_name: str
    staff_id: str
    staff_name: str
    until: datetime
    writes: bool
    reason: str

    @property
    def is_over(self) -> bool:
        return self.until <= now()

    def actor(self, ip: str | None) -> Actor:
        """Who does what is done during it."""
        return Actor("staff", self.staff_id, self.staff_name, ip)


def search(text: str) -> list[Company]:
    """Up to 20 tenants whose name or slug holds `text`; none for less than two letters, and none for whoever acts for a
    tenant already. Suspended and closed ones are left out: nobody can act for them."""
    if len(text.strip()) < SHORTEST_SEARCH or "\0" in text:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tenant_id, name, slug FROM public.tenants_called(%s, %s)", [text.strip(), FOUND]
        )
        return [Company(*row) for row in cursor.fetchall()]


def begin(session: SessionBase, staff: User, tenant_id: uuid.UUID, *, reason: str, writes: bool) -> Visit:
    """Act for this tenant from the next request on; a visit that was is ended. Raises NotFound; InvalidInput without a
    reason."""
    assert staff.is_platform_staff
    reason = " ".join(reason.split())
    if not REASON[0] <= len(reason) <= REASON[1]:
        raise InvalidInput.of("reason", f"say why, in {REASON[0]} to {REASON[1]} characters")
    tenant = resolve_tenant(KeyKind.TENANT, str(tenant_id))
    if tenant is None:
        raise NotFound("There is no such company, or it is suspended.")
    leave(session, "another company was chosen")
    with _as_staff(staff), acting_as(tenant):
        visit = Visit(
            id=uuid7(),
            tenant_id=tenant.id,
            schema_name=tenant.schema_name,
            tenant_name=Tenant.objects.values_list("name", flat=True).get(pk=tenant.id),
            staff_id=str(staff.pk),
            staff_name=staff.get_full_name(),
            until=now() + LASTS,
            writes=writes,
            reason=reason,
        )
        due_work.promise(WORK, visit.id, visit.until)
        told = {"reason": reason, "until": visit.until, "may change things": writes}
        record("began", Target("staff_visit", visit.id, reason), after=told)
    session[KEY] = {
        **visit._asdict(), "id": str(visit.id), "tenant_id": str(visit.tenant_id), "until": visit.until.isoformat()
    }  # fmt: skip
    return visit


def visit_of(session: SessionBase | dict[str, Any]) -> Visit | None:
    """The visit that a session is in, which may be over; None in everybody else's."""
    kept = session.get(KEY)
    return None if kept is None else _visit(kept)


def leave(session: SessionBase, how: str) -> None:
    """End the session's visit, if it is in one, and record how."""
    kept = session.pop(KEY, None)
    if kept is not None:
        end(_visit(kept), how)


def end(visit: Visit, how: str) -> None:
    """Record the end of a visit, once. Outside any tenant."""
    actor = visit.actor(known.ip if (known := current_actor()) else None)
    # Where it was suspended since, nothing leads to it any more; its record must tell the end all the same.
    tenant = resolve_tenant(KeyKind.TENANT, str(visit.tenant_id)) or TenantRef(
        visit.tenant_id, visit.schema_name
    )
    _end(tenant, visit.id, actor, visit.reason, how)


def end_overdue() -> int:
    """Beat's part: record the end of visits whose time ran out; how many."""
    ended = 0
    for overdue in due_work.overdue(WORK, now(), SWEPT):
        with acting_as(overdue.tenant):
            began = AuditEntry.objects.filter(
                target_kind="staff_visit", target_id=str(overdue.key), action="began"
            ).first()
        actor = Actor("staff", began.actor_id, began.actor_text) if began else Actor("staff")
        reason = began.target_text if began else ""
        ended += _end(overdue.tenant, overdue.key, actor, reason, "its time ran out")
    return ended


def _end(tenant: TenantRef, visit_id: uuid.UUID, actor: Actor, reason: str, how: str) -> bool:
    with doing_as(actor), acting_as(tenant):
        if not DueWork.objects.filter(kind=WORK, key=visit_id).delete()[0]:
            return False
        record("ended", Target("staff_visit", visit_id, reason), after={"how": how})
    return True


@contextmanager
def _as_staff(staff: User) -> Iterator[None]:
    known = current_actor()
    with doing_as(Actor("staff", str(staff.pk), staff.get_full_name(), known.ip if known else None)):
        yield


def _visit(kept: dict[str, Any]) -> Visit:
    typed = {
        "id": uuid.UUID(kept["id"]),
        "tenant_id": uuid.UUID(kept["tenant_id"]),
        "until": datetime.fromisoformat(kept["until"]),
    }
    return Visit(**{**kept, **typed})
