"""The pages of the team."""

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminPasswordWidget

from tenants.administration import DeedForm, TenantAdmin, for_request, moment, person, safely
from tenants.ending_sessions import end_sessions_of, sessions_of
from tenants.models import User
from tenants.permissions import Role
from tenants.second_factor import is_on, turn_off_for
from tenants.team import add_person, change_person

ROLES: Final = (
    "Owner: everything. Admin: everything except billing and deleting the account. "
    "Member: conversations and documents."
)


class NewPersonForm(DeedForm):
    """Somebody to join the team."""

    email = forms.EmailField(max_length=254, widget=UnfoldAdminEmailInputWidget)
    password = forms.CharField(
        widget=UnfoldAdminPasswordWidget,
        help_text="At least 12 characters. Tell them; they change it at their first visit. Or invite them.",
    )

    class Meta:
        model = User
        fields = ("email", "name", "role", "password")
        help_texts = {"role": ROLES}

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, User(email=self.cleaned_data.get("email", "")))
        return password

    def deed(self) -> User:
        fields = dict(self.cleaned_data)
        return add_person(
            person(self.request),
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
        labels = {"is_active": "Active", "avatar_url": "Picture"}
        help_texts = {
            "name": "Visitors see it beside what this person writes.",
            "role": ROLES,
            "is_active": "Off: signed out everywhere, and no way in. What they wrote keeps its author.",
            "avatar_url": "Address of a picture.",
        }

    def deed(self) -> User:
        return change_person(person(self.request), self.instance.pk, **self.cleaned_data)


@admin.register(User)
class TeamAdmin(TenantAdmin):
    """The tenant's people. Nobody is deleted, so that what they wrote keeps its author: they are deactivated."""

    called = ("person", "team")
    list_display = ("email", "full_name", "role_name", "state", "seen")
    list_filter = ("role", "is_active")
    search_fields = ("email", "name")
    search_help_text = "Name or email"
    ordering = ("email",)
    change_form_template = "admin/tenants/user/editor.html"
    empty_state = "Add the people who answer visitors or look after the knowledge."

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.sign_out)
        turn_off = self.admin_site.admin_view(self.turn_off_second_factor)
        return [
            path("<path:object_id>/sign-out/", view, name="tenants_user_sign_out"),
            path("<path:object_id>/second-factor-off/", turn_off, name="tenants_user_second_factor_off"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        who, by = self.the(request, object_id), person(request)
        extra = {
            "can_end_sessions": by.is_owner or not who.is_owner,
            "signed_in": len(sessions_of(who)),
            "can_turn_off": by.is_owner and is_on(who),
        }
        response: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **extra}
        )
        return response

    @method_decorator(require_POST)
    def sign_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End all of a colleague's sessions."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        who: User = self.the(request, object_id)
        safely(request, lambda: end_sessions_of(person(request), who.pk), f"{who} is signed out everywhere.")
        return HttpResponseRedirect(self.address("change", who.pk))

    @method_decorator(require_POST)
    def turn_off_second_factor(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """For a colleague who lost their app and their recovery codes."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        who: User = self.the(request, object_id)
        safely(request, lambda: turn_off_for(person(request), who), f"{who} signs in by password alone.")
        return HttpResponseRedirect(self.address("change", who.pk))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = for_request(PersonForm if obj else NewPersonForm, request)
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("email", "name", "role", "password")
        return ("email", "name", "role", "is_active", "avatar_url", "seen", "joined")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("email", "seen", "joined") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="name", ordering="name")
    def full_name(self, user: User) -> str:
        return user.name or "not told"

    @display(description="role", ordering="role", label={"Owner": "primary", "Admin": "info"})
    def role_name(self, user: User) -> str:
        return user.get_role_display()

    @display(description="state", ordering="is_active", label={"active": "success", "deactivated": "danger"})
    def state(self, user: User) -> str:
        return "active" if user.is_active else "deactivated"

    @display(description="last signed in", ordering="last_login")
    def seen(self, user: User) -> SafeString | str:
        return moment(user.last_login)

    @display(description="joined", ordering="created_at")
    def joined(self, user: User) -> SafeString | str:
        return moment(user.created_at)
