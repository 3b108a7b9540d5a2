"""What the OpenAPI document says of every door: how to authenticate, the scope it needs, the problems it answers."""

from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

from tenants.rest.fields import StrictSerializer
from tenants.rest.scopes import needed

PROBLEM: Final = "Problem"
PROBLEM_SCHEMA: Final = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail", "code", "errors"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "Where the kind of problem is described.",
        },
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What went wrong, for a person."},
        "code": {"type": "string", "description": "What went wrong, for a program."},
        "request_id": {"type": "string", "description": "With 500: what our log calls the request."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string", "description": "Dotted path; empty for the body as a whole."},
                    "message": {"type": "string", "description": "What is allowed there."},
                },
            },
        },
    },
}
MEANINGS: Final = {
    400: "Malformed or invalid; `errors` names each field.",
    401: "No API key, or one that is unknown, expired or revoked.",
    402: "A plan's limit or a budget is reached.",
    403: "The key lacks a scope, or this is not allowed.",
    404: "Unknown, or another tenant's.",
    405: "This address has no such method; Allow names those it has.",
    406: "Only JSON is answered.",
    409: "Contradicts what is stored.",
    412: "If-Match names another version than the one that is there now: somebody has changed it.",
    413: "The body is too large.",
    415: "The body is of a media type that is not read.",
    422: "This Idempotency-Key was used for another request.",
    429: "Too fast; see Retry-After.",
    503: "Something this needs is not answering; see Retry-After.",
}
IDEMPOTENCY_KEY: Final = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "Name this request, with a UUID of your own, and it can be sent again: it has one effect, and gets "
    "the first one's response for a day. The same key with another body is 422.",
}
IF_NONE_MATCH: Final = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "schema": {"type": "string"},
    "description": "The ETag of what you have: 304 without a body while that is what there is.",
}
IF_MATCH: Final = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "schema": {"type": "string"},
    "description": "The ETag of what you read: 412, and nothing is changed, where somebody has changed it since.",
}
ETAG: Final = {"ETag": {"schema": {"type": "string"}, "description": "Its version."}}
EXAMPLE: Final = {
    400: (
        "invalid",
        "name: This field is required.",
        [{"field": "name", "message": "This field is required."}],
    ),
    401: ("bad_key", "This API key is unknown, expired or revoked.", []),
    403: ("missing_scope", "This needs the scope widgets:write.", []),
    404: ("not_found", "There is nothing at this address.", []),
}


class ProblemSchema(AutoSchema):
    """An operation with its scope and its problem responses."""

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """`WidgetFields` is called Widget by those who read the document."""
        name: str = super().get_serializer_name(serializer, direction)
        return name.removesuffix("Fields")

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]  # upstream
        kind = serializer if isinstance(serializer, type) else type(serializer)
        if direction == "request" and issubclass(kind, StrictSerializer):
            schema["additionalProperties"] = False
        return schema

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        scope = needed(self.view, self.method)
        operation["x-scope"] = scope
        summary, _, rest = (operation.get("description") or "").partition("\n\n")
        operation["summary"] = summary
        operation["description"] = "\n\n".join(filter(None, [rest, f"Needs the scope `{scope}`."]))
        if self.method == "POST":
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
        self._add_versions(operation)
        reference = self._problem_component().ref
        for status in self._problem_statuses(operation):
            operation["responses"].setdefault(str(status), _problem_response(status, reference))
        operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def _add_versions(self, operation: dict[str, Any]) -> None:
        """Conditional requests, where the view takes them."""
        if not getattr(self.view, "versioned", False):
            return
        if self.method == "GET":
            operation.setdefault("parameters", []).append(IF_NONE_MATCH)
            operation["responses"]["200"]["headers"] = ETAG
            operation["responses"]["304"] = {
                "description": "What you have is what there is.",
                "headers": ETAG,
            }
        elif self.method in ("PATCH", "PUT", "DELETE"):
            operation.setdefault("parameters", []).append(IF_MATCH)

    def _problem_statuses(self, operation: dict[str, Any]) -> set[int]:
        statuses = {400, 401, 403, 406, 429, 503, *getattr(self.view, "problems", ())}
        if "{" in self.path:
            statuses.add(404)
        if self.method != "GET":
            statuses.add(409)
        if self.method == "POST":
            statuses.add(422)
        if getattr(self.view, "versioned", False) and self.method in ("PATCH", "PUT", "DELETE"):
            statuses.add(412)
        if "requestBody" in operation:
            statuses |= {413, 415}
        return statuses

    def _problem_component(self) -> ResolvedComponent:
        component = ResolvedComponent(  # type: ignore[no-untyped-call]  # upstream types no constructor
            name=PROBLEM, type=ResolvedComponent.SCHEMA, object=PROBLEM, schema=PROBLEM_SCHEMA
        )
        self.registry.register_on_missing(component)
        return component


def _problem_response(status: int, reference: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": reference}
    if status in EXAMPLE:
        code, detail, errors = EXAMPLE[status]
        content["example"] = {
            "type": f"/api/docs#problem-{status}",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "code": code,
            "errors": errors,
        }
    response: dict[str, Any] = {
        "description": MEANINGS[status],
        "content": {"application/problem+json": content},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return response


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself when defined
    """`Authorization: Bearer fd_sk_…`"""

    target_class = "tenants.rest.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API key: fd_sk_…"}


class AdminSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself when defined
    """The admin's session cookie, with X-CSRFToken on unsafe methods."""

    target_class = "tenants.rest.authentication.AdminSessionAuthentication"
    name = "adminSession"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "Signed in to /admin/.",
        }
