"""What a question and its answer commit: once, in order, and nothing of another tenant's."""

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from ai.usage import Usage
from billing.costs.ledger import NewCostEvent
from billing.models import CostEvent
from kernel.errors import NotFound
from kernel.ids import uuid7
from tenants.context import acting_as
from tenants.models import DueWork
from tests import conversations
from widgets.chat import asking, composing, leasing, replying
from widgets.chat.asking import Run, Turn
from widgets.chat.hub import LiveAnswer
from widgets.chat.replying import Draft
from widgets.chat.visiting import Guest
from widgets.models import (
    AnswerRun,
    Message,
    MessageStatus,
    Personality,
    RunStatus,
    Session,
    SessionStatus,
    Widget,
)
from widgets.personalities import create_personality

QUESTION = "How long is the warranty?"
DONE = Draft("Three years.", MessageStatus.COMPLETE)


@pytest.fixture
def guest(acme, bolt):
    """A visitor of acme. One of bolt's has said something with the client id that the tests use."""
    theirs, ours = conversations.widget(bolt), conversations.widget(acme)
    with acting_as(bolt) as ref:
        asking.ask(Guest(ref, theirs.pk, uuid7()), uuid.UUID(int=1), "Theirs")
    with acting_as(acme) as ref:
        return Guest(ref, ours.pk, uuid7())


def said(guest):
    with acting_as(guest.tenant):
        return list(Message.objects.order_by("seq").values_list("seq", "role", "content"))


def ask(guest, content=QUESTION, client_id=None, **more):
    with acting_as(guest.tenant):
        return asking.ask(guest, client_id or uuid.uuid4(), content, **more)


def reply(guest, run, draft=DONE, **more):
    with acting_as(guest.tenant):
        return replying.reply(run, draft, **more)


class TestAsking:
    def test_the_first_message_makes_visitor_session_and_promise(self, guest, bolt):
        asked = ask(guest, metadata={"page": "/"}, attachments=[])
        assert (asked.seq, asked.status, asked.message["content"]) == (1, "ai", QUESTION)
        assert asked.run.history == ()
        with acting_as(guest.tenant):
            assert Session.objects.get().metadata == {"page": "/"}
            assert AnswerRun.objects.get().message_id == asked.run.message_id
            assert DueWork.objects.get().key == asked.run.id
        with acting_as(bolt):
            assert Message.objects.get().content == "Theirs"

    def test_a_resend_changes_nothing_even_when_the_session_has_ended(self, guest):
        first = ask(guest, client_id=uuid.UUID(int=1))
        assert first.message is not None  # bolt's message of the same id is not ours
        again = ask(guest, "other words", uuid.UUID(int=1))
        with acting_as(guest.tenant):
            asking.end_session(asking.lock(first.session_id), "visitor")
        later = ask(guest, "other words", uuid.UUID(int=1))
        for resent in (again, later):
            assert (resent.message_id, resent.seq, resent.session_id) == (
                first.message_id,
                1,
                first.session_id,
            )
            assert (resent.message, resent.run) == (None, None)
        assert later.status == "ended"
        assert [content for _, _, content in said(guest)] == [QUESTION, ""]

    def test_history_has_the_last_turns_oldest_first_without_what_broke_off_unsaid(self, guest):
        for number in range(6):
            asked = ask(guest, f"q{number}")
            state = MessageStatus.FAILED if number == 4 else MessageStatus.COMPLETE
            reply(guest, asked.run, Draft(f"a{number}", state))
        # Eight rows back from the question; a4 was never said.
        turns = ask(guest).run.history
        assert [turn.content for turn in turns] == ["a1", "q2", "a2", "q3", "a3", "q4", "q5", "a5"]
        assert turns[-1] == Turn("assistant", "a5")

    def test_nobody_is_promised_twice_or_beside_a_person(self, guest):
        first, second = ask(guest), ask(guest, "And now?")
        assert (second.seq, second.run) == (2, None)
        reply(guest, first.run, go_on=False)
        with acting_as(guest.tenant):
            Session.objects.update(status=SessionStatus.HUMAN)
        third = ask(guest, "Anybody?")
        assert (third.seq, third.status, third.run) == (4, "human", None)

    def test_a_session_nobody_continued_for_a_day_ends_and_another_begins(self, guest):
        first = ask(guest)
        with acting_as(guest.tenant):
            Session.objects.update(last_message_at=timezone.now() - timedelta(hours=25))
        second = ask(guest, "I am back")
        assert (second.seq, second.session_id != first.session_id) == (1, True)
        with acting_as(guest.tenant):
            assert Session.objects.get(pk=first.session_id).status == "ended"

    def test_another_tenants_visitor_and_widget_lead_nowhere(self, guest, bolt):
        ask(guest)
        with acting_as(bolt) as theirs:
            stranger = Guest(theirs, guest.widget_id, guest.visitor_id)
            assert asking._ask(stranger, uuid.uuid4(), "Mine?", ()) is None
        assert [content for _, _, content in said(guest)] == [QUESTION]

    @pytest.mark.django_db(transaction=True)
    def test_two_tabs_at_once_share_one_session_without_a_gap(self, guest):
        def one(number):
            try:
                return ask(guest, f"m{number}")
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as threads:
            asked = list(threads.map(one, range(12)))
        assert {each.session_id for each in asked} == {asked[0].session_id}
        assert sorted(each.seq for each in asked) == list(range(1, 13))
        assert sum(each.run is not None for each in asked) == 1


class TestReplying:
    def test_message_run_and_promise_end_together(self, guest):
        asked = ask(guest)
        replied = reply(guest, asked.run)
        assert (replied.message["id"], replied.message["seq"]) == (str(asked.run.message_id), 2)
        with acting_as(guest.tenant):
            assert AnswerRun.objects.get().status == RunStatus.DONE
            assert not DueWork.objects.exists()

    def test_whoever_comes_second_writes_nothing_and_pays_once(self, guest):
        asked = ask(guest)
        cost = NewCostEvent(
            service="llm",
            provider="openai",
            model="stub",
            usage=Usage(input_tokens=5),
            session_id=asked.session_id,
            idempotency_key=f"answer:{asked.run.id}:llm",
        )
        assert reply(guest, asked.run, Draft("First", MessageStatus.COMPLETE, costs=[cost])).message
        second = reply(guest, asked.run, Draft("Second", MessageStatus.COMPLETE, costs=[cost]))
        assert (second.message, second.next_run) == (None, None)
        assert [content for _, _, content in said(guest)] == [QUESTION, "First"]
        with acting_as(guest.tenant):
            assert CostEvent.objects.count() == 1

    def test_another_tenant_cannot_end_a_run(self, guest, bolt):
        asked = ask(guest)
        with acting_as(bolt):
            assert replying.reply(asked.run, DONE).message is None
        with acting_as(guest.tenant):
            assert AnswerRun.objects.get().status == RunStatus.RUNNING
        assert len(said(guest)) == 1


class TestLeases:
    def test_only_what_still_runs_here_is_held_on_to(self, guest, bolt):
        done = ask(guest)
        reply(guest, done.run, go_on=False)
        running = ask(guest, "And now?")
        with acting_as(guest.tenant):
            AnswerRun.objects.update(lease_until=timezone.now())
            before = timezone.now()
            assert asking.extend_leases([done.run.id, running.run.id, uuid7()]) == {running.run.id}
            assert AnswerRun.objects.get(pk=running.run.id).lease_until > before + asking.LEASE / 2
            assert AnswerRun.objects.get(pk=done.run.id).lease_until < before
            assert DueWork.objects.get().due_at > before + asking.LEASE / 2
        with acting_as(bolt):
            assert asking.extend_leases([running.run.id]) == set()

    @pytest.mark.django_db(transaction=True)
    async def test_one_task_holds_on_to_all_and_stops_what_is_lost(self, guest, monkeypatch):
        monkeypatch.setattr(leasing, "EXTENDED_EVERY_S", 0.02)
        asked_of = []

        async def extended(tenant, function, runs):
            asked_of.append(set(runs))
            return {run for run in runs if run != lost.id}

        monkeypatch.setattr(leasing, "run_as", extended)
        kept, lost = (Run(uuid7(), uuid7(), uuid7(), 1, "?", None) for _ in range(2))
        lives = {run.id: LiveAnswer(run.message_id) for run in (kept, lost)}
        leases = leasing.Leases()
        for run in (kept, lost):
            leases.hold(guest.tenant, run, lives[run.id])
        await asyncio.sleep(0.05)
        assert asked_of[0] == {kept.id, lost.id}
        assert (lives[kept.id].stopped, lives[lost.id].stopped) == (False, True)
        for run in (kept, lost):
            leases.let_go(guest.tenant, run)
        assert leases._keeper is None


class TestSpeaking:
    def speaker(self, guest, chosen=None, widget=True):
        with acting_as(guest.tenant) as ref:
            return composing._speaker(
                composing.Composition(
                    ref,
                    QUESTION,
                    (),
                    print,
                    uuid7(),
                    widget_id=guest.widget_id if widget else None,
                    personality_id=chosen,
                )
            )

    def test_the_widgets_own_then_the_default_never_an_inactive_one(self, guest, bolt):
        with acting_as(bolt):
            theirs = create_personality("Theirs", system_prompt="secret")
        assert self.speaker(guest).personality is None
        with acting_as(guest.tenant):
            create_personality("Default", system_prompt="default", is_default=True)
            own = create_personality("Own", system_prompt="own", temperature="0.2")
            Widget.objects.filter(pk=guest.widget_id).update(
                personality=own, collections=["faq"], settings={"locale": "de"}
            )
        found = self.speaker(guest)
        assert (found.personality.system_prompt, str(found.personality.temperature)) == ("own", "0.20")
        assert (found.personality.version, found.personality.max_tokens) == (1, 2000)
        assert (found.collections, found.locale) == (["faq"], "de")
        assert self.speaker(guest, widget=False).personality.system_prompt == "default"
        with acting_as(guest.tenant):
            Personality.objects.filter(pk=own.pk).update(is_active=False)
        assert self.speaker(guest).personality.system_prompt == "default"
        for absent in (own.pk, theirs.pk):
            with pytest.raises(NotFound):
                self.speaker(guest, absent)
