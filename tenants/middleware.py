"""The door of people with a session: the whole request, template rendering included, inside one tenant transaction."""

import uuid
from collections.abc import Callable

from django.contrib.auth import SESSION_KEY, get_user
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden

from kernel import observing
from tenants import visiting
from tenants.auditing.actors import SAFE_METHODS, Actor, address_of, doing_as
from tenants.context import NOBODY, TenantMoving, TenantRef, acting_as
from tenants.directory import resolve_tenant
from tenants.models import KeyKind, User
from tenants.rest import problems
from tenants.rest.problems import PROGRAM_PATHS, RETRY_AFTER_S
from tenants.sessions import TENANT_KEY

ADMIN_PATH = "/admin/"
ACCOUNT_PATH = "/account/"
MOVING = "Your company's data is being moved. Nothing is lost; load this page again in a moment."
# Posts that only ask.
ASKING = tuple(f"{ADMIN_PATH}{name}" for name in ("search-bench/", "widgets/widget/preview/"))
# Pages of one's own account and of the choice itself: the platform's staff see to them as nobody's guest.
OWN_PATHS = tuple(
    f"{ADMIN_PATH}{name}" for name in ("login/", "logout/", "password_change/", "your/", "staff/")
)


class TenantMiddleware:
    """Acts for the session's tenant on admin pages. API, widget and webhooks set their tenant at their own doors,
    because they must not hold a transaction while a provider answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Threads are reused: whatever a broken request may have left must not meet the next one.
        connection.set_tenant(NOBODY)  # type: ignore[attr-defined]  # our backend's own method
        try:
            return self._answer(request)
        except TenantMoving:
            return _moving(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django's hook for what a view raises: a page by link may meet a tenant that is being moved."""
        return _moving(request) if isinstance(exception, TenantMoving) else None

    def _answer(self, request: HttpRequest) -> HttpResponse:
        tenant = self._tenant_of(request) if request.path.startswith(ADMIN_PATH) else None
        request.tenant = tenant or NOBODY  # type: ignore[attr-defined]  # what django_tenants' template tags read
        if tenant is None:
            with doing_as(_actor(request)):
                return self.get_response(request)
        observing.note(user_id=request.session.get(SESSION_KEY))
        with doing_as(_actor(request)), acting_as(tenant):
            response = refusal(request) or self.get_response(request)
            if response.status_code >= 500:
                transaction.set_rollback(True)
            return response

    def _tenant_of(self, request: HttpRequest) -> TenantRef | None:
        visit = visiting.visit_of(request.session)
        return session_tenant(request) if visit is None else _visited(request, visit)


def _visited(request: HttpRequest, visit: visiting.Visit) -> TenantRef | None:
    """The tenant that one of the platform's staff acts for by this request, or None where that is over. They are
    recognised first, because inside a tenant nobody sees them."""
    with doing_as(Actor("system", ip=address_of(request))):
        user = get_user(request)
        if not isinstance(user, User) or str(user.pk) != visit.staff_id:
            # Deactivated, or their password was changed. It stays over should they be let in again.
            request.session.pop(visiting.KEY, None)
            visiting.end(visit, "their session ended")
            return None
        if visit.is_over:
            visiting.leave(request.session, "its time ran out")
            return None
        tenant = resolve_tenant(KeyKind.TENANT, str(visit.tenant_id))
        if tenant is None:
            visiting.leave(request.session, "the company was suspended")
            return None
    user.visit_writes = visit.writes
    request._cached_user = user  # type: ignore[attr-defined]  # where Django's middleware looks for who was found
    return None if request.path.startswith(OWN_PATHS) else tenant


def session_tenant(request: HttpRequest) -> TenantRef | None:
    """The tenant of the signed-in session, or None for visitors and platform staff."""
    value = request.session.get(TENANT_KEY)
    return resolve_tenant(KeyKind.TENANT, str(uuid.UUID(value))) if value else None


def refusal(request: HttpRequest) -> HttpResponse | None:
    """The answer to one of the platform's staff who only looks and yet asks for a change; None for everybody else."""
    visit = visiting.visit_of(request.session)
    if visit is None or visit.writes or request.method in SAFE_METHODS or request.path in ASKING:
        return None
    messages = "You are only looking. To change things, choose the company again and say so."
    return HttpResponseForbidden(messages, content_type="text/plain; charset=utf-8")


def _actor(request: HttpRequest) -> Actor | None:
    """Who changes something by this request, so far as its session says; nobody where it only reads."""
    if request.method in SAFE_METHODS or not request.path.startswith((ADMIN_PATH, ACCOUNT_PATH)):
        return None
    person = request.session.get(SESSION_KEY)
    visit = visiting.visit_of(request.session)
    if visit is not None:
        return visit.actor(address_of(request))
    return Actor("user" if person else "system", person, ip=address_of(request))


def _moving(request: HttpRequest) -> HttpResponse:
    """The tenant's rows are being moved (`tenants.moving`)."""
    if request.path.startswith(PROGRAM_PATHS):
        return problems.moving()
    return HttpResponse(MOVING, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})
