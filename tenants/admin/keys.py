"""The pages of API keys: made with their scopes, shown once, rotated with an overlap, revoked."""

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSplitDateTimeWidget

from kernel.errors import FrontdeskError
from tenants.administration import DeedForm, TenantAdmin, for_request, moment, person, safely
from tenants.authentication import SCOPES, issue_api_key, revoke_api_key
from tenants.models import ApiKey
from tenants.permissions import Role
from tenants.rest.scopes import ROLE_SCOPES, refuse_escalation
from tenants.rotating import OVERLAP, rotate_api_key

FIXED_OF_KEY: Final = ("secret", "scope_names", "state", "used", "expires", "maker", "made")
# How long the old secret stays good, in hours.
OVERLAPS: Final = {"0": "at once", "1": "in an hour", "24": "in a day", "168": "in a week"}


def _scope_words(scope: str) -> str:
    """`knowledge:write` in words: write: knowledge."""
    area, _, verb = scope.rpartition(":")
    return f"{verb.capitalize()} {area}" if area else f"{verb.capitalize()} everything"


class NewApiKeyForm(DeedForm):
    """A key to be made."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, _scope_words(scope)) for scope in SCOPES],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Give a program only what it needs. Writing does not imply reading.",
    )
    expires_at = forms.SplitDateTimeField(
        required=False, widget=UnfoldAdminSplitDateTimeWidget, help_text="In your time zone. Empty: never."
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")

    def deed(self) -> ApiKey:
        user = person(self.request)
        refuse_escalation(ROLE_SCOPES[Role(user.role)], self.cleaned_data["scopes"])
        key, self.request.new_secret = issue_api_key(  # type: ignore[attr-defined]  # carried to response_add, once
            **self.cleaned_data, created_by=user
        )
        return key


class ApiKeyForm(DeedForm):
    """All of a key that may change."""

    class Meta:
        model = ApiKey
        fields = ("name",)

    def deed(self) -> ApiKey:
        self.instance.name = self.cleaned_data["name"]
        self.instance.save(update_fields=["name", "updated_at"])
        return self.instance  # type: ignore[no-any-return]  # Meta.model


@admin.register(ApiKey)
class ApiKeyAdmin(TenantAdmin):
    """API keys. They are revoked, not deleted, so that one can see what a program once used."""

    called = ("API key", "API keys")
    list_display = ("name", "secret", "scope_names", "used", "expires", "state")
    search_fields = ("name", "prefix")
    search_help_text = "Name or first characters"
    change_form_template = "admin/tenants/apikey/editor.html"
    empty_state = (
        "Programs open the REST API with a key. Make one for each program, with the scopes that it needs."
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/rotate/", view(self.rotate), name="tenants_apikey_rotate"),
            path("<path:object_id>/revoke/", view(self.revoke), name="tenants_apikey_revoke"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("created_by")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = for_request(ApiKeyForm if obj else NewApiKeyForm, request)
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("name", "scopes", "expires_at")})]
        return [(None, {"fields": ("name", *FIXED_OF_KEY)})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return FIXED_OF_KEY if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        # A new key's secret is shown on the page that follows, and on no other.
        context["show_save_and_continue"] = False
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = {"overlaps": OVERLAPS.items(), "usual_overlap": str(int(OVERLAP.total_seconds() // 3600))}
        response: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **extra}
        )
        return response

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The secret, this once: no redirect could carry it without leaving it in a log or a session."""
        return self._issued(request, obj, request.new_secret)  # type: ignore[attr-defined]  # set by NewApiKeyForm

    @method_decorator(require_POST)
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A successor with the same scopes; the old secret stays good for the chosen hours."""
        key = self._to_change(request, object_id)
        hours = request.POST.get("overlap", "")
        overlap = timedelta(hours=int(hours)) if hours in OVERLAPS else OVERLAP
        by = person(request)
        try:
            refuse_escalation(ROLE_SCOPES[Role(by.role)], key.scopes)
            new, secret = rotate_api_key(key.pk, overlap=overlap, created_by=by)
        except FrontdeskError as error:
            messages.error(request, error.detail)
            return HttpResponseRedirect(self.address("change", key.pk))
        return self._issued(request, new, secret)

    @method_decorator(require_POST)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The key opens nothing from now on."""
        key = self._to_change(request, object_id)
        safely(
            request,
            lambda: revoke_api_key(key.pk),
            f"{key.name} is revoked. Programs that use it are refused.",
        )
        return HttpResponseRedirect(self.address("changelist"))

    def _to_change(self, request: HttpRequest, object_id: str) -> ApiKey:
        if not self.has_change_permission(request):
            raise PermissionDenied
        key: ApiKey = self.the(request, object_id)
        return key

    def _issued(self, request: HttpRequest, key: ApiKey, secret: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Your new API key",
            "opts": self.opts,
            "key": key,
            "scopes": ", ".join(_scope_words(scope).lower() for scope in key.scopes),
            "secret": secret,
        }
        return TemplateResponse(request, "admin/tenants/apikey/issued.html", context)

    @display(description="secret")
    def secret(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(description="scopes")
    def scope_names(self, key: ApiKey) -> str:
        if len(key.scopes) == len(SCOPES):
            return "Everything"
        return ", ".join(_scope_words(scope) for scope in key.scopes)

    @display(description="last used", ordering="last_used_at")
    def used(self, key: ApiKey) -> SafeString | str:
        return moment(key.last_used_at)

    @display(description="expires", ordering="expires_at")
    def expires(self, key: ApiKey) -> SafeString | str:
        return moment(key.expires_at)

    @display(description="made by")
    def maker(self, key: ApiKey) -> str:
        return str(key.created_by or "a program")

    @display(description="made", ordering="created_at")
    def made(self, key: ApiKey) -> SafeString | str:
        return moment(key.created_at)

    @display(description="state", label={"good": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= timezone.now() else "good"
