"""Conversations that a program holds for its own users: opened and talked in over the REST API."""

import uuid
from typing import Any

from django.utils import timezone

from kernel.errors import Conflict, InvalidInput
from kernel.ids import uuid7
from widgets import events
from widgets.chat import asking
from widgets.chat.asking import Asked
from widgets.chat.beginning import CONTINUES_FOR
from widgets.chat.messages import MessageObject, listed
from widgets.inbox.replying import check_content
from widgets.inbox.taking_over import open_for_change
from widgets.models import AnswerRun, Message, MessageRole, Session, Visitor, Widget


def open_conversation(
    *,
    widget_id: uuid.UUID | None = None,
    visitor: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
) -> tuple[Session, bool]:
    """A conversation in which nothing has been said, and whether it is new. Inside `acting_as`.

    `visitor` (external_id, email, name, attributes) is who speaks. The tenant's own program vouches for an
    external_id, so that it names a verified visitor, and that visitor's open conversation is continued; without one
    each conversation has a visitor of its own. Raises InvalidInput for a widget that is none of the tenant's.
    """
    if widget_id is not None and not Widget.objects.filter(pk=widget_id).exists():
        raise InvalidInput.of("widget", "must be the id of one of your widgets, or null")
    speaker = _speaker(widget_id, visitor or {})
    of_widget: dict[str, Any] = {"widget_id": widget_id}
    known = Session.objects.filter(visitor=speaker, **of_widget).exclude(status="ended").first()
    if known is not None and known.last_message_at < timezone.now() - CONTINUES_FOR:
        locked = asking.lock(known.pk)
        if locked is not None and locked.is_open:
            asking.end_session(locked, "idle")
        known = None
    if known is not None:
        return known, False
    session = Session(
        widget_id=widget_id, visitor=speaker, metadata=metadata or {}, last_message_at=timezone.now()
    )
    session.save(force_insert=True)
    events.of_session(events.SESSION_CREATED, session.pk)
    return session, True


def say_as_visitor(session_id: uuid.UUID, content: str, client_id: uuid.UUID | None = None) -> Asked:
    """Say `content` as the visitor of an open conversation and promise its answer; the same `client_id` again says
    nothing new. Raises NotFound, Conflict (`session_ended`), InvalidInput (`content`). Inside `acting_as`."""
    check_content(content)
    session = open_for_change(session_id)
    if client_id is not None:
        known = Message.objects.filter(session=session, client_id=client_id).first()
        if known is not None:
            if known.role != MessageRole.USER:
                raise Conflict("A person's reply has this id already.", code="id_taken")
            return Asked(known.pk, known.seq, session.pk, session.status, None, None)
    message = asking.say(session, MessageRole.USER, content, client_id=client_id)
    run = asking.promise_answer(session, message["seq"], content, client_id)
    return Asked(uuid.UUID(message["id"]), message["seq"], session.pk, session.status, message, run)


def answer_to(session_id: uuid.UUID, seq: int) -> MessageObject | None:
    """The AI's answer to message `seq`, None where there is none (yet)."""
    run = AnswerRun.objects.filter(session_id=session_id, question_seq=seq).first()
    said = listed(Message.objects.filter(pk=run.message_id), for_visitor=False) if run else []
    return said[0] if said else None


def _speaker(widget_id: uuid.UUID | None, told: dict[str, Any]) -> Visitor:
    columns = {name: value for name, value in told.items() if value is not None}
    external_id = columns.get("external_id")
    columns["last_seen_at"] = timezone.now()
    if external_id is None:
        return Visitor.objects.create(pk=uuid7(), widget_id=widget_id, **columns)
    # Locked, so that two requests for one visitor open one conversation: `visitors_external_id_once` lets one of two
    # that are made at once be, and the other waits for it and takes it.
    named: dict[str, Any] = {"widget_id": widget_id, "external_id": external_id, "verified": True}
    return Visitor.objects.select_for_update(of=("self",)).update_or_create(**named, defaults=columns)[0]
