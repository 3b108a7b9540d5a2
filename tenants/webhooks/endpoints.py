"""Making, changing and deleting endpoints of the acting tenant, and changing their secrets."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from kernel import clock
from kernel.addresses import check_url
from kernel.encryption import encrypt
from kernel.errors import FieldError, InvalidInput, NotFound
from tenants import due_work
from tenants.context import require_tenant
from tenants.webhooks import catalogue, promising, publishing
from tenants.webhooks.models import ENDPOINT_WORK, MAX_URL, WebhookEndpoint
from tenants.webhooks.signing import new_secret

MAX_ENDPOINTS: Final = 20
MAX_DESCRIPTION: Final = 200
OVERLAP: Final = timedelta(hours=24)
MAX_OVERLAP: Final = timedelta(days=7)
CHANGEABLE: Final = frozenset({"url", "description", "events", "is_active"})


def create_endpoint(
    *, url: str, description: str = "", events: Sequence[str] = (), is_active: bool = True
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint and its secret, shown this once. No events named: it is told of all, later ones too.

    Raises InvalidInput naming each field, and where there are 20 already: every event is written once for each.
    """
    checked = _checked({"url": url, "description": description, "events": events, "is_active": is_active})
    if WebhookEndpoint.objects.count() >= MAX_ENDPOINTS:
        raise InvalidInput(
            f"There are {MAX_ENDPOINTS} webhook endpoints already; change or delete one of them."
        )
    secret = new_secret()
    return WebhookEndpoint.objects.create(secret=encrypt(secret), **checked), secret


def change_endpoint(endpoint_id: uuid.UUID, **changes: Any) -> WebhookEndpoint:
    """An endpoint with `changes` (names of CHANGEABLE). Turned on again it gets what was waiting and is not too old.

    Raises NotFound, and InvalidInput naming each field.
    """
    if not changes.keys() <= CHANGEABLE:
        raise ValueError(
            f"not a field of an endpoint that may be changed: {sorted(changes.keys() - CHANGEABLE)}"
        )
    changes = _checked(changes)
    endpoint = locked(endpoint_id)
    turned_on = changes.get("is_active", False) and not endpoint.is_active
    for name, value in changes.items():
        setattr(endpoint, name, value)
    if turned_on:
        # Its patience begins anew, or the first failure would disable it again.
        endpoint.disabled_reason, endpoint.disabled_at, endpoint.failing_since = "", None, None
    endpoint.save()
    if turned_on:
        promising.promise(endpoint.pk, clock.now())
        publishing.deliver_soon(require_tenant(), [endpoint.pk])
    elif not endpoint.is_active:
        due_work.keep(ENDPOINT_WORK, endpoint.pk)
    return endpoint


def delete_endpoint(endpoint_id: uuid.UUID) -> None:
    """Delete an endpoint with its log; it is told nothing any more. Raises NotFound."""
    endpoint = locked(endpoint_id)
    due_work.keep(ENDPOINT_WORK, endpoint.pk)
    endpoint.delete()


def rotate_secret(endpoint_id: uuid.UUID, *, overlap: timedelta = OVERLAP) -> tuple[WebhookEndpoint, str]:
    """A new secret, shown this once. For `overlap` every delivery is signed by the old one too, so that the receiver
    can change it without losing one; an older one yet signs no more. Raises NotFound."""
    endpoint = locked(endpoint_id)
    secret, now = new_secret(), clock.now()
    endpoint.previous_secret, endpoint.previous_until = (
        (endpoint.secret, now + overlap) if overlap > timedelta(0) else (None, None)
    )
    endpoint.secret = encrypt(secret)
    endpoint.save(update_fields=["secret", "previous_secret", "previous_until", "updated_at"])
    return endpoint, secret


def locked(endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """The endpoint, held against other changes. Raises NotFound."""
    # No key of it changes, and whoever publishes an event for it meanwhile need not wait.
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound(f"There is no webhook endpoint {endpoint_id}.")
    return endpoint


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields as they are kept. Raises InvalidInput naming each that is not allowed."""
    errors = []
    kept = dict(fields)
    if "url" in fields:
        try:
            kept["url"] = check_url(fields["url"]).geturl()
            if len(kept["url"]) > MAX_URL:
                errors.append(
                    FieldError("url", f"must have at most {MAX_URL:,} characters once it is escaped")
                )
        except InvalidInput as error:
            errors += error.errors
    if len(fields.get("description", "")) > MAX_DESCRIPTION:
        errors.append(FieldError("description", f"must have at most {MAX_DESCRIPTION} characters"))
    if "events" in fields:
        kept["events"] = list(dict.fromkeys(fields["events"]))
        allowed = ", ".join(event.name for event in catalogue.event_types())
        errors += [
            FieldError(f"events.{index}", f"must be one of {allowed}")
            for index, name in enumerate(fields["events"])
            if not catalogue.is_known(name)
        ]
    if errors:
        raise InvalidInput(
            "; ".join(f"{error.field}: {error.message}" for error in errors[:3]), errors=errors
        )
    return kept
