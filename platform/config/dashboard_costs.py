"""The admin's page of costs: what was spent on what, which conversations were dearest, what the budgets still allow."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Sum
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from billing.admin.budgets import BudgetBar
from billing.costs import budgets
from billing.costs.models import Budget, Service
from billing.costs.summaries import CostReport, summaries
from config.dashboard import TONES, Span, spend_chart
from kernel.errors import InvalidInput
from tenants.administration import dollars, plural
from tenants.context import current_tenant
from widgets.models import Session

DEAREST: Final = 10
DIMENSIONS: Final = {"service": "Service", "model": "Model", "feature": "Feature"}
TEMPLATE: Final = "admin/costs.html"


@dataclass(frozen=True, slots=True)
class Share:
    """What one service, model or feature cost, and its part of the whole in per cent."""

    name: str
    cost: str
    tokens: int
    events: int
    unpriced: int
    percent: float


def costs(request: HttpRequest, context: dict[str, Any]) -> TemplateResponse:
    """The page, in the site's `context`. Raises PermissionDenied for whoever may not see money."""
    if current_tenant() is None or not request.user.has_perm("billing.view_costsummary"):
        raise PermissionDenied
    # A budget whose period has turned says so once somebody looks.
    budgets.refresh()
    span = Span.asked(request)
    asked = request.GET.get("by", "")
    dimension = asked if asked in DIMENSIONS else "service"
    return TemplateResponse(request, TEMPLATE, {**context, "title": "Costs", **_figures(span, dimension)})


def _figures(span: Span, dimension: str) -> dict[str, Any]:
    try:
        report = summaries(start=span.start, by=(dimension,))
        note = ""
    except InvalidInput:
        report = CostReport([], summaries(start=span.start).totals)
        note = "There are too many to draw. Ask for fewer days."
    names = dict(Service.choices) if dimension == "service" else {}
    tones = TONES if dimension == "service" else {}
    title = f"Spend by {dimension} and day"
    sessions = Session.objects.filter(created_at__gte=span.start).aggregate(
        number=Count("pk"), cost=Sum("cost_usd")
    )
    return {
        "span": span,
        "dimension": dimension,
        "dimensions": DIMENSIONS.items(),
        "chart": spend_chart("spend", title, span, report, dimension, names, tones),
        "note": note,
        "shares": list(_shares(report, dimension, names)),
        "total": dollars(report.totals["total_cost_usd"]),
        "totals": report.totals,
        "per_session": _per_session(sessions["cost"], sessions["number"]),
        "sessions": plural(sessions["number"], "conversation"),
        "dearest": _dearest(span),
        "budgets": [BudgetBar.of(budget) for budget in Budget.objects.order_by("period", "id")],
        "unpriced_link": f"{reverse('admin:billing_costevent_changelist')}?price=missing",
    }


def _shares(report: CostReport, dimension: str, names: dict[str, str]) -> Iterable[Share]:
    """The rows of the report without their days, the dearest first."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in report.rows:
        by_name.setdefault(row[dimension], []).append(row)
    whole = report.totals["total_cost_usd"]

    def spent(name: str) -> Decimal:
        return sum((row["total_cost_usd"] for row in by_name[name]), Decimal(0))

    for name in sorted(by_name, key=spent, reverse=True):
        rows = by_name[name]
        yield Share(
            name=names[name].capitalize() if name in names else name or "none",
            cost=dollars(spent(name)),
            tokens=sum(row["total_tokens"] for row in rows),
            events=sum(row["event_count"] for row in rows),
            unpriced=sum(row["unpriced_count"] for row in rows),
            percent=float(spent(name) / whole * 100) if whole else 0.0,
        )


def _per_session(cost: Decimal | None, number: int) -> str:
    return dollars(cost / number) if cost is not None and number else "none yet"


def _dearest(span: Span) -> list[tuple[Session, str]]:
    rows = Session.objects.filter(created_at__gte=span.start, cost_usd__gt=0).select_related(
        "visitor", "widget"
    )
    return [(row, dollars(row.cost_usd)) for row in rows.order_by("-cost_usd", "-id")[:DEAREST]]
