"""Where a visitor's messages go: their open session, or a new one, and with that a row for the visitor."""

import uuid
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from tenants.models import ErasureReceipt
from widgets import events
from widgets.chat.visiting import Erased, Guest
from widgets.models import Session, SessionStatus, Visitor

CONTINUES_FOR: Final = timedelta(hours=24)


def open_session(guest: Guest, *, lock: bool = False) -> Session | None:
    """The visitor's open session with this widget, locked against other writers when asked."""
    found = Session.objects.filter(visitor_id=guest.visitor_id, widget_id=guest.widget_id).exclude(
        status=SessionStatus.ENDED
    )
    if lock:
        found = found.select_for_update(of=("self",))
    return found.first()


def resumable_session(guest: Guest) -> Session | None:
    """The open session that a return now continues (within 24 hours of its last message)."""
    session = open_session(guest)
    return session if session and session.last_message_at >= timezone.now() - CONTINUES_FOR else None


def new_session(guest: Guest, metadata: dict[str, Any]) -> None:
    """The visitor's row and a new session. Two tabs may both find no session and make one: the unique index lets one
    of them, and the other takes that one, once it is committed. Raises Erased for a visitor whose data was erased."""
    try:
        with transaction.atomic():
            visitor = _visitor(guest)
            # After their row is written, for which we waited while an erasure held it: what it committed is seen now.
            refuse_erased(guest)
            session = Session(
                widget_id=guest.widget_id,
                visitor_id=visitor.pk,
                metadata=metadata,
                last_message_at=timezone.now(),
            )
            session.save(force_insert=True)
            events.of_session(events.SESSION_CREATED, session.pk)
    except IntegrityError:
        if open_session(guest, lock=True) is None:
            # Theirs may have been erased since it stood in our way.
            refuse_erased(guest)
            raise


def refuse_erased(guest: Guest) -> None:
    """Raise Erased where the visitor was erased: their token opens nothing any more, and a boot gives another."""
    if is_erased(guest.visitor_id):
        raise Erased("what was known of this visitor was erased: boot to begin anew")


def is_erased(visitor_id: uuid.UUID) -> bool:
    """Whether the acting tenant has had this visitor erased, or ordered it."""
    return ErasureReceipt.objects.filter(subject=visitor_id).exists()


def _visitor(guest: Guest) -> Visitor:
    columns: dict[str, Any] = {"last_seen_at": timezone.now()}
    identity = guest.identity
    if identity:
        columns |= {
            "external_id": identity.external_id,
            "verified": True,
            "email": identity.email,
            "name": identity.name,
            "attributes": identity.attributes or {},
        }
    visitor, _ = Visitor.objects.update_or_create(
        pk=guest.visitor_id, defaults=columns, create_defaults={**columns, "widget_id": guest.widget_id}
    )
    return visitor
