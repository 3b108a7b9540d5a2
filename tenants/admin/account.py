"""The page of a tenant's own settings."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelect2Widget, UnfoldAdminTextInputWidget

from tenants.administration import Lines, SpendCapsForm, TenantAdmin
from tenants.configuring import RETENTION, configure_tenant, timezones
from tenants.context import require_tenant
from tenants.models import Tenant
from tenants.spend_caps import CAPS


class AccountForm(SpendCapsForm):
    """The settings, a field for each."""

    timezone = forms.ChoiceField(
        label="Time zone",
        required=False,
        widget=UnfoldAdminSelect2Widget,
        help_text="Days on charts, costs and budgets begin at midnight there, and times are shown in it.",
    )
    locale = forms.CharField(
        label="Language",
        required=False,
        max_length=35,
        widget=UnfoldAdminTextInputWidget,
        help_text="Such as en or de-AT. Widgets say their own.",
    )
    allowed_domains = Lines(
        label="Allowed domains",
        help_text="One per line, such as acme.com. Every website of every widget must lie inside them. Empty: any.",
    )
    retention_days = forms.IntegerField(
        label="Keep conversations for",
        required=False,
        min_value=RETENTION[0],
        max_value=RETENTION[1],
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Days. Empty: for ever. Every hour, conversations that ended and were silent for longer are deleted "
        "for good with their messages and feedback, visitors not seen since, meetings, and events of webhooks. Single "
        "cost events go too, after 41 days at the earliest; their sums stay. Documents are not touched.",
    )

    class Meta:
        model = Tenant
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = self.fields["timezone"]
        assert isinstance(zones, forms.ChoiceField)
        zones.choices = [("", "UTC"), *((zone, zone) for zone in timezones())]
        stored = self.instance.settings
        self.initial = {
            **self.initial,
            "timezone": stored.get("timezone", ""),
            "locale": stored.get("locale", ""),
            "allowed_domains": stored.get("allowedDomains", []),
            "retention_days": stored.get("retentionDays"),
        }
        self.show_caps(stored, {})

    def deed(self) -> Tenant:
        asked = dict(self.cleaned_data)
        return configure_tenant(spend_caps=self.take_caps(asked), **asked)


@admin.register(Tenant)
class AccountAdmin(TenantAdmin):
    """One page: the acting tenant's own row."""

    called = ("account", "settings")
    form = AccountForm
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "known_as",
                    "plan_name",
                    "timezone",
                    "locale",
                    "allowed_domains",
                    "retention_days",
                )
            },
        ),
        (
            "Spend caps",
            {
                "description": "The most that the AI's answers to visitors may cost, so that no stranger can spend "
                "your budget. Who reaches one is told to ask for a person. Each widget may say otherwise.",
                "fields": tuple(CAPS.values()),
            },
        ),
        ("The end", {"fields": ("the_end",)}),
    )
    readonly_fields = ("known_as", "plan_name", "the_end")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) and self.has_change_permission(request)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(pk=require_tenant().id)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one row, so the list is its page."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        response: HttpResponse = self.change_view(request, str(require_tenant().id))
        return response

    def response_post_save_change(self, request: HttpRequest, obj: Tenant) -> HttpResponse:
        """Back to the page itself: there is no list to return to."""
        return HttpResponseRedirect(self.address("change", obj.pk))

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context |= {"subtitle": None, "show_save_and_continue": False, "show_back_button": False}
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    @display(description="slug")
    def known_as(self, tenant: Tenant) -> str:
        return tenant.slug

    @display(description="plan")
    def plan_name(self, tenant: Tenant) -> str:
        return f"{tenant.get_plan_display()}, {tenant.get_status_display().lower()}"

    @display(description="close the account")
    def the_end(self, tenant: Tenant) -> SafeString:
        return format_html(
            '<a class="fd-link" href="{}">Close the account</a>: everything stops, and nothing is deleted for 30 days. '
            "For owners.",
            reverse("admin:close_account"),
        )
