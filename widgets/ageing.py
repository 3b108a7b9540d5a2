"""Conversations that are older than their tenant keeps them, and visitors who have none left. Inside `acting_as`.

What a session's answers cost stays: the database takes the session out of the ledger's rows.
"""

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from widgets.models import Session, SessionStatus, Visitor


def conversations_before(moment: datetime) -> int:
    """How many conversations have ended and were silent since."""
    return _conversations(moment).count()


def delete_conversations(moment: datetime, limit: int) -> int:
    """Delete some of these with their messages, feedback and answer runs; how many."""
    old = _conversations(moment).select_for_update(of=("self",), skip_locked=True).order_by("pk")
    found = list(old.values_list("pk", flat=True)[:limit])
    # By the database: its keys take everything that belongs to a conversation along.
    Session.objects.filter(pk__in=found)._raw_delete(using="default")
    return len(found)


def visitors_before(moment: datetime) -> int:
    """How many visitors were not seen since and have no conversation left."""
    return _visitors(moment).count()


def delete_visitors(moment: datetime, limit: int) -> int:
    """Delete some of these; how many."""
    old = _visitors(moment).select_for_update(of=("self",), skip_locked=True).order_by("pk")
    found = list(old.values_list("pk", flat=True)[:limit])
    # Once more without a conversation: one may have begun before the row was locked.
    deleted, _ = _visitors(moment).filter(pk__in=found).delete()
    return deleted


def _conversations(moment: datetime) -> "QuerySet[Session]":
    return Session.objects.filter(status=SessionStatus.ENDED, last_message_at__lt=moment)


def _visitors(moment: datetime) -> "QuerySet[Visitor]":
    talks = Session.objects.filter(visitor=OuterRef("pk"))
    return Visitor.objects.filter(~Exists(talks), last_seen_at__lt=moment)
