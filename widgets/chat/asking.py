"""Committing what a visitor says: once, numbered, with the answer it calls for promised in the same transaction.

Everything here is sync and runs inside `acting_as`. The session's row lock orders its messages: seq is taken under
it in the transaction that commits the message, so the order of seq is the order of delivery and has no gap.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from kernel.ids import uuid7
from tenants import due_work
from tenants.context import require_tenant
from tenants.models import User
from widgets.chat import messages
from widgets.chat.messages import Citation, MessageObject
from widgets.chat.streams import PROCESS
from widgets.chat.visiting import Guest
from widgets.models import (
    AnswerRun,
    Message,
    MessageRole,
    MessageStatus,
    RunStatus,
    Session,
    SessionStatus,
    Visitor,
)
from widgets.statements import statement

CONTINUES_FOR: Final = timedelta(hours=24)
TURNS_REMEMBERED: Final = 8
LEASE: Final = timedelta(seconds=10)
ANSWER_DUE: Final = "answer"


class Turn(NamedTuple):
    """What was said before, as the prompt needs it."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Run:
    """An answer that this process has promised to make."""

    id: uuid.UUID
    session_id: uuid.UUID
    message_id: uuid.UUID
    question_seq: int
    question: str
    client_id: uuid.UUID | None
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A visitor's message as committed. `message` is None for a resend, `run` where nobody has to answer now."""

    message_id: uuid.UUID
    seq: int
    session_id: uuid.UUID
    status: str
    message: MessageObject | None
    run: Run | None


def ask(
    guest: Guest,
    client_id: uuid.UUID,
    content: str,
    *,
    attachments: Sequence[dict[str, Any]] = (),
    metadata: dict[str, Any] | None = None,
) -> Asked:
    """Commit a visitor's message and promise its answer; the same `client_id` again changes nothing.

    The visitor and the session get their rows here, with the first message.
    """
    session = open_session(guest, lock=True)
    known = _already_said(guest, client_id)
    if known is not None:
        return known
    if session is not None and session.last_message_at < timezone.now() - CONTINUES_FOR:
        end_session(session, "idle")
        session = None
    if session is None:
        session = _new_session(guest, metadata or {})
        known = _already_said(guest, client_id)
        if known is not None:
            return known
    message = say(session, MessageRole.USER, content, client_id=client_id, attachments=list(attachments))
    run = promise_answer(session, message["seq"], content, client_id)
    return Asked(uuid.UUID(message["id"]), message["seq"], session.pk, session.status, message, run)


def say(
    session: Session,
    role: MessageRole,
    content: str,
    *,
    id: uuid.UUID | None = None,
    author: User | None = None,
    client_id: uuid.UUID | None = None,
    attachments: Sequence[dict[str, Any]] = (),
    citations: Sequence[Citation] = (),
    status: MessageStatus = MessageStatus.COMPLETE,
    metadata: dict[str, Any] | None = None,
) -> MessageObject:
    """Append a message to a session, numbered under its row lock; the message as its visitor sees it."""
    row: dict[str, Any] = {
        "id": id or uuid7(),
        "session_id": session.pk,
        "role": role.value,
        "author_id": author.pk if author else None,
        "author__name": author.name if author else None,
        "author__avatar_url": author.avatar_url if author else None,
        "content": content,
        "attachments": list(attachments),
        "citations": list(citations),
        "status": status.value,
        "client_id": client_id,
        "metadata": metadata or {},
    }
    values: dict[str, Any] = {
        **{name: row[name] for name in ("id", "role", "content", "status", "client_id")},
        **{name: Jsonb(row[name]) for name in ("attachments", "citations", "metadata")},
        "tenant": require_tenant().id,
        "session": session.pk,
        "author": row["author_id"],
    }
    with connection.cursor() as cursor:
        cursor.execute(statement("say"), values)
        row["seq"], row["timestamp"] = cursor.fetchone()
    session.last_seq, session.last_message_at = row["seq"], row["timestamp"]
    return messages.as_message_object(row, for_visitor=True)


def promise_answer(session: Session, seq: int, question: str, client_id: uuid.UUID | None) -> Run | None:
    """Promise an answer to message `seq` of a locked session; None where a person answers or an answer is running."""
    if session.status != SessionStatus.AI:
        return None
    run = Run(uuid7(), session.pk, uuid7(), seq, question, client_id, _turns_before(session, seq))
    with connection.cursor() as cursor:
        cursor.execute(
            statement("promise_answer"),
            {
                "id": run.id,
                "tenant": require_tenant().id,
                "session": session.pk,
                "message": run.message_id,
                "seq": seq,
                "process": PROCESS,
                "lease_until": timezone.now() + LEASE,
                "kind": ANSWER_DUE,
            },
        )
        return run if cursor.fetchone() else None


def next_unanswered(session_id: uuid.UUID) -> Run | None:
    """Promise an answer to what was said while the last answer ran, if anything was: to the newest of it. What a person
    has replied to needs none."""
    session = lock(session_id)
    if session is None or session.status != SessionStatus.AI:
        return None
    answered = AnswerRun.objects.filter(session_id=session_id).order_by("-question_seq").first()
    said = Message.objects.filter(session_id=session_id).order_by("-seq")
    replied = said.filter(role=MessageRole.ASSISTANT, author__isnull=False).first()
    known = max(answered.question_seq if answered else 0, replied.seq if replied else 0)
    waiting = said.filter(role=MessageRole.USER, seq__gt=known).first()
    if waiting is None:
        return None
    return promise_answer(session, waiting.seq, waiting.content, waiting.client_id)


def running(session_id: uuid.UUID) -> AnswerRun | None:
    """The answer being made in a session, by whichever process."""
    return AnswerRun.objects.filter(session_id=session_id, status=RunStatus.RUNNING).first()


def extend_lease(run_id: uuid.UUID) -> bool:
    """Hold on to a running answer for another lease. False: it is no longer ours to finish."""
    lease_until = timezone.now() + LEASE
    if not AnswerRun.objects.filter(pk=run_id, status=RunStatus.RUNNING).update(lease_until=lease_until):
        return False
    due_work.promise(ANSWER_DUE, run_id, lease_until)
    return True


def open_session(guest: Guest, *, lock: bool = False) -> Session | None:
    """The visitor's open session with this widget, locked against other writers when asked."""
    found = Session.objects.filter(visitor_id=guest.visitor_id, widget_id=guest.widget_id).exclude(
        status=SessionStatus.ENDED
    )
    if lock:
        found = found.select_for_update(of=("self",))
    return found.first()


def resumable_session(guest: Guest, at: datetime | None = None) -> Session | None:
    """The open session that a return at this moment continues (within 24 hours of its last message)."""
    session = open_session(guest)
    moment = at or timezone.now()
    return session if session and session.last_message_at >= moment - CONTINUES_FOR else None


def end_session(session: Session, reason: str, *, by: User | None = None) -> MessageObject:
    """End a locked session; its last message says so, and who did it where a person did."""
    ended = say(session, MessageRole.SYSTEM, "", author=by, metadata={"event": "ended", "reason": reason})
    session.status = SessionStatus.ENDED
    Session.objects.filter(pk=session.pk).update(status=SessionStatus.ENDED, ended_at=timezone.now())
    return ended


def _turns_before(session: Session, seq: int) -> tuple[Turn, ...]:
    """The last turns before message `seq`, oldest first, without state changes and what broke off unsaid."""
    if seq == 1:
        return ()
    rows = (
        Message.objects.filter(
            session_id=session.pk, seq__lt=seq, role__in=(MessageRole.USER, MessageRole.ASSISTANT)
        )
        .exclude(status=MessageStatus.FAILED)
        .order_by("-seq")
        .values_list("role", "content")[:TURNS_REMEMBERED]
    )
    return tuple(Turn(role, content) for role, content in reversed(rows))


def _already_said(guest: Guest, client_id: uuid.UUID) -> Asked | None:
    """The message that this client id was given to, in any session of the visitor's."""
    known = (
        Message.objects.filter(client_id=client_id, session__visitor_id=guest.visitor_id)
        .select_related("session")
        .first()
    )
    if known is None:
        return None
    return Asked(known.pk, known.seq, known.session_id, known.session.status, None, None)


def _new_session(guest: Guest, metadata: dict[str, Any]) -> Session:
    """The visitor's row and a new session. Two tabs may both find no session and make one: the unique index lets one
    of them, and the other takes that one, once it is committed."""
    try:
        with transaction.atomic():
            visitor = _visitor(guest)
            session = Session(
                widget_id=guest.widget_id,
                visitor_id=visitor.pk,
                metadata=metadata,
                last_message_at=timezone.now(),
            )
            session.save(force_insert=True)
            return session
    except IntegrityError:
        theirs = open_session(guest, lock=True)
        if theirs is None:
            raise
        return theirs


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


def lock(session_id: uuid.UUID) -> Session | None:
    """A session's row, locked against other writers until this transaction ends."""
    return Session.objects.select_for_update(of=("self",)).filter(pk=session_id).first()
