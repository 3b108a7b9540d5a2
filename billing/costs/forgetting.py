"""What the ledger holds of a person: who a call was made for, never what it cost. Inside `acting_as`."""

from typing import Any, Final

from django.db.models import Q, QuerySet

from billing.costs.models import CostEvent
from tenants.forgetting import Person

NOBODY: Final[dict[str, Any]] = {
    "user_ref": "",
    "metadata": {},
    "trace_id": "",
    "span_id": "",
    "parent_span_id": "",
}


def events_of(person: Person) -> int:
    """How many cost events say that a call was made for this person: in a session of theirs, or by the name that the
    tenant's own programs gave both."""
    return _events(person).count()


def forget(person: Person) -> None:
    """Keep the money of these events and lose whom they were for. Their session goes with the session's row."""
    _events(person).update(**NOBODY)


def _events(person: Person) -> "QuerySet[CostEvent]":
    named = Q(session__in=person.session_ids) | Q(message__in=person.message_ids)
    if person.external_id:
        named |= Q(user_ref=person.external_id)
    return CostEvent.objects.filter(named)
