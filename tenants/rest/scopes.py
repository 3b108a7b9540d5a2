"""What a caller may do: `read` and `write` over everything, or `<area>:read` and `<area>:write` for one area.

`write` does not imply reading. A POST that only asks (search/, answers/) counts as a read of its area: its view lists
POST in `read_methods`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from kernel.errors import NotAllowed
from tenants.authentication import AREAS, SCOPES
from tenants.context import TenantRef
from tenants.models import User
from tenants.permissions import Role

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

# The scopes of a signed-in person, by role: tenants.permissions' table in the API's words.
ROLE_SCOPES: Final[dict[Role, frozenset[str]]] = {
    Role.OWNER: frozenset({"read", "write"}),
    Role.ADMIN: frozenset({"read", *(f"{area}:write" for area in AREAS if area != "billing")}),
    Role.MEMBER: frozenset(
        {"conversations:read", "conversations:write", "knowledge:read", "knowledge:write", "widgets:read"}
    ),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: a program by its key, or a person by the admin's session (then `user` is set)."""

    tenant: TenantRef
    scopes: frozenset[str]
    id: UUID
    user: User | None = None

    # What Django REST framework asks of a user.
    is_authenticated = True
    is_active = True

    @property
    def is_owner(self) -> bool:
        """Whether they may change owners: an owner by the session, or a program whose key may write everything."""
        return self.user.is_owner if self.user is not None else "write" in self.scopes

    @property
    def kind(self) -> Literal["user", "key"]:
        """Whether a person calls or a program."""
        return "key" if self.user is None else "user"

    @property
    def called(self) -> str:
        """What rows that outlive the caller name them by: `user:<id>` or `key:<id>`."""
        return f"{self.kind}:{self.id}"

    def holds(self, scope: str) -> bool:
        """Whether `scope` ("billing:read") is granted, by itself or through the wider "read" or "write"."""
        return _covers(self.scopes, scope)


class HasScope(BasePermission):
    """Refuses with 403 `missing_scope`, naming the scope, unless the caller holds what the view's area needs."""

    def has_permission(self, request: Request, view: Any) -> bool:
        principal: object = request.user
        if not isinstance(principal, Principal):
            return False
        scope = needed(view, request.method or "GET")
        if not principal.holds(scope):
            raise PermissionDenied(f"This needs the scope {scope}.", code="missing_scope")
        return True


def refuse_escalation(held: frozenset[str], wanted: Iterable[str]) -> None:
    """Whoever may make keys must not make one that may do more than they. Raises NotAllowed naming what is missing."""
    missing = sorted(scope for scope in wanted if scope in SCOPES and not _covers(held, scope))
    if missing:
        raise NotAllowed(f"You cannot grant {', '.join(missing)} without holding it.", code="missing_scope")


def _covers(held: frozenset[str], scope: str) -> bool:
    return scope in held or scope.rpartition(":")[2] in held


def needed(view: Any, method: str) -> str:
    """The scope that `method` needs on `view`, such as "knowledge:write"; "write" itself where the view has no area,
    because it is about everything."""
    reads = method in SAFE_METHODS or method in view.read_methods
    verb = "read" if reads else "write"
    return f"{view.area}:{verb}" if view.area else verb
