"""A tenant's people: who may be changed by whom. A tenant always has an active owner."""

import uuid
from typing import Any

from kernel.errors import Conflict, NotAllowed, NotFound
from tenants.creating import create_user
from tenants.models import User
from tenants.permissions import Role


def add_person(by: User, email: str, password: str, *, name: str = "", role: Role = Role.MEMBER) -> User:
    """A new person of the acting tenant. Raises Conflict when the email has an account, NotAllowed when one who is not
    an owner makes an owner."""
    _refuse_promotion(by, role)
    return create_user(email, password, name=name, role=role)


def change_person(by: User, user_id: uuid.UUID, **changes: Any) -> User:
    """A person with `changes` (name, role, is_active, avatar_url).

    Raises NotFound; NotAllowed when one who is not an owner makes or changes an owner; Conflict when no active owner
    would remain.
    """
    # Every owner is locked, in one order, so that two of them cannot step down at once.
    owners = list(User.objects.select_for_update().filter(role=Role.OWNER, is_active=True).order_by("id"))
    person = User.objects.filter(pk=user_id).first()
    if person is None:
        raise NotFound(f"There is no person {user_id}.")
    _refuse_promotion(by, Role(person.role))
    for field, value in changes.items():
        setattr(person, field, value)
    _refuse_promotion(by, Role(person.role))
    stays = person.role == Role.OWNER and person.is_active
    if not stays and all(owner.pk == person.pk for owner in owners):
        raise Conflict("A tenant always has an active owner: make somebody else one first.")
    person.save(update_fields=[*changes, "updated_at"])
    return person


def _refuse_promotion(by: User, role: Role) -> None:
    if role is Role.OWNER and by.role != Role.OWNER:
        raise NotAllowed("Only an owner can make or change an owner.")
