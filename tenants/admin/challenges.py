"""What the session remembers between two steps of one thing, for ten minutes: who gave the password, which challenge a
security key is to sign."""

import time
from typing import Any, Final

from django.http import HttpRequest

from kernel.errors import InvalidInput
from tenants import security_keys
from tenants.security_keys import Asked, Place

LASTS_S: Final = 600
CHALLENGE: Final = "_challenge"


def note(request: HttpRequest, slot: str, /, **said: str) -> None:
    """Remember what was said, in place of what was."""
    request.session[slot] = {**said, "at": int(time.time())}


def noted(request: HttpRequest, slot: str) -> dict[str, Any] | None:
    """What was said in the last ten minutes, or None."""
    said = request.session.get(slot)
    is_fresh = isinstance(said, dict) and 0 <= time.time() - said["at"] < LASTS_S
    return said if is_fresh else None


def place(request: HttpRequest) -> Place | None:
    """Where this request's browser may ask security keys; None where it may not."""
    return security_keys.place_of(request.get_host(), is_secure=request.is_secure())


def keep(request: HttpRequest, asked: Asked) -> str:
    """Bind a challenge to the session; what the browser is to ask the key."""
    note(request, CHALLENGE, challenge=asked.challenge)
    return asked.options


def taken(request: HttpRequest) -> tuple[str, Place]:
    """The session's challenge, which it has no longer, and where we are. Raises InvalidInput naming `answer` where it
    has none: used, too old, or asked for in another browser."""
    said, where = noted(request, CHALLENGE), place(request)
    request.session.pop(CHALLENGE, None)
    if said is None or where is None:
        raise InvalidInput.of("answer", "came too late. Try again.")
    return str(said["challenge"]), where
