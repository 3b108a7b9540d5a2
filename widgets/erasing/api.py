"""The doors of visitors/ (their erasure) and erasures/ (its receipts)."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.context import acting_as
from tenants.models import ErasureReceipt
from tenants.rest.fields import Id, Integer, StrictSerializer, Text, Time
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.views import OneRow, TenantView, found, routes
from widgets.erasing.visitors import begin, carry_out_soon


class CountedFields(StrictSerializer):
    """How much there was of one thing."""

    name = Text(help_text="A table, or a place outside the database.")
    before = Integer()
    after = Integer(help_text="0: nothing is left.")


class ErasureFields(StrictSerializer):
    """What was erased of a visitor. It names nobody: it stays when they are gone."""

    id = Id()
    visitor = Id(help_text="The id that they had.")
    requested_by = Text(help_text="Whose order it was, such as user:<id> or key:<id>.")
    counted = CountedFields(many=True)
    created_at = Time()
    finished_at = Time(allow_null=True, help_text="null: it is being carried out.")


class OneVisitor(TenantView):
    """Somebody who talked to you."""

    area = "account"
    # It waits for running answers to stop.
    atomic = False

    @extend_schema(
        operation_id="visitors_delete", request=None, responses={200: ErasureFields, 202: ErasureFields}
    )
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Erase a visitor: conversations, feedback, names, and what names them in the ledger, whose money stays.

        Answers with the receipt; asking again gives the same one. 202: something is away, and it goes on by itself.
        """
        caller = self.principal
        with acting_as(caller.tenant):
            order = begin(id, caller.called)
        receipt = carry_out_soon(caller.tenant, order)
        return Response(as_object(receipt), status=200 if receipt.finished_at else 202)


class Erasures(TenantView):
    """Receipts of what was erased."""

    area = "account"

    @extend_schema(
        operation_id="erasures_list",
        parameters=PAGE_PARAMETERS,
        request=None,
        responses=page_of(ErasureFields),
    )
    def get(self, request: Request) -> Response:
        """List the receipts of erased visitors, newest first."""
        return newest_first(request, ErasureReceipt.objects.all(), as_object=as_object)


class OneErasure(OneRow):
    """One receipt."""

    area = "account"

    @extend_schema(operation_id="erasures_read", responses=ErasureFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a receipt."""
        return Response(as_object(found(ErasureReceipt.objects.all(), id)))


def as_object(receipt: ErasureReceipt) -> dict[str, Any]:
    """A receipt as the API names its parts."""
    return {
        "id": receipt.pk,
        "visitor": receipt.subject,
        "requested_by": receipt.requested_by,
        "counted": [{"name": name, **counted} for name, counted in sorted(receipt.counted.items())],
        "created_at": receipt.created_at,
        "finished_at": receipt.finished_at,
    }


urlpatterns = [
    *routes("visitors/<uuid:id>/", OneVisitor),
    *routes("erasures/", Erasures),
    *routes("erasures/<uuid:id>/", OneErasure),
]
