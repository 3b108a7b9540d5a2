"""The doors of cost-events/, cost-summaries/ and usage/."""

import uuid
from typing import Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.costs.intake import ingest
from billing.costs.listing import EVENT_COLUMNS, as_cost_event_object, event_filters, report_options
from billing.costs.models import CostEvent, Service, SummaryPeriod
from billing.costs.representing import (
    NEW_EVENTS_SCHEMA,
    RECORDED_EVENTS_SCHEMA,
    CostEventFields,
    CostReportFields,
    PlanUsageFields,
)
from billing.costs.summaries import DIMENSIONS, summaries
from billing.usage import as_usage_object, usage
from kernel.errors import NotFound
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.views import OneRow, TenantView, routes

START: Final = OpenApiParameter(
    "start", OpenApiTypes.DATETIME, description="From here on: a time, or a date in your time zone."
)
END: Final = OpenApiParameter("end", OpenApiTypes.DATETIME, description="Up to here, not included.")
FILTERS: Final = [
    OpenApiParameter("session", uuid.UUID, description="Only events of this conversation."),
    OpenApiParameter("message", uuid.UUID, description="Only events of this answer."),
    OpenApiParameter("service", str, enum=Service.values, description="Only events of this service."),
    OpenApiParameter("provider", str, description="Only events of this provider."),
    OpenApiParameter("model", str, description="Only events of this model."),
    OpenApiParameter("feature", str, description="Only events of this feature."),
    START,
    END,
]
GROUPINGS: Final = [
    START,
    END,
    OpenApiParameter(
        "group_by",
        str,
        enum=SummaryPeriod.values,
        default=SummaryPeriod.DAY,
        description="How long each row's period is.",
    ),
    OpenApiParameter("by", str, description=f"Comma-separated dimensions of {', '.join(DIMENSIONS)}."),
]


class CostEvents(TenantView):
    """What each call to an AI service used and cost."""

    area = "billing"

    @extend_schema(
        operation_id="cost_events_list",
        parameters=[*PAGE_PARAMETERS, *FILTERS],
        responses=page_of(CostEventFields),
    )
    def get(self, request: Request) -> Response:
        """List cost events, newest first."""
        rows = CostEvent.objects.filter(**event_filters(request.query_params.dict())).values(*EVENT_COLUMNS)
        return newest_first(request, rows, by=("timestamp", "id"), as_object=as_cost_event_object)

    @extend_schema(
        operation_id="cost_events_create",
        request={"application/json": NEW_EVENTS_SCHEMA},
        responses={(201, "application/json"): RECORDED_EVENTS_SCHEMA},
    )
    def post(self, request: Request) -> Response:
        """Record one event, or an array of up to 1,000, from your own workers; the answer has the same shape.

        A repeated `idempotency_key` is answered with the event of the first time.
        """
        found = [
            {"id": event.id, "cost_usd": event.cost_usd, "is_new": event.is_new}
            for event in ingest(request.data)
        ]
        return Response(found if isinstance(request.data, list) else found[0], status=201)


class OneCostEvent(OneRow):
    """One cost event."""

    area = "billing"

    @extend_schema(operation_id="cost_events_read", responses=CostEventFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a cost event."""
        row = CostEvent.objects.filter(pk=id).values(*EVENT_COLUMNS).first()
        if row is None:
            raise NotFound(f"There is no cost event {id}.")
        return Response(as_cost_event_object(row))


class CostSummaries(TenantView):
    """What was spent, per hour, day, week or month."""

    area = "billing"

    @extend_schema(operation_id="cost_summaries_read", parameters=GROUPINGS, responses=CostReportFields)
    def get(self, request: Request) -> Response:
        """Sum up costs. Hours are in UTC, longer periods in your time zone; new events are in it within seconds."""
        report = summaries(**report_options(request.query_params.dict()))
        return Response({"results": report.rows, "totals": report.totals})


class UsageNow(TenantView):
    """What is used of what the plan allows."""

    area = "billing"

    @extend_schema(operation_id="usage_read", responses=PlanUsageFields)
    def get(self, request: Request) -> Response:
        """What you use this month beside your plan's limits."""
        return Response(as_usage_object(usage()))


urlpatterns = [
    *routes("cost-events/", CostEvents),
    *routes("cost-events/<uuid:id>/", OneCostEvent),
    *routes("cost-summaries/", CostSummaries),
    *routes("usage/", UsageNow),
]
