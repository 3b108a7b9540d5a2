"""The pages of a tenant's own keys for AI providers: set, replaced, forgotten; never shown."""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from tenants.administration import DeedForm, TenantAdmin, for_request, moment, person
from tenants.bringing_keys import is_offered, set_key
from tenants.models import Provider, ProviderKey

FIXED: Final = ("ends_with", "state", "refusal", "setter", "changed")
ADDRESSES: Final = {
    Provider.OPENAI: "OPENAI_BASE_URL",
    Provider.ANTHROPIC: "ANTHROPIC_BASE_URL",
    Provider.VOYAGE: "VOYAGE_BASE_URL",
}


class ProviderKeyForm(DeedForm):
    """A key to be set, for a provider that has none yet or in place of the one that it has."""

    key = forms.CharField(
        max_length=300,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="As the provider shows it. It is stored encrypted and never shown again.",
    )

    class Meta:
        model = ProviderKey
        fields = ("provider",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_new:
            self.fields["key"].label = "New key"

    def deed(self) -> ProviderKey:
        provider = self.cleaned_data["provider"] if self.is_new else self.instance.provider
        return set_key(provider, self.cleaned_data["key"], by=person(self.request))


@admin.register(ProviderKey)
class ProviderKeyAdmin(TenantAdmin):
    """One's own keys for providers. A key's provider does not change: another has a key of its own."""

    called = ("provider key", "provider keys")
    list_display = ("name_of_provider", "ends_with", "state", "setter", "changed")
    empty_state = (
        "With a key of your own for OpenAI, Anthropic or Voyage AI you pay the provider directly. "
        "Without one this installation's keys are used."
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("set_by")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_offered() and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_offered() and super().has_change_permission(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(
            request, obj, change, **{**kwargs, "form": for_request(ProviderKeyForm, request)}
        )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ("provider", "key") if obj is None else ("provider", *FIXED, "key")
        return [(None, {"fields": fields, "description": None if obj is None else _goes_to(obj)})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("provider", *FIXED) if obj else ()

    @display(description="provider", ordering="provider")
    def name_of_provider(self, key: ProviderKey) -> str:
        return key.get_provider_display()

    @display(description="key")
    def ends_with(self, key: ProviderKey) -> str:
        return f"…{key.last4}"

    @display(description="set by")
    def setter(self, key: ProviderKey) -> str:
        return str(key.set_by or "a program")

    @display(description="set", ordering="updated_at")
    def changed(self, key: ProviderKey) -> SafeString | str:
        return moment(key.updated_at)

    @display(
        description="state", label={"in use": "success", "refused": "danger", "not used here": "warning"}
    )
    def state(self, key: ProviderKey) -> str:
        if not is_offered():
            return "not used here"
        return "refused" if key.refused_at else "in use"


def _goes_to(key: ProviderKey) -> str:
    """Where the operator has this provider: the only place that the key goes to."""
    return f"It is sent to {getattr(settings, ADDRESSES[Provider(key.provider)])} and nowhere else."
