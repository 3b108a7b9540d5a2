"""Columns that hold a secret: what `kernel.encryption` made of it, and never the secret itself.

The type is how a column is found: `manage.py rotate_keys` visits every model that has one, and whatever shows, exports
or audits rows leaves it out. tests/tenants/test_reencrypting.py finds a column of bytes that forgot to be one.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models

from kernel.encryption import is_token


class EncryptedField(models.BinaryField):  # type: ignore[type-arg]  # not subscriptable at run time
    """A token of `kernel.encryption.encrypt`. Anything else is refused, so that no secret is written in clear."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        # For migrations it is a column of bytes, as those written before it was a type of its own say.
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is not None and not is_token(value):
            raise ValueError(f"{self.model.__name__}.{self.name} holds tokens of kernel.encryption only")
        return super().get_db_prep_value(value, connection, prepared)


def encrypted_columns() -> Iterator[tuple[type[models.Model], EncryptedField]]:
    """Every column that holds a secret, of every model there is."""
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedField):
                yield model, field
