"""The log of webhooks: what was told to whom, how that went, and sending it again."""

from datetime import datetime
from typing import Any, Final

import orjson
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display

from tenants.administration import RecordAdmin, moment, safely
from tenants.models import WebhookDelivery
from tenants.webhooks.models import DeliveryStatus
from tenants.webhooks.replaying import replay_one

STATES: Final[dict[str, str]] = {
    DeliveryStatus.DELIVERED: "delivered",
    DeliveryStatus.PENDING: "waiting",
    DeliveryStatus.FAILED: "given up",
}
LABELS: Final = {"delivered": "success", "waiting": "info", "given up": "danger"}


def page_of(delivery: WebhookDelivery) -> str:
    """Where a delivery's page is."""
    return reverse("admin:tenants_webhookdelivery_change", args=[delivery.pk])


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(RecordAdmin):
    """What was told to whom, and how that went. Kept for 30 days."""

    called = ("webhook delivery", "webhook deliveries")
    list_display = ("happened", "kind", "to", "answer", "tries", "state")
    list_filter = ("status", "endpoint")
    list_select_related = ("event", "endpoint")
    ordering = ("-id",)
    fields = (("happened", "kind"), ("to", "state"), ("answer", "next_attempt"), "message_id", "sent", "log")
    readonly_fields = (
        "happened",
        "kind",
        "to",
        "state",
        "answer",
        "next_attempt",
        "message_id",
        "sent",
        "log",
    )
    change_form_template = "admin/tenants/webhookdelivery/delivery.html"
    empty_state = (
        "What webhooks were told is listed here for 30 days, with every attempt and what was answered."
    )
    empty_action = ("Add a webhook", "admin:tenants_webhookendpoint_add")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        again = path("<path:object_id>/again/", view(self.again), name="tenants_webhookdelivery_again")
        return [again, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = {"perms_to_send": request.user.has_perm("tenants.change_webhookendpoint")}
        response: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **extra}
        )
        return response

    @method_decorator(require_POST)
    def again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send it again."""
        if not request.user.has_perm("tenants.change_webhookendpoint"):
            raise PermissionDenied
        delivery: WebhookDelivery = self.the(request, object_id)
        done = "It is on its way again. Reload to see how it went."
        safely(request, lambda: replay_one(delivery.endpoint_id, delivery.pk), done)
        return HttpResponseRedirect(page_of(delivery))

    @display(description="happened", ordering="created_at")
    def happened(self, delivery: WebhookDelivery) -> SafeString | str:
        return moment(delivery.created_at)

    @display(description="event", ordering="event__type")
    def kind(self, delivery: WebhookDelivery) -> str:
        return str(delivery.event.type)

    @display(description="to")
    def to(self, delivery: WebhookDelivery) -> str:
        return str(delivery.endpoint)

    @display(description="answer")
    def answer(self, delivery: WebhookDelivery) -> str:
        if delivery.duration_ms is None:
            return "not tried yet"
        told = delivery.error or f"{delivery.response_status}"
        return f"{told} ({delivery.duration_ms:,} ms)"

    @display(description="next attempt", ordering="next_attempt_at")
    def next_attempt(self, delivery: WebhookDelivery) -> SafeString | str:
        return moment(delivery.next_attempt_at, never="none")

    @display(description="webhook-id")
    def message_id(self, delivery: WebhookDelivery) -> str:
        return str(delivery.event_id)

    @display(description="sent")
    def sent(self, delivery: WebhookDelivery) -> SafeString:
        body = orjson.dumps(orjson.loads(delivery.event.body), option=orjson.OPT_INDENT_2).decode()
        return render_to_string("admin/tenants/webhookdelivery/body.html", {"body": body})

    @display(description="attempts")
    def log(self, delivery: WebhookDelivery) -> SafeString:
        attempts = [
            {**attempt, "when": moment(datetime.fromisoformat(attempt["at"]))}
            for attempt in delivery.attempts
        ]
        return render_to_string("admin/tenants/webhookdelivery/attempts.html", {"attempts": attempts})

    @display(description="state", ordering="status", label=LABELS)
    def state(self, delivery: WebhookDelivery) -> str:
        return STATES[delivery.status]
