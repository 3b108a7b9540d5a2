"""Telling a session's sockets, in whichever process, what people did: once it is committed, and never before."""

import uuid
from functools import partial

from django.db import transaction

from tenants.context import require_tenant
from tenants.models import User
from widgets.chat import streams
from widgets.chat.hub import as_event, stop_event
from widgets.chat.messages import Author
from widgets.chat.protocol import ServerFrame, ServerStatus, session_state
from widgets.models import Session


def tell(session_id: uuid.UUID, *frames: ServerFrame) -> None:
    """Send frames, in this order, when the acting tenant's transaction commits; nothing when it rolls back."""
    events = [as_event(frame, told_here=False) for frame in frames]
    transaction.on_commit(partial(streams.announce, require_tenant(), session_id, *events))


def stop_answer(session_id: uuid.UUID) -> None:
    """Have the answer being made in a session stopped when the transaction commits."""
    transaction.on_commit(partial(streams.announce, require_tenant(), session_id, stop_event()))


def status_frame(session: Session, agent: User | None = None) -> ServerStatus:
    """Who is answering now, as the socket tells it."""
    status = session_state(session.pk, session.status, session.last_seq)["status"]
    frame: ServerStatus = {"type": "status", "status": status}
    if agent is not None:
        frame["agent"] = as_author(agent)
    return frame


def as_author(person: User) -> Author:
    """A person as visitors see them: never their email."""
    return {"name": person.name, "avatar_url": person.avatar_url or None}
