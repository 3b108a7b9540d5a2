"""The ledger: written once, never changed, seen by its tenant only."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from ai.usage import Usage
from billing.costs import debounce, ledger
from billing.models import CostEvent
from kernel import clock
from tenants.context import TenantContextError, acting_as
from tests import conversations
from tests.billing.spending import at_once, event, price, spend


def test_an_event_is_kept_as_it_was(acme, bolt):
    spend(bolt, "9")
    when = clock.now() - timedelta(days=2)
    usage = Usage(input_tokens=10, output_tokens=5, cached_tokens=4, cache_write_tokens=1, estimated=True)
    with acting_as(acme):
        (recorded,) = ledger.record(
            [
                event(
                    "0.0000000002",
                    usage=usage,
                    feature="answer",
                    user_ref="u1",
                    trace_id="t1",
                    latency_ms=120,
                    metadata={"operation": "chat", "ünï": "✓"},
                    timestamp=when,
                )
            ]
        )
        row = CostEvent.objects.get()
    assert recorded == (row.id, Decimal("0.0000000002"), None, True)
    assert (row.input_tokens, row.output_tokens, row.cached_tokens, row.cache_write_tokens) == (10, 5, 4, 1)
    assert (row.tokens_used, row.estimated, row.feature, row.user_ref, row.trace_id) == (
        15,
        True,
        "answer",
        "u1",
        "t1",
    )
    assert (row.latency_ms, row.timestamp, row.cost_usd) == (120, when, Decimal("0.0000000002"))
    assert row.metadata == {"operation": "chat", "ünï": "✓"}
    assert row.xid > 0


def test_an_unknown_price_is_null_and_a_free_one_zero(acme):
    with acting_as(acme):
        unknown, free = ledger.record(
            [event(None, model="made-up"), event(None, provider="local", model="x")]
        )
        assert unknown.cost_usd is None
        assert free.cost_usd == 0
        assert CostEvent.objects.get(pk=unknown.id).cost_usd is None


def test_the_price_row_is_named(acme):
    with acting_as(acme):
        row = price(acme, input=Decimal(1), output=Decimal(10))
        (recorded,) = ledger.record([event(None, usage=Usage(input_tokens=1_000_000, output_tokens=100_000))])
        assert recorded.cost_usd == 2
        assert CostEvent.objects.get().price_id == row.id


def test_the_same_key_is_the_same_event(acme, bolt):
    with acting_as(bolt):
        theirs = ledger.record([event("5", idempotency_key="call-1")])
    with acting_as(acme):
        first = ledger.record([event("1", idempotency_key="call-1")])
        again = ledger.record([event("2", idempotency_key="call-1"), event("3", idempotency_key="call-2")])
        assert [(found.is_new, found.cost_usd) for found in again] == [
            (False, Decimal(1)),
            (True, Decimal(3)),
        ]
        assert again[0].id == first[0].id != theirs[0].id
        assert CostEvent.objects.count() == 2


def test_a_key_twice_in_one_batch_is_written_once(acme):
    with acting_as(acme):
        found = ledger.record([event("1", idempotency_key="k"), event("2", idempotency_key="k")])
        assert [one.is_new for one in found] == [True, False]
        assert found[0].id == found[1].id
        assert CostEvent.objects.get().cost_usd == 1


def test_nothing_to_record_is_nothing(acme):
    with acting_as(acme):
        assert ledger.record([]) == []


def test_recording_needs_a_tenant(db):
    with pytest.raises(TenantContextError):
        ledger.record([event()])


def test_the_application_can_only_add(acme):
    spend(acme, "1")
    for change in ("UPDATE cost_events SET cost_usd = 0", "DELETE FROM cost_events"):
        with acting_as(acme), pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            connection.cursor().execute(change)
    with acting_as(acme):
        assert CostEvent.objects.update(verified_cost_usd=Decimal("1.01")) == 1


def test_an_event_cannot_point_at_another_tenants_session(acme, bolt):
    theirs = conversations.session(bolt)
    with acting_as(acme):
        ledger.record([event(session_id=theirs.pk)])
        with pytest.raises(IntegrityError):
            connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


def test_an_event_outlives_its_session(acme, bolt):
    theirs = conversations.session(bolt)
    ours = conversations.session(acme)
    spend(bolt, "2", session_id=theirs.pk)
    spend(acme, "1", session_id=ours.pk)
    with acting_as(acme):
        ours.delete()
        row = CostEvent.objects.get()
        assert (row.session_id, row.cost_usd) == (None, Decimal(1))
    with acting_as(bolt):
        assert CostEvent.objects.get().session_id == theirs.pk


def test_listeners_hear_what_each_session_cost(acme, monkeypatch):
    heard = []
    monkeypatch.setattr(ledger, "_listeners", [heard.append])
    one, two = sorted((conversations.session(acme).pk, conversations.session(acme).pk))
    with acting_as(acme):
        ledger.record([event("1", session_id=two, idempotency_key="a"), event("2", session_id=one)])
        ledger.record(
            [event("1", session_id=two, idempotency_key="a"), event("4"), event("3", session_id=two)]
        )
    assert [list(costs.items()) for costs in heard] == [
        [(one, Decimal(2)), (two, Decimal(1))],
        [(two, Decimal(3))],
    ]


def test_a_broken_broker_does_not_break_an_answer(acme, settings, monkeypatch, transactional_db):
    def refuse():
        raise ConnectionError("no Redis here")

    monkeypatch.setattr(debounce, "_client", refuse)
    spend(acme, "1")
    with acting_as(acme):
        assert CostEvent.objects.count() == 1


def test_a_fold_is_asked_for_once_in_a_while(acme, redis, monkeypatch, transactional_db):
    sent = []
    monkeypatch.setattr(debounce, "_asked", {})
    monkeypatch.setattr(debounce, "_client", lambda: redis)
    monkeypatch.setattr(debounce.current_app, "send_task", lambda name, **rest: sent.append((name, rest)))
    for _ in range(3):
        spend(acme, "1")
    assert [name for name, _ in sent] == ["billing.fold"]
    assert sent[0][1]["headers"] == {"tenant_id": str(acme.pk)}
    # Another process, which has sent nothing itself, leaves it to the task under way.
    monkeypatch.setattr(debounce, "_asked", {})
    spend(acme, "1")
    assert len(sent) == 1


def test_nothing_is_asked_for_when_the_transaction_fails(acme, monkeypatch, transactional_db):
    asked = []
    monkeypatch.setattr(debounce, "fold_soon", asked.append)
    with acting_as(acme):
        ledger.record([event()])
        transaction.set_rollback(True)
    assert asked == []
    with acting_as(acme):
        assert not CostEvent.objects.exists()


def test_batches_of_the_same_keys_at_once_neither_deadlock_nor_double(acme, transactional_db):
    keys = [str(uuid.uuid4()) for _ in range(40)]

    def send(number):
        ordered = keys if number % 2 else keys[::-1]
        with acting_as(acme):
            return sum(one.is_new for one in ledger.record([event(idempotency_key=key) for key in ordered]))

    assert sum(at_once(8, send, threads=8)) == len(keys)
