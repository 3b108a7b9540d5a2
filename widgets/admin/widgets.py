"""The pages of widgets: look and words with a live preview, and the snippet to paste."""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
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

from tenants.administration import Lines, SpendCapsForm, TenantAdmin, moment
from tenants.context import require_tenant
from tenants.models import Tenant
from tenants.spend_caps import CAPS
from widgets.admin.preview import preview_page, preview_script
from widgets.chat.guarding import is_guarded
from widgets.counting import stopped_by_caps
from widgets.editing import create_widget, delete_widget, update_widget
from widgets.models import Widget
from widgets.settings import MAX_STARTER_QUESTIONS, complete

LOOK: Final = (
    "theme", "position", "primaryColor", "secondaryColor", "launcherLabel", "greeting", "starterQuestions", "locale",
    "offlineMessage", "collectEmail", "privacyUrl",
)  # fmt: skip


class WidgetForm(SpendCapsForm):
    """A widget and its look, a field per setting."""

    domain_whitelist = Lines(
        label="Websites",
        rows=3,
        help_text="One origin per line: https://acme.com, or https://*.acme.com for every name below acme.com.",
    )
    collections = Lines(
        label="Collections",
        rows=2,
        help_text="Which collections of knowledge it may use, one per line. Empty: all.",
    )
    theme = forms.ChoiceField(
        choices=[("auto", "As the visitor's system"), ("light", "Light"), ("dark", "Dark")],
        widget=UnfoldAdminSelectWidget,
    )
    position = forms.ChoiceField(
        choices=[("bottom-right", "Bottom right"), ("bottom-left", "Bottom left")],
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

    proofOfWork = forms.ChoiceField(
        label="Proof of work",
        choices=[("auto", "While it is under attack"), ("on", "Always"), ("off", "Never")],
        widget=UnfoldAdminSelectWidget,
        help_text="Visitors' browsers do some arithmetic before they are let in: nobody notices a part of a second, "
        "and a crowd of bots pays for it. Clients of your own have to do it too.",
    )

    class Meta:
        model = Widget
        fields = ("name", "is_active", "domain_whitelist", "personality", "collections", *LOOK, "proofOfWork")
        labels = {"is_active": "Active"}
        help_texts = {"is_active": "Off: it disappears from every page within five minutes."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        personality = self.fields.get("personality")
        if isinstance(personality, forms.ModelChoiceField):
            personality.empty_label = "The default one"
        for key, value in complete(self.instance.settings).items():
            if key in (*LOOK, "proofOfWork"):
                self.initial.setdefault(key, value)
        house = Tenant.objects.values_list("settings", flat=True).get(pk=require_tenant().id)
        self.show_caps(self.instance.settings, house)

    def deed(self) -> Widget:
        asked = dict(self.cleaned_data)
        asked["settings"] = {key: asked.pop(key) for key in (*LOOK, "proofOfWork")}
        # Empty takes a cap back to the tenant's.
        caps = self.take_caps(asked)
        asked["settings"] |= {CAPS[name]: text or None for name, text in caps.items()}
        asked["personality_id"] = getattr(asked.pop("personality"), "pk", None)
        return create_widget(**asked) if self.is_new else update_widget(self.instance.pk, **asked)


@admin.register(Widget)
class WidgetAdmin(TenantAdmin):
    """Widgets, with the snippet to paste."""

    form = WidgetForm
    list_display = ("name", "is_live", "websites", "speaks", "since")
    list_filter = ("is_active",)
    list_select_related = ("personality",)
    search_fields = ("name", "public_key")
    search_help_text = "Name or public key"
    add_form_template = change_form_template = "admin/widgets/widget/editor.html"
    empty_state = (
        "A widget is the chat on your website. Make one, name your websites, and paste its snippet there."
    )

    def get_urls(self) -> list[URLPattern]:
        preview, script = self.admin_site.admin_view(preview_page), self.admin_site.admin_view(preview_script)
        return [
            path("preview/", preview, name="widgets_widget_preview"),
            path("preview.js", script, name="widgets_widget_preview_script"),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Widget | None = None) -> Any:
        about = (None, {"fields": ("name", "is_active", "domain_whitelist")})
        look = ("Look", {"fields": LOOK[:5]})
        words = ("Words", {"fields": LOOK[5:]})
        answers = ("Answers", {"fields": ("personality", "collections")})
        caps = (
            "Spend caps",
            {
                "description": "The most that the AI's answers to visitors may cost, so that no stranger can spend "
                "your budget. Who reaches one is told to ask for a person.",
                "fields": tuple(CAPS.values()),
            },
        )
        attacks = ("Attacks", {"fields": ("proofOfWork",)})
        return [about, look, words, answers, caps, attacks]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, obj: Widget | None = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            tag = f'<script src="{settings.BASE_URL}/widget/v1.js?w={obj.public_key}" async></script>'
            context["snippet"] = tag
            context["stopped"] = stopped_by_caps(obj)
            context["is_guarded"] = is_guarded(require_tenant(), obj.pk)
        response: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return response

    def delete_model(self, request: HttpRequest, obj: Widget) -> None:
        delete_widget(obj.pk)

    @display(description="state", ordering="is_active", label={"active": "success", "off": "danger"})
    def is_live(self, widget: Widget) -> str:
        return "active" if widget.is_active else "off"

    @display(description="websites")
    def websites(self, widget: Widget) -> str:
        first, *more = widget.domain_whitelist or ["none: it is shown nowhere"]
        return f"{first} and {len(more)} more" if more else str(first)

    @display(description="personality", ordering="personality__name")
    def speaks(self, widget: Widget) -> str:
        return str(widget.personality or "the default one")

    @display(description="made", ordering="created_at")
    def since(self, widget: Widget) -> SafeString | str:
        return moment(widget.created_at)
