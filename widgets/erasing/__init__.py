"""Erasing visitors: what is held of them, the deed, its receipts."""
