"""/metrics: who may read it, every process in one scrape, and nothing of any tenant in a label."""

import time

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from config import metrics_sharing
from kernel import measuring, observing
from tests import conversations
from tests.widgets.chat.visitors import arrive

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "scrape-" + "x" * 30


def scrape(**headers):
    return Client(headers=headers).get("/metrics")


def families(response):
    assert response.status_code == 200, response.content
    return {family.name: family for family in text_string_to_metric_families(response.content.decode())}


class TestWhoMayRead:
    def test_this_machine_while_nothing_is_published(self, redis):
        assert scrape().status_code == 200

    @pytest.mark.parametrize(
        "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"]
    )
    def test_nobody_through_a_proxy(self, redis, header):
        refused = scrape(**{header: "127.0.0.1"})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        assert b"frontdesk_" not in refused.content

    def test_nobody_at_all_once_it_is_published(self, redis, settings):
        # A proxy on the same machine that sets no header at all looks like this machine.
        settings.BASE_URL = "https://support.example.com"
        assert scrape().status_code == 403

    def test_nobody_from_elsewhere(self, redis):
        assert Client(REMOTE_ADDR="10.0.0.9").get("/metrics").status_code == 403

    @pytest.mark.parametrize(
        ("given", "status"),
        [(f"Bearer {TOKEN}", 200), ("Bearer wrong", 401), (TOKEN, 401), ("", 401), (f"Bearer {TOKEN}ü", 401)],
    )
    def test_whoever_has_the_token(self, redis, settings, given, status):
        settings.METRICS_TOKEN = TOKEN
        settings.BASE_URL = "https://support.example.com"
        answer = scrape(
            **{"Authorization": given.encode().decode("latin-1"), "X-Forwarded-For": "203.0.113.7"}
        )
        assert answer.status_code == status
        if status == 401:
            assert answer["WWW-Authenticate"].startswith("Bearer")
            assert b"frontdesk_" not in answer.content

    def test_only_by_reading(self, redis):
        assert Client().post("/metrics").status_code == 405


def test_openmetrics_is_spoken_to_whoever_asks_for_it(redis):
    answer = scrape(Accept="application/openmetrics-text; version=1.0.0")
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert answer.content.endswith(b"# EOF\n")


def test_other_processes_are_in_the_same_scrape_each_with_its_name(redis, monkeypatch):
    measuring.ANSWERS.labels("chat", "answered").inc()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(observing, "_process", "worker")
        elsewhere.setattr(metrics_sharing, "source", lambda: "other:7")
        metrics_sharing._share(redis)
        metrics_sharing.seen()
    found = families(scrape())
    samples = [
        sample
        for sample in found["frontdesk_answers"].samples
        if (sample.labels["via"], sample.labels["outcome"]) == ("chat", "answered")
    ]
    assert {(sample.labels["process"], sample.labels["source"]) for sample in samples} == {
        ("command", metrics_sharing.source()), ("worker", "other:7"),
    }  # fmt: skip
    assert len({sample.value for sample in samples}) == 1
    assert redis.ttl(metrics_sharing.KEY + "other:7") == metrics_sharing.KEPT_S
    (seen,) = found["frontdesk_last_seen_timestamp_seconds"].samples
    assert seen.labels == {"program": "worker"}
    assert abs(seen.value - time.time()) < 60
    assert "process_resident_memory_bytes" in found


def test_a_process_shares_from_its_beginning_to_its_end(redis, monkeypatch):
    monkeypatch.setattr(metrics_sharing, "EVERY_S", 0.05)
    metrics_sharing.begin()
    deadline = time.monotonic() + 10
    while not (keys := redis.keys(f"{metrics_sharing.KEY}*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    metrics_sharing.end()
    assert keys == [(metrics_sharing.KEY + metrics_sharing.source()).encode()]


def test_without_redis_this_process_is_shown_and_says_so(redis, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    found = families(scrape())
    assert found["frontdesk_redis_up"].samples[0].value == 0
    assert "frontdesk_sockets_open" in found


def test_queues_are_measured_where_they_are(redis):
    redis.rpush("celery", b"one", b"two")
    redis.hset("unacked", "tag", b"three")
    found = families(scrape())
    (waiting,) = found["frontdesk_queue_waiting"].samples
    assert (waiting.labels, waiting.value) == ({"queue": "celery"}, 2)
    assert found["frontdesk_queue_taken"].samples[0].value == 1


async def test_a_conversation_is_counted_and_names_nobody(acme, bolt, redis, settings):
    settings.LLM_MODEL = "offline"
    await sync_to_async(conversations.teach)(
        acme, "Warranty", "# Warranty\n\nThe warranty of the hub is two years."
    )
    widget = await sync_to_async(conversations.known_widget)(acme)
    before = await sync_to_async(lambda: families(scrape()))()
    visitor = await arrive(widget)
    await visitor.receive()
    answer = (await visitor.ask("How long is the warranty of the hub?"))[-1]["message"]
    await visitor.send_text("no frame at all")
    await visitor.until("error")
    after = await sync_to_async(lambda: families(scrape()))()
    assert value(after, "frontdesk_sockets_open") == value(before, "frontdesk_sockets_open") + 1
    await visitor.leave()
    assert answer["citations"]

    def more(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)

    assert more("frontdesk_answers", via="chat", outcome="answered") == 1
    assert more("frontdesk_answer_first_token_seconds", suffix="_count", via="chat") == 1
    assert more("frontdesk_answer_duration_seconds", suffix="_count", via="chat") == 1
    assert more("frontdesk_model_calls", provider="offline", outcome="ok") == 1
    assert more("frontdesk_model_tokens", provider="offline", direction="output") > 0
    assert more("frontdesk_embedding_calls", outcome="ok") >= 1
    assert more("frontdesk_frames", type="message") == 1
    assert more("frontdesk_frames", type="invalid") == 1
    assert more("frontdesk_cost_usd", provider="offline") == 0
    # No tenant, person, session or text of theirs in any label.
    text = (await sync_to_async(scrape)()).content.decode()
    for private in (
        acme.slug,
        str(acme.pk),
        bolt.slug,
        widget.public_key,
        answer["id"],
        answer["session"],
        "warranty",
    ):
        assert private not in text
    allowed = {
        "process", "source", "route", "method", "status", "code", "type", "via", "outcome", "provider", "model",
        "direction", "task", "queue", "program", "state", "le",
    }  # fmt: skip
    names = {name for family in after.values() for sample in family.samples for name in sample.labels}
    assert names <= allowed


@pytest.mark.parametrize(
    ("provider", "model", "label"),
    [
        ("openai", "gpt-4o-mini", "gpt-4o-mini"),
        ("openai", "ft:gpt-4o:acme-corp::9x", "other"),
        ("openai", "the-operators-own", "the-operators-own"),
        ("offline", "extractive", "extractive"),
    ],
)
def test_a_models_name_is_shown_only_where_it_is_no_customers(settings, provider, model, label):
    from ai.labelling import model_label

    settings.LLM_MODEL = "openai:the-operators-own"
    model_label.cache_clear()
    assert model_label(provider, model) == label
    model_label.cache_clear()


def value(found, name, suffix="_total", **labels):
    family = found.get(name)
    if family is None:
        return 0.0
    wanted = {name, name + suffix}
    return sum(
        sample.value
        for sample in family.samples
        if sample.name in wanted and labels.items() <= sample.labels.items()
    )
