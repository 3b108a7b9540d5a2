"""The pages of invitations: made, sent again, cancelled."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display

from tenants import inviting, mailing
from tenants.admin.team import ROLES
from tenants.administration import DeedForm, TenantAdmin, for_request, moment, person, safely
from tenants.models import Invitation
from tenants.permissions import Role


class InvitationForm(DeedForm):
    """Whom to invite."""

    class Meta:
        model = Invitation
        fields = ("email", "name", "role")
        help_texts = {"role": ROLES, "name": "They can change it when they join."}

    def deed(self) -> Invitation:
        given = self.cleaned_data
        return inviting.invite(
            person(self.request), given["email"], role=Role(given["role"]), name=given["name"]
        )


@admin.register(Invitation)
class InvitationAdmin(TenantAdmin):
    """Who was asked to join. An invitation is not changed: it is cancelled, and another made."""

    called = ("invitation", "invitations")
    list_display = ("email", "role", "inviter", "sent", "expires", "state")
    search_fields = ("email", "name")
    search_help_text = "Name or email"
    change_form_template = "admin/tenants/invitation/editor.html"
    empty_state = (
        "Invite the people who answer visitors or look after the knowledge. They choose their password."
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/resend/", view(self.resend), name="tenants_invitation_resend"),
            path("<path:object_id>/cancel/", view(self.cancel), name="tenants_invitation_cancel"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("invited_by")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = for_request(InvitationForm, request)
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (
            ("email", "name", "role", "inviter", "sent", "expires", "state")
            if obj
            else InvitationForm.Meta.fields
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra: dict[str, Any] = {"is_open": False}
        if self.has_add_permission(request):
            invitation = self.the(request, object_id)
            is_open = not (invitation.accepted_at or invitation.cancelled_at)
            link = inviting.link_of(invitation) if is_open and not mailing.sends_mail() else ""
            may_invite = person(request).is_owner or invitation.role != Role.OWNER
            extra = {"is_open": is_open and may_invite, "link": link}
        response: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **extra}
        )
        return response

    def response_add(
        self, request: HttpRequest, obj: Invitation, post_url_continue: str | None = None
    ) -> HttpResponse:
        """To the invitation's own page: without mail it has the link to hand over."""
        response: HttpResponse = super().response_add(request, obj, self.address("change", obj.pk))
        return (
            HttpResponseRedirect(self.address("change", obj.pk)) if response.status_code == 302 else response
        )

    @method_decorator(require_POST)
    def resend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Another letter; the links of those before open nothing any more."""
        return self._do(request, object_id, inviting.resend, "The invitation is sent again.")

    @method_decorator(require_POST)
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Its link opens nothing any more."""
        return self._do(request, object_id, inviting.cancel, "The invitation is cancelled.")

    def _do(self, request: HttpRequest, object_id: str, deed: Callable[..., Any], done: str) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        invitation: Invitation = self.the(request, object_id)
        safely(request, lambda: deed(person(request), invitation.pk), done)
        return HttpResponseRedirect(self.address("change", invitation.pk))

    @display(description="invited by")
    def inviter(self, invitation: Invitation) -> str:
        return str(invitation.invited_by or "somebody who left")

    @display(description="sent", ordering="updated_at")
    def sent(self, invitation: Invitation) -> SafeString | str:
        return moment(invitation.expires_at - inviting.LIFETIME)

    @display(description="expires", ordering="expires_at")
    def expires(self, invitation: Invitation) -> SafeString | str:
        return moment(invitation.expires_at)

    @display(
        description="state",
        label={"open": "info", "accepted": "success", "cancelled": "danger", "expired": "warning"},
    )
    def state(self, invitation: Invitation) -> str:
        if invitation.accepted_at:
            return "accepted"
        if invitation.cancelled_at:
            return "cancelled"
        return "open" if invitation.expires_at > timezone.now() else "expired"
