"""Ending what a dead process began: answers whose lease has expired, and sessions that nobody continues."""

import logging
import uuid
from datetime import timedelta
from typing import Any, Final

import redis
from django.utils import timezone

from ai.usage import Usage, estimate_tokens
from billing.costs.ledger import NewCostEvent
from kernel import measuring
from tenants import due_work
from tenants.bringing_keys import PAID_BY_TENANT
from tenants.context import TenantMoving, acting_as, require_tenant
from tenants.directory import all_tenants
from widgets.chat import asking, replying, streams
from widgets.chat.asking import ANSWER_DUE, Run
from widgets.chat.beginning import CONTINUES_FOR
from widgets.chat.composing import CHAT
from widgets.chat.hub import as_event
from widgets.chat.messages import MessageObject
from widgets.chat.wording import words_for
from widgets.models import AnswerRun, Message, MessageStatus, RunStatus, Session, SessionStatus

logger = logging.getLogger(__name__)

GRACE: Final = timedelta(seconds=1)


def recover_overdue() -> int:
    """End every answer, of any tenant, whose lease has expired; how many."""
    ended = 0
    for overdue in due_work.overdue(ANSWER_DUE, timezone.now() - GRACE):
        try:
            with acting_as(overdue.tenant):
                message = recover(overdue.key)
        except TenantMoving:
            continue  # its turn comes when it has arrived; others do not wait for it
        if message is not None:
            ended += 1
            measuring.RECOVERED.inc()
            streams.announce(
                overdue.tenant,
                uuid.UUID(message["session"]),
                as_event({"type": "message", "message": message}, told_here=False),
            )
    return ended


def recover(run_id: uuid.UUID) -> MessageObject | None:
    """End one answer whose process is gone, as interrupted, with the text it had told and its estimated cost.

    None where there was nothing to end: it is done, or its lease has been extended since.
    """
    run = AnswerRun.objects.filter(pk=run_id).first()
    if run is None:
        due_work.keep(ANSWER_DUE, run_id)
        return None
    session = asking.lock(run.session_id)
    run.refresh_from_db()
    if run.status != RunStatus.RUNNING or session is None:
        due_work.keep(ANSWER_DUE, run_id)
        return None
    if run.lease_until >= timezone.now():
        return None
    text = told(run)
    draft = replying.Draft(
        text or words_for("interrupted", None),
        MessageStatus.INTERRUPTED,
        metadata={"event": "interrupted", "model": run.metadata.get("model")},
        costs=_costs(run, text),
    )
    question = Message.objects.filter(session_id=run.session_id, seq=run.question_seq).first()
    client_id = question.client_id if question else None
    own = Run(run.pk, run.session_id, run.message_id, run.question_seq, "", client_id)
    logger.warning("answer %s: its process %s is gone, marked interrupted", run.pk, run.process)
    return replying.reply(own, draft, go_on=False).message


def end_idle_sessions() -> int:
    """End the sessions of every tenant that nobody has continued for 24 hours; how many."""
    ended = 0
    for tenant in all_tenants():
        with acting_as(tenant):
            idle = Session.objects.exclude(status=SessionStatus.ENDED).filter(
                last_message_at__lt=timezone.now() - CONTINUES_FOR
            )
            for session_id in list(idle.values_list("pk", flat=True)[:1000]):
                session = asking.lock(session_id)
                # A message may have come between the look and the lock.
                if session and session.is_open and session.last_message_at < timezone.now() - CONTINUES_FOR:
                    asking.end_session(session, "idle")
                    ended += 1
    return ended


def told(run: AnswerRun) -> str:
    """The text of an answer being made, as far as its process has told it; empty where Redis is away."""
    try:
        return streams.kept_text(require_tenant(), run.message_id)
    except redis.RedisError as error:
        logger.warning("answer %s: its text cannot be read: %s", run.pk, error)
        return ""


def _costs(run: AnswerRun, text: str) -> list[NewCostEvent]:
    """The model was asked if the run names it. It counted what we cannot see any more, so this is an estimate."""
    asked: dict[str, Any] = run.metadata
    if "provider" not in asked:
        return []
    usage = Usage(input_tokens=asked["inputTokens"], output_tokens=estimate_tokens(text), estimated=True)
    return [
        NewCostEvent(
            service="llm",
            provider=asked["provider"],
            model=asked["model"],
            feature=CHAT,
            usage=usage,
            session_id=run.session_id,
            message_id=run.message_id,
            idempotency_key=f"answer:{run.pk}:llm",
            metadata={name: asked[name] for name in PAID_BY_TENANT if name in asked},
        )
    ]
