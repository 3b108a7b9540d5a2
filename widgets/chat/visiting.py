"""Who is at the other end: visitor tokens, identity tokens, and the single-use ticket of each connection."""

import secrets
import uuid
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

import jwt
import orjson
import redis
from django.conf import settings
from django.core import signing

from kernel.encryption import InvalidToken, decrypt
from kernel.errors import FrontdeskError
from kernel.ids import uuid7
from tenants.context import TenantRef
from widgets.models import Visitor, Widget

TOKEN_SALT: Final = "frontdesk.visitor"  # noqa: S105 - a namespace, no secret
TOKEN_LIFETIME: Final = timedelta(days=400)
TICKET_SECONDS: Final = 60
# How long a verified identity may talk without a socket before its page has to boot, and so to prove it, again.
IDENTITY_SECONDS: Final = 3_600
IDENTIFIED: Final = "identified"
IDENTITY_LEEWAY_S: Final = 30


class IdentityInvalid(FrontdeskError):
    """The identity token is not one that the widget's secret signed for it."""

    code = "identity_invalid"


class TokenInvalid(FrontdeskError):
    """The visitor token is missing, forged or expired, or the identity behind it has to be proved again: boot."""

    code = "token_invalid"
    status = 401


class Erased(TokenInvalid):
    """The visitor that the token names was erased."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a verified identity token says of a visitor."""

    external_id: str
    email: str | None = None
    name: str | None = None
    attributes: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Guest:
    """A visitor as a connection knows them; they have a row only from their first message on."""

    tenant: TenantRef
    widget_id: uuid.UUID
    visitor_id: uuid.UUID
    identity: Identity | None = None


def new_guest(tenant: TenantRef, widget: Widget, identity: Identity | None) -> Guest:
    """A visitor seen for the first time, or the known one whom a verified identity names."""
    known = None
    if identity:
        known = Visitor.objects.filter(widget=widget, external_id=identity.external_id, verified=True).first()
    return Guest(tenant, widget.pk, known.pk if known else uuid7(), identity)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a visitor token names, as far as can be told before the tenant is known."""

    tenant_id: uuid.UUID
    widget_id: uuid.UUID
    visitor_id: uuid.UUID
    is_identified: bool


def issue_token(guest: Guest) -> str:
    """The visitor's signed token, kept by the page's own storage. It names them and opens nothing else."""
    names = [str(guest.widget_id), str(guest.visitor_id), str(guest.tenant.id)]
    return signing.dumps([*names, IDENTIFIED] if guest.identity else names, salt=TOKEN_SALT, compress=False)


def read_token(token: str | None, tenant: TenantRef, widget_id: uuid.UUID) -> Guest | None:
    """The guest a token names at this widget; None for no token, a forged, expired or another widget's one."""
    names = _names(token)
    if names is None or names[0] != str(widget_id):
        return None
    return Guest(tenant, widget_id, uuid.UUID(names[1]))


def bearer(token: str) -> Bearer:
    """Whom a token names, whichever widget it is for. Raises TokenInvalid."""
    names = _names(token)
    if names is None or len(names) < 3:
        raise TokenInvalid("the visitor token is not valid: boot to get one")
    widget, visitor, tenant = map(uuid.UUID, names[:3])
    return Bearer(tenant, widget, visitor, IDENTIFIED in names[3:])


def _names(token: str | None) -> list[str] | None:
    if not token:
        return None
    try:
        names = signing.loads(token, salt=TOKEN_SALT, max_age=TOKEN_LIFETIME)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return names if isinstance(names, list) and len(names) >= 2 else None


def verify_identity(token: str, widget: Widget) -> Identity:
    """What a JWT (HS256, the widget's identity secret, `aud` the widget's public key) says. Raises IdentityInvalid."""
    if widget.identity_secret is None:
        raise IdentityInvalid("identity: this widget has no identity secret")
    try:
        claims = jwt.decode(
            token,
            decrypt(widget.identity_secret),
            algorithms=["HS256"],
            audience=widget.public_key,
            leeway=IDENTITY_LEEWAY_S,
            options={"require": ["sub", "exp", "aud"]},
        )
    except (jwt.InvalidTokenError, InvalidToken) as error:
        raise IdentityInvalid(f"identity: {error or 'the token cannot be read'}") from error
    attributes = claims.get("attributes")
    return Identity(
        external_id=str(claims["sub"])[:200],
        email=_text(claims.get("email"), 254),
        name=_text(claims.get("name"), 200),
        attributes=attributes if isinstance(attributes, dict) else None,
    )


def issue_ticket(guest: Guest, origin: str) -> str:
    """A random ticket, good for one connection within a minute. Redis holds what it stands for, so that no lasting
    token is ever in a URL."""
    ticket = secrets.token_urlsafe(24)
    content = orjson.dumps(
        {
            "tenant": str(guest.tenant.id),
            "schema": guest.tenant.schema_name,
            "widget": str(guest.widget_id),
            "visitor": str(guest.visitor_id),
            "identity": asdict(guest.identity) if guest.identity else None,
            "origin": origin,
        }
    )
    _redis().set(_ticket_key(ticket), content, ex=TICKET_SECONDS)
    return ticket


def redeem_ticket(ticket: str) -> tuple[Guest, str] | None:
    """The guest and origin of an unused ticket, which is used up by this; None for any other."""
    content = _redis().getdel(_ticket_key(ticket))
    if not isinstance(content, bytes):
        return None
    held = orjson.loads(content)
    guest = Guest(
        TenantRef(uuid.UUID(held["tenant"]), held["schema"]),
        uuid.UUID(held["widget"]),
        uuid.UUID(held["visitor"]),
        Identity(**held["identity"]) if held["identity"] else None,
    )
    return guest, held["origin"]


def remember_identity(guest: Guest) -> None:
    """Keep what a verified identity says, for requests that carry the visitor's token alone. It is not in the token:
    that would make it last as long, and be as long."""
    if guest.identity is not None:
        _redis().set(_identity_key(guest), orjson.dumps(asdict(guest.identity)), ex=IDENTITY_SECONDS)


def recall_identity(guest: Guest) -> Identity:
    """What was proved for this visitor within the hour. Raises TokenInvalid."""
    content = _redis().get(_identity_key(guest))
    if not isinstance(content, bytes):
        raise TokenInvalid("the identity has to be proved again: boot with it")
    return Identity(**orjson.loads(content))


def _ticket_key(ticket: str) -> str:
    return f"fd:ticket:{ticket}"


def _identity_key(guest: Guest) -> str:
    return f"fd:{guest.tenant.id}:identity:{guest.widget_id}:{guest.visitor_id}"


def _text(value: object, longest: int) -> str | None:
    return value[:longest] if isinstance(value, str) and value else None


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5)
