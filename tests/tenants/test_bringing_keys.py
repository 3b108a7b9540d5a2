"""A tenant's own keys for providers: they pay, and nothing else does; nobody is shown them."""

import json
import logging
import urllib.request
from dataclasses import replace
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from ai import configuration, http
from ai.chat import choosing
from ai.embedding import choosing as embedders
from ai.embedding import wait_for
from billing.models import CostEvent
from kernel.encryption import decrypt
from kernel.errors import Conflict, InvalidInput, NotFound, ProviderError
from knowledge import ingest, search
from knowledge.models import Document
from knowledge.paying_embedder import embedder_of
from tenants import bringing_keys
from tenants.bringing_keys import remove_key, set_key
from tenants.context import TenantRef, acting_as
from tenants.models import AuditEntry, ProviderKey, User
from tests import conversations
from tests.admin.conftest import sign_in  # noqa: F401 - a fixture
from tests.ai.stub_provider import running
from tests.tenants.callers import caller
from widgets.chat.composing import Composition, compose
from widgets.models import Personality

OURS, ACMES, BOLTS = "sk-installation-000000", "sk-acme-111111111111", "sk-bolt-222222222222"
TEXT = "The+warranty+is+two+years+[1]."

pytestmark = pytest.mark.django_db(transaction=True)


class Provider:
    """The stub in a process of its own: what it was asked, with which key."""

    def __init__(self, url):
        self.url = url

    def log(self):
        with urllib.request.urlopen(f"{self.url}/log") as answer:
            return json.load(answer)

    def reset(self):
        urllib.request.urlopen(f"{self.url}/reset", data=b"").close()


@pytest.fixture(scope="module")
def provider():
    with running() as url:
        yield Provider(url)


@pytest.fixture(autouse=True)
def _installation(settings, provider, redis):
    choosing.circuit.cache_clear()
    embedders._made.cache_clear()
    provider.reset()
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = OURS, f"{provider.url}/v1"
    settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = OURS, provider.url
    settings.LLM_MODEL = f"openai:gpt?text={TEXT}"
    yield
    wait_for(http.close())
    embedders._made.cache_clear()


@pytest.fixture
def taught(acme, bolt):
    for tenant in (acme, bolt):
        conversations.teach(
            tenant, "Warranty", f"# Warranty\n\nThe warranty of the {tenant.slug} hub is two years."
        )
    return acme, bolt


def give(tenant, provider, key):
    with acting_as(tenant):
        return set_key(provider, key)


def prefer(tenant, model):
    with acting_as(tenant):
        Personality.objects.create(name="Front desk", is_default=True, preferred_model=model)


async def answered(tenant):
    ref, question = (
        TenantRef(tenant.pk, tenant.schema_name),
        f"How long is the warranty of the {tenant.slug} hub?",
    )
    try:
        return await compose(Composition(ref, question, (), lambda text: None, uuid4()))
    finally:
        await http.close()


def paid_by(draft, service="llm"):
    return [event.metadata.get("paidBy") for event in draft.costs if event.service == service]


class TestSetting:
    def test_it_is_encrypted_and_shown_by_its_end(self, acme, bolt):
        give(bolt, "openai", BOLTS)
        stored = give(acme, "openai", f"  {ACMES}\n")
        assert (stored.last4, decrypt(stored.secret)) == ("1111", ACMES)
        assert ACMES.encode() not in bytes(stored.secret)
        assert str(stored) == "OpenAI …1111"

    def test_another_replaces_it(self, acme, bolt):
        give(bolt, "openai", BOLTS)
        first = give(acme, "openai", ACMES)
        with acting_as(acme):
            bringing_keys.note_refusals({"openai": "no"})
        second = give(acme, "openai", "sk-second-3333")
        assert (second.pk, second.last4, second.refused_at, second.refusal) == (first.pk, "3333", None, "")
        with acting_as(bolt):
            assert ProviderKey.objects.get().last4 == "2222"

    @pytest.mark.parametrize(
        ("named", "key", "field"),
        [
            ("openai", "short", "key"),
            ("openai", "with a blank inside", "key"),
            ("openai", "sk-line\nX-Evil: 1", "key"),
            ("openai", "sk-naïve-0000", "key"),
            ("openai", "x" * 301, "key"),
            ("cohere", ACMES, "provider"),
        ],
    )
    def test_what_no_key_is_is_refused(self, acme, named, key, field):
        with acting_as(acme), pytest.raises(InvalidInput) as caught:
            set_key(named, key)
        assert [error.field for error in caught.value.errors] == [field]
        assert key not in str(caught.value)

    def test_the_operator_may_offer_none(self, acme, settings):
        give(acme, "openai", ACMES)
        settings.TENANT_PROVIDER_KEYS = "off"
        with acting_as(acme):
            with pytest.raises(Conflict):
                set_key("openai", ACMES)
            assert bringing_keys.own_keys().configuration is None

    def test_one_removes_ones_own_only(self, acme, bolt):
        theirs = give(bolt, "openai", BOLTS)
        with acting_as(acme), pytest.raises(NotFound):
            remove_key(theirs.pk)
        with acting_as(bolt):
            remove_key(theirs.pk)
            assert not ProviderKey.objects.exists()

    def test_the_platforms_people_are_no_setters(self, acme):
        staff = User.objects.create(email="staff@platform.example")
        with acting_as(acme):
            assert set_key("openai", ACMES, by=staff).set_by is None


class TestChat:
    def keys_used(self, provider):
        return [
            one["headers"].get("authorization", "").removeprefix("Bearer ") or one["headers"].get("x-api-key")
            for one in provider.log()
        ]

    async def test_each_tenant_pays_with_its_own(self, taught, provider):
        acme, bolt = taught
        await sync_to_async(give)(acme, "openai", ACMES)
        assert paid_by(await answered(acme)) == ["tenant"]
        assert paid_by(await answered(bolt)) == [None]
        assert self.keys_used(provider) == [ACMES, OURS]

    async def test_a_model_that_only_ones_own_key_opens(self, taught, provider, settings):
        acme, bolt = taught
        settings.LLM_MODEL, settings.ANTHROPIC_API_KEY = "offline", ""
        settings.ANTHROPIC_BASE_URL = configuration.ANTHROPIC_URL
        for tenant in taught:
            await sync_to_async(prefer)(tenant, f"openai:gpt?text={TEXT}&key={ACMES}")
        await sync_to_async(give)(acme, "openai", ACMES)
        assert (await answered(acme)).metadata["model"] == "gpt"
        # Bolt is answered by the next model, since the installation's key does not open this one.
        assert (await answered(bolt)).metadata["model"] == "extractive"

    async def test_a_refused_key_is_nobody_elses_bill(self, taught, provider, settings):
        acme, _ = taught
        settings.LLM_MODEL = f"openai:gpt?text={TEXT}&key={OURS},anthropic:claude?text={TEXT}"
        await sync_to_async(give)(acme, "openai", ACMES)
        draft = await answered(acme)
        assert draft.metadata["event"] == "model_unavailable"
        assert paid_by(draft) == []
        assert set(self.keys_used(provider)) == {ACMES}
        row = await sync_to_async(self.row)(acme)
        assert row.refused_at is not None
        assert row.refusal == "openai does not accept the API key (401)."

    async def test_it_is_ours_where_the_operator_says_so(self, taught, provider, settings):
        acme, _ = taught
        settings.TENANT_PROVIDER_KEYS = "fall_back"
        settings.LLM_MODEL = f"openai:gpt?text={TEXT}&key={OURS}"
        await sync_to_async(give)(acme, "openai", ACMES)
        draft = await answered(acme)
        assert (draft.metadata["event"], paid_by(draft)) == (None, [None])
        assert self.keys_used(provider) == [ACMES, OURS]
        assert (await sync_to_async(self.row)(acme)).refused_at is not None

    async def test_a_key_that_works_again_is_no_longer_marked(self, taught, provider):
        acme, bolt = taught
        for tenant, key in ((acme, ACMES), (bolt, BOLTS)):
            await sync_to_async(give)(tenant, "openai", key)
            await sync_to_async(self.mark)(tenant)
        await answered(acme)
        assert (await sync_to_async(self.row)(acme)).refused_at is None
        assert (await sync_to_async(self.row)(bolt)).refused_at is not None

    async def test_an_outage_is_not_the_keys_fault(self, taught, provider, settings):
        acme, _ = taught
        settings.LLM_MODEL = "openai:gpt?error=500"
        await sync_to_async(give)(acme, "openai", ACMES)
        assert (await answered(acme)).metadata["event"] == "model_unavailable"
        assert (await sync_to_async(self.row)(acme)).refused_at is None

    async def test_one_that_cannot_be_read_asks_nobody(self, taught, provider, settings):
        acme, _ = taught
        await sync_to_async(give)(acme, "openai", ACMES)
        settings.ENCRYPTION_KEYS = ("another-key-" * 4,)
        assert (await answered(acme)).metadata["event"] == "model_unavailable"
        assert self.keys_used(provider) == []

    def row(self, tenant):
        with acting_as(tenant):
            return ProviderKey.objects.get()

    def mark(self, tenant):
        with acting_as(tenant):
            bringing_keys.note_refusals({"openai": "marked before"})


class TestEmbedding:
    @pytest.fixture(autouse=True)
    def _remote(self, settings):
        settings.EMBEDDING_MODEL = "openai:embed"

    def test_documents_and_questions_are_paid_with_ones_own(self, acme, bolt, provider):
        give(acme, "openai", ACMES)
        for tenant in (acme, bolt):
            conversations.teach(tenant, "Hours", f"# Hours\n\n{tenant.slug} is open from nine to five.")
            search.search(tenant, f"When is {tenant.slug} open?")
        used = [one["headers"]["authorization"].removeprefix("Bearer ") for one in provider.log()]
        assert used == [ACMES, ACMES, OURS, OURS]
        for tenant, payers in ((acme, {"tenant"}), (bolt, {None})):
            with acting_as(tenant):
                assert {event.metadata.get("paidBy") for event in CostEvent.objects.all()} == payers

    def test_a_refused_key_fails_the_document_and_says_so(self, acme, bolt, provider, settings):
        settings.EMBEDDING_MODEL = f"openai:embed?key={OURS}"
        give(acme, "openai", ACMES)
        with acting_as(acme) as ref:
            document = conversations.save_document(title="Hours", content="# Hours\n\nNine to five.").document
        with pytest.raises(ProviderError) as caught:
            ingest.ingest(ref, document.pk)
        assert (caught.value.code, caught.value.retryable) == ("unauthorized", False)
        with acting_as(acme):
            assert Document.objects.get().error == "openai does not accept the API key (401)."
            assert ProviderKey.objects.get().refused_at is not None
            assert not CostEvent.objects.exists()

    def test_it_is_ours_where_the_operator_says_so(self, acme, provider, settings):
        settings.EMBEDDING_MODEL, settings.TENANT_PROVIDER_KEYS = f"openai:embed?key={OURS}", "fall_back"
        give(acme, "openai", ACMES)
        conversations.teach(acme, "Hours", "# Hours\n\nNine to five.")
        with acting_as(acme):
            assert [event.metadata.get("paidBy") for event in CostEvent.objects.all()] == [None]
            assert ProviderKey.objects.get().refused_at is not None
        give(acme, "openai", OURS)
        made = wait_for(embedder_of(acme).embed(["Open?"], kind="query"))
        assert made.own_key

    def test_a_model_on_this_machine_asks_for_no_key(self, acme, settings, monkeypatch):
        settings.EMBEDDING_MODEL = "hashing"
        monkeypatch.setattr(bringing_keys, "own_keys", lambda: pytest.fail("nobody's key matters"))
        assert embedder_of(acme).provider == "local"


class TestNobodyIsShownThem:
    def test_the_record_says_that_it_was_set_and_not_what(self, acme, bolt):
        give(bolt, "openai", BOLTS)
        give(acme, "openai", ACMES)
        give(acme, "openai", "sk-second-3333")
        with acting_as(acme):
            entries = list(AuditEntry.objects.filter(target_kind="provider_key").order_by("id"))
            bringing_keys.note_refusals({"openai": "no"})
            assert AuditEntry.objects.filter(target_kind="provider_key").count() == 2
        assert [entry.action for entry in entries] == ["created", "changed"]
        assert entries[1].before == {"last4": "1111", "secret": "•••"}
        assert entries[1].after == {"last4": "3333", "secret": "•••"}

    def test_rest_takes_a_key_and_gives_its_end(self, acme, bolt, client):
        give(bolt, "openai", BOLTS)
        call = caller(client, acme)
        made = call("POST", "provider-keys/", {"provider": "openai", "key": ACMES})
        assert made.status_code == 201
        identifier = made.json()["id"]
        shown = [made, call("GET", "provider-keys/"), call("GET", f"provider-keys/{identifier}/")]
        assert {one["last4"] for one in call("GET", "provider-keys/").json()["results"]} == {"1111"}
        refused = call("POST", "provider-keys/", {"provider": "cohere", "key": ACMES})
        assert refused.status_code == 400
        for response in (*shown, refused):
            assert ACMES not in response.content.decode()
            assert '"key"' not in response.content.decode() or response is refused
        assert call("DELETE", f"provider-keys/{identifier}/").status_code == 204
        assert call("GET", f"provider-keys/{identifier}/").status_code == 404

    async def test_no_log_line_and_no_configuration_holds_one(self, taught, provider, settings, caplog):
        caplog.set_level(logging.DEBUG)  # and the stub repeats the key in its refusal, as OpenAI does
        acme, _ = taught
        settings.LLM_MODEL = f"openai:gpt?text={TEXT}&key=another"
        await sync_to_async(give)(acme, "openai", ACMES)
        draft = await answered(acme)
        assert ACMES not in caplog.text
        assert ACMES not in json.dumps([draft.text, draft.metadata])
        own = configuration.with_own_keys({"openai": ACMES}, may_fall_back=False)
        assert ACMES not in repr(own)
        assert ACMES not in repr(replace(own, may_fall_back=True))
        assert ACMES not in (await sync_to_async(lambda: TestChat().row(acme))()).refusal

    def test_the_admin_takes_a_key_and_shows_its_end(self, acme, bolt, sign_in):  # noqa: F811 - the fixture
        theirs = give(bolt, "openai", BOLTS)
        client = sign_in(acme)
        path = "/admin/tenants/providerkey/"
        assert client.post(f"{path}add/", {"provider": "openai", "key": ACMES}).status_code == 302
        with acting_as(acme):
            key = ProviderKey.objects.get()
            assert decrypt(key.secret) == ACMES
            assert key.set_by is not None
            bringing_keys.note_refusals({"openai": "openai does not accept the API key (401)."})
        pages = [client.get(path), client.get(f"{path}{key.pk}/change/")]
        refused = client.post(f"{path}{key.pk}/change/", {"key": f"{ACMES} {ACMES}"})
        for page in (*pages, refused):
            assert "…1111" in page.content.decode()
            assert ACMES not in page.content.decode()
        assert "does not accept the API key" in pages[1].content.decode()
        assert "New key" in pages[1].content.decode()
        assert client.get(f"{path}{theirs.pk}/change/").status_code == 404
        assert client.post(f"{path}{key.pk}/change/", {"key": "sk-second-3333"}).status_code == 302
        with acting_as(acme):
            assert decrypt(ProviderKey.objects.get().secret) == "sk-second-3333"
