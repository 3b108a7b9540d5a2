"""What every page of the admin stands on: it acts for one tenant, calls deeds and writes nothing of its own."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db import IntegrityError, models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from kernel.errors import FrontdeskError, InvalidInput
from kernel.money import as_text
from tenants.context import current_tenant


class TenantAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Pages of one model's rows, the acting tenant's only. Without a tenant they are not there at all.

    `empty_state` says on an empty list what the rows are and what to do next.
    """

    actions = None
    compressed_fields = True
    list_per_page = 50
    warn_unsaved_form = True
    empty_state: ClassVar[str] = ""

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
            name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(name, args=[object_id]))
        return response

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


class DeedForm(forms.ModelForm):  # type: ignore[type-arg]  # each subclass names its model in Meta
    """A form whose saving is one deed. What the deed refuses is shown at the field that it names.

    The deed runs once the fields are valid, in a savepoint, so that a refusal leaves nothing behind.
    """

    request: ClassVar[HttpRequest]

    def deed(self) -> models.Model:
        """Do it with `self.cleaned_data`; `self.instance.pk` is of the row to change, where there is one."""
        raise NotImplementedError

    def _post_clean(self) -> None:
        """Django's hook after the fields' own checks; here the deed checks the rest."""
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.deed()
        except InvalidInput as error:
            for wrong in error.errors:
                self.add_error(self._field_of(wrong.field), wrong.message)
            if not error.errors:
                self.add_error(None, error.detail)
        except FrontdeskError as error:
            self.add_error(None, error.detail)
        except IntegrityError:
            self.add_error(None, "Somebody else has just stored something that contradicts this. Try again.")

    def save(self, commit: bool = True) -> Any:
        self.save_m2m: Callable[[], None] = lambda: None
        return self.instance

    @property
    def is_new(self) -> bool:
        """Whether the row is yet to be made."""
        return bool(self.instance._state.adding)

    def _field_of(self, path: str) -> str | None:
        """The form's field for a dotted path: settings.primaryColor is asked for as primaryColor."""
        return next((part for part in path.split(".") if part in self.fields), None)


def for_request(form: type[DeedForm], request: HttpRequest) -> type[DeedForm]:
    """The form for one request: its deed may depend on who asks."""
    return type(form.__name__, (form,), {"request": request, "__module__": form.__module__})


class Lines(forms.CharField):
    """A list of short texts, one per line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}), **{"required": False, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]  # a list where a CharField has one text
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return [str(item) for item in initial or []] != self.to_python(data)


def dollars(amount: Decimal | None) -> str:
    """An amount for people: `$0.0012`, or "unknown" where there is no price."""
    return "unknown" if amount is None else f"${as_text(amount)}"


def as_json(value: Any) -> SafeString:
    """A document for people, indented."""
    return format_html(
        '<pre class="fd-json">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False, default=str)
    )
