"""What a piece of work is and for whom: known to its threads and tasks, unknown to the next one."""

import asyncio
import contextvars
import threading

from kernel import observing, tracing


def test_facts_belong_to_one_piece_of_work():
    assert observing.facts() == {}
    with observing.work(request_id="one") as outer:
        observing.note(tenant_id="acme")
        with observing.work(request_id="two"):
            assert observing.facts() == {"request_id": "two"}
        assert outer == observing.facts() == {"request_id": "one", "tenant_id": "acme"}
    assert observing.facts() == {}


def test_a_note_outside_any_work_is_nobodys():
    observing.note(tenant_id="acme")
    assert observing.facts() == {}


async def test_what_a_thread_or_a_task_learns_its_work_knows():
    async def task():
        observing.note(session_id="s")

    with observing.work() as facts:
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(lambda: observing.note(tenant_id="acme"),))
        thread.start()
        thread.join()
        await asyncio.create_task(task())
    assert facts == {"tenant_id": "acme", "session_id": "s"}


def test_whoever_watches_is_told_when_a_program_begins_and_works(monkeypatch):
    told = []
    monkeypatch.setattr(observing, "_on_begin", [lambda: told.append(observing.process())])
    monkeypatch.setattr(observing, "_on_work", [lambda: told.append("works")])
    monkeypatch.setattr(observing, "_process", "command")
    observing.begin("beat")
    observing.works()
    assert told == ["beat", "works"]


def test_names_given_to_requests_are_in_the_order_of_time_and_sane():
    names = [observing.new_request_id() for _ in range(100)]
    assert len(set(names)) == 100
    assert all(len(name) == 32 and name.isalnum() for name in names)


def test_untraced_spans_are_all_one_and_do_nothing():
    with tracing.span("a", gen_ai__request__model="m") as one, tracing.chat_span("p", "m") as other:
        one.set(x=1)
        one.rename("b")
        one.fail("why")
    assert one is other is tracing.UNTRACED
    assert tracing.current() == tracing.Ids("", "", "")
    assert tracing.carrier() == {}
