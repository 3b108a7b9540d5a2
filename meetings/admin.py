"""The admin's pages of meetings."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString
from unfold.decorators import display

from meetings.models import Meeting
from tenants.administration import RecordAdmin, moment
from tenants.administration.filters import Choice


class StateFilter(Choice):
    """Meetings by how far they are."""

    title = "state"
    parameter_name = "state"
    choices_ = (("planned", "not begun"), ("running", "running"), ("ended", "ended"))

    def narrowed(self, rows: "QuerySet[Any]", value: str) -> "QuerySet[Any]":
        if value == "ended":
            return rows.exclude(ended_at=None)
        return rows.filter(ended_at=None, started_at__isnull=value == "planned")


@admin.register(Meeting)
class MeetingAdmin(RecordAdmin):
    """Calls that conversations have moved to."""

    list_display = ("title", "state", "started", "ended", "host")
    list_filter = (StateFilter,)
    list_select_related = ("created_by",)
    search_fields = ("room_name",)
    search_help_text = "Room"
    fields = ("title", "room_name", "state", "host", "started", "ended")
    readonly_fields = ("title", "state", "host", "started", "ended")
    empty_state = "A meeting is a call that a conversation moves to. None has taken place yet."
    empty_action = ("See the conversations", "admin:widgets_session_changelist")

    @display(description="title")
    def title(self, meeting: Meeting) -> str:
        return str(meeting)

    @display(description="state", label={"running": "success", "not begun": "info"})
    def state(self, meeting: Meeting) -> str:
        if meeting.ended_at:
            return "ended"
        return "running" if meeting.started_at else "not begun"

    @display(description="host")
    def host(self, meeting: Meeting) -> str:
        return str(meeting.created_by or "a program")

    @display(description="started", ordering="started_at")
    def started(self, meeting: Meeting) -> SafeString | str:
        return moment(meeting.started_at, never="not yet")

    @display(description="ended", ordering="ended_at")
    def ended(self, meeting: Meeting) -> SafeString | str:
        return moment(meeting.ended_at, never="not yet")
