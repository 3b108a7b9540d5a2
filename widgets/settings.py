"""How a widget looks and greets, and what its visitors may cost: the documented part of `Widget.settings`. Unknown keys
are kept as they are."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from kernel.errors import FieldError, InvalidInput
from tenants.spend_caps import ALLOWED, is_cap

MAX_STARTER_QUESTIONS: Final = 6


def _http_address(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s/]+\S*", value):
        raise ValueError("must start with https:// or http://")
    return value


def _cap(value: str) -> str:
    if not is_cap(value):
        raise ValueError(ALLOWED)
    return value


Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Line = Annotated[str, StringConstraints(max_length=60)]
Paragraph = Annotated[str, StringConstraints(max_length=500)]
Question = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Locale = Annotated[str, StringConstraints(pattern=r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$", max_length=35)]
Cap = Annotated[str, AfterValidator(_cap)]
Address = Annotated[str, StringConstraints(max_length=500), AfterValidator(_http_address)]


class Look(BaseModel):
    """What visitors see of the settings: each key, what is allowed there and what it is when nobody says. An empty text
    means none."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", strict=True)

    theme: Literal["light", "dark", "auto"] = "auto"
    position: Literal["bottom-right", "bottom-left"] = "bottom-right"
    greeting: Paragraph = "Hi! How can I help you today?"
    primary_color: Color = "#2563eb"
    secondary_color: Color = "#1e293b"
    launcher_label: Line = ""
    starter_questions: Annotated[list[Question], Field(max_length=MAX_STARTER_QUESTIONS)] = []
    locale: Locale = ""
    offline_message: Paragraph = ""
    collect_email: bool = False
    privacy_url: Address = ""


class WidgetSettings(Look):
    """All settings: those beside the look are the tenant's own. An empty cap is the tenant's, or the installation's."""

    proof_of_work: Literal["off", "auto", "on"] = "auto"
    session_cap_usd: Cap = ""
    visitor_day_cap_usd: Cap = ""
    address_day_cap_usd: Cap = ""


def merged(stored: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`stored` with `changes` on top, checked; a null takes a key back to its default.

    Raises InvalidInput naming each wrong key (`settings.primaryColor`).
    """
    result = {key: value for key, value in {**stored, **changes}.items() if value is not None}
    try:
        WidgetSettings.model_validate(result)
    except ValidationError as error:
        raise InvalidInput(
            "settings are not valid",
            errors=[
                FieldError(".".join(["settings", *map(str, found["loc"])]), found["msg"])
                for found in error.errors()
            ],
        ) from error
    return result


def complete(stored: dict[str, Any]) -> dict[str, Any]:
    """What is stored, with every documented key that is not set at its default."""
    return {**DEFAULTS, **stored}


DEFAULTS: Final[dict[str, Any]] = WidgetSettings().model_dump(by_alias=True)
