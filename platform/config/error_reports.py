"""What goes wrong, to Sentry, where SENTRY_DSN is set; without it the library is not even imported.

Every error of ours is logged, so one integration is enough: whatever is logged as an error becomes an event. It says
which request and tenant it belongs to, and holds no body, header, cookie, local variable or secret.
"""

from collections.abc import MutableMapping
from typing import Any, Final

from django.conf import settings

from config.logs import redactor
from kernel import observing, tracing

# Whole parts of an event that may hold what people wrote or who they are.
LEFT_OUT: Final = ("request", "user", "modules")
TAGS: Final = ("request_id", "tenant_id", "route", "task", "task_id")

Event = MutableMapping[str, Any]


def begin(**options: Any) -> bool:
    """Report errors of this process from now on; False where SENTRY_DSN is unset. `options` are the library's own."""
    if not settings.SENTRY_DSN:
        return False
    import sentry_sdk  # 90 ms and 15 MB that nobody pays who does not want it
    from sentry_sdk.integrations.logging import LoggingIntegration

    chosen: dict[str, Any] = {
        "send_default_pii": False,
        "include_local_variables": False,
        "max_request_body_size": "never",
        "default_integrations": False,
        "auto_enabling_integrations": False,
        "integrations": [LoggingIntegration()],
        "before_send": scrubbed,
        "before_breadcrumb": lambda crumb, hint: redactor().value(crumb),
        **options,
    }
    sentry_sdk.init(dsn=settings.SENTRY_DSN, **chosen)
    return True


def scrubbed(event: Event, hint: object = None) -> Event:
    """`event` as it may leave: tagged with the work it belongs to, without people's data and without secrets."""
    for part in LEFT_OUT:
        event.pop(part, None)
    facts = observing.facts()
    tags = {name: str(facts[name]) for name in TAGS if name in facts}
    trace_id = tracing.current().trace_id
    event["tags"] = {**(event.get("tags") or {}), "process": observing.process(), **tags} | (
        {"trace_id": trace_id} if trace_id else {}
    )
    clean = redactor()
    return {name: _clean(clean, name, value) for name, value in event.items()}


def _clean(clean: Any, name: str, value: Any) -> Any:
    # Below these a frame of a traceback is some ten levels deep; the redactor would cut it off.
    if isinstance(value, dict):
        return {key: _clean(clean, key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(clean, "", inner) for inner in value]
    return clean.value(value, name) if not hasattr(value, "isoformat") else value
