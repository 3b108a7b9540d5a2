"""Widgets, personalities, sessions and messages as the API shows and reads them."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tenants.rest.fields import (
    Choice,
    Email,
    Flag,
    Id,
    Integer,
    JsonObject,
    Money,
    Number,
    StrictSerializer,
    Text,
    TextList,
    Time,
)
from tenants.rest.rendering import JSON
from widgets.chat.protocol import MAX_CONTENT
from widgets.models import MessageRole, MessageStatus, SessionMode, SessionStatus
from widgets.personalities import BOUNDS, LENGTHS
from widgets.settings import WidgetSettings, complete
from widgets.whitelist import MAX_ENTRIES, MAX_LENGTH


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {},
        "properties": WidgetSettings.model_json_schema()["properties"],
    }
)
class SettingsObject(JsonObject):
    """A widget's settings: as sent on the way in, with every default on the way out."""

    def to_representation(self, value: Any) -> Any:
        return complete(value)


class WidgetFields(StrictSerializer):
    """A chat on a website."""

    id = Id(read_only=True)
    name = Text(max_length=120)
    public_key = Text(read_only=True, help_text="What the snippet names the widget by.")
    domain_whitelist = TextList(
        item_length=MAX_LENGTH,
        max_length=MAX_ENTRIES,
        required=False,
        help_text="Origins that may show it: https://acme.com, or https://*.acme.com for every name below.",
    )
    settings = SettingsObject(required=False)
    personality = Id(
        required=False, allow_null=True, source="personality_id", help_text="null: the default one."
    )
    collections = TextList(
        item_length=120,
        max_length=50,
        required=False,
        help_text="Which knowledge it may use; empty: all public.",
    )
    require_identity = Flag(required=False)
    is_active = Flag(required=False)
    created_at = Time(read_only=True)
    updated_at = Time(read_only=True)


class PersonalityFields(StrictSerializer):
    """How the AI speaks."""

    id = Id(read_only=True)
    name = Text(max_length=LENGTHS["name"])
    description = Text(max_length=LENGTHS["description"], allow_blank=True, required=False)
    system_prompt = Text(
        max_length=LENGTHS["system_prompt"], allow_blank=True, trim_whitespace=False, required=False
    )
    temperature = Number(max_digits=3, decimal_places=2, min_value=0, max_value=2, required=False)
    max_tokens = Integer(min_value=BOUNDS["max_tokens"][0], max_value=BOUNDS["max_tokens"][1], required=False)
    top_p = Number(max_digits=3, decimal_places=2, min_value=0, max_value=1, required=False)
    frequency_penalty = Number(max_digits=3, decimal_places=2, min_value=-2, max_value=2, required=False)
    presence_penalty = Number(max_digits=3, decimal_places=2, min_value=-2, max_value=2, required=False)
    preferred_model = Text(
        max_length=LENGTHS["preferred_model"],
        allow_blank=True,
        required=False,
        help_text='Empty: the installation\'s; else "offline" or "provider:model".',
    )
    is_default = Flag(
        required=False, help_text="Exactly one is; making this one the default unsets the other."
    )
    is_active = Flag(required=False)
    version = Integer(read_only=True, help_text="Each save makes one; answers name the one that gave them.")
    metadata = JsonObject(required=False, help_text="tags, category and your own; usageStats is derived.")
    created_at = Time(read_only=True)
    updated_at = Time(read_only=True)


class SessionFields(serializers.Serializer[Any]):
    """A conversation."""

    id = Id()
    widget = Id(allow_null=True)
    visitor = Id(allow_null=True)
    meeting = Id(allow_null=True)
    assignee = Id(allow_null=True)
    mode = Choice(SessionMode)
    status = Choice(SessionStatus)
    cost_usd = Money(help_text="The sum of its cost events.")
    tool_count = Integer()
    last_seq = Integer(help_text="The number of its messages.")
    last_message_at = Time()
    metadata = JsonObject()
    outcome = Text(allow_blank=True)
    rating = Integer(allow_null=True)
    tags = TextList(item_length=60)
    created_at = Time()
    updated_at = Time()
    ended_at = Time(allow_null=True)


class AuthorFields(serializers.Serializer[Any]):
    """A person of the tenant."""

    name = Text(allow_blank=True)
    avatar_url = Text(allow_null=True)


class CitationFields(serializers.Serializer[Any]):
    """A passage an answer rests on."""

    document_id = Id()
    chunk_id = Id()
    title = Text(allow_blank=True)
    url = Text(allow_null=True)
    quote = Text()


class MessageFields(serializers.Serializer[Any]):
    """A message object, the same in frames, boot and here."""

    id = Id()
    session = Id()
    seq = Integer(help_text="From 1, without a gap.")
    role = Choice(MessageRole)
    author = AuthorFields(allow_null=True)
    content = Text(allow_blank=True)
    attachments = serializers.ListField(child=JsonObject())
    citations = CitationFields(many=True)
    status = Choice(MessageStatus)
    client_id = Id(allow_null=True)
    event = Text(allow_null=True)
    metadata = JsonObject()
    timestamp = Time()


class PersonalityVersionFields(serializers.Serializer[Any]):
    """A personality as it was from one save to the next."""

    id = Id()
    version = Integer()
    content = JsonObject(help_text="All that shapes an answer.")
    created_at = Time()


class VisitorFields(StrictSerializer):
    """Who speaks."""

    external_id = Text(
        max_length=200,
        required=False,
        allow_null=True,
        help_text="Your own name for them: continues what is open.",
    )
    email = Email(max_length=254, required=False, allow_null=True)
    name = Text(max_length=200, required=False, allow_null=True)
    attributes = JsonObject(required=False)


class NewSessionFields(StrictSerializer):
    """A conversation to be opened."""

    widget = Id(required=False, allow_null=True, help_text="Whose personality and knowledge answer.")
    visitor = VisitorFields(required=False, allow_null=True)
    metadata = JsonObject(required=False)


class SessionChangeFields(StrictSerializer):
    """What people note down about a conversation."""

    tags = TextList(item_length=60, max_length=20, required=False)
    outcome = Text(max_length=40, allow_blank=True, required=False)


class TakeoverFields(StrictSerializer):
    """Who takes a conversation over."""

    member = Id(
        required=False, help_text="Needed from a program; a person who is signed in is meant themselves."
    )


class AssignmentFields(StrictSerializer):
    """Who is to look after a conversation."""

    member = Id(allow_null=True, help_text="null: nobody.")


class NewMessageFields(StrictSerializer):
    """Something to be said."""

    role = Choice(
        ["user", "assistant"], default="user", help_text="user: as the visitor; assistant: as a member."
    )
    content = Text(max_length=MAX_CONTENT, trim_whitespace=False)
    id = Id(required=False, help_text="Of your own making: the same again says nothing new.")
    member = Id(required=False, help_text="Who says it, with role assistant; needed from a program.")
    stream = Flag(
        default=False, help_text="With role user: the answer as server-sent events while it is made."
    )


class SaidFields(MessageFields):
    """What was said, and the AI's answer to it."""

    answer = MessageFields(
        allow_null=True,
        help_text="null: a person has the conversation, or an earlier question is being answered.",
    )


class FeedbackFields(serializers.Serializer[Any]):
    """What a visitor thinks of an answer."""

    id = Id()
    session = Id()
    message = Id()
    visitor = Id()
    rating = Integer(min_value=-1, max_value=1, help_text="1: helpful, -1: not.")
    comment = Text(allow_blank=True)
    created_at = Time()
    updated_at = Time()


@extend_schema_field({"type": "integer", "enum": [1, -1]})
class Rating(Integer):
    """1 or -1."""

    default_error_messages = {"invalid": "Must be 1 or -1."}

    def to_internal_value(self, data: Any) -> int:
        value = super().to_internal_value(data)
        if value not in (1, -1):
            self.fail("invalid")
        return value


class NewFeedbackFields(StrictSerializer):
    """A visitor's opinion of an answer."""

    message = Id()
    rating = Rating(help_text="1: helpful, -1: not.")
    comment = Text(max_length=2_000, allow_blank=True, required=False)


# One event of a stream; the stream is any number of them.
FRAME_EVENT: Final = {
    "type": "object",
    "description": "One server-sent event: a frame of the chat's socket.",
    "properties": {
        "event": {"type": "string", "enum": ["ack", "start", "delta", "message", "status", "error"]},
        "data": {"type": "string", "contentMediaType": JSON, "description": "The frame, as JSON."},
    },
    "required": ["event", "data"],
}
