"""The pages of messages: everything said, to search in."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from tenants.administration import RecordAdmin, facts, moment, words
from tenants.administration.filters import Choice
from widgets.counting import STOPPED_BY_CAP
from widgets.inbox.formatting import as_html
from widgets.models import Message, MessageRole

EXCERPT = 90
SPEAKERS = {MessageRole.USER: "visitor", MessageRole.ASSISTANT: "AI", MessageRole.SYSTEM: "system"}
UNANSWERED = Q(metadata__event__isnull=False) & ~Q(metadata__event=None)
"""Of the AI's messages: it abstained, broke off, or could not be asked."""


class OutcomeFilter(Choice):
    """Answers that were none."""

    title = "answer"
    parameter_name = "outcome"
    choices_ = (
        ("answered", "answered"),
        ("unanswered", "unanswered"),
        ("capped", "stopped by a spend cap"),
    )

    def narrowed(self, rows: "QuerySet[Any]", value: str) -> "QuerySet[Any]":
        answers = rows.filter(role=MessageRole.ASSISTANT, author=None)
        if value == "capped":
            return answers.filter(STOPPED_BY_CAP)
        return answers.filter(UNANSWERED) if value == "unanswered" else answers.exclude(UNANSWERED)


@admin.register(Message)
class MessageAdmin(RecordAdmin):
    """Everything said, to search in."""

    list_display = ("excerpt", "speaker", "outcome", "at", "conversation")
    list_display_links = ("excerpt",)
    list_filter = (OutcomeFilter, "role", "status")
    list_select_related = ("session", "author")
    search_fields = ("content",)
    search_help_text = "Words of a message"
    ordering = ("-timestamp", "-id")
    fields = ("conversation", "seq", "speaker", "outcome", "at", "text", "cited", "details")
    readonly_fields = ("conversation", "speaker", "outcome", "at", "text", "cited", "details")
    empty_state = (
        "What visitors ask and what they are answered is listed here. Put a widget's snippet on your website, "
        "or try your first question on the demo page."
    )
    empty_action = ("Go to the widgets", "admin:widgets_widget_changelist")

    @display(description="message")
    def excerpt(self, message: Message) -> str:
        text = " ".join(message.content.split()) or words(str(message.metadata.get("event") or "(empty)"))
        return text[:EXCERPT] + "…" if len(text) > EXCERPT else text

    @display(description="from", ordering="role")
    def speaker(self, message: Message) -> str:
        return str(message.author) if message.author else SPEAKERS[MessageRole(message.role)]

    @display(
        description="answer",
        label={"answered": "success", "unanswered": "warning", "interrupted": "danger", "failed": "danger"},
    )
    def outcome(self, message: Message) -> str | None:
        if message.role != MessageRole.ASSISTANT or message.author_id is not None:
            return None
        if message.status != "complete":
            return str(message.get_status_display())
        return "unanswered" if message.metadata.get("event") else "answered"

    @display(description="time", ordering="timestamp")
    def at(self, message: Message) -> SafeString | str:
        return moment(message.timestamp)

    @display(description="conversation")
    def conversation(self, message: Message) -> SafeString:
        address = f"/admin/widgets/session/{message.session_id}/change/#message-{message.seq}"
        return format_html('<a class="fd-link fd-nowrap" href="{}">{}</a>', address, message.session)

    @display(description="text")
    def text(self, message: Message) -> SafeString:
        if message.role == MessageRole.ASSISTANT:
            return format_html('<div class="fd-prose">{}</div>', as_html(message.content))
        return format_html('<div class="fd-text">{}</div>', message.content)

    @display(description="sources")
    def cited(self, message: Message) -> SafeString | str:
        if not message.citations:
            return "none"
        return format_html_join(
            "",
            '<p><a class="fd-link" href="/admin/knowledge/document/{}/change/">{}</a><br><q>{}</q></p>',
            (
                (source.get("document_id", ""), source.get("title") or "Untitled", source.get("quote", ""))
                for source in message.citations
            ),
        )

    @display(description="details")
    def details(self, message: Message) -> SafeString | str:
        known = {key: value for key, value in message.metadata.items() if value not in (None, "")}
        return facts((_spaced(key), value) for key, value in known.items())


def _spaced(key: str) -> str:
    """firstTokenMs is "first token ms"."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in key)
