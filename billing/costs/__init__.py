"""What AI costs: the ledger of cost events, their prices, the rollups, and the budgets that hold spending back."""
