"""The admin's home: how things stand, how the last weeks went, and what a new tenant does next."""

from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Q, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from billing.costs.models import Budget, BudgetPeriod, CostSummary, SummaryPeriod
from config.dashboard import Span, answers_by_day, sessions_by_day, spend_by_day
from config.home_notices import notices
from kernel.clock import now
from knowledge.models import Document, DocumentStatus
from tenants.administration import dollars
from tenants.administration.charts import Chart
from tenants.context import current_tenant
from widgets.counting import STOPPED_BY_CAP
from widgets.models import Message, MessageRole, Session, SessionStatus, Widget

LATEST: Final = 8


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the home page and where it leads."""

    label: str
    value: str
    note: str
    link: str
    is_alarming: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Something a new tenant does once."""

    title: str
    note: str
    link: str
    is_done: bool


def home(request: HttpRequest) -> dict[str, Any]:
    """The home page's context: figures, charts and first steps that this person may see; none without a tenant."""
    if current_tenant() is None:
        return {"figures": [], "charts": [], "steps": [], "latest": [], "has_tenant": False}
    figures = [*_conversations(request), *_knowledge(request), *_costs(request)]
    steps = _first_steps(request)
    span = Span.asked(request)
    return {
        "span": span,
        "charts": _charts(request, span),
        "figures": figures,
        "steps": [] if all(step.is_done for step in steps) else steps,
        "has_tenant": True,
        "notices": notices(request),
        "latest": _latest(request),
    }


def _charts(request: HttpRequest, span: Span) -> list[Chart]:
    charts: list[Chart] = []
    if _may_view(request, "widgets.view_session"):
        answers, speed = answers_by_day(span)
        charts += [sessions_by_day(span), answers]
        charts += [spend_by_day(span)] if _may_view(request, "billing.view_costsummary") else []
        charts.append(speed)
    return charts


def _conversations(request: HttpRequest) -> list[Figure]:
    if not _may_view(request, "widgets.view_session"):
        return []
    counts = Session.objects.exclude(status=SessionStatus.ENDED).aggregate(
        all=Count("pk"), waiting=Count("pk", filter=Q(status=SessionStatus.WAITING))
    )
    today = Message.objects.filter(timestamp__gte=_midnight(), role=MessageRole.ASSISTANT).aggregate(
        all=Count("pk"),
        abstained=Count("pk", filter=Q(metadata__event="abstained")),
        capped=Count("pk", filter=STOPPED_BY_CAP),
    )
    sessions, messages = _list("widgets_session"), _list("widgets_message")
    capped = Figure(
        "Stopped by a spend cap today",
        str(today["capped"]),
        "the AI was not asked",
        f"{messages}?outcome=capped",
        is_alarming=True,
    )
    waiting = f"{counts['waiting']} waiting for a person" if counts["waiting"] else "nobody is waiting"
    return [
        Figure(
            "Open conversations",
            str(counts["all"]),
            waiting,
            f"{sessions}?status__exact=waiting" if counts["waiting"] else sessions,
            is_alarming=bool(counts["waiting"]),
        ),
        Figure(
            "Unanswered today",
            str(today["abstained"]),
            f"of {today['all']} answers",
            f"{messages}?outcome=unanswered",
        ),
        *([capped] if today["capped"] else []),
    ]


def _knowledge(request: HttpRequest) -> list[Figure]:
    if not _may_view(request, "knowledge.view_document"):
        return []
    counts = dict(
        Document.objects.filter(deleted_at=None).order_by().values_list("status").annotate(number=Count("pk"))
    )
    working = counts.get(DocumentStatus.PENDING, 0) + counts.get(DocumentStatus.PROCESSING, 0)
    failed = counts.get(DocumentStatus.FAILED, 0)
    documents = _list("knowledge_document")
    return [
        Figure(
            "Documents ready",
            str(counts.get(DocumentStatus.READY, 0)),
            f"{working} in work" if working else "none in work",
            documents,
        ),
        Figure(
            "Documents failed",
            str(failed),
            "each says why" if failed else "all is well",
            f"{documents}?status__exact=failed" if failed else documents,
            is_alarming=bool(failed),
        ),
    ]


def _costs(request: HttpRequest) -> list[Figure]:
    if not _may_view(request, "billing.view_costsummary"):
        return []
    # Months are not folded yet; their days are.
    days = CostSummary.objects.filter(period=SummaryPeriod.DAY, period_start__gte=_midnight().replace(day=1))
    month = days.aggregate(cost=Sum("total_cost_usd"), unpriced=Sum("unpriced_count"))
    spent: Decimal = month["cost"] or Decimal(0)
    limit = (
        Budget.objects.filter(period=BudgetPeriod.MONTHLY)
        .order_by("limit_usd")
        .values_list("limit_usd", flat=True)
        .first()
    )
    if month["unpriced"]:
        note = f"{month['unpriced']} without a price"
    else:
        note = f"of {dollars(limit)} budgeted" if limit is not None else "no monthly budget"
    return [
        Figure(
            "Spent this month",
            dollars(spent),
            note,
            reverse("admin:costs"),
            is_alarming=limit is not None and spent >= limit,
        )
    ]


def _latest(request: HttpRequest) -> list[Session]:
    if not _may_view(request, "widgets.view_session"):
        return []
    return list(Session.objects.select_related("visitor", "widget").order_by("-created_at", "-id")[:LATEST])


def _first_steps(request: HttpRequest) -> list[Step]:
    if not _may_view(request, "widgets.add_widget"):
        return []
    widget = Widget.objects.order_by("id").first()
    return [
        Step(
            "Teach it something",
            "Upload documents or write one; the AI answers from nothing else.",
            reverse("admin:knowledge_document_upload"),
            Document.objects.filter(deleted_at=None).exists(),
        ),
        Step(
            "Make a widget",
            "Say which websites may show it and how it looks.",
            reverse("admin:widgets_widget_add"),
            widget is not None,
        ),
        Step(
            "Put it on your website",
            "Copy the widget's snippet and ask it the first question.",
            reverse("admin:widgets_widget_change", args=[widget.pk]) if widget else _list("widgets_widget"),
            Session.objects.exists(),
        ),
    ]


def _midnight() -> datetime:
    """When today began for the acting tenant."""
    zone = timezone.get_current_timezone()
    return datetime.combine(now().astimezone(zone).date(), time.min, tzinfo=zone)


def _may_view(request: HttpRequest, permission: str) -> bool:
    return request.user.has_perm(permission)


def _list(name: str) -> str:
    return reverse(f"admin:{name}_changelist")
