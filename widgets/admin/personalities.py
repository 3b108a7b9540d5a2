"""The pages of personalities: instructions, their versions, and a playground for what is not saved yet."""

from decimal import Decimal
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from kernel.errors import InvalidInput
from tenants.administration import DeedForm, TenantAdmin, dollars, for_request, moment, person
from tenants.administration.afterwards import afterwards
from tenants.context import TenantRef
from widgets.admin.history import history
from widgets.chat.protocol import MAX_CONTENT
from widgets.headless.answers import Question, answer_once
from widgets.inbox.formatting import as_html
from widgets.models import Personality
from widgets.personalities import (
    BOUNDS,
    CHANGEABLE,
    create_personality,
    delete_personality,
    draft_personality,
    update_personality,
)

ANSWER: Final = "admin/widgets/personality/answer.html"


class PersonalityForm(DeedForm):
    """How the AI speaks."""

    class Meta:
        model = Personality
        fields = tuple(field for field in CHANGEABLE if field != "metadata")
        labels = {
            "system_prompt": "Instructions",
            "preferred_model": "Model",
            "is_default": "Default",
            "is_active": "Active",
            "top_p": "Top p",
        }
        widgets = {
            "description": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
            "system_prompt": UnfoldAdminTextareaWidget(attrs={"rows": 14}),
        }
        help_texts = {
            "description": "For your team; visitors and the AI do not see it.",
            "system_prompt": "Tone, length, what to call things. It always answers from your documents only; "
            "instructions cannot switch that off.",
            "preferred_model": "Empty: the installation's. Else offline, or provider:model such as openai:gpt-4o-mini.",
            "is_default": "Widgets without a personality of their own use the default. There is always exactly one: "
            "making this the default takes it from the other.",
            "is_active": "One that is off answers nobody; its widgets use the default.",
            "temperature": "0 keeps to the likeliest words, 2 is the most varied.",
            "max_tokens": "The longest answer, in tokens (about four characters each).",
        }

    def deed(self) -> Personality:
        by = person(self.request)
        if self.is_new:
            return create_personality(by=by, **self.cleaned_data)
        return update_personality(self.instance.pk, by=by, **self.cleaned_data)


@admin.register(Personality)
class PersonalityAdmin(TenantAdmin):
    """Personalities and their versions."""

    list_display = ("name", "use", "is_on", "saved_as", "answers_with", "changed")
    list_filter = ("is_active",)
    search_fields = ("name", "description")
    search_help_text = "Name or description"
    readonly_fields = ("versions_kept",)
    add_form_template = change_form_template = "admin/widgets/personality/editor.html"
    empty_state = (
        "A personality says how the AI speaks: its instructions, its model, how freely it words things. "
        "The first one becomes the default."
    )

    def get_urls(self) -> list[URLPattern]:
        ask = self.admin_site.admin_view(self.ask)
        return [path("ask/", ask, name="widgets_personality_ask"), *super().get_urls()]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = for_request(PersonalityForm, request)
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_fieldsets(self, request: HttpRequest, obj: Personality | None = None) -> Any:
        instructions = (None, {"fields": ("name", "system_prompt", "description")})
        use = ("Use", {"fields": ("is_default", "is_active", "preferred_model")})
        ranges = (("temperature", "top_p"), ("frequency_penalty", "presence_penalty"), "max_tokens")
        sections = [instructions, use, ("Wording", {"fields": ranges})]
        return [*sections, ("Versions", {"fields": ("versions_kept",)})] if obj else sections

    def delete_model(self, request: HttpRequest, obj: Personality) -> None:
        delete_personality(obj.pk)

    @method_decorator(require_POST)
    def ask(self, request: HttpRequest) -> HttpResponseBase:
        """The playground: one question to the form as it is, unsaved. It costs what an answer costs."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        question = request.POST.get("question", "")
        fields = {name: request.POST[name] for name in (*BOUNDS, "system_prompt") if request.POST.get(name)}
        fields["preferred_model"] = request.POST.get("preferred_model", "")
        return afterwards(ANSWER, lambda tenant: _answered(tenant, question, fields))

    @display(description="use", ordering="is_default", label={"default": "primary", "by choice": "info"})
    def use(self, personality: Personality) -> str:
        return "default" if personality.is_default else "by choice"

    @display(description="state", ordering="is_active", label={"active": "success", "off": "danger"})
    def is_on(self, personality: Personality) -> str:
        return "active" if personality.is_active else "off"

    @display(description="version", ordering="version")
    def saved_as(self, personality: Personality) -> int:
        return personality.version

    @display(description="model", ordering="preferred_model")
    def answers_with(self, personality: Personality) -> str:
        return personality.preferred_model or "the installation's"

    @display(description="changed", ordering="updated_at")
    def changed(self, personality: Personality) -> SafeString | str:
        return moment(personality.updated_at)

    @display(description="saved versions")
    def versions_kept(self, personality: Personality) -> SafeString:
        return render_to_string("admin/widgets/personality/history.html", {"versions": history(personality)})


def _answered(tenant: TenantRef, question: str, fields: dict[str, str]) -> dict[str, Any]:
    if not question.strip() or len(question) > MAX_CONTENT:
        raise InvalidInput.of("question", f"must have 1 to {MAX_CONTENT:,} characters")
    draft = draft_personality(fields)
    answer = async_to_sync(answer_once)(tenant, Question(question.replace("\0", ""), draft=draft))
    usage = answer["usage"]
    return {
        "answer": answer,
        "html": as_html(answer["answer"]),
        "confidence": answer["confidence"] * 100,
        "tokens": usage["input_tokens"] + usage["output_tokens"],
        "cost": dollars(None if answer["cost_usd"] is None else Decimal(answer["cost_usd"])),
    }
