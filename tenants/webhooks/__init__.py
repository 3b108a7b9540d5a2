"""Webhooks out: what happens is written to an outbox in the transaction it happens in, and told to who asked for it."""
