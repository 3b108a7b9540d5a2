"""Entries of the record as the API shows them."""

from typing import Any

from rest_framework import serializers

from tenants.auditing.entries import ActorKinds
from tenants.rest.fields import Choice, Id, JsonObject, Text, Time


class TextOrNull(Text):
    """A string, null where it is empty."""

    def to_representation(self, value: Any) -> Any:
        return value or None


class AuditActorFields(serializers.Serializer[Any]):
    """Who did it."""

    kind = Choice(ActorKinds, source="actor_kind", help_text="user: a member of your team; key: an API key.")
    id = TextOrNull(source="actor_id", allow_null=True, help_text="Of the member or key.")
    name = TextOrNull(source="actor_text", allow_null=True, help_text="What they were called then.")


class AuditTargetFields(serializers.Serializer[Any]):
    """What it was done to."""

    kind = Text(source="target_kind", help_text="Such as widget, member or api_key.")
    id = TextOrNull(source="target_id", allow_null=True)
    name = TextOrNull(source="target_text", allow_null=True, help_text="What it was called then.")


class AuditEntryFields(serializers.Serializer[Any]):
    """Something that was done."""

    id = Id()
    at = Time()
    actor = AuditActorFields(source="*")
    action = Text(help_text="created, changed, deleted, or a word of its own such as signed_in.")
    target = AuditTargetFields(source="*")
    before = JsonObject(
        allow_null=True, help_text="What changed, as it was; null for something new. Secrets are •••."
    )
    after = JsonObject(allow_null=True, help_text="What changed, as it became; null for something deleted.")
    ip = Text(allow_null=True, help_text="Where the request came from.")
