"""An OpenAPI document put in the order a person reads it in: areas, their operations, fields and examples."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

METHODS: Final = ("get", "post", "patch", "put", "delete")
MAX_DEPTH: Final = 4
WORDS: Final = {"uuid": "id", "date-time": "time", "decimal": "decimal string"}
EXAMPLES: Final = {
    "uuid": "01987a5e-6d3b-7c41-9f60-2a4b8c1d0e9f",
    "date-time": "2026-01-05T09:30:00Z",
    "decimal": "0.0125",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a field of a body."""

    name: str
    type: str
    required: bool
    description: SafeString


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb on one path."""

    id: str
    method: str
    path: str
    title: str
    summary: SafeString
    notes: list[SafeString]
    scope: str
    parameters: list[Field]
    body: list[Field]
    body_example: str
    answers: list[tuple[str, str, bool]]
    answer_status: str
    answer_example: str


class Reference:
    """What the page shows of a document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components: dict[str, Any] = document.get("components", {}).get("schemas", {})
        self.title: str = document["info"]["title"]
        self.version: str = document["info"]["version"]
        self.paragraphs = [
            prose(part) for part in document["info"].get("description", "").strip().split("\n\n")
        ]
        self.areas: dict[str, list[Operation]] = {}
        for path, verbs in document["paths"].items():
            for method in METHODS:
                if method in verbs:
                    tag = (verbs[method].get("tags") or ["other"])[0]
                    self.areas.setdefault(tag, []).append(self._operation(method, path, verbs[method]))

    def _operation(self, method: str, path: str, described: dict[str, Any]) -> Operation:
        first, _, notes = (described.get("description") or "").partition("\n\n")
        schema, example = self._content(described.get("requestBody", {}))
        status, (_, answer) = self._success(described["responses"])
        return Operation(
            id=described["operationId"],
            method=method.upper(),
            path=path,
            title=first.replace("`", ""),
            summary=prose(first),
            notes=[
                prose(part) for part in notes.split("\n\n") if part and not part.startswith("Needs the scope")
            ],
            scope=described.get("x-scope", ""),
            parameters=[_parameter(parameter) for parameter in described.get("parameters", [])],
            body=list(self._fields(schema)),
            body_example=example,
            answers=[
                (code, response.get("description") or "Done.", code < "400")
                for code, response in described["responses"].items()
            ],
            answer_status=status,
            answer_example=answer,
        )

    def _success(self, responses: dict[str, Any]) -> tuple[str, tuple[dict[str, Any], str]]:
        status = next((code for code in responses if code.startswith("2")), "")
        return status, self._content(responses.get(status, {}))

    def _content(self, holder: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The JSON schema of a body and an example of it, its own or one made from the schema."""
        for media_type, content in holder.get("content", {}).items():
            if "json" in media_type:
                schema = self._resolved(content.get("schema", {}))
                examples = content.get("examples")
                value = next(iter(examples.values()))["value"] if examples else self._example(schema, 0)
                return schema, json.dumps(value, indent=2, ensure_ascii=False)
        return {}, ""

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        for part in (schema, *schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ())):
            if "$ref" in part:
                found: dict[str, Any] = self._components.get(part["$ref"].rpartition("/")[2], {})
                return found
        return schema

    def _fields(self, schema: dict[str, Any]) -> Iterator[Field]:
        required = schema.get("required", ())
        for name, described in schema.get("properties", {}).items():
            yield Field(name, _type_of(described), name in required, prose(described.get("description", "")))

    def _example(self, schema: dict[str, Any], depth: int) -> Any:
        schema = self._resolved(schema)
        for key in ("example", "default", "const"):
            if key in schema:
                return schema[key]
        if schema.get("enum"):
            return schema["enum"][0]
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object" and depth < MAX_DEPTH:
            return {k: self._example(v, depth + 1) for k, v in schema.get("properties", {}).items()}
        if kind == "array":
            return [self._example(schema.get("items", {}), depth + 1)] if depth < MAX_DEPTH else []
        return _scalar_example(kind, schema)


def prose(text: str) -> SafeString:
    """Text with `code` in backticks, as HTML; everything else is escaped."""
    parts = text.split("`")
    return format_html_join(
        "",
        "{}",
        ((format_html("<code>{}</code>", part) if index % 2 else part,) for index, part in enumerate(parts)),
    )


def _scalar_example(kind: str | None, schema: dict[str, Any]) -> Any:
    if kind == "string":
        return EXAMPLES.get(schema.get("format", ""), "…")
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return {"boolean": True, "object": {}}.get(kind or "")


def _parameter(described: dict[str, Any]) -> Field:
    return Field(
        described["name"],
        _type_of(described.get("schema", {})),
        described.get("required", False),
        prose(described.get("description", "")),
    )


def _type_of(schema: dict[str, Any]) -> str:
    if schema.get("enum"):
        return " | ".join("null" if value is None else str(value) for value in schema["enum"])
    kind = schema.get("type", "")
    names = kind if isinstance(kind, list) else [kind]
    if "array" in names:
        return f"list of {_type_of(schema.get('items', {})) or 'objects'}"
    text = " or ".join(name for name in names if name) or "object"
    if schema.get("format") in WORDS:
        text = text.replace("string", WORDS[schema["format"]])
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        text += f", {low} to {high:,}"
    if schema.get("maxLength"):
        text += f", at most {schema['maxLength']:,}"
    return text
