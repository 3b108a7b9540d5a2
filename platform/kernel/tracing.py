"""Spans, without the libraries that export them: nothing is imported and next to nothing is done until one is wanted.

`config.tracing` installs a tracer where OTEL_EXPORTER_OTLP_ENDPOINT is set. Until then `span` gives one shared object
that does nothing. Names and attributes follow OpenTelemetry's semantic conventions; no attribute holds what a visitor
or a model said.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Literal, NamedTuple, Protocol

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool


class Ids(NamedTuple):
    """Names of a span as W3C Trace Context writes them, hexadecimal; empty where nothing is traced."""

    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""


class Span(Protocol):
    """A piece of work with a beginning and an end."""

    @property
    def ids(self) -> Ids: ...

    def set(self, **attributes: Value | None) -> None:
        """Attributes, with `__` for each dot of their names; None is left out."""

    def rename(self, name: str) -> None:
        """Another name, where the right one is only known later."""

    def fail(self, reason: str) -> None:
        """It did not succeed; `reason` is a code of ours."""


class Tracer(Protocol):
    """What `config.tracing` installs."""

    def span(
        self, name: str, kind: Kind, parent: Mapping[str, str] | None, attributes: Mapping[str, Value | None]
    ) -> AbstractContextManager[Span]: ...

    def carrier(self) -> dict[str, str]: ...

    def current(self) -> Ids: ...


class _Untraced:
    """The span of a process that traces nothing."""

    ids: Final = Ids()

    def set(self, **attributes: Value | None) -> None:
        return None

    def rename(self, name: str) -> None:
        return None

    def fail(self, reason: str) -> None:
        return None

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


UNTRACED: Final = _Untraced()
"""The span of what nobody traces."""
_NO_IDS: Final = Ids()
_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """Have spans made by `tracer` from now on; None: none any more."""
    global _tracer
    _tracer = tracer


def span(
    name: str, *, kind: Kind = "internal", parent: Mapping[str, str] | None = None, **attributes: Value | None
) -> AbstractContextManager[Span]:
    """A span below the current one, or below the one that `parent` carries (`traceparent`, `tracestate`).

    Attributes have `__` for each dot of their names: `gen_ai__request__model="gpt-…"`.
    """
    if _tracer is None:
        return UNTRACED
    return _tracer.span(name, kind, parent, attributes)


def chat_span(provider: str, model: str) -> AbstractContextManager[Span]:
    """The span of one call of a chat model, by OpenTelemetry's conventions for generative AI."""
    if _tracer is None:
        return UNTRACED
    attributes: dict[str, Value | None] = {
        "gen_ai__operation__name": "chat",
        "gen_ai__provider__name": provider,
        "gen_ai__request__model": model,
    }
    return _tracer.span(f"chat {model}", "client", None, attributes)


def carrier() -> dict[str, str]:
    """Headers that make another process's span a child of the current one; empty where nothing is traced."""
    return _tracer.carrier() if _tracer is not None else {}


def current() -> Ids:
    """The current span's names."""
    return _tracer.current() if _tracer is not None else _NO_IDS
