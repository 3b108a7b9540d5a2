"""Strict fields: a number is not a string nor the other way round, true is not 1, the unknown is refused by name.

Read-only fields are ignored on input, so that an item can be read, changed and sent back whole.
"""

import json
import math
import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from django.db import models
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kernel.money import MAX_DIGITS, PLACES, as_text

MAX_JSON: Final = 64 * 1024
WEB_ADDRESS: Final = re.compile(r"https?://[^\s/]+\S*")


class StrictSerializer(serializers.Serializer[Any]):
    """Named fields and nothing else. A body that is no object, or names a field that does not exist, is refused."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                allowed = ", ".join(name for name, field in self.fields.items() if not field.read_only)
                raise serializers.ValidationError(
                    {name: [f"There is no such field; allowed: {allowed}."] for name in unknown}
                )
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A string, and never a number. NUL and unpaired surrogates are refused; NUL by the parser too."""

    default_error_messages = {"invalid": "Must be a string."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Integer(serializers.IntegerField):
    """A whole JSON number."""

    default_error_messages = {"invalid": "Must be a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class Number(serializers.DecimalField):
    """A JSON number in, a Decimal inside, a JSON number out: for settings such as a temperature, never for money."""

    default_error_messages = {"invalid": "Must be a number."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(coerce_to_string=False, **kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
            self.fail("invalid")
        return super().to_internal_value(data)

    def to_representation(self, value: Any) -> float:  # type: ignore[override]  # a JSON number
        return float(value)


class Money(serializers.DecimalField):
    """Dollars as a decimal string, up to ten places; null where the price is unknown."""

    default_error_messages = {"invalid": 'Must be a decimal string such as "0.0125".'}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=MAX_DIGITS, decimal_places=PLACES, coerce_to_string=True, **kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)

    def to_representation(self, value: Any) -> str:
        return as_text(Decimal(value))


class Flag(serializers.BooleanField):
    """true or false, and nothing that only looks like it."""

    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class Id(serializers.UUIDField):
    """A UUID in its usual form, as a string."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        if not isinstance(data, str) or len(data) != 36:
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class Email(serializers.EmailField):
    """An email address, as a string; in lower case from here on."""

    default_error_messages = {"invalid": "Must be an email address."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data)).lower()


class Address(Text):
    """A web address (http or https), as a string."""

    default_error_messages = {"invalid": "Must be a web address (http or https)."}

    def to_internal_value(self, data: Any) -> str:
        address = super().to_internal_value(data)
        if address and not WEB_ADDRESS.fullmatch(address):
            self.fail("invalid")
        return address


class Choice(serializers.ChoiceField):
    """One of a fixed set of strings, given as a string."""

    def __init__(self, choices: type[models.TextChoices] | list[str], **kwargs: Any) -> None:
        super().__init__(choices.choices if isinstance(choices, type) else choices, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return str(super().to_internal_value(data))


class Time(serializers.DateTimeField):
    """An RFC 3339 time with its offset, as a string; out in UTC with Z."""

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str):
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ss[.uuuuuu]Z")
        return super().to_internal_value(value)


@extend_schema_field(OpenApiTypes.OBJECT)
class JsonObject(serializers.Field[Any, Any, Any, Any]):
    """A JSON object of up to 64 KB of the caller's own making."""

    default_error_messages = {
        "invalid": "Must be an object.",
        "too_large": f"Must be at most {MAX_JSON // 1024} KB as JSON.",
        "not_finite": "Must hold finite numbers only.",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        if not all(math.isfinite(number) for number in _floats(data)):
            self.fail("not_finite")
        if len(json.dumps(data, ensure_ascii=False)) > MAX_JSON:
            self.fail("too_large")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class TextList(serializers.ListField):
    """A list of strings, each with its own limits."""

    def __init__(self, *, item_length: int, **kwargs: Any) -> None:
        super().__init__(child=Text(max_length=item_length), **kwargs)


def _floats(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _floats(item)
    elif isinstance(value, list):
        for item in value:
            yield from _floats(item)
