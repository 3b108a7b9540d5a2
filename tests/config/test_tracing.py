"""One trace from the visitor's frame to tokens and cost; nothing at all, not even an import, where none is wanted."""

import subprocess
import sys

import pytest
from asgiref.sync import sync_to_async
from celery import shared_task
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ai.chat.scripted import Script, scripting
from ai.usage import Usage
from billing.costs.models import CostEvent
from config import observed_tasks, tracing
from kernel import observing
from kernel import tracing as kernel_tracing
from kernel.errors import ProviderError
from tenants.context import acting_as
from tests import conversations
from tests.config.places import CHECKOUT, environment
from tests.config.test_access import answering, call, http
from tests.widgets.chat.visitors import arrive

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
WANTED = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "sentry_sdk")
SECRET_QUESTION = "How long is the warranty of the hub, asks Mrs. Secretname?"


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    tracing.begin(exporter)
    yield exporter
    kernel_tracing.install(None)


@pytest.fixture
def widget(acme, bolt, redis):
    conversations.teach(acme, "Warranty", "# Warranty\n\nThe warranty of the hub is two years.")
    return conversations.known_widget(acme)


def tree(exporter, name="frame message"):
    """The spans of the trace that begins with the last span `name`: each one's name with its parent's."""
    found = exporter.get_finished_spans()
    root = [span for span in found if span.name == name][-1]
    own = [span for span in found if span.context.trace_id == root.context.trace_id]
    names = {span.context.span_id: span.name for span in own}
    return root, {span.name: names.get(span.parent.span_id) if span.parent else None for span in own}, own


@pytest.mark.django_db(transaction=True)
async def test_from_frame_to_tokens_and_cost(widget, acme, spans, settings):
    settings.LLM_MODEL = "scripted:traced"
    usage = Usage(input_tokens=120, output_tokens=30)
    script = Script(
        deltas=("The warranty is ", "two years [1]."), provider="openai", model="gpt-4o-mini", usage=usage
    )
    with scripting("traced", script):
        visitor = await arrive(widget)
        await visitor.receive()
        message = (await visitor.ask(SECRET_QUESTION))[-1]["message"]
        await visitor.leave()
    root, parents, own = tree(spans)
    assert parents["frame message"] is None
    assert parents["commit question"] == "frame message"
    assert parents["answer"] == "frame message"
    assert parents["retrieve"] == parents["commit answer"] == parents["chat gpt-4o-mini"] == "answer"
    (embedding,) = [name for name in parents if name.startswith("embeddings ")]
    assert parents[embedding] == "retrieve"
    model = next(span for span in own if span.name == "chat gpt-4o-mini")
    assert dict(model.attributes) | {"frontdesk.tenant.id": str(acme.pk)} == dict(model.attributes)
    assert model.attributes["gen_ai.operation.name"] == "chat"
    assert model.attributes["gen_ai.provider.name"] == "openai"
    assert model.attributes["gen_ai.request.model"] == "gpt-4o-mini"
    assert model.attributes["gen_ai.usage.input_tokens"] == 120
    assert model.attributes["gen_ai.usage.output_tokens"] == 30
    assert model.kind.name == "CLIENT"

    def events():
        with acting_as(acme):
            return {event.service: event for event in CostEvent.objects.filter(session_id=message["session"])}

    booked = await sync_to_async(events)()
    cost = next(span for span in own if span.name == "commit answer").attributes["frontdesk.cost_usd"]
    assert cost == pytest.approx(float(sum(event.cost_usd for event in booked.values())))
    assert cost > 0
    assert booked["llm"].trace_id == f"{root.context.trace_id:032x}"
    assert booked["llm"].span_id == f"{model.context.span_id:016x}"
    assert booked["llm"].parent_span_id == f"{model.parent.span_id:016x}"
    assert booked["embedding"].trace_id == booked["llm"].trace_id
    # What was said is in no span.
    assert "Secretname" not in "".join(span.to_json() for span in own)
    assert "two years" not in "".join(span.to_json() for span in own)


@pytest.mark.django_db(transaction=True)
async def test_a_model_that_fails_is_a_failed_span_with_its_code(widget, spans, settings):
    settings.LLM_MODEL = "scripted:failing"
    error = ProviderError(
        "key sk-secret was refused", provider="openai", code="unauthorized", retryable=False
    )
    with scripting("failing", Script(error=error, provider="openai", model="gpt-4o-mini")):
        visitor = await arrive(widget)
        await visitor.receive()
        await visitor.ask("How long is the warranty of the hub?")
        await visitor.leave()
    _, _, own = tree(spans)
    model = next(span for span in own if span.name == "chat gpt-4o-mini")
    assert (model.status.status_code.name, model.status.description) == ("ERROR", "unauthorized")
    assert model.attributes["error.type"] == "unauthorized"
    assert "sk-secret" not in model.to_json()


@pytest.mark.django_db(transaction=True)
async def test_an_untraced_answer_has_no_trace_in_its_cost(widget, acme):
    visitor = await arrive(widget)
    await visitor.receive()
    await visitor.ask("How long is the warranty of the hub?")
    await visitor.leave()

    def traces():
        with acting_as(acme):
            return set(CostEvent.objects.values_list("trace_id", "span_id", "parent_span_id"))

    assert await sync_to_async(traces)() == {("", "", "")}


@pytest.mark.parametrize(("path", "continues"), [("/api/v1/answers/", True), ("/widget/v1/boot", False)])
async def test_a_programs_trace_goes_on_and_a_visitors_begins_here(spans, path, continues):
    headers = [(b"traceparent", f"00-{TRACE}-{PARENT}-01".encode())]
    await call(answering(201, route=path.lstrip("/")), http(path, "POST", headers))
    (span,) = spans.get_finished_spans()
    assert span.name == f"POST {path}"
    assert span.attributes["http.response.status_code"] == 201
    assert (f"{span.context.trace_id:032x}" == TRACE) is continues
    assert (span.parent is not None and f"{span.parent.span_id:016x}" == PARENT) is continues


@pytest.mark.parametrize("header", [b"nonsense", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"\xff"])
async def test_a_trace_that_makes_no_sense_is_not_continued(spans, header):
    await call(answering(), http("/api/v1/documents/", "GET", [(b"traceparent", header)]))
    (span,) = spans.get_finished_spans()
    assert span.parent is None


async def test_probes_and_files_are_not_traced(spans):
    for path in ("/healthz", "/readyz", "/metrics", "/static/x.css"):
        await call(answering(), http(path))
    assert spans.get_finished_spans() == ()


def test_a_task_belongs_to_the_trace_and_the_request_that_sent_it(spans):
    seen = {}

    @shared_task(name="tests.traced", tenant_mode=None, bind=True)
    def traced(self):
        seen.update(observing.facts(), trace_id=kernel_tracing.current().trace_id)

    headers = {}
    with observing.work(request_id="request-1"), kernel_tracing.span("sender") as sender:
        observed_tasks.send_along(headers=headers)
    traced.apply(headers=headers)
    assert seen["trace_id"] == sender.ids.trace_id
    assert (seen["request_id"], seen["task"]) == ("request-1", "tests.traced")
    assert observing.facts() == {}
    task = next(span for span in spans.get_finished_spans() if span.name == "task tests.traced")
    assert task.kind.name == "CONSUMER"
    assert observed_tasks._running == {}


def test_nothing_is_imported_where_nothing_is_wanted():
    # redis-py imports OpenTelemetry's metrics wherever they are installed; that is not ours to prevent.
    program = (
        "import sys; import config.asgi; from kernel import observing; observing._on_begin[0](); "
        f"print([name for name in sys.modules if name.startswith({WANTED})])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True,
        env=environment(FRONTDESK_HOME="/tmp/fdtrace", DJANGO_SETTINGS_MODULE="config.settings"),
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
