"""What the admin's charts are drawn from: one query for each, grouped by the days of the tenant's time zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

from django.db.models import Aggregate, Case, CharField, Count, F, FloatField, Func, Q, QuerySet, Value, When
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast, TruncDate
from django.http import HttpRequest
from django.utils import timezone

from billing.costs.models import Service
from billing.costs.summaries import CostReport, summaries
from kernel.clock import now
from tenants.administration.charts import Chart, Series
from tenants.administration.wording import dollars
from widgets.models import Message, MessageRole, Session

CHOICES: Final = (7, 30, 90)
DEFAULT: Final = 30
# The same colour for a service on every chart.
TONES: Final = {service: str(number) for number, service in enumerate(Service.values, 1)}


@dataclass(frozen=True, slots=True)
class Span:
    """The last so many days, today included, in the tenant's time zone."""

    length: int
    zone: tzinfo

    @classmethod
    def asked(cls, request: HttpRequest) -> "Span":
        """What `?days=` asks for; 30 for anything but 7, 30 and 90."""
        asked = request.GET.get("days", "")
        length = int(asked) if asked in map(str, CHOICES) else DEFAULT
        return cls(length, timezone.get_current_timezone())

    @property
    def days(self) -> list[date]:
        """Each day, oldest first."""
        today = now().astimezone(self.zone).date()
        return [today - timedelta(days=back) for back in range(self.length - 1, -1, -1)]

    @property
    def start(self) -> datetime:
        """When the first day began."""
        return datetime.combine(self.days[0], time.min, tzinfo=self.zone)

    @property
    def choices(self) -> list[tuple[int, bool]]:
        """Each length to choose from, and whether it is this one."""
        return [(length, length == self.length) for length in CHOICES]


class Percentile(Aggregate):
    """PostgreSQL's percentile_cont over the rows that have a value."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()

    def __init__(self, expression: Any, share: float, **extra: Any) -> None:
        super().__init__(expression, share=share, **extra)


def sessions_by_day(span: Span) -> Chart:
    """Conversations begun."""
    rows = Session.objects.filter(created_at__gte=span.start)
    counted = _by_day(rows, "created_at", span, begun=Count("pk"))
    return Chart(
        "sessions",
        "Sessions per day",
        span.days,
        [Series("Sessions", "1", [_count(counted, day, "begun") for day in span.days])],
        empty="No conversation has begun in this time. Put a widget's snippet on your website.",
    )


def answers_by_day(span: Span) -> tuple[Chart, Chart]:
    """The AI's answers: answered and not; and how long visitors waited for the first words. One query for both."""
    first = Cast(KeyTransform("firstTokenMs", "metadata"), FloatField())
    is_number = Func(
        KeyTransform("firstTokenMs", "metadata"), function="jsonb_typeof", output_field=CharField()
    )
    answers = (
        Message.objects.filter(timestamp__gte=span.start, role=MessageRole.ASSISTANT, author=None)
        .annotate(kind=is_number)
        .annotate(waited=Case(When(kind=Value("number"), then=first), output_field=FloatField()))
    )
    counted = _by_day(
        answers,
        "timestamp",
        span,
        every=Count("pk"),
        unanswered=Count("pk", filter=Q(metadata__event__isnull=False) & ~Q(metadata__event=None)),
        p50=Percentile(F("waited"), 0.5),
        p95=Percentile(F("waited"), 0.95),
    )
    unanswered = [_count(counted, day, "unanswered") for day in span.days]
    every = [_count(counted, day, "every") for day in span.days]
    answered = Chart(
        "answers",
        "Answered and unanswered per day",
        span.days,
        [
            Series("Answered", "good", [all_ - bad for all_, bad in zip(every, unanswered, strict=True)]),
            Series("Unanswered", "bad", unanswered),
        ],
        note="Unanswered: the AI found nothing to rest on, or could not be asked.",
        empty="The AI has answered nothing in this time.",
    )
    speed = Chart(
        "speed",
        "Time to first token",
        span.days,
        [
            Series("Median", "1", [_of(counted, day, "p50") for day in span.days]),
            Series("95th percentile", "4", [_of(counted, day, "p95") for day in span.days]),
        ],
        kind="lines",
        show=milliseconds,
        note="From a question to the first words of its answer.",
        empty="No answer of this time says how long its first words took.",
    )
    return answered, speed


def spend_by_day(span: Span) -> Chart:
    """Dollars by service, from the cost summaries."""
    report = summaries(start=span.start, by=("service",))
    return spend_chart(
        "spend", "Spend by service and day", span, report, "service", dict(Service.choices), TONES
    )


def spend_chart(
    key: str,
    title: str,
    span: Span,
    report: CostReport,
    dimension: str,
    names: Mapping[str, str],
    tones: Mapping[str, str],
) -> Chart:
    """A report's rows by day as stacked bars, a layer for each value of `dimension`, the dearest first."""
    layers: dict[str, dict[date, float]] = {}
    for row in report.rows:
        day = row["period_start"].astimezone(span.zone).date()
        layer = layers.setdefault(row[dimension], {})
        layer[day] = layer.get(day, 0.0) + float(row["total_cost_usd"])
    ordered = sorted(layers, key=lambda value: -sum(layers[value].values()))
    series = [
        Series(
            names[value].capitalize() if value in names else value or "none",
            tones.get(value, str(number % 6 + 1)),
            [layers[value].get(day, 0.0) for day in span.days],
        )
        for number, value in enumerate(ordered)
    ]
    return Chart(key, title, span.days, series, show=money, empty="Nothing was spent in this time.")


def milliseconds(value: float) -> str:
    """`420 ms`, `1.3 s`."""
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def money(value: float) -> str:
    """Dollars on a chart, which may be rounded."""
    return dollars(Decimal(f"{value:.6f}"))


def _by_day(rows: "QuerySet[Any]", field: str, span: Span, **figures: Any) -> dict[date, dict[str, Any]]:
    grouped = (
        rows.order_by().annotate(day=TruncDate(field, tzinfo=span.zone)).values("day").annotate(**figures)
    )
    return {row["day"]: row for row in grouped}


def _count(counted: dict[date, dict[str, Any]], day: date, figure: str) -> float:
    return float(counted.get(day, {}).get(figure) or 0)


def _of(counted: dict[date, dict[str, Any]], day: date, figure: str) -> float | None:
    value = counted.get(day, {}).get(figure)
    return None if value is None else float(value)
