"""Conversations: the list, the transcript, and what a person does about one."""

from billing.costs.models import CostEvent, ModelPrice
from tenants.context import acting_as
from tenants.models import ErasureReceipt, User
from tenants.permissions import Role
from tests import conversations
from tests.admin.rows import address
from widgets.erasing import visitors
from widgets.models import Message, Session


class TestConversations:
    def test_the_transcript_shows_sources_and_costs(self, filled, acme, sign_in):
        session, _ = filled
        page = sign_in(acme).get(address(Session, "change", session.pk)).content.decode()
        assert "acme answer &lt;script&gt;alert(1)" in page
        assert "acme source" in page
        assert "$0.0012" in page
        assert "acme-model" in page

    def test_nothing_recorded_can_be_added_changed_or_deleted(self, filled, acme, sign_in):
        client = sign_in(acme)
        session, _ = filled
        for model in (Session, Message, CostEvent, ModelPrice):
            assert client.get(address(model, "add")).status_code == 403
        assert client.post(address(Session, "delete", session.pk), {"post": "yes"}).status_code == 403
        assert client.post(address(Session, "change", session.pk), {"status": "ended"}).status_code == 403

    def test_a_member_sees_no_money(self, filled, acme, sign_in):
        client = sign_in(acme, Role.MEMBER)
        session, _ = filled
        assert "$0.0012" not in client.get(address(Session, "change", session.pk)).content.decode()
        assert "$0.0012" not in client.get(address(Session)).content.decode()

    def test_how_an_answer_came_about(self, acme, sign_in):
        session = conversations.session(acme)
        facts = {"event": "abstained", "model": "gpt-x", "firstTokenMs": 420, "tokensUsed": 1234,
                 "personalityVersion": 3, "confidence": 0.25}  # fmt: skip
        with acting_as(acme):
            Message.objects.create(
                session=session, seq=1, role="assistant", content="I don't know.", metadata=facts
            )
        page = sign_in(acme).get(address(Session, "change", session.pk)).content.decode()
        for words in ("unanswered", "gpt-x", "420 ms", "1,234", "version 3", "25%"):
            assert words in page, words

    def test_the_list_is_narrowed(self, filled, acme, sign_in):
        ours, theirs = filled
        client = sign_in(acme)
        with acting_as(acme):
            Message.objects.create(
                session=ours, seq=2, role="assistant", content="No.", metadata={"event": "abstained"}
            )
        for query, is_listed in (
            ("?unanswered=yes", True), ("?unanswered=no", False), ("?assignee=me", False), ("?assignee=nobody", True),
            ("?status__exact=ai", True), ("?status__exact=ended", False),
        ):  # fmt: skip
            listed = client.get(address(Session) + query).content.decode()
            assert (str(ours.pk) in listed) is is_listed, query
            assert str(theirs.pk) not in listed
        listed = client.get(address(Session) + f"?widget__id__exact={theirs.widget_id}").content.decode()
        assert str(theirs.pk) not in listed
        for query, is_listed in (("?outcome=unanswered", True), ("?outcome=answered", False)):
            assert ("No." in client.get(address(Message) + query).content.decode()) is is_listed


class TestInbox:
    def do(self, client, session, name, **fields):
        return client.post(f"{address(Session)}{session.pk}/do/{name}/", fields, follow=True)

    def test_a_member_takes_over_replies_gives_back_and_ends(self, acme, sign_in, transactional_db):
        session = conversations.session(acme)
        client = sign_in(acme, Role.MEMBER)
        assert "You have this conversation." in self.do(client, session, "take-over").content.decode()
        assert (
            "Your reply is sent." in self.do(client, session, "reply", content="Hello <b>").content.decode()
        )
        page = client.get(address(Session, "change", session.pk)).content.decode()
        assert "Hello &lt;b&gt;" in page
        assert "member of acme took over" in page
        assert "The AI answers again." in self.do(client, session, "release").content.decode()
        with acting_as(acme):
            me = User.objects.get()
        assert "Assigned." in self.do(client, session, "assign", assignee=str(me.pk)).content.decode()
        assert "must be" in self.do(client, session, "assign", assignee="nonsense").content.decode()
        assert "must not be blank" in self.do(client, session, "reply", content=" ").content.decode()
        assert "has ended" in self.do(client, session, "end").content.decode()
        assert "This conversation has ended." in self.do(client, session, "take-over").content.decode()

    def test_another_tenants_conversation_is_out_of_reach(self, filled, acme, bolt, sign_in):
        ours, theirs = filled
        client = sign_in(acme)
        sign_in(bolt)
        with acting_as(bolt):
            stranger = User.objects.get()
        for name in ("take-over", "reply", "release", "end", "assign"):
            assert self.do(client, theirs, name, content="Hi").status_code == 404
        self.do(client, ours, "assign", assignee=str(stranger.pk))
        assert client.post(f"{address(Session)}{ours.pk}/do/nonsense/").status_code == 404
        assert client.get(f"{address(Session)}{ours.pk}/do/end/").status_code == 405
        with acting_as(bolt):
            assert Session.objects.get().last_seq == 1
        with acting_as(acme):
            assert Session.objects.get().assignee_id is None


class TestErasing:
    def test_a_visitor_is_erased_from_the_transcript(self, filled, acme, bolt, sign_in):
        session, theirs = filled
        client = sign_in(acme, Role.ADMIN)
        page = client.get(address(Session, "change", session.pk)).content.decode()
        assert "Erase this visitor" in page
        # Bolt's is not there for Acme's people.
        assert client.post(f"{address(Session)}{theirs.pk}/erase-visitor/").status_code == 404
        asked = client.post(f"{address(Session)}{session.pk}/erase-visitor/")
        assert asked.status_code == 302
        with acting_as(acme) as ref:
            receipt = ErasureReceipt.objects.get()
        page = client.get(asked["Location"]).content.decode()
        assert "not counted yet" in page
        visitors.carry_out(ref, receipt.pk)
        page = client.get(asked["Location"]).content.decode()
        assert "admin of acme" in page
        assert "<td>messages</td>" in page
        assert client.get(address(ErasureReceipt)).status_code == 200
        with acting_as(acme):
            assert not Session.objects.filter(pk=session.pk).exists()
            assert CostEvent.objects.count() == 1
        with acting_as(bolt):
            assert Session.objects.filter(pk=theirs.pk).exists()

    def test_a_member_may_not(self, filled, acme, sign_in):
        session, _ = filled
        client = sign_in(acme, Role.MEMBER)
        assert "Erase this visitor" not in client.get(address(Session, "change", session.pk)).content.decode()
        assert client.post(f"{address(Session)}{session.pk}/erase-visitor/").status_code == 403
        assert client.get(address(ErasureReceipt)).status_code == 403
        with acting_as(acme):
            assert not ErasureReceipt.objects.exists()
