"""What this product counts: every metric by name, with its labels, in one place. `config.metrics` shows them.

No label ever names a tenant, a person or anything that one of them chose: with 10,000 tenants that would be as many
series, and whoever may read metrics may not therefore read who our customers are. Counting costs about a microsecond
and is done per request, answer or frame, never per token.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# They double the number of series and say when a process started, which process_start_time_seconds says too.
disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped in the library

REGISTRY: Final = CollectorRegistry()
QUICK: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PATIENT: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)


def _counter(name: str, help: str, *labels: str) -> Counter:
    return Counter(f"frontdesk_{name}", help, labels, registry=REGISTRY)


def _gauge(name: str, help: str, *labels: str) -> Gauge:
    return Gauge(f"frontdesk_{name}", help, labels, registry=REGISTRY)


def _histogram(name: str, help: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
    return Histogram(f"frontdesk_{name}", help, labels, registry=REGISTRY, buckets=buckets)


# Doors.
HTTP_REQUESTS: Final = _counter("http_requests", "Requests answered.", "route", "method", "status")
HTTP_SECONDS: Final = _histogram(
    "http_request_duration_seconds",
    "From the request's head to the answer's last byte.",
    "route",
    "method",
    buckets=QUICK,
)
SOCKETS: Final = _gauge("sockets_open", "Visitors' connections.")
SOCKETS_CLOSED: Final = _counter(
    "sockets_closed", "Connections that ended, by the code of their end.", "code"
)
FRAMES: Final = _counter(
    "frames", "Frames from visitors, by type; invalid where they could not be read.", "type"
)

# Answers. `via` is chat or api.
ANSWERS: Final = _counter(
    "answers", "Answers by outcome: answered, abstained, failed, interrupted, stopped.", "via", "outcome"
)
FIRST_TOKEN_SECONDS: Final = _histogram(
    "answer_first_token_seconds", "From the question to the answer's first text.", "via", buckets=QUICK
)
ANSWER_SECONDS: Final = _histogram(
    "answer_duration_seconds", "From the question to the answer's last text.", "via", buckets=PATIENT
)

# Providers. `model` is "other" for names that are not public ones (`ai.labelling`).
MODEL_CALLS: Final = _counter(
    "model_calls",
    "Calls of chat models by outcome: ok, stopped or a failure's code.",
    "provider",
    "model",
    "outcome",
)
MODEL_TOKENS: Final = _counter(
    "model_tokens", "Tokens of chat models; input includes cached.", "provider", "model", "direction"
)
EMBEDDING_CALLS: Final = _counter(
    "embedding_calls",
    "Calls of embedders, by outcome: ok or the failure's code.",
    "provider",
    "model",
    "outcome",
)
EMBEDDING_TOKENS: Final = _counter("embedding_tokens", "Tokens embedded.", "provider", "model")
EMBEDDING_SECONDS: Final = _histogram(
    "embedding_duration_seconds", "One call of an embedder.", "provider", buckets=QUICK
)
COST_USD: Final = _counter(
    "cost_usd", "What answers cost, in US dollars, where the price is known.", "provider", "model"
)
BUDGET_REFUSALS: Final = _counter(
    "budget_refusals", "Calls refused because a hard-capped budget had no room."
)
MESSAGES_REFUSED: Final = _counter(
    "messages_refused",
    "Visitors' messages that came too soon, by whose rate: visitor, address, widget, tenant.",
    "whose",
)
PROOFS: Final = _counter(
    "proofs_of_work", "Boots of guarded widgets: asked to do the work, solved, refused.", "outcome"
)
CAPS_REACHED: Final = _counter(
    "spend_caps_reached", "Answers not made because of a spend cap: session, visitor, address.", "cap"
)

# Work in the background.
TASKS: Final = _counter("tasks", "Tasks by outcome: succeeded, failed, retried, rejected.", "task", "outcome")
TASK_SECONDS: Final = _histogram("task_duration_seconds", "One run of a task.", "task", buckets=PATIENT)
TASK_WAIT_SECONDS: Final = _histogram(
    "task_wait_seconds", "From the moment a task was due to its start.", "task", buckets=PATIENT
)
DOCUMENTS: Final = _counter(
    "documents_processed", "Documents by what became of them: ready, failed.", "status"
)
ROLLUP_LAG: Final = _gauge(
    "rollup_lag_seconds", "Age of the oldest cost event that was in no summary when the last sweep looked."
)
RECOVERED: Final = _counter("answers_recovered", "Answers ended for processes that died.")

# PostgreSQL.
SLOW_QUERIES: Final = _counter("slow_queries", "Statements that took more than 100 ms.")
