"""Documents and search results as the API shows and reads them."""

from typing import Any, Final

import orjson
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from kernel.addresses import MAX_URL
from knowledge import documents, search
from knowledge.models import MAX_TITLE, Document, DocumentStatus
from knowledge.search import Hit, SearchOutcome
from tenants.rest.fields import Choice, Id, Integer, JsonObject, StrictSerializer, Text, Time

MAX_HISTORY: Final = 50
MAX_TURN: Final = 8_000


class DocumentRow(StrictSerializer):
    """A document as lists show it."""

    id = Id(read_only=True)
    title = Text(max_length=MAX_TITLE)
    category = Text(max_length=documents.MAX_LABEL, required=False, allow_blank=True)
    collection = Text(max_length=documents.MAX_LABEL, required=False, allow_blank=True)
    metadata = JsonObject(required=False, help_text="Of your own making; `url` is where citations lead.")
    external_id = Text(
        max_length=documents.MAX_EXTERNAL_ID,
        required=False,
        allow_null=True,
        help_text="Your own name for it: the same again updates the document.",
    )
    status = Choice(DocumentStatus, read_only=True)
    error = serializers.CharField(read_only=True, help_text="Why its newest text could not be processed.")
    progress = serializers.FloatField(read_only=True, help_text="0 to 1.")
    version = serializers.IntegerField(
        read_only=True, help_text="The version that search finds; 0: none yet."
    )
    language = serializers.CharField(read_only=True, help_text="ISO 639-1; empty where it cannot be told.")
    created_at = Time(read_only=True)
    updated_at = Time(read_only=True)


@extend_schema_serializer(component_name="DocumentFile")
class FileFields(serializers.Serializer[Any]):
    """The file that the newest text was read from, or is still to be."""

    name = serializers.CharField(source="file_name")
    size = serializers.IntegerField(source="file.size", help_text="Bytes.")
    sha256 = serializers.CharField(source="file.sha256")


class DocumentFields(DocumentRow):
    """A document with its newest text: plain text, markdown or HTML, to 10 MB."""

    content = Text(
        trim_whitespace=False,
        help_text="Empty while the text of a file is not read yet, and where it cannot be.",
    )
    file = serializers.SerializerMethodField(help_text="Where the text came from; null: it was sent as text.")

    @extend_schema_field(FileFields(allow_null=True))
    def get_file(self, document: Document) -> dict[str, Any] | None:
        newest = document.newest
        return FileFields(newest).data if newest.file else None


class PageFields(StrictSerializer):
    """A document from a web page, which a worker fetches. The same address again fetches it again."""

    url = Text(max_length=MAX_URL, help_text="http or https, on the public internet; citations lead there.")
    title = Text(max_length=MAX_TITLE, required=False, help_text="The page's own where there is none.")
    category = Text(max_length=documents.MAX_LABEL, required=False, allow_blank=True)
    collection = Text(max_length=documents.MAX_LABEL, required=False, allow_blank=True)
    metadata = JsonObject(required=False)
    external_id = Text(
        max_length=documents.MAX_EXTERNAL_ID, required=False, help_text="The address where there is none."
    )


class JsonText(JsonObject):
    """A JSON object as text, since a form has no objects."""

    default_error_messages = {"malformed": "Must be a JSON object as text."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            return super().to_internal_value(orjson.loads(data) if isinstance(data, str) else data)
        except orjson.JSONDecodeError:
            self.fail("malformed")


class UploadFields(StrictSerializer):
    """A document as a file, in a form (multipart/form-data): pdf, docx, html, md, txt or csv, to 10 MB."""

    file = serializers.FileField(allow_empty_file=True)
    title = Text(max_length=MAX_TITLE, required=False, help_text="The file's own where there is none.")
    category = Text(max_length=documents.MAX_LABEL, required=False, allow_blank=True)
    collection = Text(max_length=documents.MAX_LABEL, required=False, allow_blank=True)
    metadata = JsonText(required=False, help_text="A JSON object as text; `url` is where citations lead.")
    external_id = Text(
        max_length=documents.MAX_EXTERNAL_ID,
        required=False,
        help_text="Your own name for it: the same again updates the document.",
    )


class Turn(StrictSerializer):
    """One earlier message of a conversation."""

    role = Choice(["user", "assistant", "system"])
    content = Text(max_length=MAX_TURN, allow_blank=True)


class QuestionFields(StrictSerializer):
    """What to search for."""

    query = Text(max_length=search.MAX_QUERY)
    limit = Integer(
        min_value=1, max_value=search.MAX_LIMIT, default=10, help_text="Counts passages, not documents."
    )
    category = Text(max_length=documents.MAX_LABEL, required=False, allow_null=True)
    collection = Text(max_length=documents.MAX_LABEL, required=False, allow_null=True)
    history = serializers.ListField(
        child=Turn(),
        required=False,
        max_length=MAX_HISTORY,
        help_text="The conversation so far, oldest first.",
    )


class ScoreFields(serializers.Serializer[Any]):
    """The parts of a score."""

    vector = serializers.FloatField(help_text="Cosine, at most 1.")
    keyword = serializers.FloatField(help_text="BM25, 0 and up.")


@extend_schema_serializer(component_name="SearchResult")
class HitFields(serializers.Serializer[Any]):
    """One passage."""

    document_id = serializers.UUIDField()
    external_id = serializers.CharField(allow_null=True)
    chunk_id = serializers.UUIDField()
    title = serializers.CharField()
    url = serializers.CharField(allow_null=True)
    content = serializers.CharField()
    heading = serializers.CharField(help_text="The path of headings above the passage.")
    score = serializers.FloatField(help_text="Above 0 and at most 1; comparable within one answer.")
    scores = ScoreFields()


@extend_schema_serializer(component_name="SearchOutcome")
class OutcomeFields(serializers.Serializer[Any]):
    """What was found, best first."""

    results = HitFields(many=True)
    confidence = serializers.FloatField(
        help_text="0 to 1: how sure we are that the passages answer the question."
    )


def as_outcome(outcome: SearchOutcome) -> dict[str, Any]:
    """`OutcomeFields` straight to JSON: search is a hot door."""
    return {
        "results": [_as_result(hit) for hit in outcome.results],
        "confidence": round(outcome.confidence, 4),
    }


def _as_result(hit: Hit) -> dict[str, Any]:
    return {
        "document_id": hit.document_id,
        "external_id": hit.external_id,
        "chunk_id": hit.chunk_id,
        "title": hit.title,
        "url": hit.url,
        "content": hit.content,
        "heading": hit.heading,
        "score": round(hit.score, 6),
        "scores": {"vector": round(hit.scores.vector, 6), "keyword": round(hit.scores.keyword, 6)},
    }
