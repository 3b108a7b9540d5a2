"""A tenant's own hostnames. One serves its tenant only after it has been verified; here it is only put down."""

import re
import uuid
from typing import Final

from django.db import IntegrityError, transaction

from kernel.errors import Conflict, InvalidInput, NotFound
from tenants.context import require_tenant
from tenants.directory import release
from tenants.models import Domain, KeyKind

# RFC 1123: labels of letters, digits and inner hyphens, at least two of them; the last is no number, so no address.
LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOSTNAME: Final = re.compile(rf"({LABEL}\.)+(?!\d+$){LABEL}")
LONGEST: Final = 253


def add_hostname(hostname: str) -> Domain:
    """A hostname of the acting tenant, in lower case, not verified yet.

    Raises InvalidInput for what is no hostname, Conflict where anybody has it already.
    """
    name = hostname.strip().lower().rstrip(".")
    if len(name) > LONGEST or not HOSTNAME.fullmatch(name):
        raise InvalidInput.of(
            "hostname", "must be a hostname such as help.acme.com, without https:// or a path"
        )
    try:
        with transaction.atomic():
            return Domain.objects.create(hostname=name, tenant_id=require_tenant().id)
    except IntegrityError as error:
        raise Conflict(f"{name} is already in use.", code="hostname_taken") from error


def make_primary(domain_id: uuid.UUID, is_primary: bool) -> Domain:
    """Make a hostname the one that links lead to, or not; there is one at most.

    Raises NotFound, Conflict for one that is not verified.
    """
    # Every row, in one order: two hostnames that are made the primary one at once cannot both be.
    domains = list(Domain.objects.select_for_update().order_by("id"))
    chosen = next((domain for domain in domains if domain.pk == domain_id), None)
    if chosen is None:
        raise NotFound(f"There is no domain {domain_id}.")
    if is_primary and chosen.verified_at is None:
        raise Conflict(f"{chosen.hostname} is not verified yet.", code="not_verified")
    if is_primary:
        Domain.objects.exclude(pk=domain_id).filter(is_primary=True).update(is_primary=False)
    chosen.is_primary = is_primary
    chosen.save(update_fields=["is_primary", "updated_at"])
    return chosen


def remove_hostname(domain_id: uuid.UUID) -> None:
    """Forget a hostname; it serves nobody from now on. Raises NotFound."""
    domain = Domain.objects.select_for_update().filter(pk=domain_id).first()
    if domain is None:
        raise NotFound(f"There is no domain {domain_id}.")
    release(KeyKind.HOSTNAME, domain.hostname)
    domain.delete()
