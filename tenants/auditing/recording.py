"""Recording what is no change of a watched row."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models

from tenants.auditing.kinds import kind_of
from tenants.context import require_tenant

MASK: Final = "•••"
SECRET_WORDS: Final = ("password", "secret", "token", "hash", "authorization", "cookie")


class Target(NamedTuple):
    """What something was done to: a kind such as `visitor`, its id, and what people call it."""

    kind: str
    id: object = None
    text: str = ""


def record(
    action: str,
    target: models.Model | Target,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry to the acting tenant's record: whoever `doing_as` names did `action` ("exported", "signed_in") to
    `target`. It commits, or not, with the transaction around it. Values named like a secret are masked.

    Raises TenantContextError outside `acting_as`.
    """
    require_tenant()
    about = target if isinstance(target, Target) else Target(kind_of(target), target.pk, str(target))
    identifier = str(about.id) if about.id is not None else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT public.audit_write(%s, %s, %s, %s, %s::jsonb, %s::jsonb)",
            [action, about.kind, identifier, about.text, _json(before), _json(after)],
        )


def _json(values: Mapping[str, Any] | None) -> str | None:
    return None if values is None else json.dumps(masked(dict(values)), cls=DjangoJSONEncoder)


def masked(value: Any, name: str = "") -> Any:
    """`value` with everything under a name like a secret's hidden, and without the NUL that jsonb cannot hold."""
    if value is not None and any(word in name.lower() for word in SECRET_WORDS):
        return MASK
    if isinstance(value, Mapping):
        return {str(key): masked(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner) for inner in value]
    return value.replace("\0", "") if isinstance(value, str) else value
