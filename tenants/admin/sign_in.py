"""The form of the login page."""

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from tenants.admin.second_step import ask_for_code
from tenants.context import at_home
from tenants.directory import resolve_tenant
from tenants.locking_out import LockedOut
from tenants.models import KeyKind, User
from tenants.second_factor import is_on


class SignInForm(AuthenticationForm):  # type: ignore[misc]  # unfold ships no types
    """Email and password; after too many tries it says how long to wait."""

    def clean(self) -> Any:
        try:
            return super().clean()
        except LockedOut as error:
            raise ValidationError(error.detail, code=error.code) from error

    def confirm_login_allowed(self, user: User) -> None:
        """Django's hook once the password was right. Raises SecondStepNeeded where a code is wanted too."""
        super().confirm_login_allowed(user)
        tenant = resolve_tenant(KeyKind.TENANT, str(user.tenant_id)) if user.tenant_id else None
        with at_home(tenant):
            wants_code = is_on(user)
        if wants_code:
            ask_for_code(self.request, user)
