"""What a conversation has cost, in step with the ledger."""

from django.db import connection

from billing.costs.ledger import SessionCosts
from widgets.statements import statement


def add_to_sessions(costs: SessionCosts) -> None:
    """Add the cost of new events to their sessions; runs in the transaction that records them."""
    with connection.cursor() as cursor:
        cursor.execute(statement("add_to_sessions"), {"sessions": list(costs), "costs": list(costs.values())})
