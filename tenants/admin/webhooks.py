"""The pages of webhooks: endpoints with how they do, secrets shown once, trying out, sending again."""

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from kernel import clock
from tenants.admin.webhook_deliveries import page_of
from tenants.administration import DeedForm, TenantAdmin, for_request, moment, safely
from tenants.models import WebhookDelivery, WebhookEndpoint
from tenants.webhooks.catalogue import event_types
from tenants.webhooks.disabling import PATIENCE
from tenants.webhooks.endpoints import (
    OVERLAP,
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    rotate_secret,
)
from tenants.webhooks.models import DisabledReason
from tenants.webhooks.replaying import replay_since, send_test

FIXED: Final = ("state", "succeeded", "old_secret", "made")
# How long the old secret signs as well, in hours.
OVERLAPS: Final = {"0": "at once", "1": "in an hour", "24": "in a day", "168": "in a week"}
# How far back deliveries that were given up are sent again, in hours.
SPANS: Final = {
    "1": "the last hour",
    "24": "the last day",
    "72": "the last three days",
    "720": "all that is kept",
}


class WebhookEndpointForm(DeedForm):
    """An address and what it is told."""

    events = forms.MultipleChoiceField(
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None chosen: it is told of everything, also of what later versions add.",
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("url", "description", "events", "is_active")
        labels = {"url": "Address", "is_active": "On"}
        help_texts = {
            "url": "Where your program listens: public, and https, for what visitors write travels there.",
            "description": "What listens there, for your colleagues.",
            "is_active": "Off, it is told nothing, and what happens meanwhile is not kept for it.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(chosen := self.fields.get("events"), forms.MultipleChoiceField):
            chosen.choices = [
                (event.name, event.name) for event in event_types() if event.name != "webhook.test"
            ]

    def deed(self) -> WebhookEndpoint:
        if not self.is_new:
            return change_endpoint(self.instance.pk, **self.cleaned_data)
        endpoint, secret = create_endpoint(**self.cleaned_data)
        self.request.new_secret = secret  # type: ignore[attr-defined]  # carried to response_add, once
        return endpoint


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(TenantAdmin):
    """Endpoints with how they do."""

    called = ("webhook", "webhooks")
    list_display = ("called_by", "address_of", "told_of", "succeeded", "state")
    search_fields = ("url", "description")
    search_help_text = "Address or description"
    change_form_template = "admin/tenants/webhookendpoint/editor.html"
    empty_state = (
        "A webhook tells a program of yours what happens here: a conversation waits for a person, a document is ready, "
        "a budget runs out."
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/rotate/", view(self.rotate), name="tenants_webhookendpoint_rotate"),
            path("<path:object_id>/test/", view(self.test), name="tenants_webhookendpoint_test"),
            path("<path:object_id>/replay/", view(self.replay), name="tenants_webhookendpoint_replay"),
            *super().get_urls(),
        ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = for_request(WebhookEndpointForm, request)
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = (None, {"fields": ("url", "description", "events", "is_active")})
        now = (None, {"fields": (("state", "succeeded"), ("old_secret", "made"))})
        return [now, asked] if obj else [asked]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return FIXED if obj else ()

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        # A new endpoint's secret is shown on the page that follows, and on no other.
        context["show_save_and_continue"] = False
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = {
            "overlaps": OVERLAPS.items(),
            "usual_overlap": str(int(OVERLAP.total_seconds() // 3600)),
            "spans": SPANS.items(),
            "patience": PATIENCE.days,
        }
        response: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **extra}
        )
        return response

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The secret, this once: no redirect could carry it without leaving it in a log or a session."""
        return self._issued(request, obj, request.new_secret)  # type: ignore[attr-defined]  # set by the form

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its log goes with it, which is nobody's to delete by itself."""
        return [str(endpoint) for endpoint in objs], {"webhooks": len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: WebhookEndpoint) -> None:
        delete_endpoint(obj.pk)

    @method_decorator(require_POST)
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A new secret; the old one signs as well for the chosen hours."""
        endpoint = self._to_change(request, object_id)
        hours = request.POST.get("overlap", "")
        overlap = timedelta(hours=int(hours)) if hours in OVERLAPS else OVERLAP
        return self._issued(request, *rotate_secret(endpoint.pk, overlap=overlap))

    @method_decorator(require_POST)
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Try it out, and show the delivery."""
        endpoint = self._to_change(request, object_id)
        sent: list[WebhookDelivery] = []
        if safely(
            request,
            lambda: sent.append(send_test(endpoint.pk)),
            "A test is on its way. Reload to see how it went.",
        ):
            return HttpResponseRedirect(page_of(sent[0]))
        return HttpResponseRedirect(self.address("change", endpoint.pk))

    @method_decorator(require_POST)
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send what was given up again, as far back as was chosen."""
        endpoint = self._to_change(request, object_id)
        hours = request.POST.get("since", "")
        since = clock.now() - timedelta(hours=int(hours) if hours in SPANS else 1)
        count: list[int] = []
        if safely(
            request, lambda: count.append(replay_since(endpoint.pk, since)), "Sent again: see the log."
        ):
            messages.info(request, f"Given up and on its way again: {count[0]:,}.")
        return HttpResponseRedirect(self.address("change", endpoint.pk))

    def _to_change(self, request: HttpRequest, object_id: str) -> WebhookEndpoint:
        if not self.has_change_permission(request):
            raise PermissionDenied
        endpoint: WebhookEndpoint = self.the(request, object_id)
        return endpoint

    def _issued(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Your webhook's secret",
            "opts": self.opts,
            "endpoint": endpoint,
            "secret": secret,
        }
        return TemplateResponse(request, "admin/tenants/webhookendpoint/issued.html", context)

    @display(description="webhook", ordering="description")
    def called_by(self, endpoint: WebhookEndpoint) -> str:
        return str(endpoint)

    @display(description="address", ordering="url")
    def address_of(self, endpoint: WebhookEndpoint) -> str:
        return str(endpoint.url)

    @display(description="told of")
    def told_of(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.events) or "everything"

    @display(description="last success", ordering="last_success_at")
    def succeeded(self, endpoint: WebhookEndpoint) -> SafeString | str:
        return moment(endpoint.last_success_at)

    @display(description="old secret signs until")
    def old_secret(self, endpoint: WebhookEndpoint) -> SafeString | str:
        is_signing = endpoint.previous_until is not None and endpoint.previous_until > clock.now()
        return moment(endpoint.previous_until) if is_signing else "there is none"

    @display(description="made", ordering="created_at")
    def made(self, endpoint: WebhookEndpoint) -> SafeString | str:
        return moment(endpoint.created_at)

    @display(
        description="state", label={"good": "success", "failing": "warning", "turned off for you": "danger"}
    )
    def state(self, endpoint: WebhookEndpoint) -> str:
        if not endpoint.is_active:
            return "turned off for you" if endpoint.disabled_reason in DisabledReason.values else "off"
        return "failing" if endpoint.failing_since else "good"
