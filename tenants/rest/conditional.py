"""Conditional requests (RFC 9110, section 13): what a caller has already is not sent again, and what somebody else has
changed meanwhile is not written over.

The version of a thing is a hash of what is answered for it, so that it needs no column and cannot be forgotten.
"""

import hashlib
from typing import Any, Final

from django.db import connection
from django.http import HttpResponse
from django.utils.http import parse_etags
from rest_framework.request import Request

from kernel.errors import FrontdeskError
from tenants.context import require_tenant
from tenants.rest.rendering import dump

# Ours alone to keep, and to be asked for again before it is used.
CACHE_CONTROL: Final = "private, no-cache"


class VersionChanged(FrontdeskError):
    """What If-Match names is not what is there now."""

    code = "version_changed"
    status = 412


def etag_of(body: bytes) -> str:
    """The strong ETag of an answer."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def versioned(request: Request, response: HttpResponse) -> HttpResponse:
    """A rendered 200 with its version; 304 without a body where the caller has that already."""
    if response.status_code != 200:
        return response
    response["ETag"] = etag = etag_of(response.content)
    response["Cache-Control"] = CACHE_CONTROL
    asked = request.headers.get("If-None-Match")
    if asked is None or not is_among(etag, asked):
        return response
    known = HttpResponse(status=304)
    del known["Content-Type"]
    for name, value in response.items():
        if name not in ("Content-Type", "Content-Length", "Allow"):
            known[name] = value
    return known


def is_among(etag: str, header: str) -> bool:
    """Whether a version is one of those that If-None-Match names; a weak one counts as its strong one."""
    named = parse_etags(header)
    return "*" in named or etag in (name.removeprefix("W/") for name in named)


def refuse_other_versions(request: Request, current: Any) -> None:
    """Raise VersionChanged unless If-Match names the version of what `current()` returns, or there is no If-Match.

    Runs in the transaction of the change, and holds up other changes of the same address until that ends: of two that
    name the same version, one is made.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"version {require_tenant().id} {request.path.rstrip('/')}"],
        )
    asked = request.headers.get("If-Match")
    if asked is None:
        return
    named = parse_etags(asked)
    # Weak ones never match here: they do not promise that every byte is the same.
    if "*" not in named and etag_of(dump(current().data)) not in named:
        raise VersionChanged("It has been changed since you read it: read it again, and decide again.")
