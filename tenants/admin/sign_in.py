"""The form of the login page."""

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from tenants.locking_out import LockedOut


class SignInForm(AuthenticationForm):  # type: ignore[misc]  # unfold ships no types
    """Email and password; after too many tries it says how long to wait."""

    def clean(self) -> Any:
        try:
            return super().clean()
        except LockedOut as error:
            raise ValidationError(error.detail, code=error.code) from error
