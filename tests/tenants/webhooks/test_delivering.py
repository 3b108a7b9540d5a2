"""From the change to the receiver: once it is committed, signed, again where it failed, and never holding up others."""

import threading
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction

from kernel.outbound import Limits
from tenants import due_work
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.permissions import Role
from tenants.webhooks import claiming, delivering, disabling, forgetting, promising, publishing
from tenants.webhooks.endpoints import change_endpoint, rotate_secret
from tenants.webhooks.events import WEBHOOK_TEST
from tenants.webhooks.models import OutboxEvent, WebhookDelivery, WebhookEndpoint
from tenants.webhooks.replaying import replay_one, replay_since, send_test
from tests.tenants.webhooks.receiver import answer, deliver, listen, log_of, ref
from tests.tenants.webhooks.test_signing import verify

pytestmark = pytest.mark.django_db(transaction=True)


def happen(tenant, count=1):
    """Something happens."""
    for number in range(count):
        with acting_as(tenant):
            publishing.publish(WEBHOOK_TEST, lambda number=number: {"number": number})


def counted(tenant):
    with acting_as(tenant):
        return OutboxEvent.objects.count(), WebhookDelivery.objects.count()


def promised():
    """All that is promised of webhooks, by kind."""
    late = claiming.clock.now() + timedelta(days=30)
    return {
        kind: [work.key for work in due_work.overdue(kind, late)]
        for kind in ("webhook_delivery", "webhook_endpoint", "webhook_notice")
    }


class TestTelling:
    def test_an_event_is_told_signed_and_once(self, acme, bolt, receivers):
        receiver = receivers()
        endpoint, secret = listen(acme, receiver)
        theirs, _ = listen(bolt, receiver)
        happen(acme)
        assert deliver(acme, endpoint) == 1
        assert deliver(acme, endpoint) == 0
        assert deliver(bolt, theirs) == 0
        (told,) = receiver.told
        (row,) = log_of(acme)
        verify(told.headers, told.body, secret)
        assert told.headers["webhook-id"] == str(row.event_id)
        assert abs(int(told.headers["webhook-timestamp"]) - time.time()) < 60
        assert told.headers["content-type"] == "application/json"
        assert told.event.keys() == {"type", "timestamp", "data"}
        assert told.event["type"] == "webhook.test"
        assert told.event["data"] == {"number": 0}
        assert (row.status, row.response_status, row.response_body, row.tries) == ("delivered", 200, "ok", 1)
        assert promised() == {"webhook_delivery": [], "webhook_endpoint": [], "webhook_notice": []}

    def test_nothing_is_written_where_nobody_listens(self, acme, bolt, receivers, django_assert_num_queries):
        listen(bolt, receivers())
        with acting_as(acme), django_assert_num_queries(1):
            publishing.publish(WEBHOOK_TEST, lambda: pytest.fail("nobody wants it"))
        assert counted(acme) == (0, 0)

    @pytest.mark.parametrize("fields", [{"is_active": False}, {"events": ["session.ended"]}])
    def test_nor_for_an_endpoint_that_is_off_or_wants_others(self, acme, receivers, fields):
        listen(acme, receivers(), *fields.get("events", ()), is_active=fields.get("is_active", True))
        happen(acme)
        assert counted(acme) == (0, 0)

    def test_what_is_rolled_back_is_never_told(self, acme, receivers, sent):
        listen(acme, receivers())
        with pytest.raises(ZeroDivisionError), acting_as(acme):
            publishing.publish(WEBHOOK_TEST, dict)
            raise ZeroDivisionError
        with acting_as(acme), pytest.raises(ZeroDivisionError), transaction.atomic():
            publishing.publish(WEBHOOK_TEST, dict)
            raise ZeroDivisionError
        assert counted(acme) == (0, 0)
        assert promised()["webhook_delivery"] == []
        assert sent == []

    def test_each_endpoint_gets_its_own(self, acme, receivers):
        one, other = receivers(), receivers()
        first, _ = listen(acme, one, "webhook.test")
        second, _ = listen(acme, other)
        happen(acme, 2)
        assert counted(acme) == (2, 4)
        assert deliver(acme, first) == 2
        assert other.told == []
        assert deliver(acme, second) == 2
        assert {t.headers["webhook-id"] for t in one.told} == {t.headers["webhook-id"] for t in other.told}

    def test_two_tenants_with_one_address_hear_their_own(self, acme, bolt, receivers):
        receiver = receivers()
        mine, secret = listen(acme, receiver)
        theirs, other = listen(bolt, receiver)
        happen(acme)
        assert deliver(bolt, mine) == 0
        assert deliver(bolt, theirs) == 0
        assert deliver(acme, theirs) == 0
        assert deliver(acme, mine) == 1
        verify(receiver.told[0].headers, receiver.told[0].body, secret)
        assert secret != other
        assert log_of(bolt) == []

    def test_in_a_schema_of_its_own(self, cargo, acme, receivers):
        receiver = receivers()
        endpoint, _ = listen(cargo, receiver)
        listen(acme, receiver)
        happen(cargo)
        assert promising.sweep() == 0
        assert deliver(cargo, endpoint) == 1
        assert log_of(acme) == []


class TestPromises:
    def test_a_message_to_the_worker_goes_out_with_the_commit(self, acme, receivers, sent):
        endpoint, _ = listen(acme, receivers())
        with acting_as(acme):
            publishing.publish(WEBHOOK_TEST, dict)
            assert sent == []
        assert sent == [("tenants.deliver_webhooks", str(endpoint))]

    def test_a_lost_message_delays_and_does_not_lose(self, acme, bolt, receivers, time_stands, sent):
        """As when the process dies between the commit and the broker, or Redis is emptied."""
        receiver = receivers()
        endpoint, _ = listen(acme, receiver)
        listen(bolt, receivers())
        happen(acme)
        sent.clear()
        assert promising.sweep() == 0
        time_stands.passes(seconds=31)
        assert promising.sweep() == 1
        assert sent == [("tenants.deliver_webhooks", str(endpoint))]
        # That message is lost as well.
        assert promising.sweep() == 0
        time_stands.passes(seconds=61)
        assert promising.sweep() == 1
        assert deliver(acme, endpoint) == 1
        time_stands.passes(days=1)
        assert promising.sweep() == 0

    def test_a_broker_that_is_away_fails_nobody(self, acme, receivers, monkeypatch, time_stands):
        listen(acme, receivers())

        def away(*_, **__):
            raise ConnectionError("no broker")

        with monkeypatch.context() as patch:
            patch.setattr("celery.current_app.send_task", away)
            happen(acme)
        assert counted(acme) == (1, 1)
        time_stands.passes(seconds=31)
        assert promising.sweep() == 1

    def test_a_worker_that_dies_at_it_leaves_it_to_another(self, acme, receivers, time_stands):
        receiver = receivers()
        endpoint, _ = listen(acme, receiver)
        happen(acme)
        with acting_as(acme):
            dead = claiming.claim(endpoint)
        assert dead is not None
        assert deliver(acme, endpoint) == 0
        assert promising.sweep() == 0
        time_stands.passes(seconds=61)
        assert promising.sweep() == 1
        assert deliver(acme, endpoint) == 1
        # It was not dead, only slow: what it finds changes nothing any more.
        with acting_as(acme):
            claiming.settle(dead, claiming.Outcome(time_stands.moment, 1, 500))
        (row,) = log_of(acme)
        assert (row.status, row.tries) == ("delivered", 1)

    def test_many_unseen_deliveries_are_one_promise_of_their_endpoint(
        self, acme, bolt, receivers, monkeypatch, time_stands
    ):
        monkeypatch.setattr(promising, "AT_ONCE", 3)
        busy, _ = listen(acme, receivers())
        quiet, _ = listen(bolt, receivers())
        happen(acme, 10)
        happen(bolt)
        time_stands.passes(seconds=31)
        assert promising.sweep() == 2
        assert promised()["webhook_delivery"] == []
        assert set(promised()["webhook_endpoint"]) == {busy, quiet}


class TestFailures:
    def test_it_is_tried_again_by_the_table_with_the_same_id(self, acme, receivers, time_stands, monkeypatch):
        monkeypatch.setattr("random.random", lambda: 0.0)
        receiver = receivers(*[answer(500)] * 12)
        endpoint, secret = listen(acme, receiver)
        happen(acme)
        from tenants.webhooks.backing_off import WAITS

        for wait in WAITS:
            assert deliver(acme, endpoint) == 1
            (row,) = log_of(acme)
            assert row.status == "pending"
            assert row.next_attempt_at == time_stands.moment + wait
            assert deliver(acme, endpoint) == 0
            assert promised()["webhook_endpoint"] == [endpoint]
            time_stands.passes(seconds=wait.total_seconds())
        assert deliver(acme, endpoint) == 1
        (row,) = log_of(acme)
        assert (row.status, row.tries, len(row.attempts)) == ("delivered", 13, 13)
        assert [one["status"] for one in row.attempts] == [500] * 12 + [200]
        assert len({told.headers["webhook-id"] for told in receiver.told}) == 1
        assert len({told.body for told in receiver.told}) == 1
        stamps = [int(told.headers["webhook-timestamp"]) for told in receiver.told]
        assert stamps == sorted(stamps)
        assert stamps[-1] - stamps[0] > 2 * 24 * 3600
        for told in receiver.told:
            verify(told.headers, told.body, secret)

    def test_after_three_days_it_is_given_up(self, acme, receivers, time_stands):
        receiver = receivers(*[answer(503)] * 20)
        endpoint, _ = listen(acme, receiver)
        happen(acme)
        made = 0
        while (row := log_of(acme)[0]).status == "pending":
            time_stands.moment = max(time_stands.moment, row.next_attempt_at)
            made += deliver(acme, endpoint)
        assert made == 13
        assert row.status == "failed"
        assert row.next_attempt_at is None
        assert time_stands.moment - row.created_at <= timedelta(days=3)
        assert promised()["webhook_endpoint"] == []

    def test_what_the_receiver_asks_for(self, acme, receivers, time_stands):
        receiver = receivers(answer(429, "Retry-After: 600"), answer(503, "Retry-After: 9999999"))
        endpoint, _ = listen(acme, receiver)
        happen(acme)
        deliver(acme, endpoint)
        assert log_of(acme)[0].next_attempt_at == time_stands.moment + timedelta(minutes=10)
        time_stands.passes(minutes=10)
        deliver(acme, endpoint)
        assert log_of(acme)[0].next_attempt_at == time_stands.moment + timedelta(hours=6)

    @pytest.mark.parametrize(
        ("reply", "status", "error"),
        [
            (answer(500, body=b"\xff\0broken"), 500, "It answered 500."),
            (answer(302, "Location: http://127.0.0.1/"), 302, "It answered 302: redirects are not followed."),
            (b"what is this", None, "receiver.example answers what is not HTTP."),
            (b"", None, None),
        ],
    )
    def test_what_is_no_success(self, acme, receivers, reply, status, error):
        receiver = receivers(reply)
        endpoint, _ = listen(acme, receiver)
        happen(acme)
        assert deliver(acme, endpoint) == 1
        assert len(receiver.told) == 1
        (row,) = log_of(acme)
        assert (row.status, row.response_status) == ("pending", status)
        assert row.error == error if error else row.error
        assert "\0" not in row.response_body

    def test_a_huge_answer_is_cut_off(self, acme, receivers):
        sent = []

        def flood(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            sent.extend(connection.send(b"x" * 65_536) for _ in range(2_000))

        receiver = receivers(flood)
        endpoint, _ = listen(acme, receiver)
        happen(acme)
        deliver(acme, endpoint)
        (row,) = log_of(acme)
        assert (row.status, row.response_body) == ("delivered", "x" * 1_024)
        assert sum(sent) < 50_000_000

    def test_a_receiver_that_stalls_costs_a_bounded_time(self, acme, receivers, monkeypatch):
        monkeypatch.setattr(delivering, "LIMITS", Limits(size=4_096, seconds=0.3, redirects=0, cut=True))
        stalled = threading.Event()

        def drip(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stalled.wait(0.05):
                connection.sendall(b"X-A: b\r\n")

        receiver = receivers(lambda _: stalled.wait(10), drip)
        endpoint, _ = listen(acme, receiver)
        happen(acme, 2)
        began = time.monotonic()
        assert deliver(acme, endpoint) == 2
        stalled.set()
        assert time.monotonic() - began < 3
        for row in log_of(acme):
            assert (row.status, row.response_status) == ("pending", None)
            assert row.error == "It takes too long to answer."

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest", "http://10.0.0.1/",
            "http://localhost/", "http://[::ffff:127.0.0.1]/",
        ],
    )  # fmt: skip
    def test_no_address_of_ours_is_reached_even_where_the_row_names_it(self, acme, url):
        """The address is checked again with every attempt: a name may lead elsewhere by then."""
        with acting_as(acme):
            endpoint, _ = publishing_endpoint()
            WebhookEndpoint.objects.filter(pk=endpoint).update(url=url)
        happen(acme)
        assert delivering.work(ref(acme), endpoint) == 1
        (row,) = log_of(acme)
        assert row.response_status is None
        assert "public" in row.error

    def test_no_transaction_is_open_during_the_call(self, acme, receivers, monkeypatch):
        from django.db import connection

        receiver = receivers()
        endpoint, _ = listen(acme, receiver)
        happen(acme)
        seen, real = [], delivering.fetch

        def watched(*args, **kwargs):
            seen.append(connection.in_atomic_block)
            return real(*args, **kwargs)

        monkeypatch.setattr(delivering, "fetch", watched)
        deliver(acme, endpoint)
        assert seen == [False]


def publishing_endpoint():
    from tenants.webhooks.endpoints import create_endpoint

    endpoint, secret = create_endpoint(url="https://receiver.example/")
    return endpoint.pk, secret


class TestShares:
    def test_one_endpoint_has_two_calls_at_a_time_and_one_when_it_fails(self, acme, receivers):
        endpoint, _ = listen(acme, receivers())
        happen(acme, 5)
        with acting_as(acme):
            claims = [claiming.claim(endpoint) for _ in range(3)]
            assert claims[0].id != claims[1].id
            assert claims[2] is None
            claiming.settle(claims[0], claiming.Outcome(claiming.clock.now(), 5, 500))
            assert claiming.claim(endpoint) is None
            claiming.settle(claims[1], claiming.Outcome(claiming.clock.now(), 5, 200))
            assert claiming.claim(endpoint) is not None

    def test_one_tenant_has_four(self, acme, bolt, receivers):
        mine = [listen(acme, receivers())[0] for _ in range(3)]
        theirs, _ = listen(bolt, receivers())
        happen(acme, 3)
        happen(bolt)
        with acting_as(acme):
            made = [claiming.claim(endpoint) for endpoint in mine for _ in range(2)]
        assert [one is not None for one in made] == [True, True, True, True, False, False]
        with acting_as(bolt):
            assert claiming.claim(theirs) is not None
        # What found no room is looked at again, soon.
        assert mine[2] in promised()["webhook_endpoint"]

    def test_a_stalling_endpoint_leaves_room_for_others(self, acme, bolt, receivers, monkeypatch):
        """Acme's receivers stall on every thread that they may have; Bolt's is told meanwhile."""
        go_on = threading.Event()
        stalling = receivers(*[lambda _: go_on.wait(10)] * 8)
        slow = [listen(acme, stalling)[0] for _ in range(2)]
        with acting_as(acme):
            WebhookEndpoint.objects.update(failing_since=claiming.clock.now())
        receiver = receivers()
        quick, _ = listen(bolt, receiver)
        happen(acme, 2)
        happen(bolt)
        workers = [
            threading.Thread(target=_worker, args=[acme, endpoint, stalling])
            for endpoint in slow
            for _ in "12"
        ]
        for one in workers:
            one.start()
        deadline = time.monotonic() + 5
        while not stalling.told and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        assert len(stalling.told) == 1, "one call at most waits for endpoints that have failed"
        assert deliver(bolt, quick) == 1
        monkeypatch.setattr(delivering, "SPELL_S", 0.0)
        go_on.set()
        for one in workers:
            one.join(10)

    def test_a_spell_ends_and_the_endpoint_queues_again(self, acme, receivers, monkeypatch, sent):
        receiver = receivers()
        endpoint, _ = listen(acme, receiver)
        happen(acme, 3)
        sent.clear()
        monkeypatch.setattr(delivering, "SPELL_S", 1e-9)
        deliver(acme, endpoint)
        assert sent == [("tenants.deliver_webhooks", str(endpoint))]


def _worker(tenant, endpoint, receiver):
    from django.db import connection

    try:
        deliver(tenant, endpoint)
    finally:
        connection.close()


class TestDisabling:
    def test_gone_is_gone_at_once(self, acme, bolt, receivers, settings):
        settings.EMAIL_URL = "smtp://mail.example"
        with acting_as(acme):
            create_user("owner@acme.com", "x" * 12, role=Role.OWNER)
            create_user("admin@acme.com", "x" * 12, role=Role.ADMIN)
            create_user("member@acme.com", "x" * 12, role=Role.MEMBER)
        with acting_as(bolt):
            create_user("owner@bolt.com", "x" * 12, role=Role.OWNER)
        receiver = receivers(answer(410))
        endpoint, _ = listen(acme, receiver)
        happen(acme, 2)
        assert deliver(acme, endpoint) == 1
        first, second = log_of(acme)
        assert (first.status, second.status) == ("failed", "pending")
        with acting_as(acme):
            row = WebhookEndpoint.objects.get()
        assert (row.is_active, row.disabled_reason) == (False, "gone")
        happen(acme)
        assert counted(acme) == (2, 2)
        assert disabling.send_notices() == 2
        assert {letter.to[0] for letter in mail.outbox} == {"owner@acme.com", "admin@acme.com"}
        assert "410" in mail.outbox[0].body
        assert receiver.url in mail.outbox[0].body
        assert disabling.send_notices() == 0
        # Turned on again, it gets what was waiting.
        with acting_as(acme):
            change_endpoint(endpoint, is_active=True)
        assert deliver(acme, endpoint) == 1

    def test_five_days_of_nothing_but_failures(self, acme, receivers, time_stands):
        receiver = receivers(*[answer(500)] * 4)
        endpoint, _ = listen(acme, receiver)
        happen(acme)
        deliver(acme, endpoint)
        time_stands.passes(days=4, hours=23)
        happen(acme)
        deliver(acme, endpoint)
        with acting_as(acme):
            assert WebhookEndpoint.objects.get().is_active
        time_stands.passes(hours=1)
        deliver(acme, endpoint)
        with acting_as(acme):
            row = WebhookEndpoint.objects.get()
        assert (row.is_active, row.disabled_reason) == (False, "failing")
        assert promised()["webhook_notice"] == [endpoint]
        assert promised()["webhook_endpoint"] == []

    def test_one_success_in_between_is_enough(self, acme, receivers, time_stands):
        receiver = receivers(answer(500))
        endpoint, _ = listen(acme, receiver)
        happen(acme)
        deliver(acme, endpoint)
        time_stands.passes(days=2)
        deliver(acme, endpoint)
        with acting_as(acme):
            assert WebhookEndpoint.objects.get().failing_since is None

    def test_a_mail_server_that_is_away_is_tried_again(
        self, acme, receivers, settings, monkeypatch, time_stands
    ):
        settings.EMAIL_URL = "smtp://mail.example"
        with acting_as(acme):
            create_user("owner@acme.com", "x" * 12, role=Role.OWNER)
        receiver = receivers(answer(410))
        endpoint, _ = listen(acme, receiver)
        happen(acme)
        deliver(acme, endpoint)

        def away(*_):
            raise OSError("no mail server")

        with monkeypatch.context() as patch:
            patch.setattr("tenants.mailing.send", away)
            assert disabling.send_notices() == 0
        assert disabling.send_notices() == 0
        time_stands.passes(minutes=6)
        assert disabling.send_notices() == 1


class TestByHand:
    def test_a_rotation_signs_by_both_for_a_while(self, acme, receivers, time_stands):
        receiver = receivers()
        endpoint, old = listen(acme, receiver)
        with acting_as(acme):
            _, new = rotate_secret(endpoint)
        happen(acme)
        deliver(acme, endpoint)
        told = receiver.told[0]
        assert len(told.headers["webhook-signature"].split(" ")) == 2
        verify(told.headers, told.body, old)
        verify(told.headers, told.body, new)
        time_stands.passes(hours=25)
        happen(acme)
        deliver(acme, endpoint)
        assert len(receiver.told[1].headers["webhook-signature"].split(" ")) == 1
        verify(receiver.told[1].headers, receiver.told[1].body, new)

    def test_one_delivery_again(self, acme, receivers, time_stands):
        receiver = receivers(answer(500))
        endpoint, _ = listen(acme, receiver)
        happen(acme)
        deliver(acme, endpoint)
        with acting_as(acme):
            again = replay_one(endpoint, log_of(acme)[0].pk)
        assert (again.tries, again.status) == (0, "pending")
        assert deliver(acme, endpoint) == 1
        assert receiver.told[0].headers["webhook-id"] == receiver.told[1].headers["webhook-id"]
        (row,) = log_of(acme)
        assert (row.status, len(row.attempts)) == ("delivered", 2)

    def test_all_since_a_time(self, acme, bolt, receivers, time_stands):
        receiver = receivers()
        endpoint, _ = listen(acme, receiver)
        theirs, _ = listen(bolt, receiver)
        happen(acme, 3)
        happen(bolt)
        deliver(acme, endpoint)
        deliver(bolt, theirs)
        rows = log_of(acme)
        with acting_as(acme):
            WebhookDelivery.objects.filter(pk=rows[1].pk).update(status="failed")
            WebhookDelivery.objects.filter(pk=rows[0].pk).update(
                created_at=rows[0].created_at - timedelta(hours=1)
            )
            since = rows[1].created_at - timedelta(minutes=1)
            assert replay_since(endpoint, since) == 1
            assert replay_since(endpoint, since, delivered_too=True) == 1
        assert deliver(acme, endpoint) == 2
        assert log_of(bolt)[0].tries == 1

    def test_a_test_goes_to_its_endpoint_alone_whatever_it_asked_for(self, acme, receivers):
        one, other = receivers(), receivers()
        first, _ = listen(acme, one, "session.ended")
        listen(acme, other)
        with acting_as(acme):
            row = send_test(first)
        assert row.endpoint_id == first
        assert counted(acme) == (1, 1)
        deliver(acme, first)
        assert one.types == ["webhook.test"]
        assert one.told[0].event["data"]["id"] == str(first)
        assert "secret" not in one.told[0].event["data"]


def test_what_is_old_is_forgotten_of_every_tenant(acme, bolt, receivers, time_stands):
    receiver = receivers()
    endpoint, _ = listen(acme, receiver)
    listen(bolt, receiver)
    happen(acme)
    happen(bolt)
    deliver(acme, endpoint)
    time_stands.passes(days=29)
    assert forgetting.forget_old() == 0
    time_stands.passes(days=2)
    with acting_as(bolt):
        OutboxEvent.objects.update(created_at=time_stands.moment)
    assert forgetting.forget_old() == 1
    assert counted(acme) == (0, 0)
    assert counted(bolt) == (1, 1)
