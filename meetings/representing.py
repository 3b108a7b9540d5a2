"""Meetings as the API shows and reads them."""

from typing import Final

from rest_framework import serializers

from tenants.rest.fields import Id, JsonObject, StrictSerializer, Text, Time

MAX_TITLE: Final = 200
MAX_DESCRIPTION: Final = 2_000


class MeetingChangeFields(StrictSerializer):
    """All of a meeting that may change."""

    title = Text(max_length=MAX_TITLE, allow_blank=True, required=False)
    description = Text(max_length=MAX_DESCRIPTION, allow_blank=True, required=False)


class NewMeetingFields(MeetingChangeFields):
    """A meeting to be opened."""

    session = Id(required=False, allow_null=True, help_text="The conversation that moves to it.")


class MeetingFields(StrictSerializer):
    """A room for a call."""

    id = Id()
    room_name = Text(help_text="Cannot be guessed.")
    title = Text(allow_blank=True)
    description = Text(allow_blank=True)
    participants = serializers.ListField(child=JsonObject())
    created_by = Id(allow_null=True, help_text="The member who opened it; null: a program.")
    started_at = Time(allow_null=True)
    ended_at = Time(allow_null=True)
    recording = JsonObject(allow_null=True)
    transcript = JsonObject(allow_null=True)
    created_at = Time()
    updated_at = Time()
