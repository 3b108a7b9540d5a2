"""A tenant's people: who may be changed by whom. A tenant always has an active owner."""

import uuid
from typing import Any, Final, Protocol

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from kernel.errors import Conflict, FieldError, InvalidInput, NotAllowed, NotFound
from tenants.creating import create_user
from tenants.models import AuthSession, User
from tenants.permissions import Role

CHANGEABLE: Final = frozenset({"name", "role", "is_active", "avatar_url"})


class Actor(Protocol):
    """Who changes the team: a person, or a program by its key."""

    @property
    def is_owner(self) -> bool: ...


def add_person(by: Actor, email: str, password: str, *, name: str = "", role: Role = Role.MEMBER) -> User:
    """A new person of the acting tenant. Raises InvalidInput for a weak password, Conflict when the email has an
    account, NotAllowed when one who is not an owner makes an owner."""
    refuse_promotion(by, role)
    refuse_weak_password(password, email)
    return create_user(email, password, name=name, role=role)


def change_person(by: Actor, user_id: uuid.UUID, **changes: Any) -> User:
    """A person with `changes` (name, role, is_active, avatar_url); one who is deactivated is signed out everywhere.

    Raises NotFound; NotAllowed when one who is not an owner makes or changes an owner; Conflict when no active owner
    would remain.
    """
    if not changes.keys() <= CHANGEABLE:
        raise TypeError(f"a person has no {', '.join(sorted(changes.keys() - CHANGEABLE))} that may change")
    # Every owner is locked, in one order, so that two of them cannot step down at once.
    owners = list(User.objects.select_for_update().filter(role=Role.OWNER, is_active=True).order_by("id"))
    person = User.objects.filter(pk=user_id).first()
    if person is None:
        raise NotFound(f"There is no person {user_id}.")
    refuse_promotion(by, Role(person.role))
    for field, value in changes.items():
        setattr(person, field, value)
    refuse_promotion(by, Role(person.role))
    stays = person.role == Role.OWNER and person.is_active
    if not stays and all(owner.pk == person.pk for owner in owners):
        raise Conflict(
            "A tenant always has an active owner: make somebody else one first.", code="last_owner"
        )
    person.save(update_fields=[*changes, "updated_at"])
    if not person.is_active:
        AuthSession.objects.filter(user=person).delete()
    return person


def remove_person(by: Actor, user_id: uuid.UUID) -> None:
    """Take a person off the team: they can sign in no more. Their row stays, so that what they wrote keeps its author.
    Raises as `change_person`."""
    change_person(by, user_id, is_active=False)


def refuse_weak_password(password: str, email: str = "") -> None:
    """Raise InvalidInput, naming `password`, for one that the installation's rules refuse."""
    try:
        validate_password(password, User(email=email))
    except ValidationError as refused:
        errors = [FieldError("password", message) for message in refused.messages]
        raise InvalidInput(" ".join(refused.messages), errors=errors) from refused


def refuse_promotion(by: Actor, role: Role) -> None:
    """Raise NotAllowed when one who is not an owner makes or changes one."""
    if role is Role.OWNER and not by.is_owner:
        raise NotAllowed("Only an owner can make or change an owner.")
