"""Pages of one model's rows: whom they let in, and what they say about rows that are not there."""

from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

from kernel.errors import FrontdeskError
from tenants.administration.forms import DeedForm
from tenants.context import current_tenant
from tenants.models import User


class TenantAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Pages of one model's rows, the acting tenant's only. Without a tenant they are not there at all.

    `empty_state` says on an empty list what the rows are and what to do next; `empty_action` is where that is done,
    as (words, name of the page). `called` is what one row and many are called, where that is not the model's name.
    """

    actions: ClassVar[tuple[str, ...] | None] = None
    compressed_fields = True
    list_per_page = 25
    list_filter_submit = True
    empty_value_display = ""
    warn_unsaved_form = True
    empty_state: ClassVar[str] = ""
    empty_action: ClassVar[tuple[str, str] | None] = None
    called: ClassVar[tuple[str, str] | None] = None

    def __init__(self, model: type[models.Model], admin_site: Any) -> None:
        super().__init__(model, admin_site)
        if self.called:
            # For pages alone: in the model's Meta it would be a migration that changes nothing in the database.
            model._meta.verbose_name, model._meta.verbose_name_plural = self.called

    @cached_property
    def name(self) -> str:
        """How the pages' addresses are named: `billing_budget`."""
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def address(self, page: str, *args: Any) -> str:
        """Where one of these pages is: "changelist", "add", "change"."""
        return reverse(f"admin:{self.name}_{page}", args=args)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return current_tenant() is not None and bool(self.has_view_permission(request))

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return current_tenant() is not None and bool(super().has_view_permission(request, obj))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return current_tenant() is not None and bool(super().has_add_permission(request))

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return current_tenant() is not None and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return current_tenant() is not None and bool(super().has_delete_permission(request, obj))

    def the(self, request: HttpRequest, object_id: str) -> Any:
        """The acting tenant's row of this id. Raises Http404 where there is none, another tenant's among them."""
        try:
            row = self.get_object(request, object_id)
        except (ValidationError, ValueError):
            row = None
        if row is None:
            raise Http404
        return row

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["show_save_and_add_another"] = False
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def save_model(self, request: HttpRequest, obj: models.Model, form: Any, change: bool) -> None:
        """A DeedForm has done its deed when it was found valid."""
        if not isinstance(form, DeedForm):
            super().save_model(request, obj, form, change)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """A deed that refuses says why, on the page of the thing that stays."""
        try:
            response: HttpResponse = super().delete_view(request, object_id, extra_context)
        except FrontdeskError as error:
            messages.error(request, error.detail)
            return HttpResponseRedirect(self.address("change", object_id))
        return response

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> NoReturn:
        """Django's hook for an id that is nobody's: another tenant's row is not found, as one that never was."""
        raise Http404

    # Django's admin log is off: its rows name things of tenants in a table of no tenant's (data-model.md,
    # audit_entries).
    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Nothing."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Nothing."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """Nothing."""


class RecordAdmin(TenantAdmin):
    """Pages of what is only ever recorded: nobody adds, changes or deletes it here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


def safely(request: HttpRequest, deed: Callable[[], Any], done: str) -> bool:
    """Run a deed behind a button and say on the next page that it is `done`, or why it was refused; whether it is."""
    try:
        deed()
    except FrontdeskError as error:
        messages.error(request, error.detail)
        return False
    messages.success(request, done)
    return True


def person(request: HttpRequest) -> User:
    """Who is signed in; every page of the admin has seen to it that somebody is."""
    assert isinstance(request.user, User)
    return request.user


def caller_in_words(called: str) -> str:
    """Whom `tenants.rest.scopes.Principal.called` names, as people call them."""
    kind, _, identifier = called.partition(":")
    if kind == "user":
        return str(User.objects.filter(pk=identifier).first() or "somebody who left")
    return f"a program (API key {identifier[-6:]})" if kind == "key" else called
