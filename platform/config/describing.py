"""The OpenAPI document: what the doors say of themselves, in the order a reader meets it, with examples that were
recorded from what the code answered (tests/config/test_api_examples.py records and checks them)."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.urls import URLPattern, include, path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings

from billing.costs.representing import COMPONENTS
from tenants.webhooks.catalogue import EventType, event_types

EXAMPLES: Final = Path(__file__).with_name("api_examples.json")
METHODS: Final = ("get", "post", "patch", "put", "delete")
JSON: Final = "application/json"

DESCRIPTION: Final = """\
Everything a tenant's programs can do. Authenticate with `Authorization: Bearer fd_sk_…`.

**Lists** are newest first, in pages: ask with `?limit=` (1 to 100, default 50), read `results`, and ask again with \
`?cursor=` set to `next` until that is null. A cursor stays good while items are added.

**Types** are strict: a number is not a string, and a field that does not exist is refused by name. Read-only fields \
are ignored, so that an item can be read, changed and sent back. Money is a decimal string, and null where a price is \
not known. Times are UTC.

**Errors** are RFC 9457 problem details (`application/problem+json`): `code` is for programs, `detail` for people, and \
`errors` names each wrong field. Another tenant's id is answered like one that does not exist: 404.

**Scopes**: a key has `read` and `write` for everything, or for one area, such as `knowledge:read`. `write` does not \
imply `read`.
"""

TAGS: Final = {
    "answers": "Ask a question without a conversation: the answer, what it rests on, and what it cost.",
    "search": "The passages that answer a question, and how sure we are that they do.",
    "documents": "What the AI may answer from. A document is processed after it is sent; its `status` says how far.",
    "sessions": "Conversations and their messages: read them, hold one for a user of your own, take one over.",
    "feedback": "What visitors think of the answers.",
    "visitors": "People who talked to you: erase one for good.",
    "exports": "Archives of all that you have here.",
    "erasures": "Receipts of erased visitors: what there was of them, in numbers, and that nothing is left.",
    "meetings": "Calls that conversations may move to.",
    "widgets": "The chat on your websites: where it may be shown, how it looks, who answers.",
    "personalities": "How the AI speaks. Every change is a version, and each answer names the one that gave it.",
    "cost-events": "The ledger: what each call to an AI service used and cost, your own workers' calls included.",
    "cost-summaries": "What was spent, per hour, day, week or month and by service, provider, model or feature.",
    "budgets": "Limits on spending, which warn or refuse.",
    "budget-alerts": "Shares of budgets that were reached, each once in a period.",
    "prices": "What models cost: public prices, and those that you negotiated.",
    "usage": "What you use beside what your plan allows.",
    "members": "Your team. One active owner always remains.",
    "api-keys": "Keys of programs. A key is shown once, when it is made.",
    "provider-keys": "Your own keys for AI providers, which then bill you directly. A key is never shown again.",
    "domains": "Hostnames of your own.",
    "webhook-endpoints": "Where you are told of events as they happen, signed and tried again: see `webhooks`.",
    "audit-entries": "Who changed what, when and from where: people, keys, platform staff and the system.",
}
SIGNED_BY: Final = [
    {"in": "header", "name": name, "required": True, "schema": {"type": "string"}, "description": text}
    for name, text in (
        ("webhook-id", "The event's: the same over attempts and replays. Take each once."),
        (
            "webhook-timestamp",
            "Of this attempt, in seconds since 1970. Refuse what is older than five minutes.",
        ),
        (
            "webhook-signature",
            "`v1,` and a base64 HMAC-SHA256 of id.timestamp.body; two of them after a rotation.",
        ),
    )
]
DONE: Final = {"200": "OK", "201": "Created.", "202": "Taken; it is processed from here on.", "204": "Done."}


@cache
def describe(doors: Sequence[URLPattern]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `doors`, mounted at /api/v1/; made once, since doors do not change while a process
    runs."""
    # Postprocessing would name every enumeration after a hash of its values.
    with patched_settings(
        {
            "DESCRIPTION": DESCRIPTION,
            "POSTPROCESSING_HOOKS": [],
            "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
            "APPEND_COMPONENTS": {"schemas": COMPONENTS},
        }
    ):
        generator: Any = SchemaGenerator(patterns=[path("api/v1/", include(list(doors)))])  # type: ignore[no-untyped-call]  # upstream
        made: dict[str, Any] = generator.get_schema(public=True)
    # Bounds that are Decimals in the code are numbers in the document.
    described: dict[str, Any] = json.loads(json.dumps(made, default=float))
    order = {name: place for place, name in enumerate(TAGS)}
    described["paths"] = dict(
        sorted(described["paths"].items(), key=lambda item: order.get(_tag(item[1]), len(order)))
    )
    described["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    described["webhooks"] = {event.name: _told(event) for event in event_types()}
    recorded = json.loads(EXAMPLES.read_text())
    for operation in operations(described):
        _complete(operation, recorded.get(operation["operationId"], {}))
    return described


def operations(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every operation of a document."""
    for verbs in described["paths"].values():
        yield from (verbs[method] for method in METHODS if method in verbs)


def _told(event: EventType) -> dict[str, Any]:
    """One type of event, as a request that a receiver gets."""
    schema = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"type": "string", "const": event.name},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            "data": {"$ref": f"#/components/schemas/{event.schema}"},
        },
    }
    answers = {
        "2XX": {"description": "Taken. Answer within 15 seconds, and do the work afterwards."},
        "410": {"description": "Gone: the endpoint is turned off."},
        "default": {"description": "Failed: it is sent again, for three days."},
    }
    return {
        "post": {
            "operationId": event.name.replace(".", "_"),
            "summary": event.description,
            "tags": ["webhook-endpoints"],
            "parameters": SIGNED_BY,
            "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
            "responses": answers,
        }
    }


def _tag(verbs: dict[str, Any]) -> str:
    return str(next(verbs[method] for method in METHODS if method in verbs)["tags"][0])


def _complete(operation: dict[str, Any], example: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        response["description"] = response.get("description") or DONE.get(status, "OK")
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter.setdefault("description", f"The {parameter['name'].replace('_', ' ')} of the item.")
    if "request" in example:
        operation["requestBody"]["content"][JSON]["example"] = example["request"]
    if "response" in example:
        operation["responses"][example["status"]]["content"][JSON]["example"] = example["response"]
