"""Who acts: said by the doors once, carried by a context variable, and told to the transaction in the very statement
that sets its tenant (`tenants.db.base`)."""

import getpass
import ipaddress
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, NamedTuple, Protocol

from django.http import HttpRequest

from tenants.db.base import ACTOR

ActorKind = Literal["user", "key", "staff", "system"]
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Person(Protocol):
    """Somebody with an account."""

    @property
    def pk(self) -> object: ...


class Actor(NamedTuple):
    """Who does something, and from where. A user and a key are named by the database as they are called then, so their
    `text` is left out; of one of the platform's staff, whom a tenant does not see, it is their name."""

    kind: ActorKind
    id: str | None = None
    text: str | None = None
    ip: str | None = None

    def as_header(self) -> str:
        """What a task carries on; `from_header` reads it."""
        return json.dumps({name: value for name, value in self._asdict().items() if value is not None})

    @classmethod
    def from_header(cls, told: str) -> "Actor":
        return cls(**json.loads(told))


def current_actor() -> Actor | None:
    """Who acts here; None: the system."""
    told = ACTOR.get()
    return Actor.from_header(told) if told else None


@contextmanager
def doing_as(actor: Actor | None) -> Iterator[None]:
    """What is changed inside is this actor's doing. Enter it before `acting_as`: then it costs no round trip."""
    token = ACTOR.set(actor.as_header() if actor else "")
    try:
        yield
    finally:
        ACTOR.reset(token)


@contextmanager
def by_person(person: Person | None, text: str | None = None) -> Iterator[None]:
    """What is changed inside is this person's doing, from where the request comes: for who is recognised only once the
    work has begun, by a password or by the link of a letter. Who has no account yet is named by `text`, their email."""
    known = current_actor()
    ip = known.ip if known else None
    with doing_as(Actor("user", str(person.pk) if person else None, text, ip)):
        yield


def address_of(request: HttpRequest) -> str | None:
    """Where a request comes from, or None where that is no address (a unix socket)."""
    try:
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR") or ""))
    except ValueError:
        return None


def operator() -> Actor:
    """Whoever runs a command on this machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return Actor("system", text=f"{name} at the command line")
