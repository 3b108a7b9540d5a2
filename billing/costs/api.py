"""The doors of budgets/ and prices/."""

import uuid
from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.costs.alerts import BudgetAlert, Severity
from billing.costs.budgeting import change_budget, create_budget, delete_budget
from billing.costs.models import Budget, BudgetPeriod, ModelPrice, PriceUnit, Service
from billing.costs.negotiating import add_price, withdraw_price
from billing.costs.representing import BudgetAlertFields, BudgetFields, PriceFields, as_price_object
from tenants.rest.filtering import equal, flag, identified, narrowed, one_of, parameters
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.views import OneRow, TenantView, found, routes

BUDGET_FILTERS: Final = (
    one_of("period", BudgetPeriod, "Only budgets of this period."),
    flag("hard_cap", "Only those that refuse, or only those that warn."),
)
ALERT_FILTERS: Final = (
    flag("resolved", "Only alerts that are over, or only those that are not."),
    identified("budget", "Only alerts of this budget."),
    one_of("severity", Severity, "Only alerts of this severity."),
)
PRICE_FILTERS: Final = (
    equal("provider", "Only prices of this provider."),
    equal("model", "Only prices of this model."),
    one_of("service", Service, "Only prices of this service."),
    one_of("unit", PriceUnit, "Only prices by this unit."),
    flag("is_public", "true: public prices only; false: your own only.", lookup="tenant__isnull"),
)


class Budgets(TenantView):
    """Limits on spending."""

    area = "billing"
    versioned = True

    @extend_schema(
        operation_id="budgets_list",
        parameters=[*PAGE_PARAMETERS, *parameters(BUDGET_FILTERS)],
        request=None,
        responses=page_of(BudgetFields),
    )
    def get(self, request: Request) -> Response:
        """List budgets, newest first, with what is spent and held back."""
        rows = narrowed(request, Budget.objects.all(), BUDGET_FILTERS)
        return newest_first(request, rows, as_object=lambda budget: BudgetFields(budget).data)

    @extend_schema(operation_id="budgets_create", request=BudgetFields, responses={201: BudgetFields})
    def post(self, request: Request) -> Response:
        """Make a budget. It counts what its period has cost already."""
        return Response(BudgetFields(create_budget(**self.valid(BudgetFields))).data, status=201)


class OneBudget(OneRow):
    """One budget."""

    area = "billing"

    @extend_schema(operation_id="budgets_read", responses=BudgetFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a budget."""
        return Response(BudgetFields(found(Budget.objects.all(), id)).data)

    @extend_schema(operation_id="budgets_update", request=BudgetFields, responses=BudgetFields)
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Change a budget."""
        return Response(BudgetFields(change_budget(id, **self.valid(BudgetFields, partial=True))).data)

    @extend_schema(operation_id="budgets_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Delete a budget: it limits nothing any more."""
        delete_budget(id)
        return Response(status=204)


class BudgetAlerts(TenantView):
    """What budgets have warned of."""

    area = "billing"
    versioned = True

    @extend_schema(
        operation_id="budget_alerts_list",
        parameters=[*PAGE_PARAMETERS, *parameters(ALERT_FILTERS)],
        request=None,
        responses=page_of(BudgetAlertFields),
    )
    def get(self, request: Request) -> Response:
        """List budget alerts, newest first."""
        rows = narrowed(request, BudgetAlert.objects.all(), ALERT_FILTERS)
        return newest_first(request, rows, as_object=lambda alert: BudgetAlertFields(alert).data)


class OneBudgetAlert(OneRow):
    """One alert."""

    area = "billing"

    @extend_schema(operation_id="budget_alerts_read", responses=BudgetAlertFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a budget alert."""
        return Response(BudgetAlertFields(found(BudgetAlert.objects.all(), id)).data)


class Prices(TenantView):
    """What models cost."""

    area = "billing"
    versioned = True

    @extend_schema(
        operation_id="prices_list",
        parameters=[*PAGE_PARAMETERS, *parameters(PRICE_FILTERS)],
        request=None,
        responses=page_of(PriceFields),
    )
    def get(self, request: Request) -> Response:
        """List prices, newest first: the public ones and your own, which come before them."""
        rows = narrowed(request, ModelPrice.objects.all(), PRICE_FILTERS)
        return newest_first(request, rows, as_object=as_price_object)

    @extend_schema(operation_id="prices_create", request=PriceFields, responses={201: PriceFields})
    def post(self, request: Request) -> Response:
        """Add a price that you have negotiated. It ends where the next one of the same model begins."""
        return Response(as_price_object(add_price(**self.valid(PriceFields))), status=201)


class OnePrice(OneRow):
    """One price."""

    area = "billing"

    @extend_schema(operation_id="prices_read", responses=PriceFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a price."""
        return Response(as_price_object(found(ModelPrice.objects.all(), id)))

    @extend_schema(operation_id="prices_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Take back a price of your own that has not begun yet."""
        withdraw_price(id)
        return Response(status=204)


urlpatterns = [
    *routes("budgets/", Budgets),
    *routes("budgets/<uuid:id>/", OneBudget),
    *routes("budget-alerts/", BudgetAlerts),
    *routes("budget-alerts/<uuid:id>/", OneBudgetAlert),
    *routes("prices/", Prices),
    *routes("prices/<uuid:id>/", OnePrice),
]
