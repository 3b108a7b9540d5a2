"""What a conversation has cost, in step with the ledger."""

from billing.costs.ledger import SessionCosts
from tenants.db.prepared import prepared_cursor
from widgets.statements import statement


def add_to_sessions(costs: SessionCosts) -> None:
    """Add the cost of new events to their sessions; runs in the transaction that records them."""
    with prepared_cursor() as cursor:
        cursor.execute(statement("add_to_sessions"), {"sessions": list(costs), "costs": list(costs.values())})
