"""The doors of cost-events/ and cost-summaries/."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson
import pytest

from billing.costs import ledger
from billing.models import CostEvent
from kernel import clock
from kernel.ids import uuid7
from tenants.context import acting_as
from tenants.models import Tenant
from tests import cast, conversations
from tests.billing.spending import event, fold_all, price, spend
from widgets.models import Message

pytestmark = pytest.mark.urls("tests.billing.urls")

ONE = {"service": "voice_stt", "provider": "ears", "model": "m1", "units": 12.5}
LONG_AGO = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)


@pytest.fixture
def call(client, acme):
    secret = cast.api_key(acme)

    def send(method, path, body=None, *, key=secret):
        data = b"" if body is None else orjson.dumps(body)
        return client.generic(
            method, f"/api/v1/{path}", data, "application/json", headers={"Authorization": f"Bearer {key}"}
        )

    return send


def refused(response, status=400):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    return {error["field"]: error["message"] for error in response.json()["errors"]}


class TestSending:
    def test_one_event_is_priced_by_its_time_and_listed(self, call, acme, bolt):
        spend(bolt, "9")
        with acting_as(acme):
            price(
                acme, service="voice_stt", provider="ears", model="m1", unit="seconds", input=Decimal("0.002")
            )
        response = call("POST", "cost-events/", {**ONE, "metadata": {"operation": "call"}})
        assert response.status_code == 201, response.content
        assert response.json()["cost_usd"] == "0.025"
        (row,) = call("GET", "cost-events/").json()["results"]
        assert row["id"] == response.json()["id"]
        assert (row["units"], row["cost_usd"], row["metadata"]) == ("12.5", "0.025", {"operation": "call"})
        assert call("GET", f"cost-events/{row['id']}/").json() == row

    def test_an_array_is_answered_with_an_array(self, call, acme):
        body = [{**ONE, "idempotency_key": "a", "cost_usd": "0.5"}, {**ONE, "idempotency_key": "b"}]
        assert [(r["cost_usd"], r["is_new"]) for r in call("POST", "cost-events/", body).json()] == [
            ("0.5", True),
            (None, True),
        ]
        again = call("POST", "cost-events/", [{**ONE, "idempotency_key": "a", "cost_usd": "7"}]).json()
        assert [(r["cost_usd"], r["is_new"]) for r in again] == [("0.5", False)]
        with acting_as(acme):
            assert CostEvent.objects.count() == 2

    def test_a_thousand_at_once_and_no_more(self, call, acme):
        assert len(call("POST", "cost-events/", [ONE] * 1000).json()) == 1000
        refused(call("POST", "cost-events/", [ONE] * 1001), 413)
        refused(call("POST", "cost-events/", []))

    def test_a_message_brings_its_session(self, call, acme, monkeypatch):
        heard = []
        monkeypatch.setattr(ledger, "_listeners", [heard.append])
        session = conversations.session(acme)
        with acting_as(acme):
            message = Message.objects.create(session=session, seq=1, role="assistant", content="Hi")
        assert (
            call("POST", "cost-events/", {**ONE, "message": str(message.pk), "cost_usd": "2"}).status_code
            == 201
        )
        assert heard == [{session.pk: Decimal(2)}]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"service": "telepathy"}, "service"),
            ({"provider": ""}, "provider"),
            ({"model": 7}, "model"),
            ({"model": "x" * 121}, "model"),
            ({"input_tokens": "5"}, "input_tokens"),
            ({"input_tokens": True}, "input_tokens"),
            ({"input_tokens": -1}, "input_tokens"),
            ({"output_tokens": 10**15}, "output_tokens"),
            ({"units": "5"}, "units"),
            ({"units": -0.1}, "units"),
            ({"cost_usd": 0.5}, "cost_usd"),
            ({"cost_usd": "-1"}, "cost_usd"),
            ({"cost_usd": "1e3"}, "cost_usd"),
            ({"cost_usd": "0.00000000001"}, "cost_usd"),
            ({"timestamp": "yesterday"}, "timestamp"),
            ({"timestamp": "2026-03-10T12:00:00"}, "timestamp"),
            ({"timestamp": "2999-01-01T00:00:00Z"}, "timestamp"),
            ({"timestamp": 5}, "timestamp"),
            ({"latency_ms": 2**40}, "latency_ms"),
            ({"metadata": []}, "metadata"),
            ({"metadata": {"x": "y" * 5000}}, "metadata"),
            ({"session": "x"}, "session"),
            ({"session": str(uuid7())}, "session"),
            ({"message": str(uuid7())}, "message"),
            ({"idempotency_key": ""}, "idempotency_key"),
            ({"price": "1"}, "price"),
            ({"cached_tokens": 5, "input_tokens": 4}, ""),
        ],
    )
    def test_what_is_wrong_is_named(self, call, acme, change, field):
        assert field in refused(call("POST", "cost-events/", {**ONE, **change}))
        in_array = f"1.{field}" if field else "1"
        assert in_array in refused(call("POST", "cost-events/", [ONE, {**ONE, **change}]))
        with acting_as(acme):
            assert not CostEvent.objects.exists()

    @pytest.mark.parametrize("body", [5, "x", None, [5], [[]], {}])
    def test_what_is_no_event_is_refused(self, call, body):
        refused(call("POST", "cost-events/", body))

    def test_another_tenants_session_is_unknown(self, call, acme, bolt):
        theirs = conversations.session(bolt)
        errors = refused(call("POST", "cost-events/", {**ONE, "session": str(theirs.pk)}))
        assert errors == {"session": "there is no such session"}

    def test_a_key_needs_the_scope(self, call, acme):
        reader = cast.api_key(acme, "billing:read")
        refused(call("POST", "cost-events/", ONE, key=reader), 403)
        assert call("GET", "cost-summaries/", key=reader).status_code == 200
        refused(call("GET", "cost-events/", key=cast.api_key(acme, "knowledge:read")), 403)


class TestListing:
    def test_filters_choose_and_pages_join(self, call, acme, bolt):
        session = conversations.session(acme)
        spend(bolt, "1", "1", feature="answer", timestamp=LONG_AGO)
        spend(acme, "1", feature="answer", session_id=session.pk, timestamp=LONG_AGO)
        spend(acme, "2", "3", service="embedding", model="small", timestamp=LONG_AGO + timedelta(hours=1))

        def costs(query):
            return [row["cost_usd"] for row in call("GET", f"cost-events/?{query}").json()["results"]]

        assert costs("") in (["3", "2", "1"], ["2", "3", "1"])
        assert costs("feature=answer") == costs(f"session={session.pk}") == costs("service=llm") == ["1"]
        assert costs("end=2026-03-10T13:30:00Z") == ["1"]
        assert sorted(costs("start=2026-03-10T13:30:00Z")) == sorted(costs("model=small")) == ["2", "3"]
        assert costs("provider=nobody") == costs(f"message={uuid7()}") == costs("start=2026-03-11") == []
        first = call("GET", "cost-events/?limit=2").json()
        second = call("GET", f"cost-events/?limit=2&cursor={first['next']}").json()
        assert sorted(row["cost_usd"] for row in first["results"] + second["results"]) == ["1", "2", "3"]
        assert second["next"] is None

    @pytest.mark.parametrize(
        "query", ["session=x", "message=1", "service=x", "start=soon", "end=2026-03-10T12:00:00", "limit=0"]
    )
    def test_a_wrong_filter_is_named(self, call, query):
        assert query.split("=")[0] in refused(call("GET", f"cost-events/?{query}"))

    def test_another_tenants_event_is_not_found(self, call, acme, bolt):
        (theirs,) = spend(bolt, "1")
        assert call("GET", f"cost-events/{theirs.id}/").status_code == 404


@pytest.mark.django_db(transaction=True)
class TestSummaries:
    def test_periods_dimensions_and_totals(self, call, acme, bolt):
        for tenant in (bolt, acme):
            for days, cost in ((0, "1"), (1, "2"), (40, "4")):
                spend(tenant, cost, timestamp=LONG_AGO + timedelta(days=days))
            spend(tenant, None, model="made-up", timestamp=LONG_AGO)
            fold_all(tenant)

        def report(query):
            return call("GET", f"cost-summaries/?start=2026-03-01&end=2026-12-01&{query}").json()

        days = report("")
        assert [(row["period_start"], row["total_cost_usd"]) for row in days["results"]] == [
            ("2026-03-10T00:00:00Z", "1"),
            ("2026-03-11T00:00:00Z", "2"),
            ("2026-04-19T00:00:00Z", "4"),
        ]
        assert days["totals"] == {
            "total_cost_usd": "7",
            "total_tokens": 400,
            "event_count": 4,
            "unpriced_count": 1,
        }
        assert [row["period_start"] for row in report("group_by=week")["results"]] == [
            "2026-03-09T00:00:00Z",
            "2026-04-13T00:00:00Z",
        ]
        months = report("group_by=month&by=model,service")["results"]
        assert [(row["model"], row["service"], row["total_cost_usd"]) for row in months] == [
            ("gpt-test", "llm", "3"),
            ("made-up", "llm", "0"),
            ("gpt-test", "llm", "4"),
        ]
        hours = report("group_by=hour")["results"]
        assert hours[0]["period_start"] == "2026-03-10T12:00:00Z"
        assert len(hours) == 3
        # start is included, end is not.
        edge = call("GET", "cost-summaries/?start=2026-03-10&end=2026-03-11").json()
        assert edge["totals"]["total_cost_usd"] == "1"

    def test_months_begin_where_the_tenant_lives(self, call, acme):
        with acting_as(acme):
            Tenant.objects.filter(pk=acme.pk).update(settings={"timezone": "Asia/Tokyo"})
        spend(acme, "1", timestamp=datetime(2026, 3, 31, 16, tzinfo=UTC))
        fold_all(acme)
        (month,) = call("GET", "cost-summaries/?start=2026-04-01&end=2026-05-01&group_by=month").json()[
            "results"
        ]
        assert month["period_start"] in ("2026-03-31T15:00:00Z", "2026-04-01T00:00:00+09:00")
        assert month["total_cost_usd"] == "1"

    def test_the_default_is_the_last_thirty_days(self, call, acme):
        spend(acme, "1")
        spend(acme, "2", timestamp=clock.now() - timedelta(days=28))
        spend(acme, "4", timestamp=clock.now() - timedelta(days=31))
        fold_all(acme)
        assert call("GET", "cost-summaries/").json()["totals"]["total_cost_usd"] == "3"

    @pytest.mark.parametrize(
        "query",
        [
            "group_by=year",
            "by=colour",
            "start=x",
            "end=1",
            "start=2026-03-02&end=2026-03-01",
            "start=9999-01-01",
        ],
    )
    def test_a_wrong_question_is_named(self, call, query):
        assert query.split("=")[0] in refused(call("GET", f"cost-summaries/?{query}"))


def test_an_events_own_keys_are_not_another_tenants(call, acme, bolt):
    with acting_as(bolt):
        ledger.record([event("9", idempotency_key="shared")])
    sent = call("POST", "cost-events/", {**ONE, "idempotency_key": "shared", "cost_usd": "1"}).json()
    assert (sent["is_new"], sent["cost_usd"]) == (True, "1")
