"""An OpenAPI document put in the order a person reads it in: areas, their operations, fields and examples."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from config.describing import METHODS

MAX_DEPTH: Final = 4
# What the examples' ids are called in a curl command, so that it can be pasted once they are set.
BASE: Final = "$FRONTDESK_URL"
KEY: Final = "Authorization: Bearer $FRONTDESK_KEY"
WORDS: Final = {"uuid": "id", "date-time": "time", "decimal": "decimal string", "email": "email"}
EXAMPLES: Final = {
    "uuid": "01987a5e-6d3b-7c41-9f60-2a4b8c1d0e9f",
    "date-time": "2026-01-05T09:30:00Z",
    "decimal": "0.0125",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a field of a body. `depth` counts the objects that it lies in."""

    name: str
    type: str
    required: bool
    description: SafeString
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb on one path. `words` is what a search looks through."""

    id: str
    method: str
    path: str
    title: str
    summary: SafeString
    notes: list[SafeString]
    scope: str
    parameters: list[Field]
    body: list[Field]
    answer: list[Field]
    answers: list[tuple[str, str, bool]]
    answer_status: str
    answer_example: str
    curl: str
    words: str


@dataclass(frozen=True, slots=True)
class Area:
    """What belongs together."""

    name: str
    description: SafeString
    operations: list[Operation]


class Reference:
    """What the page shows of a document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components: dict[str, Any] = document.get("components", {}).get("schemas", {})
        self.title: str = document["info"]["title"]
        self.version: str = document["info"]["version"]
        self.paragraphs = [
            prose(part) for part in document["info"].get("description", "").strip().split("\n\n")
        ]
        described = {tag["name"]: tag.get("description", "") for tag in document.get("tags", ())}
        grouped: dict[str, list[Operation]] = {}
        for path, verbs in document["paths"].items():
            for method in METHODS:
                if method in verbs:
                    tag = (verbs[method].get("tags") or ["other"])[0]
                    grouped.setdefault(tag, []).append(self._operation(method, path, verbs[method]))
        self.areas = [Area(name, prose(described.get(name, "")), found) for name, found in grouped.items()]

    def _operation(self, method: str, path: str, described: dict[str, Any]) -> Operation:
        summary, notes = described.get("summary", ""), described.get("description", "").split("\n\n")
        schema, body = self._content(described.get("requestBody", {}))
        status, shown, answer = self._shown(described["responses"])
        parameters = [_parameter(parameter) for parameter in described.get("parameters", [])]
        return Operation(
            id=described["operationId"],
            method=method.upper(),
            path=path,
            title=summary.partition(". ")[0].partition(": ")[0].replace("`", "").rstrip("."),
            summary=prose(summary),
            notes=[prose(part) for part in notes if part and not part.startswith("Needs the scope")],
            scope=described.get("x-scope", ""),
            parameters=parameters,
            body=list(self._fields(schema)),
            answer=list(self._fields(shown)),
            answers=[
                (code, response.get("description") or "Done.", code < "400")
                for code, response in described["responses"].items()
            ],
            answer_status=status,
            answer_example="" if answer is None else _json(answer),
            curl=_curl(method, path, body),
            words=" ".join(
                [path, summary, described["operationId"], *(field.name for field in parameters)]
            ).lower(),
        )

    def _shown(self, responses: dict[str, Any]) -> tuple[str, dict[str, Any], Any]:
        """Status, schema and example of a good answer: of the one that was recorded, where there is one."""
        good = {code: response for code, response in responses.items() if code.startswith("2")}
        status = next(
            (code for code, response in good.items() if any("example" in c for c in _contents(response))),
            next(iter(good), ""),
        )
        return status, *self._content(good.get(status, {}))

    def _content(self, holder: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        """The JSON schema of a body and an example of it, its own or one made from the schema."""
        for media_type, content in holder.get("content", {}).items():
            if "json" in media_type:
                schema = self._resolved(content.get("schema", {}))
                return schema, content.get("example", self._example(schema, 0))
        return {}, None

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [
            schema, *schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ()),
        ]  # fmt: skip
        for part in parts:
            if "$ref" in part:
                found: dict[str, Any] = self._components.get(part["$ref"].rpartition("/")[2], {})
                return found
            if "properties" in part:
                return part
        return schema

    def _fields(self, schema: dict[str, Any], depth: int = 0) -> Iterator[Field]:
        """The fields of an object and, below each, those of the objects it holds."""
        required = schema.get("required", ())
        for name, described in schema.get("properties", {}).items():
            inner = self._resolved(described.get("items", described))
            kind = _type_of(described) if "properties" not in inner else _kind_of_object(described)
            about = described.get("description") or ""
            yield Field(name, kind, name in required, prose(about), depth)
            if "properties" in inner and depth < MAX_DEPTH:
                yield from self._fields(inner, depth + 1)

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


def _contents(holder: dict[str, Any]) -> list[dict[str, Any]]:
    return list(holder.get("content", {}).values())


def prose(text: str) -> SafeString:
    """Text with `code` in backticks and **bold** in stars, as HTML; everything else is escaped."""
    return format_html_join("", "{}", ((piece,) for piece in _pieces(text)))


def _pieces(text: str) -> Iterator[str]:
    for index, part in enumerate(text.split("`")):
        if index % 2:
            yield format_html("<code>{}</code>", part)
            continue
        for place, words in enumerate(part.split("**")):
            yield format_html("<strong>{}</strong>", words) if place % 2 else words


def _curl(method: str, path: str, body: Any) -> str:
    lines = [
        f"curl {'' if method == 'get' else f'-X {method.upper()} '}{BASE}{path.replace('{', '$').replace('}', '')}"
    ]
    lines.append(f'  -H "{KEY}"')
    if body is not None:
        lines.append('  -H "Content-Type: application/json"')
        lines.append(f"  -d {shlex.quote(_json(body))}")
    return " \\\n".join(lines)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


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


def _kind_of_object(schema: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        return "list of objects"
    is_nullable = any(part.get("type") == "null" for part in schema.get("oneOf", schema.get("anyOf", ())))
    return "object or null" if is_nullable else "object"


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
        text += f", {low:g} to {high:,}"
    if schema.get("maxLength"):
        text += f", at most {schema['maxLength']:,}"
    return text
