"""Making, changing and deleting personalities. A tenant has exactly one default; every save is a version."""

import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from kernel.errors import Conflict, FieldError, InvalidInput, NotFound
from tenants.models import User
from widgets.models import Personality, PersonalityVersion

# What a provider accepts (OpenAI's API reference: temperature 0..2, penalties -2..2, top_p 0..1).
BOUNDS: Final[dict[str, tuple[int, int]]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "max_tokens": (1, 128_000),
}
LENGTHS: Final = {"name": 120, "description": 2_000, "system_prompt": 32_000, "preferred_model": 120}
MODEL: Final = re.compile(r"(offline|[a-z0-9_-]+:\S+)?")

# What a version keeps: all that shapes an answer. Which one is the default or active does not.
VERSIONED: Final = (*LENGTHS, *BOUNDS, "metadata")
CHANGEABLE: Final = (*VERSIONED, "is_default", "is_active")
DERIVED: Final = "usageStats"
SAVED_BY: Final = "savedBy"
"""In a version's content: the id of the person who saved it; missing where a program did."""


def create_personality(name: str, *, by: User | None = None, **fields: Any) -> Personality:
    """A new personality of the acting tenant and its first version. A tenant's first one becomes the default.

    Raises InvalidInput naming each field that is out of bounds; Conflict for a default that is not active.
    """
    others = _locked()
    personality = Personality()
    _apply(personality, {"name": name, **fields})
    personality.is_default = personality.is_default or not any(other.is_default for other in others)
    _refuse_idle_default(personality)
    if personality.is_default:
        _step_down(except_for=personality)
    personality.save(force_insert=True)
    _keep_version(personality, by)
    return personality


def update_personality(personality_id: uuid.UUID, *, by: User | None = None, **changes: Any) -> Personality:
    """The personality with `changes`, as its next version. Making it the default takes that from the other one.

    Raises NotFound, InvalidInput as create_personality does, and Conflict for a change that would leave the tenant
    without an active default: make another one the default first.
    """
    personality = _one_of(_locked(), personality_id)
    was_default = personality.is_default
    _apply(personality, changes)
    if was_default and not personality.is_default:
        raise Conflict("A tenant always has a default personality: make another one the default instead.")
    _refuse_idle_default(personality)
    if personality.is_default and not was_default:
        _step_down(except_for=personality)
    personality.version += 1
    personality.save()
    _keep_version(personality, by)
    return personality


def delete_personality(personality_id: uuid.UUID) -> None:
    """Delete a personality with its versions; widgets that used it use the default. Raises NotFound, or Conflict for
    the default itself."""
    personality = _one_of(_locked(), personality_id)
    if personality.is_default:
        raise Conflict("The default personality cannot be deleted: make another one the default first.")
    personality.delete()


def draft_personality(fields: Mapping[str, str]) -> Personality:
    """A personality that is not saved, from a form's texts, to try it out with. Raises InvalidInput as
    create_personality does, and for what is not a number."""
    values: dict[str, Any] = {"name": "draft"}
    for field, text in fields.items():
        try:
            values[field] = _number(field, text) if field in BOUNDS else text
        except (ArithmeticError, ValueError) as error:
            raise InvalidInput.of(field, "must be a number") from error
    personality = Personality()
    _apply(personality, values)
    return personality


def _number(field: str, text: str) -> Decimal | int:
    number = int(text) if field == "max_tokens" else Decimal(text)
    if not Decimal(number).is_finite():
        raise ValueError(text)
    return number


def _locked() -> list[Personality]:
    # Every row, in one order: whoever moves the default holds them all, so two movers cannot both win or deadlock.
    return list(Personality.objects.select_for_update().order_by("id"))


def _one_of(personalities: list[Personality], identifier: uuid.UUID) -> Personality:
    for personality in personalities:
        if personality.pk == identifier:
            return personality
    raise NotFound(f"There is no personality {identifier}.")


def _apply(personality: Personality, changes: dict[str, Any]) -> None:
    unknown = set(changes) - set(CHANGEABLE)
    if unknown:
        raise TypeError(f"a personality has no {', '.join(sorted(unknown))}")
    errors = [error for field, value in changes.items() if (error := _wrong(field, value))]
    if errors:
        raise InvalidInput("the personality is not valid", errors=errors)
    kept = {DERIVED: personality.metadata[DERIVED]} if DERIVED in personality.metadata else {}
    for field, value in changes.items():
        setattr(personality, field, value)
    personality.metadata = {k: v for k, v in personality.metadata.items() if k != DERIVED} | kept


def _wrong(field: str, value: Any) -> FieldError | None:
    if field in BOUNDS:
        low, high = BOUNDS[field]
        if not low <= Decimal(str(value)) <= high:
            return FieldError(field, f"must be from {low} to {high:,}")
    if field in LENGTHS and len(value) > LENGTHS[field]:
        return FieldError(field, f"must be at most {LENGTHS[field]:,} characters")
    if field == "name" and not value.strip():
        return FieldError(field, "must not be empty")
    if field == "preferred_model" and not MODEL.fullmatch(value):
        return FieldError(field, 'must be empty, "offline" or "provider:model"')
    return None


def _refuse_idle_default(personality: Personality) -> None:
    if personality.is_default and not personality.is_active:
        raise Conflict("The default personality must be active: make another one the default first.")


def _step_down(*, except_for: Personality) -> None:
    Personality.objects.filter(is_default=True).exclude(pk=except_for.pk).update(is_default=False)


def _keep_version(personality: Personality, by: User | None) -> None:
    content = {field: getattr(personality, field) for field in VERSIONED}
    if by is not None:
        content[SAVED_BY] = str(by.pk)
    PersonalityVersion.objects.create(
        personality=personality,
        version=personality.version,
        content={key: str(value) if isinstance(value, Decimal) else value for key, value in content.items()},
    )
