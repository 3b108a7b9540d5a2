"""Forms whose saving is one deed."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from kernel.errors import FieldError, FrontdeskError, InvalidInput
from kernel.money import as_text
from tenants.spend_caps import CAPS, CapName


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
                self.add_error(self._field_of(wrong.field), _with_line(wrong))
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


def _with_line(wrong: FieldError) -> str:
    """The message, with the line that it is about where the field is a list: domain_whitelist.2 is its third."""
    last = wrong.field.rpartition(".")[2]
    return f"Line {int(last) + 1}: {wrong.message}" if last.isdigit() else wrong.message


def tried(form: forms.Form, deed: Callable[[], Any]) -> bool:
    """Run a deed with a valid form's values; whether it was done. What it refuses is shown at the field it names."""
    try:
        deed()
    except InvalidInput as error:
        for wrong in error.errors:
            form.add_error(wrong.field if wrong.field in form.fields else None, wrong.message)
    except FrontdeskError as error:
        form.add_error(None, error.detail)
    return form.is_valid()


def for_request(form: type[DeedForm], request: HttpRequest) -> type[DeedForm]:
    """The form for one request: its deed may depend on who asks."""
    return type(form.__name__, (form,), {"request": request, "__module__": form.__module__})


class SpendCapsForm(DeedForm):
    """A form with the most that visitors may cost, a field per setting (`tenants.spend_caps`)."""

    sessionCapUsd = forms.CharField(
        label="Per conversation, dollars", required=False, max_length=10, widget=UnfoldAdminTextInputWidget
    )
    visitorDayCapUsd = forms.CharField(
        label="Per visitor and day, dollars", required=False, max_length=10, widget=UnfoldAdminTextInputWidget
    )
    addressDayCapUsd = forms.CharField(
        label="Per address and day, dollars",
        required=False,
        max_length=10,
        widget=UnfoldAdminTextInputWidget,
        help_text="Many people may share an address. Days begin at midnight UTC.",
    )

    def show_caps(self, own: Mapping[str, Any], above: Mapping[str, Any]) -> None:
        """Show the caps among the settings `own`; where there is none, the one that holds instead: of `above`, else the
        installation's."""
        for name, setting in CAPS.items():
            self.initial.setdefault(setting, own.get(setting, ""))
            holds = above.get(setting) or as_text(settings.SPEND_CAPS[name])
            self.fields[setting].widget.attrs["placeholder"] = f"{holds} while empty"

    def take_caps(self, asked: dict[str, Any]) -> dict[CapName, str]:
        """The caps among `asked`, which are taken out of it."""
        return {name: asked.pop(setting).strip() for name, setting in CAPS.items()}


class Lines(forms.CharField):
    """A list of short texts, one per line."""

    def __init__(self, *, rows: int = 4, **kwargs: Any) -> None:
        super().__init__(
            widget=UnfoldAdminTextareaWidget(attrs={"rows": rows}), **{"required": False, **kwargs}
        )

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]  # a list where a CharField has one text
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return [str(item) for item in initial or []] != self.to_python(data)
