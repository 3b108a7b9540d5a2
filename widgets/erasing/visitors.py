"""Erasing a visitor: everything that leads to them, counted before and after, with a receipt that outlives them.

In three steps, each of which may be repeated. `begin` writes the receipt: from that commit on no door makes the visitor
anew, whatever token their browser still has. `carry_out` stops their running answers, then counts and deletes their
rows in one transaction that holds their rows' locks, so that a message is either erased with the rest or refused. What
is not in the database goes last. A promise (`tenants.due_work`) brings a later process back to what one left undone.

What was paid for stays in the ledger, without a name: also the answer that ends after its conversation was erased.
"""

import logging
import time
import uuid
from datetime import timedelta
from functools import partial
from typing import Any, Final

import redis
from celery import current_app
from django.db import transaction
from django.db.models import QuerySet

from kernel import clock
from kernel.errors import NotFound
from tenants import auditing, due_work
from tenants.auditing import doing_as
from tenants.context import TenantRef, acting_as, require_tenant
from tenants.forgetting import Holding, Person, held_outside, rows_held
from tenants.models import ErasureReceipt
from tenants.tasking import HEADER
from widgets.chat import streams
from widgets.chat.hub import as_event, stop_event
from widgets.erasing.holdings import rows_of
from widgets.models import AnswerRun, Message, RunStatus, Session, Visitor

WORK: Final = "erase_visitor"
TASK: Final = "widgets.erase_visitor"
TAKEN_UP_AGAIN: Final = timedelta(minutes=2)
STOP_WITHIN_S: Final = 5.0
LOOK_EVERY_S: Final = 0.1

logger = logging.getLogger(__name__)


def begin(visitor_id: uuid.UUID, requested_by: str) -> ErasureReceipt:
    """Order the erasure of the acting tenant's visitor; the receipt, which `carry_out` completes. Ordering it again
    gives the same receipt. Raises NotFound where there is no such visitor."""
    receipt = ErasureReceipt.objects.filter(subject=visitor_id).first()
    if receipt is not None:
        return receipt
    # Locked, so that one of two who order it at once finds the other's receipt.
    if Visitor.objects.select_for_update(of=("self",)).filter(pk=visitor_id).first() is None:
        raise NotFound(f"There is no visitor {visitor_id}.")
    receipt, is_new = ErasureReceipt.objects.get_or_create(
        subject=visitor_id, defaults={"requested_by": requested_by}
    )
    if is_new:
        auditing.record("erased", auditing.Target("visitor", visitor_id), after={"receipt": receipt.pk})
        due_work.promise(WORK, receipt.pk, clock.now() + TAKEN_UP_AGAIN)
        sessions = list(Session.objects.filter(visitor_id=visitor_id).values_list("pk", flat=True))
        transaction.on_commit(partial(_stop, require_tenant(), sessions))
    return receipt


def carry_out(tenant: TenantRef, receipt_id: uuid.UUID) -> ErasureReceipt:
    """Erase what an order names, unless that is done; the receipt. Opens its own transactions.

    Rows are deleted as nobody's doing: what the record would keep of them is what is to be forgotten. Who ordered it
    is recorded with the order. Raises NotFound for an order that does not exist, and redis.RedisError where Redis is
    away: then the rows are gone, and the promise brings somebody back for the rest.
    """
    with doing_as(None):
        return _carry_out(tenant, receipt_id)


def _carry_out(tenant: TenantRef, receipt_id: uuid.UUID) -> ErasureReceipt:
    _wait_for_answers(tenant, receipt_id)
    with acting_as(tenant):
        receipt = _locked(receipt_id)
        if receipt.finished_at is None and not receipt.remaining:
            _erase_rows(receipt)
    if receipt.finished_at is not None:
        return receipt
    person = Person.from_json(receipt.remaining)
    for session_id in person.session_ids:
        ended = as_event({"type": "status", "status": "ended"}, told_here=False)
        streams.announce(tenant, session_id, stop_event(), ended)
    with acting_as(tenant):
        counted = {held.name: held.count(person) for held in held_outside()}
        for held in held_outside():
            held.erase(person)
        receipt = _locked(receipt_id)
        _note(receipt, counted, person, held_outside())
        receipt.remaining, receipt.finished_at = {}, clock.now()
        receipt.save(update_fields=["counted", "remaining", "finished_at", "updated_at"])
        due_work.keep(WORK, receipt.pk)
    return receipt


def carry_out_soon(tenant: TenantRef, order: ErasureReceipt) -> ErasureReceipt:
    """Carry an order out now, or leave the rest to a later process where Redis is away; the receipt as far as it is."""
    try:
        return carry_out(tenant, order.pk)
    except redis.RedisError:
        logger.exception("erasure %s: Redis is away; it goes on by itself", order.pk)
        with acting_as(tenant):
            return ErasureReceipt.objects.get(pk=order.pk)


def send_erasure(tenant: TenantRef, receipt_id: uuid.UUID) -> None:
    """Have a worker carry an order out. Where the broker is away the promise brings one later."""
    try:
        current_app.send_task(TASK, [str(receipt_id)], headers={HEADER: str(tenant.id)}, retry=False)
    except Exception:
        logger.exception("erasure %s: no worker could be asked; it goes on by itself", receipt_id)


def carry_out_overdue() -> int:
    """Carry out the orders that some process left undone, of all tenants; how many."""
    done = 0
    for work in due_work.overdue(WORK, clock.now()):
        try:
            carry_out(work.tenant, work.key)
            done += 1
        except NotFound:
            with acting_as(work.tenant):
                due_work.keep(WORK, work.key)
        except redis.RedisError:
            logger.exception("erasure %s: Redis is away; the next round tries again", work.key)
    return done


def _wait_for_answers(tenant: TenantRef, receipt_id: uuid.UUID) -> None:
    """Return once no answer to the visitor is running, or after STOP_WITHIN_S: one that ends later finds nothing to
    write but its cost."""
    until = time.monotonic() + STOP_WITHIN_S
    while time.monotonic() < until:
        with acting_as(tenant):
            receipt = ErasureReceipt.objects.filter(pk=receipt_id).first()
            running = [] if receipt is None else _running(receipt.subject)
        if not running:
            return
        time.sleep(LOOK_EVERY_S)
    logger.warning("erasure %s: %d answers did not stop in time", receipt_id, len(running))


def _running(visitor_id: uuid.UUID) -> list[uuid.UUID]:
    runs = AnswerRun.objects.filter(session__visitor_id=visitor_id, status=RunStatus.RUNNING)
    return list(runs.values_list("pk", flat=True))


def _stop(tenant: TenantRef, sessions: list[uuid.UUID]) -> None:
    for session_id in sessions:
        streams.announce(tenant, session_id, stop_event())


def _locked(receipt_id: uuid.UUID) -> ErasureReceipt:
    receipt = ErasureReceipt.objects.select_for_update(of=("self",)).filter(pk=receipt_id).first()
    if receipt is None:
        raise NotFound(f"There is no erasure {receipt_id}.")
    return receipt


def _erase_rows(receipt: ErasureReceipt) -> None:
    """Count, delete, count again, in the caller's transaction."""
    visitor_id = receipt.subject
    # In the order of the chat's own locks, the visitor before their sessions: whoever is saying something has these
    # locks until their commit, and whoever comes later finds no row.
    visitor = Visitor.objects.select_for_update(of=("self",)).filter(pk=visitor_id).first()
    sessions = Session.objects.select_for_update(of=("self",)).filter(visitor_id=visitor_id).order_by("pk")
    session_ids = list(sessions.values_list("pk", flat=True))
    runs = AnswerRun.objects.filter(session__in=session_ids)
    person = Person(
        visitor_id,
        external_id=(visitor.external_id or "") if visitor else "",
        session_ids=session_ids,
        message_ids=list(Message.objects.filter(session__in=session_ids).values_list("pk", flat=True)),
        answer_ids=[one for pair in runs.values_list("pk", "message_id") for one in pair],
    )
    holdings = [*rows_held(), *_by_keys(visitor_id)]
    counted = {held.name: held.count(person) for held in holdings}
    for held in holdings:
        held.erase(person)
    _note(receipt, counted, person, holdings)
    receipt.remaining = person.as_json()
    receipt.save(update_fields=["counted", "remaining", "updated_at"])


def _by_keys(visitor_id: uuid.UUID) -> list[Holding]:
    return [
        Holding(name, partial(_count, rows), partial(_delete, rows)) for name, rows in rows_of(visitor_id)
    ]


def _count(rows: "QuerySet[Any]", person: Person) -> int:
    return rows.count()


def _delete(rows: "QuerySet[Any]", person: Person) -> None:
    rows.all().delete()


def _note(receipt: ErasureReceipt, before: dict[str, int], person: Person, holdings: list[Holding]) -> None:
    for held in holdings:
        known = receipt.counted.get(held.name, {}).get("before", 0)
        receipt.counted[held.name] = {
            "before": max(known, before[held.name]),
            "after": held.count(person),
        }
