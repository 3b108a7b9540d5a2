"""Traces to an OpenTelemetry collector, where OTEL_EXPORTER_OTLP_ENDPOINT is set; without it nothing is imported.

One trace leads from a visitor's frame, or an API request, through retrieval and the model to the commit, and on into
the tasks that it sends. The exporter also reads OpenTelemetry's other variables (OTEL_EXPORTER_OTLP_HEADERS,
OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES, …).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from kernel import observing, tracing
from kernel.errors import FrontdeskError
from kernel.tracing import Ids, Kind, Span, Value

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

PATH: Final = "/v1/traces"
SERVICE: Final = "frontdesk"


def begin(exporter: "SpanExporter | None" = None) -> bool:
    """Trace this process from now on; False where OTEL_EXPORTER_OTLP_ENDPOINT is unset and no `exporter` is given."""
    endpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT
    if not endpoint and exporter is None:
        return False
    # 130 ms that nobody pays who does not want traces.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    resource = Resource.create({"service.name": SERVICE, "frontdesk.process": observing.process()})
    provider = TracerProvider(resource=resource)
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        address = endpoint.rstrip("/")
        address += "" if address.endswith(PATH) else PATH
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
    tracing.install(OpenTelemetryTracer(provider))
    return True


class OpenTelemetryTracer:
    """`kernel.tracing.Tracer` by OpenTelemetry's SDK."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._trace = trace
        self._propagator = TraceContextTextMapPropagator()
        self._tracer = provider.get_tracer(SERVICE)
        self._kinds = {kind.name.lower(): kind for kind in trace.SpanKind}

    @contextmanager
    def span(
        self, name: str, kind: Kind, parent: Mapping[str, str] | None, attributes: Mapping[str, Value | None]
    ) -> Iterator[Span]:
        # The library records an exception with its message, which may quote anything: its kind is enough.
        with self._tracer.start_as_current_span(
            name,
            context=self._propagator.extract(parent) if parent else None,
            kind=self._kinds[kind],
            record_exception=False,
            set_status_on_exception=False,
        ) as made:
            span = _OpenTelemetrySpan(made, self._trace)
            if made.is_recording():
                span.set(**attributes)
            try:
                yield span
            except BaseException as error:
                span.fail(error.code if isinstance(error, FrontdeskError) else type(error).__name__)
                raise
            finally:
                tenant = observing.facts().get("tenant_id")
                if tenant is not None and made.is_recording():
                    made.set_attribute("frontdesk.tenant.id", str(tenant))

    def carrier(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        self._propagator.inject(headers)
        return headers

    def current(self) -> Ids:
        return _ids(self._trace.get_current_span())


class _OpenTelemetrySpan:
    def __init__(self, span: Any, trace: Any) -> None:
        self._span, self._trace = span, trace

    @property
    def ids(self) -> Ids:
        return _ids(self._span)

    def set(self, **attributes: Value | None) -> None:
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(name.replace("__", "."), value)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self, reason: str) -> None:
        self._span.set_status(self._trace.StatusCode.ERROR, reason)
        self._span.set_attribute("error.type", reason)


def _ids(span: Any) -> Ids:
    context = span.get_span_context()
    if not context.is_valid:
        return Ids()
    parent = getattr(span, "parent", None)
    return Ids(
        f"{context.trace_id:032x}",
        f"{context.span_id:016x}",
        f"{parent.span_id:016x}" if parent is not None else "",
    )
