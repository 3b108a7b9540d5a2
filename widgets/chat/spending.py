"""What a conversation has cost, in step with the ledger."""

from django.db.models import F

from billing.costs.ledger import SessionCosts
from widgets.models import Session


def add_to_sessions(costs: SessionCosts) -> None:
    """Add the cost of new events to their sessions; runs in the transaction that records them."""
    for session_id, cost in costs.items():
        Session.objects.filter(pk=session_id).update(cost_usd=F("cost_usd") + cost)
