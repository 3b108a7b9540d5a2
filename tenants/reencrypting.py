"""Everything encrypted, under the newest of ENCRYPTION_KEYS: tenant by tenant, column by column, while all else runs.

What is under the newest key already is passed over, so a run that was broken off is simply started again. A row is
written only where it still holds the token that was read: a secret that somebody sets meanwhile stays theirs.
"""

import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.db import models

from kernel.encryption import InvalidToken, is_current, renewed
from tenants.context import TenantRef, acting_as
from tenants.encrypted import EncryptedField, encrypted_columns

BATCH: Final = 200


@dataclass(slots=True)
class Tally:
    """Secrets of one tenant: how many there are, under an older key, re-encrypted by this run, and read by no key."""

    secrets: int = 0
    outdated: int = 0
    renewed: int = 0
    unreadable: int = 0

    def __iadd__(self, other: "Tally") -> "Tally":
        self.secrets += other.secrets
        self.outdated += other.outdated
        self.renewed += other.renewed
        self.unreadable += other.unreadable
        return self


def count(tenant: TenantRef) -> Tally:
    """How the tenant's secrets are encrypted; changes nothing."""
    return _visit(tenant, renew=False)


def reencrypt(tenant: TenantRef) -> Tally:
    """Put the tenant's secrets under the newest key, a batch to a transaction. One that no key reads stays as it is and
    is counted. Call it outside any transaction."""
    return _visit(tenant, renew=True)


def _visit(tenant: TenantRef, *, renew: bool) -> Tally:
    tally = Tally()
    for model, field in encrypted_columns():
        after: uuid.UUID | None = None
        while True:
            with acting_as(tenant):
                rows = _rows(model, field, after)
                for key, token in rows:
                    tally += _one(model, field, key, token, renew=renew)
            if len(rows) < BATCH:
                break
            after = rows[-1][0]
    return tally


def _rows(
    model: type[models.Model], field: EncryptedField, after: uuid.UUID | None
) -> list[tuple[Any, bytes]]:
    rows = model._default_manager.exclude(**{field.name: None})
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return [(key, bytes(token)) for key, token in rows.order_by("pk").values_list("pk", field.name)[:BATCH]]


def _one(model: type[models.Model], field: EncryptedField, key: Any, token: bytes, *, renew: bool) -> Tally:
    if is_current(token):
        return Tally(secrets=1)
    try:
        fresh = renewed(token)
    except InvalidToken:
        return Tally(secrets=1, unreadable=1)
    if not renew:
        return Tally(secrets=1, outdated=1)
    # Where it is another one by now, somebody set it a moment ago, under the key their process knows: the next run, or
    # --check, tells.
    changed = model._default_manager.filter(pk=key, **{field.name: token}).update(**{field.name: fresh})
    return Tally(secrets=1, outdated=1 - changed, renewed=changed)
