"""A tenant's own keys for AI providers: set, removed, handed to `ai`, and marked where a provider refuses one.

What a tenant's key can pay for is asked with it and with no other: where it is refused the visitor is told that the
model is away, never answered at the installation's expense, unless the operator says so (TENANT_PROVIDER_KEYS). A key
goes to the address that the operator has set for its provider; a tenant chooses none.
"""

import logging
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db.models import Q

from ai.configuration import Configuration, with_own_keys
from kernel.clock import now
from kernel.encryption import InvalidToken, decrypt, encrypt
from kernel.errors import Conflict, InvalidInput, NotFound, ProviderError
from tenants.context import require_tenant
from tenants.db.prepared import prepared_cursor
from tenants.models import Provider, ProviderKey, User

KEY: Final = re.compile(r"[!-~]{8,300}")
NOTED_EVERY: Final = timedelta(minutes=1)
# What a cost event says in its metadata where the tenant's own key has paid.
PAID_BY_TENANT: Final[Mapping[str, Any]] = {"paidBy": "tenant"}
KEYS: Final = "SELECT provider, secret, refused_at IS NOT NULL FROM provider_keys WHERE tenant_id = %s"

logger = logging.getLogger(__name__)


class OwnKeys(NamedTuple):
    """The acting tenant's keys, as `ai` takes them (None: it has none of its own), and whose providers refused one."""

    configuration: Configuration | None = None
    refused: frozenset[str] = frozenset()


def is_offered() -> bool:
    """Whether tenants may use keys of their own here."""
    return bool(settings.TENANT_PROVIDER_KEYS != "off")


def set_key(provider: str, key: str, *, by: User | None = None) -> ProviderKey:
    """Use `key` from the next call on; the one of before is forgotten. Raises InvalidInput, Conflict where the operator
    offers no such keys."""
    if not is_offered():
        raise Conflict("This installation uses its own keys only.")
    if provider not in Provider.values:
        raise InvalidInput.of(
            "provider", f"must be {', '.join(Provider.values[:-1])} or {Provider.values[-1]}"
        )
    clean = key.strip()
    if not KEY.fullmatch(clean):
        raise InvalidInput.of(
            "key", "must have 8 to 300 printable characters without blanks, as the provider shows it"
        )
    # The platform's own people are no rows of a tenant's, and cannot be pointed at.
    is_ours = by is not None and by.tenant_id == require_tenant().id
    values = {
        "secret": encrypt(clean),
        "last4": clean[-4:],
        "set_by": by if is_ours else None,
        "refused_at": None,
        "refusal": "",
    }
    stored, _ = ProviderKey.objects.update_or_create(provider=provider, defaults=values)
    return stored


def remove_key(identifier: uuid.UUID) -> None:
    """Forget a key: from the next call on the installation's is used again. Raises NotFound."""
    deleted, _ = ProviderKey.objects.filter(pk=identifier).delete()
    if not deleted:
        raise NotFound(f"There is no provider key {identifier}.")


def own_keys() -> OwnKeys:
    """The acting tenant's, in one statement. Raises ProviderError where a key cannot be decrypted: then nobody is
    asked, least of all at the installation's expense."""
    if not is_offered():
        return OwnKeys()
    with prepared_cursor() as cursor:
        cursor.execute(KEYS, [require_tenant().id])
        rows = cursor.fetchall()
    if not rows:
        return OwnKeys()
    keys = {provider: _decrypted(provider, secret) for provider, secret, _ in rows}
    fall_back = settings.TENANT_PROVIDER_KEYS == "fall_back"
    refused = frozenset(provider for provider, _, is_refused in rows if is_refused)
    return OwnKeys(with_own_keys(keys, may_fall_back=fall_back), refused)


def note_refusals(refusals: Mapping[str, str]) -> None:
    """The acting tenant's keys that a provider would not take, each with its reason: their owners see it. Noted once a
    minute at most."""
    for provider, reason in refusals.items():
        stale = Q(refused_at=None) | Q(refused_at__lt=now() - NOTED_EVERY)
        ProviderKey.objects.filter(stale, provider=provider).update(refused_at=now(), refusal=reason[:300])


def note_accepted(providers: Iterable[str]) -> None:
    """The acting tenant's keys of these providers work again."""
    ProviderKey.objects.filter(provider__in=list(providers)).update(refused_at=None, refusal="")


def _decrypted(provider: str, secret: bytes) -> str:
    try:
        return decrypt(secret)
    except InvalidToken:
        logger.error("a tenant's key for %s can be read with none of ENCRYPTION_KEYS", provider)
        raise ProviderError(
            f"The stored key for {provider} cannot be read.",
            provider=provider,
            retryable=False,
            code="unauthorized",
        ) from None
