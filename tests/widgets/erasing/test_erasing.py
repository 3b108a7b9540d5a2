"""A visitor is erased: nothing of them is left anywhere, the money stays, nobody else's rows are touched."""

import threading
import uuid
from decimal import Decimal

import pytest
import redis as redis_library
from asgiref.sync import sync_to_async
from django.db import connection, models

from ai.chat.scripted import Script, scripting
from billing.costs import ledger, reconciling
from billing.models import CostEvent
from kernel.encryption import encrypt
from kernel.errors import NotFound
from kernel.ids import uuid7
from tenants import due_work, forgetting
from tenants.context import acting_as
from tenants.directory import resolve_tenant
from tenants.exporting import ordering
from tenants.exporting.models import Export
from tenants.models import AuditEntry, DueWork, ErasureReceipt, IdempotencyRecord, KeyKind
from tenants.owned_tables import owned_tables
from tenants.webhooks.models import OutboxEvent, WebhookDelivery, WebhookEndpoint
from tests import conversations
from tests.billing.spending import at_once, event, fold_all
from tests.leftovers import places_with
from tests.tenants.callers import caller, code_of
from tests.widgets.chat.visitors import arrive, boot, settle
from widgets.chat import asking, streams, visiting
from widgets.chat.visiting import Guest, Identity
from widgets.erasing import visitors
from widgets.models import AnswerRun, Feedback, Message, MessageStatus, Session, Visitor

pytestmark = pytest.mark.django_db(transaction=True)

WORD = "zzplantedzz"
# Columns of text that are not the visitor's to fill, with the reason.
NOT_THEIRS = {
    "cost_events.service": "which kind of call",
    "cost_events.provider": "whom we paid",
    "cost_events.model": "for what",
    "cost_events.feature": "for which part of the product",
    "cost_events.idempotency_key": "the call's own name: without it the same call would be booked twice",
    "answer_runs.process": "ours",
    "meetings.room_name": "random",
    "meetings.livekit_room_id": "random",
    "idempotency_records.key": "a program's name for its request",
    "idempotency_records.request_hash": "a digest",
    "outbox.type": "ours",
    "idempotency_records.headers": "two headers of ours",
    "due_work.kind": "ours",
}


def plant(tenant, widget, redis):
    """A visitor with a row in everything, and WORD in every column that may hold something of theirs."""
    with acting_as(tenant) as ref:
        guest = Guest(ref, widget.pk, uuid7(), Identity(WORD, f"{WORD}@x.example", WORD, {"a": WORD}))
        asked = asking.ask(guest, uuid7(), WORD, metadata={"ip": WORD})
        session = Session.objects.get(pk=asked.session_id)
        Session.objects.filter(pk=session.pk).update(outcome=WORD, tags=[WORD])
        asking.say(
            session,
            asking.MessageRole.ASSISTANT,
            WORD,
            attachments=[{"name": WORD}],
            citations=[{"quote": WORD}],
            metadata={"a": WORD},
        )
        answer = Message.objects.get(role="assistant")
        Feedback.objects.create(message=answer, visitor_id=guest.visitor_id, rating=1, comment=WORD)
        AnswerRun.objects.update(metadata={"a": WORD}, status="done")
        from meetings.models import Meeting
        from meetings.rooms import open_meeting

        meeting = open_meeting(title=WORD, session_id=session.pk)
        Meeting.objects.filter(pk=meeting.pk).update(
            metadata={"t": WORD}, recording={"r": WORD}, transcript={"t": WORD}
        )
        named = {"user_ref": WORD, "metadata": {"a": WORD}, "trace_id": WORD, "span_id": WORD}
        ledger.record(
            [
                event("1.25", session_id=session.pk, message_id=answer.pk, parent_span_id=WORD, **named),
                event("0.75", parent_span_id=WORD, **named),
            ]
        )
        endpoint = WebhookEndpoint.objects.create(url="https://x.example", secret=encrypt("s"))
        told = OutboxEvent.objects.create(
            type="message.created", body=f'{{"session": "{session.pk}", "content": "{WORD}"}}'
        )
        WebhookDelivery.objects.create(event=told, endpoint=endpoint, response_body=WORD, error=WORD)
        IdempotencyRecord.objects.create(
            caller=uuid7(),
            key="k",
            request_hash="h",
            lease_until=session.created_at,
            expires_at=session.created_at,
            body=f'{{"session": "{session.pk}", "content": "{WORD}"}}'.encode(),
        )
        visiting.issue_ticket(guest, "https://acme.example")
        visiting.remember_identity(guest)
        redis.set(f"fd:{ref.id}:spent:session:{session.pk}", 5)
        redis.set(f"fd:{ref.id}:spent:visitor:{guest.visitor_id}:2026-11-21", 5)
        run = AnswerRun.objects.get()
        redis.xadd(streams.stream(ref, run.message_id), {"t": WORD})
    return guest


def leading_tables():
    """Tables from which a chain of keys, of whatever kind, leads to visitors."""
    leading = {"visitors"}
    while True:
        more = {
            table.name for table in owned_tables() if any(parent in leading for _, parent in table.parents)
        }
        if more <= leading:
            return leading
        leading |= more


@pytest.fixture
def planted(acme, bolt, redis):
    """Acme's visitor, and one of Bolt's of the same names."""
    widget = conversations.known_widget(acme)
    theirs = conversations.known_widget(bolt)
    return plant(acme, widget, redis), plant(bolt, theirs, redis)


def rows_of(tenant):
    """What a tenant has, by table."""
    with acting_as(tenant):
        return {
            table.name: sorted(map(repr, table.model._default_manager.values_list()))
            for table in owned_tables()
            if table.name not in ("canaries", "erasure_receipts")
        }


def erase(tenant, visitor_id):
    with acting_as(tenant) as ref:
        order = visitors.begin(visitor_id, "key:test")
    return visitors.carry_out(ref, order.pk)


def test_nothing_is_left_anywhere_and_the_receipt_says_what_there_was(planted, acme, bolt, redis):
    guest, twin = planted
    before, theirs = places_with(WORD, redis), rows_of(bolt)
    assert {"pool.visitors", "pool.sessions", "pool.messages", "pool.cost_events"} <= set(before)
    receipt = erase(acme, guest.visitor_id)
    expected = {
        "visitors": 1, "sessions": 1, "messages": 3, "feedback": 1, "answer_runs": 1, "cost_events": 2, "meetings": 1,
        "idempotency_records": 1, "outbox": 1, "due_work": 1, "files: attachments": 1,
        "redis: stream entries of answers": 1, "redis: other keys": 4,
    }  # fmt: skip
    found = {name: counted["before"] for name, counted in receipt.counted.items() if counted["before"]}
    # The meeting's room said that the conversation moved, or did not; messages are at least what was planted.
    assert found.pop("messages") >= 2
    expected.pop("messages")
    assert found == expected
    assert {counted["after"] for counted in receipt.counted.values()} == {0}
    assert receipt.finished_at is not None
    assert receipt.remaining == {}
    assert rows_of(bolt) == theirs
    erase(bolt, twin.visitor_id)
    assert places_with(WORD, redis) == []
    assert places_with(str(guest.visitor_id), redis) == ["pool.audit_entries", "pool.erasure_receipts"]


def test_every_column_that_may_hold_their_words_was_planted(planted, acme):
    """Without this the test above would prove nothing about a table that came later."""
    checked = 0
    held = {held.name for held in forgetting.rows_held()}
    with acting_as(acme), connection.cursor() as cursor:
        for table in owned_tables():
            if table.name not in leading_tables() | held:
                continue
            for field in table.model._meta.concrete_fields:
                if not isinstance(
                    field, models.CharField | models.TextField | models.JSONField | models.BinaryField
                ) and type(field).__name__ not in ("ArrayField",):
                    continue
                if field.choices or field.column == "key" or f"{table.name}.{field.column}" in NOT_THEIRS:
                    continue
                cursor.execute(
                    f'SELECT count(*) FROM "{table.name}" WHERE '
                    + (
                        f'position(%s::bytea IN "{field.column}") > 0'
                        if isinstance(field, models.BinaryField)
                        else f'"{field.column}"::text LIKE %s'
                    ),
                    [WORD.encode() if isinstance(field, models.BinaryField) else f"%{WORD}%"],
                )
                assert cursor.fetchone()[0] >= 1, f"{table.name}.{field.column}: nothing is planted"
                checked += 1
    assert checked >= 20


def test_every_table_that_leads_to_them_is_on_the_receipt(planted, acme):
    receipt = erase(acme, planted[0].visitor_id)
    assert leading_tables() <= set(receipt.counted)


def test_the_money_stays_and_the_books_agree(planted, acme, bolt):
    fold_all(acme)
    with acting_as(acme):
        before = CostEvent.objects.aggregate(models.Sum("cost_usd"), models.Count("id"))
    erase(acme, planted[0].visitor_id)
    with acting_as(acme):
        after = CostEvent.objects.aggregate(models.Sum("cost_usd"), models.Count("id"))
        assert after == before
        assert before["cost_usd__sum"] == Decimal("2")
        assert not CostEvent.objects.exclude(session=None, message=None, user_ref="").exists()
        assert not reconciling.reconcile()
    with acting_as(bolt):
        assert CostEvent.objects.filter(user_ref=WORD).count() == 2


def test_their_token_begins_somebody_new(planted, acme, redis):
    guest, _ = planted
    with acting_as(acme):
        from widgets.models import Widget

        widget = Widget.objects.get(pk=guest.widget_id)
    anonymous = Guest(guest.tenant, guest.widget_id, guest.visitor_id)
    token = visiting.issue_token(anonymous)
    assert visiting.bearer(boot(widget, token).json()["visitor_token"]).visitor_id == guest.visitor_id
    erase(acme, guest.visitor_id)
    booted = boot(widget, token).json()
    assert booted["session"] is None
    assert visiting.bearer(booted["visitor_token"]).visitor_id != guest.visitor_id
    with acting_as(acme), pytest.raises(visiting.Erased):
        asking.ask(anonymous, uuid7(), "I am back")
    with acting_as(acme):
        assert not Visitor.objects.exists()
        assert asking.ask(Guest(guest.tenant, guest.widget_id, uuid7()), uuid7(), "Somebody else").seq == 1


async def test_a_running_answer_is_stopped_and_paid_for(acme, bolt, redis, settings):
    settings.LLM_MODEL = "scripted:slow"
    script = Script(
        deltas=("The warranty ", *["is long "] * 200), delay=0.05, provider="offline", model="test"
    )
    teach = "# Warranty\n\nThe warranty of the hub is two years from the day of purchase."
    await sync_to_async(conversations.teach)(acme, "Warranty", teach)
    await sync_to_async(conversations.teach)(acme, "Returns", "# Returns\n\nThirty days for a full refund.")
    widget = await sync_to_async(conversations.known_widget)(acme)
    with scripting("slow", script):
        visitor = await arrive(widget)
        await visitor.receive()
        await visitor.send(
            type="message", id=str(uuid.uuid4()), content="How long is the warranty of the hub?"
        )
        await visitor.until("delta")
        bearer = visiting.bearer(visitor.booted["visitor_token"])
        receipt = await sync_to_async(erase, thread_sensitive=False)(acme, bearer.visitor_id)
        assert receipt.counted["answer_runs"] == {"before": 1, "after": 0}
        await settle()
        # What they say now on the open socket is refused, and makes no row.
        await visitor.until("status")
        await visitor.send(type="message", id=str(uuid.uuid4()), content="Still there?")
        with pytest.raises(ConnectionError):
            while True:
                await visitor.receive()
        assert visitor.close_code == 4404

    def look():
        with acting_as(acme):
            llm = CostEvent.objects.get(service="llm")
            return Visitor.objects.count(), Message.objects.count(), llm.session_id, llm.output_tokens

    people, messages, session, tokens = await sync_to_async(look)()
    assert (people, messages, session) == (0, 0, None)
    assert tokens > 0
    assert [name for name in redis.scan_iter("fd:*:answer:*") if redis.xlen(name)] == []


def test_an_answer_that_ends_after_the_erasure_is_booked_without_them(acme, bolt, redis):
    from widgets.chat import replying
    from widgets.chat.replying import Draft

    widget = conversations.widget(acme)
    with acting_as(acme) as ref:
        guest = Guest(ref, widget.pk, uuid7())
        run = asking.ask(guest, uuid7(), "How long?").run
        # Its process is another one, which hears of nothing.
        order = visitors.begin(guest.visitor_id, "key:test")
    visitors.STOP_WITHIN_S, patience = 0.1, visitors.STOP_WITHIN_S
    try:
        visitors.carry_out(ref, order.pk)
    finally:
        visitors.STOP_WITHIN_S = patience
    cost = event("0.02", session_id=run.session_id, message_id=run.message_id, user_ref="them")
    with acting_as(acme):
        assert replying.reply(run, Draft("Two years.", MessageStatus.COMPLETE, costs=[cost])).message is None
    with acting_as(acme):
        booked = CostEvent.objects.get()
        assert (booked.cost_usd, booked.session_id, booked.user_ref) == (Decimal("0.02"), None, "")
        assert not Message.objects.exists()


def test_messages_that_arrive_meanwhile_resurrect_nobody(acme, bolt, redis):
    """Eight tabs talk as fast as they can while the visitor is erased; after it no row of theirs is there."""
    widget = conversations.widget(acme)
    with acting_as(acme) as ref:
        guests = [Guest(ref, widget.pk, uuid7()) for _ in range(4)]
    for guest in guests:
        over = threading.Event()
        refused = []

        def talk(number, guest=guest, over=over, refused=refused):
            if number == 0:
                while True:
                    try:
                        receipt = erase(acme, guest.visitor_id)
                        break
                    except NotFound:
                        continue
                over.set()
                return receipt
            for _ in range(200):
                try:
                    with acting_as(guest.tenant):
                        asked = asking.ask(guest, uuid7(), "Hello?")
                        AnswerRun.objects.filter(session_id=asked.session_id).update(status="done")
                except visiting.Erased:
                    refused.append(number)
                    return None
            return None

        at_once(8, talk, threads=8)
        assert over.is_set()
        assert len(refused) == 7
    with acting_as(acme):
        for model in (Visitor, Session, Message, AnswerRun):
            assert model.objects.count() == 0, model


def test_what_a_dead_process_left_undone_is_carried_out(planted, acme, bolt, redis, monkeypatch):
    guest, _ = planted

    def away(person):
        raise redis_library.ConnectionError("away")

    with monkeypatch.context() as patched:
        held = forgetting._outside["redis: stream entries of answers"]
        patched.setitem(forgetting._outside, held.name, held._replace(erase=away))
        with acting_as(acme) as ref:
            order = visitors.begin(guest.visitor_id, "key:test")
        half = visitors.carry_out_soon(ref, order)
        assert half.finished_at is None
        assert half.remaining
        assert WORD not in str(half.remaining)
        with acting_as(acme):
            assert not Visitor.objects.exists()
            due_work.promise(visitors.WORK, order.pk, order.created_at)
        assert visitors.carry_out_overdue() == 0
    assert visitors.carry_out_overdue() == 1
    with acting_as(acme):
        done = ErasureReceipt.objects.get()
        assert done.counted["redis: stream entries of answers"] == {"before": 1, "after": 0}
        assert done.finished_at
        assert not DueWork.objects.filter(kind=visitors.WORK).exists()


class TestDoor:
    def test_it_answers_with_the_receipt_and_again_with_the_same(self, planted, acme, bolt, client):
        guest, twin = planted
        call = caller(client, acme)
        assert code_of(call("DELETE", f"visitors/{twin.visitor_id}/"), 404) == "not_found"
        assert code_of(call("DELETE", f"visitors/{uuid.uuid4()}/"), 404) == "not_found"
        answer = call("DELETE", f"visitors/{guest.visitor_id}/")
        assert answer.status_code == 200
        receipt = answer.json()
        assert receipt["visitor"] == str(guest.visitor_id)
        assert {one["name"]: one["after"] for one in receipt["counted"]}["messages"] == 0
        assert call("DELETE", f"visitors/{guest.visitor_id}/").json() == receipt
        assert call("GET", "erasures/").json()["results"] == [receipt]
        assert call("GET", f"erasures/{receipt['id']}/").json() == receipt
        with acting_as(acme):
            entry = AuditEntry.objects.get(action="erased")
            assert (entry.actor_kind, entry.target_id) == ("key", str(guest.visitor_id))
            # What a person or key does is recorded; an erased row's words are not.
            assert WORD not in repr(list(AuditEntry.objects.values_list()))
        assert caller(client, bolt)("GET", "erasures/").json()["results"] == []
        assert code_of(caller(client, bolt)("GET", f"erasures/{receipt['id']}/"), 404) == "not_found"

    def test_it_needs_a_key_that_may_change_the_account(self, planted, acme, client):
        call = caller(client, acme, "conversations:write", "read")
        assert code_of(call("DELETE", f"visitors/{planted[0].visitor_id}/"), 403) == "missing_scope"
        with acting_as(acme):
            assert Visitor.objects.count() == 1


def test_archives_that_hold_them_go_too(planted, acme, bolt, settings, tmp_path):
    settings.STORAGE_URL = f"file://{tmp_path}"
    for tenant in (acme, bolt):
        with acting_as(tenant) as ref:
            export = ordering.order_export("key:test")
        assert ordering.carry_out(ref, export.pk)
    assert len(list(tmp_path.rglob("*.zip"))) == 2
    receipt = erase(acme, planted[0].visitor_id)
    assert receipt.counted["files: archives of exports"] == {"before": 1, "after": 0}
    (left,) = tmp_path.rglob("*.zip")
    assert str(bolt.pk) in left.parts
    with acting_as(acme):
        assert Export.objects.get().status == "expired"


def test_the_directory_forgets_the_meeting(planted, acme):
    from meetings.models import Meeting

    with acting_as(acme):
        room = Meeting.objects.get().room_name
    assert resolve_tenant(KeyKind.ROOM, room)
    erase(acme, planted[0].visitor_id)
    assert resolve_tenant(KeyKind.ROOM, room) is None
