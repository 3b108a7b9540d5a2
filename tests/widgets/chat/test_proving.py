"""Proof of work: who has to do it, what counts as one, and when a widget asks for it by itself."""

import itertools

import jwt
import pytest
from asgiref.sync import sync_to_async

from kernel import limiting
from kernel.encryption import encrypt
from kernel.limiting import Limit
from tenants.context import TenantRef, acting_as
from tests import conversations
from tests.widgets.chat.visitors import arrive, boot, settle
from widgets.chat import admitting, guarding, proving
from widgets.chat.guarding import CALM, GUARDED_S, guard_key
from widgets.chat.streams import bus
from widgets.editing import update_widget
from widgets.models import Widget

SECRET = "an identity secret that is long enough for HS256"
NO_REDIS = "unix:///tmp/no-such-frontdesk.sock"
HERE = "127.0.0.1"


@pytest.fixture(autouse=True)
def _easy(settings, redis):
    settings.PROOF_OF_WORK_BITS = 4
    limiting._due.clear()
    limiting._left_alone_until = 0.0
    guarding._guarded_until.clear()
    guarding._used.clear()


@pytest.fixture
def widget(acme, bolt, redis):
    return conversations.known_widget(acme, settings={"proofOfWork": "on"})


def solved(challenge):
    """A client of one's own, written from docs/chat-protocol.md."""
    import hashlib

    numbers = []
    for index in range(challenge["count"]):
        for number in itertools.count():
            digest = hashlib.sha256(f"{challenge['seed']}.{index}.{number}".encode()).digest()
            if int.from_bytes(digest, "big") >> (256 - challenge["bits"]) == 0:
                numbers.append(number)
                break
    return {"token": challenge["token"], "numbers": numbers}


def asked(widget):
    refused = boot(widget)
    assert refused.status_code == 428
    return refused.json()["challenge"]


def mode(tenant, widget, value):
    with acting_as(tenant):
        return update_widget(widget.pk, settings={"proofOfWork": value})


@pytest.mark.django_db
class TestOn:
    def test_boot_asks_for_it_and_then_lets_in(self, widget):
        refused = boot(widget)
        assert refused.status_code == 428
        assert refused["Content-Type"] == "application/problem+json"
        assert refused["Access-Control-Allow-Origin"] == "https://acme.example"
        problem = refused.json()
        assert problem["code"] == "proof_of_work_required"
        assert set(problem["challenge"]) == {"token", "seed", "count", "bits"}
        assert boot(widget, proof=solved(problem["challenge"])).status_code == 200

    def test_a_proof_is_good_once(self, widget):
        proof = solved(asked(widget))
        assert [boot(widget, proof=proof).status_code for _ in range(3)] == [200, 428, 428]

    def test_also_without_redis_in_one_process(self, widget, acme, settings):
        tenant = TenantRef(acme.pk, acme.schema_name)
        settings.REDIS_URL = NO_REDIS
        proof = proving.BootProof.model_validate(solved(proving.challenge(widget.public_key, HERE)))
        guarding.let_in(tenant, widget, HERE, proof, is_known=False)
        with pytest.raises(proving.ProofRequired):
            guarding.let_in(tenant, widget, HERE, proof, is_known=False)

    def test_it_is_bound_to_widget_address_and_time(self, widget, acme, bolt, monkeypatch):
        other = conversations.known_widget(acme, settings={"proofOfWork": "on"})
        theirs = conversations.known_widget(bolt, settings={"proofOfWork": "on"})
        proof = solved(asked(widget))
        assert boot(other, proof=proof).status_code == 428
        assert boot(theirs, proof=proof).status_code == 428
        elsewhere = solved(proving.challenge(widget.public_key, "198.51.100.7"))
        assert boot(widget, proof=elsewhere).status_code == 428
        monkeypatch.setattr(proving, "LIFETIME_S", -1)
        assert boot(widget, proof=proof).status_code == 428
        monkeypatch.undo()
        assert boot(widget, proof=proof).status_code in (200, 428)

    @pytest.mark.parametrize(
        "change",
        [
            lambda p: {**p, "numbers": p["numbers"][:-1]},
            lambda p: {**p, "numbers": [*p["numbers"], 0]},
            lambda p: {**p, "token": p["token"][:-1] + ("a" if p["token"][-1] != "a" else "b")},
            lambda p: {**p, "token": ""},
        ],
    )
    def test_what_is_no_solution_is_refused(self, widget, change):
        assert boot(widget, proof=change(solved(asked(widget)))).status_code == 428

    def test_wrong_numbers_are_refused(self, widget, settings):
        settings.PROOF_OF_WORK_BITS = 20
        challenge = asked(widget)
        assert boot(widget, proof={"token": challenge["token"], "numbers": [0] * 8}).status_code == 428

    @pytest.mark.parametrize(
        ("proof", "field"),
        [
            ({"token": 1, "numbers": []}, "proof.token"),
            ({"token": "x"}, "proof.numbers"),
            ({"token": "x", "numbers": ["1"]}, "proof.numbers.0"),
            ({"token": "x", "numbers": [2**32]}, "proof.numbers.0"),
            ({"token": "x", "numbers": [0] * 65}, "proof.numbers"),
            ("x", "proof"),
        ],
    )
    def test_a_malformed_one_is_named(self, widget, proof, field):
        refused = boot(widget, proof=proof)
        assert refused.status_code == 400
        assert [error["field"] for error in refused.json()["errors"]] == [field]

    def test_who_proved_who_they_are_does_no_work(self, widget, acme):
        import time

        with acting_as(acme):
            Widget.objects.filter(pk=widget.pk).update(identity_secret=encrypt(SECRET))
        claims = {"sub": "42", "exp": time.time() + 60, "aud": widget.public_key}
        assert boot(widget, identity=jwt.encode(claims, SECRET, "HS256")).status_code == 200

    def test_a_stranger_on_another_website_is_told_that_first(self, widget):
        assert boot(widget, origin="https://evil.example").status_code == 403

    def test_it_works_without_rate_limits_too(self, widget, settings):
        settings.RATE_LIMITS = False
        proof = solved(asked(widget))
        assert [boot(widget, proof=proof).status_code for _ in range(2)] == [200, 428]

    def test_the_solver_is_served(self, client):
        response = client.get("/widget/v1/proof.js")
        assert response["Content-Type"].startswith("text/javascript")
        assert response["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert b"frontdesk.proof" in response.content


@pytest.mark.django_db(transaction=True)
async def test_a_conversation_that_goes_on_needs_no_work(widget, acme):
    """Or every lost connection would cost the visitors of a guarded widget their work again."""
    await sync_to_async(mode)(acme, widget, "off")
    visitor = await arrive(widget)
    await visitor.receive()
    await visitor.ask("Hello?")
    await visitor.leave()
    await settle()
    await sync_to_async(mode)(acme, widget, "on")
    known = await sync_to_async(boot)(widget, visitor.booted["visitor_token"])
    assert known.status_code == 200
    assert (await sync_to_async(boot)(widget)).status_code == 428


@pytest.fixture(params=["Redis", "no Redis"])
def anywhere(request, settings):
    if request.param == "no Redis":
        settings.REDIS_URL = NO_REDIS
    return request.param


@pytest.mark.django_db
class TestAuto:
    @pytest.fixture
    def widget(self, acme, bolt, redis, monkeypatch):
        monkeypatch.setattr(guarding, "PER_ADDRESS", Limit("address", 1000.0, 1000))
        monkeypatch.setattr(guarding, "CALM", Limit("calm", 0.01, 5))
        monkeypatch.setattr(guarding, "STILL", Limit("still", 0.01, 2))
        return conversations.known_widget(acme)

    def let_in(self, tenant, widget, proof=None):
        guarding.let_in(TenantRef(tenant.pk, tenant.schema_name), widget, HERE, proof, is_known=False)

    def test_a_crowd_of_boots_puts_it_up_for_this_widget_alone(self, widget, acme, bolt, anywhere):
        theirs = conversations.known_widget(bolt)
        for _ in range(5):
            self.let_in(acme, widget)
        with pytest.raises(proving.ProofRequired):
            self.let_in(acme, widget)
        self.let_in(bolt, theirs)
        challenge = proving.challenge(widget.public_key, HERE)
        self.let_in(acme, widget, proving.BootProof.model_validate(solved(challenge)))

    def test_it_goes_down_after_a_while_of_quiet_and_stays_up_in_less(self, widget, acme, redis):
        key = guard_key(TenantRef(acme.pk, acme.schema_name), widget.pk)
        for _ in range(5):
            self.let_in(acme, widget)
        with pytest.raises(proving.ProofRequired):
            self.let_in(acme, widget)
        assert GUARDED_S - 5 < redis.ttl(key) <= GUARDED_S
        redis.expire(key, 100)
        for quiet in (True, True, False):  # two more boots are quiet, the third is not
            with pytest.raises(proving.ProofRequired):
                self.let_in(acme, widget)
            assert (redis.ttl(key) <= 100) == quiet
        redis.delete(key, *redis.keys("frontdesk:limit:*"))
        self.let_in(acme, widget)

    def test_off_is_off(self, widget, acme):
        off = mode(acme, widget, "off")
        for _ in range(30):
            self.let_in(acme, off)

    def test_calm_is_more_than_an_office_and_a_busy_site(self):
        assert CALM.at_once >= 3 * 60


@pytest.mark.django_db(transaction=True)
async def test_refused_messages_put_it_up_too(widget, acme, monkeypatch):
    await sync_to_async(mode)(acme, widget, "auto")
    monkeypatch.setattr(guarding, "CALM", Limit("calm", 0.01, 3))
    monkeypatch.setattr(admitting, "PER_ADDRESS", Limit("address-messages", 0.001, 1))
    visitor = await arrive(widget)
    await visitor.receive()
    tenant = TenantRef(acme.pk, acme.schema_name)
    assert not await sync_to_async(guarding.is_guarded)(tenant, widget.pk)
    for number in range(6):
        await visitor.send(type="message", id=f"01970000-0000-7000-8000-00000000000{number}", content="Hi")
        if number:
            assert (await visitor.until("error"))[-1]["code"] == "too_fast"
    await bus().flush()
    assert await sync_to_async(guarding.is_guarded)(tenant, widget.pk)
    assert (await sync_to_async(boot)(widget)).status_code == 428
    await visitor.leave()
    await settle()
