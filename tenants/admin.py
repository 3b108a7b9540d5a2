"""The admin's pages of the account: team and API keys."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSplitDateTimeWidget,
)

from tenants.administration import DeedForm, TenantAdmin, for_request
from tenants.authentication import SCOPES, issue_api_key, revoke_api_key
from tenants.models import ApiKey, User
from tenants.permissions import Role
from tenants.rest.scopes import ROLE_SCOPES, refuse_escalation
from tenants.team import add_person, change_person

FIXED_OF_KEY = (
    "secret",
    "scope_names",
    "state",
    "last_used_at",
    "expires_at",
    "revoked_at",
    "created_by",
    "created_at",
)


class NewApiKeyForm(DeedForm):
    """A key to be made."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="read and write are for everything; the others for one area. write does not imply read.",
    )
    expires_at = forms.SplitDateTimeField(
        required=False, widget=UnfoldAdminSplitDateTimeWidget, help_text="In UTC. Empty: never."
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")

    def deed(self) -> ApiKey:
        user = _signed_in(self.request)
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
    """API keys. Deleting one revokes it."""

    list_display = ("name", "secret", "scope_names", "last_used_at", "state")
    search_fields = ("name", "prefix")
    empty_state = (
        "Programs open the REST API with a key. Make one for each program, with the scopes that it needs."
    )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = for_request(ApiKeyForm if obj else NewApiKeyForm, request)
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("name", "scopes", "expires_at")})]
        return [(None, {"fields": ("name", *FIXED_OF_KEY)})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return FIXED_OF_KEY if obj else ()

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The secret, this once: no redirect could carry it without leaving it in a log or a session."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Your new API key",
            "opts": self.opts,
            "key": obj,
            "secret": request.new_secret,  # type: ignore[attr-defined]  # set by NewApiKeyForm
        }
        return TemplateResponse(request, "admin/tenants/apikey/issued.html", context)

    def delete_model(self, request: HttpRequest, obj: ApiKey) -> None:
        revoke_api_key(obj.pk)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.revoked_at is None)

    @display(description="secret")
    def secret(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(description="scopes")
    def scope_names(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="state", label={"good": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= timezone.now() else "good"


class NewPersonForm(DeedForm):
    """Somebody to join the team."""

    email = forms.EmailField(max_length=254, widget=UnfoldAdminEmailInputWidget)
    password = forms.CharField(
        widget=UnfoldAdminPasswordWidget,
        help_text="At least 12 characters. Tell them; they change it at their first visit.",
    )

    class Meta:
        model = User
        fields = ("email", "name", "role", "password")

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, User(email=self.cleaned_data.get("email", "")))
        return password

    def deed(self) -> User:
        fields = dict(self.cleaned_data)
        return add_person(
            _signed_in(self.request),
            fields["email"],
            fields["password"],
            name=fields["name"],
            role=Role(fields["role"]),
        )


class PersonForm(DeedForm):
    """What may change of a person."""

    class Meta:
        model = User
        fields = ("name", "role", "is_active", "avatar_url")

    def deed(self) -> User:
        return change_person(_signed_in(self.request), self.instance.pk, **self.cleaned_data)


@admin.register(User)
class TeamAdmin(TenantAdmin):
    """The tenant's people. Nobody is deleted, so that what they wrote keeps its author: they are deactivated."""

    list_display = ("email", "name", "role_name", "is_active", "last_login")
    list_filter = ("role", "is_active")
    search_fields = ("email", "name")
    ordering = ("email",)
    empty_state = "Add the people who answer visitors or look after the knowledge."

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = for_request(PersonForm if obj else NewPersonForm, request)
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("email", "name", "role", "password")
        return ("email", "name", "role", "is_active", "avatar_url", "last_login", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("email", "last_login", "created_at") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="role", ordering="role", label={"Owner": "primary", "Admin": "info"})
    def role_name(self, user: User) -> str:
        return user.get_role_display()


def _signed_in(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
