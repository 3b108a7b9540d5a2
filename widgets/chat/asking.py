"""Committing what a visitor says: once, numbered, with the answer it calls for promised in the same transaction.

Everything here is sync and runs inside `acting_as`. The session's row lock orders its messages: seq is taken under
it in the transaction that commits the message, so the order of seq is the order of delivery and has no gap.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.db import connection
from django.utils import timezone
from psycopg.types.json import Jsonb

from kernel.ids import uuid7
from tenants.context import require_tenant
from tenants.db.prepared import prepared_cursor
from tenants.models import User
from widgets import events
from widgets.chat import messages
from widgets.chat.beginning import CONTINUES_FOR, new_session, open_session
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
)
from widgets.statements import statement

TURNS_REMEMBERED: Final = 8
LEASE: Final = timedelta(seconds=10)
ANSWER_DUE: Final = "answer"

APPEND_MESSAGE: Final = (
    "SELECT given_seq, said_at, public.wants_event(%s) "
    "FROM public.append_message(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
PROMISE_ANSWER: Final = "SELECT public.promise_answer(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
ASK: Final = (
    "SELECT is_new, said_id, given_seq, in_session, in_status, said_at, earlier, public.wants_event(%s) "
    "FROM public.ask(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)


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
    asked = _ask(guest, client_id, content, attachments)
    if asked is None:
        _begin(guest, metadata or {})
        asked = _ask(guest, client_id, content, attachments)
    if asked is None:
        raise RuntimeError("a session that was begun in this transaction is not open")
    return asked


def _ask(
    guest: Guest, client_id: uuid.UUID, content: str, attachments: Sequence[dict[str, Any]]
) -> Asked | None:
    """Say it in the visitor's open session; None where there is none that their message continues."""
    row = message_row(
        uuid7(), None, MessageRole.USER, content, attachments=list(attachments), client_id=client_id
    )
    run_id, answer_id, now = uuid7(), uuid7(), timezone.now()
    values: list[Any] = [
        events.MESSAGE_CREATED.name,
        require_tenant().id, guest.visitor_id, guest.widget_id, now - CONTINUES_FOR, client_id, row["id"], content,
        Jsonb(row["attachments"]), run_id, answer_id, PROCESS, now + LEASE, ANSWER_DUE, TURNS_REMEMBERED,
    ]  # fmt: skip
    with prepared_cursor() as cursor:
        cursor.execute(ASK, values)
        is_new, message_id, seq, session_id, status, said_at, earlier, is_wanted = cursor.fetchone()
    if is_new is None:
        return None
    if not is_new:
        return Asked(message_id, seq, session_id, status, None, None)
    row |= {"session_id": session_id, "seq": seq, "timestamp": said_at}
    events.of_message(row, is_wanted=is_wanted)
    message = messages.as_message_object(row, for_visitor=True)
    run = _run(run_id, session_id, answer_id, seq, content, client_id, earlier)
    return Asked(message_id, seq, session_id, status, message, run)


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
    row = message_row(
        id or uuid7(),
        session.pk,
        role,
        content,
        author_id=author.pk if author else None,
        author__name=author.name if author else None,
        author__avatar_url=author.avatar_url if author else None,
        attachments=list(attachments),
        citations=list(citations),
        status=status.value,
        client_id=client_id,
        metadata=metadata or {},
    )
    values: list[Any] = [
        events.MESSAGE_CREATED.name,
        require_tenant().id, session.pk, row["id"], role.value, row["author_id"], content, Jsonb(row["attachments"]),
        Jsonb(row["citations"]), status.value, client_id, Jsonb(row["metadata"]),
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(APPEND_MESSAGE, values)
        row["seq"], row["timestamp"], is_wanted = cursor.fetchone()
    events.of_message(row, is_wanted=is_wanted)
    session.last_seq, session.last_message_at = row["seq"], row["timestamp"]
    return messages.as_message_object(row, for_visitor=True)


def message_row(
    id: uuid.UUID, session_id: uuid.UUID | None, role: MessageRole, content: str, **others: Any
) -> dict[str, Any]:
    """A message that is about to be said, as `messages.FIELDS` has it; seq and timestamp are the database's to give."""
    return {
        "id": id,
        "session_id": session_id,
        "role": role.value,
        "content": content,
        "author_id": None,
        "client_id": None,
        "attachments": [],
        "citations": [],
        "status": MessageStatus.COMPLETE.value,
        "metadata": {},
        **others,
    }


def promise_answer(session: Session, seq: int, question: str, client_id: uuid.UUID | None) -> Run | None:
    """Promise an answer to message `seq` of a locked session; None where a person answers or an answer is running."""
    if session.status != SessionStatus.AI:
        return None
    run_id, message_id = uuid7(), uuid7()
    with connection.cursor() as cursor:
        cursor.execute(
            PROMISE_ANSWER,
            [
                require_tenant().id, session.pk, seq, run_id, message_id, PROCESS, timezone.now() + LEASE, ANSWER_DUE,
                TURNS_REMEMBERED,
            ],
        )  # fmt: skip
        (earlier,) = cursor.fetchone()
    return _run(run_id, session.pk, message_id, seq, question, client_id, earlier)


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


def extend_leases(runs: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Hold on to running answers of the acting tenant for another lease; those that are still ours to finish."""
    values: dict[str, Any] = {
        "runs": list(runs),
        "until": timezone.now() + LEASE,
        "kind": ANSWER_DUE,
        "tenant": require_tenant().id,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement("extend_leases"), values)
        return {identifier for (identifier,) in cursor.fetchall()}


def end_session(session: Session, reason: str, *, by: User | None = None) -> MessageObject:
    """End a locked session; its last message says so, and who did it where a person did."""
    ended = say(session, MessageRole.SYSTEM, "", author=by, metadata={"event": "ended", "reason": reason})
    session.status = SessionStatus.ENDED
    Session.objects.filter(pk=session.pk).update(status=SessionStatus.ENDED, ended_at=timezone.now())
    events.of_session(events.SESSION_ENDED, session.pk)
    return ended


def _run(
    id: uuid.UUID,
    session_id: uuid.UUID,
    message_id: uuid.UUID,
    seq: int,
    question: str,
    client_id: uuid.UUID | None,
    earlier: list[list[str]] | None,
) -> Run | None:
    """The promised run with the turns before its question; None where nothing was promised."""
    if earlier is None:
        return None
    turns = tuple(Turn(role, content) for role, content in earlier)
    return Run(id, session_id, message_id, seq, question, client_id, turns)


def _begin(guest: Guest, metadata: dict[str, Any]) -> None:
    """Give the visitor an open session: an old one that nobody continued ends."""
    session = open_session(guest, lock=True)
    if session is not None and session.last_message_at < timezone.now() - CONTINUES_FOR:
        end_session(session, "idle")
        session = None
    if session is None:
        new_session(guest, metadata)


def lock(session_id: uuid.UUID) -> Session | None:
    """A session's row, locked against other writers until this transaction ends."""
    return Session.objects.select_for_update(of=("self",)).filter(pk=session_id).first()
