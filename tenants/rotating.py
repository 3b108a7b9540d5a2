"""Changing an API key for a new one without a gap: both open the door for a while."""

import uuid
from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from kernel.errors import NotFound
from tenants.authentication import issue_api_key, revoke_api_key
from tenants.models import ApiKey, User

OVERLAP: Final = timedelta(hours=24)
MAX_OVERLAP: Final = timedelta(days=30)


def live() -> Q:
    """Keys that are not revoked. Expired ones are listed still, so that one can see why a program stopped."""
    return Q(revoked_at=None)


def rotate_api_key(
    key_id: uuid.UUID, *, overlap: timedelta = OVERLAP, created_by: User | None = None
) -> tuple[ApiKey, str]:
    """A new key with the old one's name, scopes and span of life, and its secret, shown this once.

    The old one stays good for `overlap` (or until its own expiry, if sooner); with none it is revoked at once.
    Raises NotFound for a key that is unknown, revoked or expired.
    """
    moment = timezone.now()
    # The lock keeps two rotations at once from leaving two successors.
    old = ApiKey.objects.select_for_update().filter(live(), pk=key_id).first()
    if old is None or (old.expires_at and old.expires_at <= moment):
        raise NotFound(f"There is no API key {key_id}.")
    expires_at = moment + (old.expires_at - old.created_at) if old.expires_at else None
    new = issue_api_key(old.name, old.scopes, expires_at=expires_at, created_by=created_by)
    if overlap <= timedelta(0):
        revoke_api_key(old.pk)
    else:
        ends = moment + overlap
        old.expires_at = min(old.expires_at, ends) if old.expires_at else ends
        old.save(update_fields=["expires_at", "updated_at"])
    return new
