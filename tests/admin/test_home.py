"""The home page's charts, and how many queries pages take."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.costs.alerts import BudgetAlert
from billing.costs.models import CostSummary
from config.admin_site import site
from kernel.clock import now
from tenants.context import acting_as
from tenants.models import Tenant, WebhookEndpoint
from tenants.permissions import Role
from tests import conversations
from tests.admin.rows import address, fill
from tests.admin.test_pages import label
from widgets.models import Message, Session

HOME_QUERIES = 28
"""At most, savepoints included, whatever a tenant has; 22 beside savepoints were counted."""
PAGE_QUERIES = 22
"""Of any other page; 16 beside savepoints were counted for the costs, the most."""


def chart(client, key, query=""):
    return next(chart for chart in client.get(f"/admin/{query}").context["charts"] if chart.key == key)


def say(session, seq, at, **metadata):
    return Message.objects.create(
        session=session, seq=seq, role="assistant", content="x", timestamp=at, metadata=metadata
    )


def values(chart):
    return {series.name: list(series.values) for series in chart.series}


def test_sessions_are_counted_by_the_tenants_own_days(acme, bolt, sign_in):
    zone = ZoneInfo("Asia/Tokyo")
    with acting_as(acme):
        Tenant.objects.filter(pk=acme.pk).update(settings={"timezone": "Asia/Tokyo"})
    today = datetime.combine(now().astimezone(zone).date(), datetime.min.time(), tzinfo=zone)
    for tenant, moments in ((acme, [today, today - timedelta(minutes=1)]), (bolt, [today] * 3)):
        for moment in moments:
            session = conversations.session(tenant)
            with acting_as(tenant):
                Session.objects.filter(pk=session.pk).update(created_at=moment)
    drawn = chart(sign_in(acme), "sessions", "?days=7")
    assert drawn.days[-1] == today.date()
    assert values(drawn) == {"Sessions": [0, 0, 0, 0, 0, 1, 1]}


def test_answers_are_told_from_abstentions_and_waiting_is_measured(acme, bolt, sign_in):
    ours, theirs = conversations.session(acme), conversations.session(bolt)
    yesterday = now() - timedelta(days=1)
    with acting_as(acme):
        say(ours, 1, now(), event=None, firstTokenMs=100)
        say(ours, 2, now(), event="abstained", firstTokenMs=300)
        say(ours, 3, now(), event="model_unavailable")
        say(ours, 4, yesterday, firstTokenMs="not a number")
        say(ours, 5, now() - timedelta(days=60), firstTokenMs=9)
    with acting_as(bolt):
        say(theirs, 1, now(), event="abstained", firstTokenMs=9_999)
    client = sign_in(acme)
    answers, speed = chart(client, "answers", "?days=7"), chart(client, "speed", "?days=7")
    assert values(answers) == {"Answered": [0] * 5 + [1, 1], "Unanswered": [0] * 6 + [2]}
    assert values(speed)["Median"] == [None] * 6 + [200]
    assert values(speed)["95th percentile"] == [None] * 6 + [pytest.approx(290)]
    assert sum(values(chart(client, "answers", "?days=90"))["Answered"]) == 3


def test_spend_is_drawn_by_service(acme, bolt, sign_in):
    start = now().replace(hour=0, minute=0, second=0, microsecond=0)
    for tenant, cost in ((acme, "2.5"), (bolt, "99")):
        with acting_as(tenant):
            for service in ("llm", "embedding"):
                CostSummary.objects.create(
                    period="day", period_start=start, period_end=start + timedelta(days=1), service=service,
                    provider="openai", model="m", total_cost_usd=Decimal(cost), event_count=1,
                )  # fmt: skip
    drawn = chart(sign_in(acme), "spend", "?days=7")
    assert values(drawn) == {name: [0.0] * 6 + [2.5] for name in ("Language model", "Embedding")}
    assert drawn.rows[0].total == "$5.00"


@pytest.mark.parametrize(
    ("query", "length"), [("", 30), ("?days=7", 7), ("?days=90", 90), ("?days=8", 30), ("?days=x", 30)]
)
def test_the_choice_of_days(acme, sign_in, query, length):
    page = sign_in(acme).get(f"/admin/{query}")
    assert all(len(chart.days) == length for chart in page.context["charts"])
    assert f'<a href="?days={length}" aria-current="true">' in page.content.decode()


def test_every_chart_has_its_figures_as_a_table(filled, acme, sign_in):
    page = sign_in(acme).get("/admin/").content.decode()
    assert page.count("<figure") == 4
    assert page.count("<figcaption") == 4
    drawn = page.count("<svg viewBox")
    assert drawn >= 2
    assert page.count("Show as a table") == drawn


def test_a_member_sees_charts_without_money(filled, acme, sign_in):
    charts = sign_in(acme, Role.MEMBER).get("/admin/").context["charts"]
    assert [chart.key for chart in charts] == ["sessions", "answers", "speed"]


def queries(client, path):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path, follow=True).status_code == 200
        counted = len(captured)
    assert counted > 0, "nothing was captured, so that a bound would say nothing"
    return counted


def test_the_home_page_takes_a_bounded_number_of_queries(filled, acme, sign_in):
    client = sign_in(acme)
    few = queries(client, "/admin/")
    for number in range(5):
        fill(acme, f" {number}")
    assert queries(client, "/admin/?days=90") <= few <= HOME_QUERIES


@pytest.mark.parametrize("model", sorted(site._registry, key=label), ids=label)
def test_no_list_asks_for_each_of_its_rows(model, filled, acme, sign_in):
    client = sign_in(acme)
    client.get(address(model), follow=True)
    few = queries(client, address(model))
    for number in range(4):
        fill(acme, f" {number}")
    assert queries(client, address(model)) <= few <= PAGE_QUERIES


@pytest.mark.parametrize(
    "path", ["/admin/costs/", "/admin/search-bench/", "/admin/knowledge/document/upload/"]
)
def test_pages_of_no_table_take_a_bounded_number_too(path, filled, acme, sign_in):
    client = sign_in(acme)
    few = queries(client, path)
    for number in range(4):
        fill(acme, f" {number}")
    assert queries(client, path) <= few <= PAGE_QUERIES


def test_what_is_wrong_stands_above_everything_for_those_whom_it_concerns(filled, acme, bolt, sign_in):
    with acting_as(acme):
        budget = BudgetAlert.objects.get().budget
        BudgetAlert.objects.create(
            budget=budget, period_start=budget.period_start, fraction=1, threshold=1000, current_spend=1001,
            period="monthly", severity="critical",
        )  # fmt: skip
        WebhookEndpoint.objects.update(is_active=False, disabled_reason="gone")
    titles = [notice.title for notice in sign_in(acme).get("/admin/").context["notices"]]
    assert titles == [
        "The monthly budget of $1,000.00 is used up.",
        "The webhook acme desk was turned off.",
    ]
    assert sign_in(acme, Role.MEMBER).get("/admin/").context["notices"] == []
    (theirs,) = sign_in(bolt).get("/admin/").context["notices"]
    assert theirs.title == "The monthly budget of $1,000.00 has reached 80\N{NO-BREAK SPACE}%."
