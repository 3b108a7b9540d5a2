"""Doors made for the tests of the REST base: one that stores, one that asks, and ones that break."""

from django.db import DataError, IntegrityError
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from kernel.errors import Conflict, FrontdeskError, NotAllowed, ProviderError, TooLarge, UnsupportedType
from tenants.context import current_tenant
from tenants.models import ApiKey
from tenants.rest.fields import (
    Choice,
    Flag,
    Id,
    Integer,
    JsonObject,
    Money,
    Number,
    StrictSerializer,
    Text,
    TextList,
    Time,
)
from tenants.rest.pagination import newest_first
from tenants.rest.problems import bad_request, page_not_found, permission_denied, server_error
from tenants.rest.views import TenantView, found, routes


class EverythingFields(StrictSerializer):
    id = Id(read_only=True)
    name = Text(max_length=20)
    count = Integer(required=False, min_value=1)
    share = Number(required=False, max_digits=3, decimal_places=2, min_value=0, max_value=2)
    price = Money(required=False)
    on = Flag(required=False)
    other = Id(required=False)
    colour = Choice(["red", "blue"], required=False)
    at = Time(required=False)
    tags = TextList(item_length=5, required=False, max_length=2)
    metadata = JsonObject(required=False)


class BudgetReached(FrontdeskError):
    code = "budget_reached"


ERRORS = {
    "conflict": Conflict("taken"),
    "not-allowed": NotAllowed("no"),
    "too-large": TooLarge("at most 3"),
    "type": UnsupportedType("pdf only"),
    "budget": BudgetReached("the budget is spent"),
    "provider": ProviderError("sk-secret refused", provider="openai", retryable=True, retry_after=2.2),
    "data": DataError("invalid byte sequence"),
    "integrity": IntegrityError("duplicate key"),
    "bug": RuntimeError("secret internals"),
}


class Echo(TenantView):
    area = "knowledge"

    @extend_schema(request=EverythingFields, responses=EverythingFields)
    def post(self, request):
        return Response(self.valid(EverythingFields))

    def patch(self, request):
        return Response(self.valid(EverythingFields, partial=True))


class Asks(TenantView):
    area = "knowledge"
    read_methods = frozenset({"POST"})
    atomic = False

    def post(self, request):
        return Response({"tenant": str(self.principal.tenant.id), "inside": current_tenant() is not None})


class Keys(TenantView):
    area = "account"

    def get(self, request):
        return newest_first(
            request, ApiKey.objects.values("id", "name", "created_at"), by=("created_at", "id")
        )


class OneKey(TenantView):
    area = "account"

    def get(self, request, id):
        return Response({"name": found(ApiKey.objects.all(), id).name})

    def patch(self, request, id):
        """Renames, then breaks: the name must be as before."""
        ApiKey.objects.filter(pk=id).update(name="half done")
        raise ERRORS[request.data["error"]]


urlpatterns = [
    *routes("api/echo/", Echo),
    *routes("api/asks/", Asks),
    *routes("api/keys/", Keys),
    *routes("api/keys/<uuid:id>/", OneKey),
    path("page/", Keys.as_view()),
]
handler400, handler403, handler404, handler500 = bad_request, permission_denied, page_not_found, server_error
