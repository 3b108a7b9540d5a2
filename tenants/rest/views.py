"""The base of every REST door."""

import uuid
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Final, TypeVar, cast

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.errors import NotFound
from kernel.limiting import Limit, take
from tenants.auditing.actors import SAFE_METHODS, Actor, address_of, doing_as
from tenants.context import acting_as
from tenants.rest.conditional import refuse_other_versions, versioned
from tenants.rest.fields import StrictSerializer
from tenants.rest.idempotency import Once, StillRunning, forget, keep, kept_stream, once
from tenants.rest.openapi import ProblemSchema
from tenants.rest.scopes import Principal

M = TypeVar("M", bound=Model)

# Ten seconds' worth at once. A list of 50 costs some 3 ms of CPU: one key can keep a third of a core busy, not more.
PER_CALLER: Final = Limit("caller", 20.0, 200)
PER_TENANT: Final = Limit("tenant", 100.0, 1000)


class TenantView(APIView):
    """A view that acts for the caller's tenant.

    The caller is recognised, their scope is checked and the body is read before any transaction is open. Then handler
    and rendering run inside one `acting_as`, so that nothing lazy is evaluated outside it and an exception rolls all
    back. With `atomic = False` the view opens short contexts itself: it calls a provider, and no transaction may wait.
    """

    area: ClassVar[str]
    atomic: ClassVar[bool] = True
    read_methods: ClassVar[frozenset[str]] = frozenset()
    problems: ClassVar[tuple[int, ...]] = ()
    # Whether what is read has an ETag: for single items and small lists. It costs a hash of the answer.
    versioned: ClassVar[bool] = False

    schema = ProblemSchema()
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]

    @property
    def principal(self) -> Principal:
        """Who is calling."""
        return cast(Principal, self.request.user)

    def valid(self, serializer: type[StrictSerializer], *, partial: bool = False) -> dict[str, Any]:
        """The body's fields as `serializer` reads them. Raises ValidationError (400) naming each wrong one."""
        checked = serializer(data=self.request.data, partial=partial, context={"request": self.request})
        checked.is_valid(raise_exception=True)
        return cast(dict[str, Any], checked.validated_data)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        wrapped = self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        response: Any
        try:
            self.initial(wrapped, *args, **kwargs)
            with doing_as(self._actor(request)):
                response = self._once_or_simply(wrapped)
        except Exception as error:
            response = self.handle_exception(error)
            response = self.finalize_response(wrapped, response, *args, **kwargs)
        self.response = response
        return cast(HttpResponseBase, response)

    def actor(self, request: HttpRequest) -> Actor:
        """Who is calling, for the record."""
        return Actor(self.principal.kind, str(self.principal.id), ip=address_of(request))

    def _actor(self, request: HttpRequest) -> Actor | None:
        """Who changes something by this request; nobody where it only reads."""
        if request.method in SAFE_METHODS or request.method in self.read_methods:
            return None
        return self.actor(request)

    def _once_or_simply(self, request: Request) -> HttpResponseBase:
        sent_once = once(request, self.principal.tenant, self.principal.id)
        if sent_once is None:
            with self._context():
                return self._answered(request)
        if self.atomic:
            return self._once_in_a_transaction(request, sent_once)
        return self._once_with_a_lease(request, sent_once)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self._limit()
        if request.method not in ("GET", "HEAD", "DELETE"):
            _ = request.data  # a slow or broken body is met here, where no transaction waits for it

    def _limit(self) -> None:
        """Count the request. Raises Throttled (429); every answer tells how much room is left."""
        verdict = take((PER_CALLER, str(self.principal.id)), (PER_TENANT, str(self.principal.tenant.id)))
        if verdict is not None:
            self.headers |= verdict.headers()
            if not verdict.allowed:
                raise Throttled(wait=verdict.retry_after_s, code="rate_limited")

    def _answered(self, request: Request) -> HttpResponseBase:
        response = self._handler(request)(request, *self.args, **self.kwargs)
        response = self.finalize_response(request, response, *self.args, **self.kwargs)
        if self.atomic and isinstance(response, Response):
            response.render()
            if self.versioned and request.method in ("GET", "HEAD"):
                return versioned(request, response)
        return cast(HttpResponseBase, response)

    def _once_in_a_transaction(self, request: Request, sent_once: Once) -> HttpResponseBase:
        with acting_as(self.principal.tenant):
            claim = sent_once.claim()
            if claim is None:
                raise StillRunning("The first request with this key is still running.")
            if isinstance(claim, HttpResponse):
                return claim
            response = self._answered(request)
            if isinstance(response, HttpResponse):
                keep(claim, response)
            return response

    def _once_with_a_lease(self, request: Request, sent_once: Once) -> HttpResponseBase:
        claim = sent_once.claim_or_wait()
        if isinstance(claim, HttpResponse):
            return claim
        try:
            response = self._answered(request)
            if isinstance(response, StreamingHttpResponse):
                return kept_stream(claim, response)
            if isinstance(response, Response):
                response.render()
            if isinstance(response, HttpResponse):
                with acting_as(claim.tenant):
                    keep(claim, response)
        except BaseException:
            forget(claim)
            raise
        return response

    def _context(self) -> AbstractContextManager[Any]:
        return acting_as(self.principal.tenant) if self.atomic else nullcontext()

    def _handler(self, request: Request) -> Any:
        name = (request.method or "").lower()
        found = getattr(self, name, None) if name in self.http_method_names else None
        return found or self.http_method_not_allowed


class OneRow(TenantView):
    """One thing at an address of its own. What is read has a version (ETag); a change may name the one that it is meant
    for (If-Match), and is 412 where there is another by then."""

    versioned = True

    def _answered(self, request: Request) -> HttpResponseBase:
        if request.method in ("PATCH", "PUT", "DELETE") and request.method.lower() in self._own_methods():
            refuse_other_versions(request, lambda: self.get(request, *self.args, **self.kwargs))  # type: ignore[attr-defined]  # each has one
        return super()._answered(request)

    @classmethod
    def _own_methods(cls) -> frozenset[str]:
        return frozenset(name for name in cls.http_method_names if hasattr(cls, name))


def found(rows: "QuerySet[M, M]", identifier: uuid.UUID) -> M:
    """The row with this id. Raises NotFound when there is none, or none of this tenant's."""
    row = rows.filter(pk=identifier).first()
    if row is None:
        raise NotFound(f"There is no {rows.model._meta.verbose_name} {identifier}.")
    return row


def routes(route: str, view: type[APIView], name: str | None = None) -> list[URLPattern]:
    """`route` as the contract writes it, and the same with or without its final slash: a redirect would lose a body."""
    twin = route.removesuffix("/") if route.endswith("/") else route + "/"
    return [path(route, view.as_view(), name=name), path(twin, view.as_view(schema=None))]
