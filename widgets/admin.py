"""The admin's pages of widgets, personalities, conversations and messages."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminColorInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from tenants.administration import DeedForm, Lines, RecordAdmin, TenantAdmin, as_json, dollars
from widgets.editing import create_widget, delete_widget, update_widget
from widgets.inbox.transcript import transcript
from widgets.models import Message, Personality, Session, SessionStatus, Widget
from widgets.personalities import CHANGEABLE, create_personality, delete_personality, update_personality
from widgets.settings import MAX_STARTER_QUESTIONS, complete

EXCERPT = 90
LOOK = (
    "theme", "position", "greeting", "primaryColor", "secondaryColor", "launcherLabel", "starterQuestions", "locale",
    "offlineMessage", "collectEmail", "privacyUrl",
)  # fmt: skip


class WidgetForm(DeedForm):
    """A widget and its look, a field per setting."""

    domain_whitelist = Lines(
        label="Websites",
        help_text="One origin per line: https://acme.com, or https://*.acme.com for every name below acme.com.",
    )
    collections = Lines(
        label="Collections", help_text="Which collections of knowledge it may use, one per line. Empty: all."
    )
    theme = forms.ChoiceField(
        choices=[("auto", "as the visitor's system"), ("light", "light"), ("dark", "dark")],
        widget=UnfoldAdminSelectWidget,
    )
    position = forms.ChoiceField(
        choices=[("bottom-right", "bottom right"), ("bottom-left", "bottom left")],
        widget=UnfoldAdminSelectWidget,
    )
    greeting = forms.CharField(
        required=False, max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )
    primaryColor = forms.CharField(label="Main colour", widget=UnfoldAdminColorInputWidget)
    secondaryColor = forms.CharField(label="Second colour", widget=UnfoldAdminColorInputWidget)
    launcherLabel = forms.CharField(
        label="Words on the button", required=False, max_length=60, widget=UnfoldAdminTextInputWidget
    )
    starterQuestions = Lines(
        label="Questions to start with", help_text=f"One per line, at most {MAX_STARTER_QUESTIONS}."
    )
    locale = forms.CharField(
        required=False,
        max_length=35,
        widget=UnfoldAdminTextInputWidget,
        help_text="Such as en or de-AT. Empty: as the page's.",
    )
    offlineMessage = forms.CharField(
        label="Message when nobody can answer",
        required=False,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )
    collectEmail = forms.BooleanField(
        label="Ask for an email", required=False, widget=UnfoldBooleanSwitchWidget
    )
    privacyUrl = forms.CharField(
        label="Privacy policy", required=False, max_length=500, widget=UnfoldAdminURLInputWidget
    )

    class Meta:
        model = Widget
        fields = ("name", "is_active", "domain_whitelist", "personality", "collections", *LOOK)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        personality = self.fields.get("personality")
        if isinstance(personality, forms.ModelChoiceField):
            personality.empty_label = "the default one"
        for key, value in complete(self.instance.settings).items():
            if key in self.fields:
                self.initial.setdefault(key, value)

    def deed(self) -> Widget:
        asked = dict(self.cleaned_data)
        asked["settings"] = {key: asked.pop(key) for key in LOOK}
        asked["personality_id"] = getattr(asked.pop("personality"), "pk", None)
        return create_widget(**asked) if self.is_new else update_widget(self.instance.pk, **asked)


@admin.register(Widget)
class WidgetAdmin(TenantAdmin):
    """Widgets, with the snippet to paste."""

    form = WidgetForm
    list_display = ("name", "is_active", "websites", "personality", "created_at")
    list_filter = ("is_active",)
    list_select_related = ("personality",)
    search_fields = ("name", "public_key")
    readonly_fields = ("snippet", "public_key")
    empty_state = (
        "A widget is the chat on your website. Make one, name your websites, and paste its snippet there."
    )

    def get_fieldsets(self, request: HttpRequest, obj: Widget | None = None) -> Any:
        about = (None, {"fields": ("name", "is_active", "domain_whitelist", "personality", "collections")})
        look = ("Look and words", {"fields": LOOK})
        return [("On your website", {"fields": ("snippet",)}), about, look] if obj else [about, look]

    def delete_model(self, request: HttpRequest, obj: Widget) -> None:
        delete_widget(obj.pk)

    @display(description="websites")
    def websites(self, widget: Widget) -> str:
        first, *more = widget.domain_whitelist or ["none: it is shown nowhere"]
        return f"{first} and {len(more)} more" if more else str(first)

    @display(description="snippet")
    def snippet(self, widget: Widget) -> SafeString:
        tag = f'<script src="{settings.BASE_URL}/widget/v1.js?w={widget.public_key}" async></script>'
        return format_html(
            '<div class="fd-copy"><code id="snippet">{}</code>'
            '<button type="button" data-copy="snippet">Copy</button></div>'
            '<p class="fd-note">Paste it before &lt;/body&gt; on each page. Public key: {}</p>',
            tag,
            widget.public_key,
        )


class PersonalityForm(DeedForm):
    """How the AI speaks."""

    class Meta:
        model = Personality
        fields = tuple(field for field in CHANGEABLE if field != "metadata")
        widgets = {
            "description": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
            "system_prompt": UnfoldAdminTextareaWidget(attrs={"rows": 14}),
        }
        help_texts = {
            "preferred_model": 'Empty: the installation\'s. Else "offline" or "provider:model".',
            "is_default": "Widgets without a personality of their own use the default. There is exactly one.",
            "temperature": "0 keeps to the likeliest words, 2 is the most varied.",
        }

    def deed(self) -> Personality:
        if self.is_new:
            return create_personality(**self.cleaned_data)
        return update_personality(self.instance.pk, **self.cleaned_data)


@admin.register(Personality)
class PersonalityAdmin(TenantAdmin):
    """Personalities and their versions."""

    form = PersonalityForm
    list_display = ("name", "is_default", "is_active", "version", "preferred_model", "updated_at")
    list_filter = ("is_active",)
    search_fields = ("name", "description")
    readonly_fields = ("history",)
    empty_state = (
        "A personality says how the AI speaks: its instructions, its model, how freely it words things."
    )

    def get_fieldsets(self, request: HttpRequest, obj: Personality | None = None) -> Any:
        sections = [
            (None, {"fields": ("name", "description", "system_prompt")}),
            ("Use", {"fields": (("is_default", "is_active"), "preferred_model")}),
            (
                "Wording",
                {
                    "fields": (
                        ("temperature", "top_p"),
                        ("frequency_penalty", "presence_penalty"),
                        "max_tokens",
                    )
                },
            ),
        ]
        return [*sections, ("Versions", {"fields": ("history",)})] if obj else sections

    def delete_model(self, request: HttpRequest, obj: Personality) -> None:
        delete_personality(obj.pk)

    @display(description="saved as")
    def history(self, personality: Personality) -> SafeString:
        return format_html_join(
            "",
            '<details class="fd-version"><summary>Version {}, {}</summary>{}</details>',
            (
                (version.version, f"{version.created_at:%Y-%m-%d %H:%M} UTC", as_json(version.content))
                for version in personality.versions.order_by("-version")[:20]
            ),
        )


@admin.register(Session)
class SessionAdmin(RecordAdmin):
    """Conversations, read as a transcript beside what they cost."""

    list_display = ("visitor", "state", "widget", "said", "cost", "last_message_at")
    list_display_links = ("visitor",)
    list_filter = ("status", ("widget", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("visitor", "widget")
    search_fields = ("visitor__name", "visitor__email", "visitor__external_id")
    date_hierarchy = None
    fields = ()
    change_form_template = "admin/widgets/session/transcript.html"
    empty_state = "Conversations appear here with a visitor's first question. Paste a widget's snippet first."

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        session = self.get_object(request, object_id)
        extra: dict[str, Any] = {}
        if session:
            said = transcript(session.pk, str(session.visitor or "Visitor"))
            extra = {"transcript": said, "cost": dollars(session.cost_usd)}
        response: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **extra}
        )
        return response

    @display(description="messages", ordering="last_seq")
    def said(self, session: Session) -> int:
        return session.last_seq

    @display(description="cost", ordering="cost_usd")
    def cost(self, session: Session) -> str:
        return dollars(session.cost_usd)

    @display(
        description="state",
        ordering="status",
        label={
            SessionStatus.AI.label: "info",
            SessionStatus.WAITING.label: "warning",
            SessionStatus.HUMAN.label: "success",
        },
    )
    def state(self, session: Session) -> str:
        return session.get_status_display()


@admin.register(Message)
class MessageAdmin(RecordAdmin):
    """Everything said, to search in."""

    list_display = ("excerpt", "role", "session", "status", "timestamp")
    list_display_links = ("excerpt",)
    list_filter = ("role", "status")
    list_select_related = ("session",)
    search_fields = ("content",)
    ordering = ("-timestamp", "-id")
    fields = ("session", "seq", "role", "author", "status", "timestamp", "text", "cited", "details")
    readonly_fields = ("text", "cited", "details")
    empty_state = "What visitors ask and what they are answered is listed here."

    @display(description="message")
    def excerpt(self, message: Message) -> str:
        text = " ".join(message.content.split())
        return (text[:EXCERPT] + "…" if len(text) > EXCERPT else text) or "(empty)"

    @display(description="text")
    def text(self, message: Message) -> SafeString:
        return format_html('<div class="fd-text">{}</div>', message.content)

    @display(description="citations")
    def cited(self, message: Message) -> SafeString | str:
        if not message.citations:
            return "none"
        return format_html_join(
            "",
            "<p><b>{}</b><br><q>{}</q></p>",
            ((citation.get("title", ""), citation.get("quote", "")) for citation in message.citations),
        )

    @display(description="details")
    def details(self, message: Message) -> SafeString:
        return as_json(message.metadata)
