"""A running copy of separate processes, watched from outside: its metrics, its log lines, its traces, and no secret in
any of them."""

import asyncio
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.knowledge_base import Api
from benchmarks.visitors import Website, client_session
from tests.ai import stub_provider
from tests.config.compose_file import LONG_RUNNING, composed

pytestmark = pytest.mark.live

PROVIDERS_KEY = "sk-planted-" + "k1" * 20
PASSWORD = "planted-Password-77"
IDENTITY_SECRET = "planted-identity-secret-0123456789abcdef"
WRONG_KEY = "fd_sk_planted" + "w" * 30
MODEL = "stub?itl=0.01&text=The+warranty+is+three+years+[1]."
FACT = "# Warranty\n\nThe warranty of every Acme device is three years."
QUESTION = "How long is the warranty of every Acme device?"
FOLDED_S = 3.0
SETTLE_S = 12.0
"""A copy of the metrics every 5 s, a batch of spans every 5 s, and a moment more."""


class Collector(ThreadingHTTPServer):
    """Takes spans as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _TakesSpans)
        self.spans = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _TakesSpans(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans.extend(scope.spans)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        return None


@pytest.fixture(scope="module")
def collector():
    server = Collector()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def copy(collector):
    with (
        stub_provider.running() as stub,
        composed(
            LLM_MODEL=f"openai:{MODEL}",
            OPENAI_BASE_URL=f"{stub}/v1",
            OPENAI_API_KEY=PROVIDERS_KEY,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            LOG_LEVEL="debug",
        ) as started,
    ):
        yield started


@pytest.fixture(scope="module")
def traffic(copy):
    """What happened on the copy: every door used, well and badly, with secrets wherever one goes."""
    return asyncio.run(_use_every_door(copy))


async def _use_every_door(copy):
    tenant = copy.installation.tenant("acme", models=["stub", MODEL])
    url = copy.installation.url
    said = {
        "tenant": tenant,
        "secrets": [PROVIDERS_KEY, PASSWORD, IDENTITY_SECRET, WRONG_KEY, tenant.api_key],
    }
    async with client_session() as http:
        api = Api(http, url, tenant.api_key)
        await api.post("documents/", {"title": "Warranty", "content": FACT})
        for _ in range(300):
            if all(document["status"] == "ready" for document in await api.every("documents/")):
                break
            await asyncio.sleep(0.2)
        # A fold asked for in the last two seconds would see this answer too, in the trace of who asked first.
        await asyncio.sleep(FOLDED_S)
        website = Website(http, url, tenant.widget_key, tenant.origin)
        booted = await website.boot()
        said["secrets"] += [booted["visitor_token"], booted["socket_url"].partition("ticket=")[2]]
        visitor = await website.arrive(booted["visitor_token"])
        said["answer"] = await visitor.ask(QUESTION)
        said["session"] = visitor.session
        await visitor.socket.close()
        # A ticket used twice, a wrong key, a wrong password, a forged identity, broken bodies.
        for _ in range(2):
            socket = await http.ws_connect(booted["socket_url"], headers={"Origin": tenant.origin})
            await socket.receive()
            await socket.close()
        forged = jwt.encode({"sub": "x", "exp": time.time() + 60, "aud": tenant.widget_key}, IDENTITY_SECRET)
        said["secrets"].append(forged)
        body = {"widget": tenant.widget_key, "visitor_token": None, "identity": forged}
        async with http.post(
            f"{url}/widget/v1/boot", json=body, headers={"Origin": tenant.origin}
        ) as refused:
            assert refused.status == 401
        async with http.get(
            f"{url}/api/v1/documents/?token={WRONG_KEY}", headers={"Authorization": f"Bearer {WRONG_KEY}"}
        ) as refused:
            assert refused.status == 401
            said["request_id"] = refused.headers["X-Request-ID"]
        async with http.post(
            f"{url}/admin/login/", data={"username": "admin@acme.com", "password": PASSWORD}
        ) as refused:
            assert refused.status in (200, 403)
        async with http.post(
            f"{url}/api/v1/search/", data=f'{{"query": "{PASSWORD}', headers={
                "Authorization": f"Bearer {tenant.api_key}", "Content-Type": "application/json"}
        ) as refused:  # fmt: skip
            assert refused.status == 400
        traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        async with http.post(
            f"{url}/api/v1/answers/", json={"question": QUESTION},
            headers={"Authorization": f"Bearer {tenant.api_key}", "traceparent": traceparent},
        ) as answered:  # fmt: skip
            assert answered.status == 200
        await asyncio.sleep(SETTLE_S)
        said["events"] = await api.every("cost-events/", session=said["session"])
        token = (copy.logs.parent / "secrets" / "app" / "metrics_token").read_text()
        said["secrets"].append(token)
        async with http.get(f"{url}/metrics") as refused:
            assert refused.status == 401
        async with http.get(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"}) as scraped:
            said["metrics"] = await scraped.text()
    return said


def test_one_scrape_has_every_process_and_what_happened(traffic):
    found = {family.name: family for family in text_string_to_metric_families(traffic["metrics"])}
    processes = {sample.labels["process"] for sample in found["process_cpu_seconds"].samples}
    assert processes == set(LONG_RUNNING)

    def total(name, suffix="_total", **labels):
        return sum(
            sample.value
            for sample in found[name].samples
            if sample.name in (name, name + suffix) and labels.items() <= sample.labels.items()
        )

    assert total("frontdesk_answers", via="chat", outcome="answered") == 1
    assert total("frontdesk_answers", via="api", outcome="answered") == 1
    assert total("frontdesk_answer_first_token_seconds", "_count", via="chat") == 1
    assert total("frontdesk_model_calls", provider="openai", outcome="ok") == 2
    assert total("frontdesk_model_tokens", direction="output") > 0
    assert total("frontdesk_embedding_calls", process="worker", outcome="ok") >= 1
    assert total("frontdesk_documents_processed", status="ready", process="worker") == 1
    assert total("frontdesk_tasks", task="knowledge.ingest_document", outcome="succeeded") == 1
    assert total("frontdesk_tasks", task="widgets.recover_answers", outcome="succeeded") >= 1
    assert total("frontdesk_task_duration_seconds", "_count", task="billing.fold") >= 1
    assert total("frontdesk_http_requests", route="/api/v1/documents/", method="GET", status="401") == 1
    assert total("frontdesk_sockets_closed", code="4401") == 1
    assert total("frontdesk_frames", type="message") == 1
    assert total("frontdesk_db_pool_connections", state="allowed", process="web") == 10
    assert total("frontdesk_redis_up") == 1
    for name in ("frontdesk_queue_waiting", "frontdesk_queue_taken", "frontdesk_rollup_lag_seconds",
                 "frontdesk_budget_refusals", "frontdesk_slow_queries", "frontdesk_sockets_open"):  # fmt: skip
        assert found[name].samples
    seen = {
        sample.labels["program"]: sample.value
        for sample in found["frontdesk_last_seen_timestamp_seconds"].samples
    }
    assert {"worker", "beat", "maintain"} <= set(seen)
    assert all(time.time() - moment < 300 for moment in seen.values())
    assert traffic["tenant"].id not in traffic["metrics"]
    assert "acme" not in traffic["metrics"]


def test_every_line_of_ours_is_json_and_says_whose_it_is(copy, traffic):
    lines = [
        json.loads(line)
        for name in LONG_RUNNING
        for line in (copy.logs / f"{name}.log").read_text().splitlines()
    ]
    assert {line["process"] for line in lines} <= set(LONG_RUNNING) | {"command"}
    assert all({"timestamp", "level", "logger", "event"} <= set(line) for line in lines)
    (refused,) = [line for line in lines if line.get("request_id") == traffic["request_id"]]
    assert (refused["status"], refused["route"]) == (401, "/api/v1/documents/")
    saved = next(line for line in lines if line["event"].startswith("POST /api/v1/documents/"))
    assert saved["tenant_id"] == traffic["tenant"].id
    assert uuid.UUID(saved["key_id"])
    socket = next(line for line in lines if line["event"] == "socket closed" and "session_id" in line)
    assert socket["session_id"] == traffic["session"]
    assert {line["level"] for line in lines} <= {"debug", "info", "warning"}, [
        line for line in lines if line["level"] in ("error", "critical")
    ]


def test_no_secret_is_in_any_log(copy, traffic):
    root = copy.logs.parent
    made = [
        file.read_text().strip()
        for folder in ("app", "owner", "superuser")
        for file in (root / "secrets" / folder).iterdir()
        if not file.name.endswith("_url")
    ]
    passwords = [
        (root / "secrets" / name).read_text().partition("://")[2].partition("@")[0].partition(":")[2]
        for name in ("app/database_url", "owner/database_owner_url")
    ]
    planted = [*traffic["secrets"], *made, *passwords]
    assert len(planted) > 12
    assert all(len(secret) > 8 for secret in planted)
    logs = [*copy.logs.glob("*.log"), *(root / "logs").glob("*.log"), root / "logs" / "postgres.log"]
    assert {"web.log", "worker.log", "postgres.log", "pgbouncer.log"} <= {file.name for file in logs}
    for file in logs:
        text = file.read_text(errors="replace")
        for secret in planted:
            assert secret not in text, f"{secret[:12]}… is in {file.name}"
        # Nor what the visitor said or was told.
        assert "warranty of every" not in text


def test_one_trace_leads_from_the_frame_to_the_cost_and_into_the_worker(collector, traffic):
    events = {event["service"]: event for event in traffic["events"]}
    own = [span for span in collector.spans if span.trace_id.hex() == events["llm"]["trace_id"]]
    names = {span.span_id: span.name for span in own}
    parents = {span.name: names.get(span.parent_span_id) for span in own}
    assert parents["frame message"] is None
    assert parents["commit question"] == parents["answer"] == "frame message"
    assert parents["retrieve"] == parents["commit answer"] == parents[f"chat {MODEL}"] == "answer"
    assert any(name.startswith("embeddings ") and parent == "retrieve" for name, parent in parents.items())
    assert parents["task billing.fold"] in ("commit answer", "frame message", "answer")
    assert (
        events["llm"]["span_id"] == next(span for span in own if span.name == f"chat {MODEL}").span_id.hex()
    )
    # A program's own trace goes on through us.
    theirs = [
        span.name for span in collector.spans if span.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
    ]
    assert {"POST /api/v1/answers/", "answer", "retrieve", f"chat {MODEL}", "commit answer"} <= set(theirs)
