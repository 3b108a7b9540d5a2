"""A personality's versions as people read them: who, when, and what was different from the one before."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tenants.administration import words
from tenants.models import User
from widgets.models import Personality
from widgets.personalities import SAVED_BY, VERSIONED

SHOWN: Final = 20
LONG: Final = frozenset({"system_prompt", "description"})
NAMES: Final = {"system_prompt": "instructions", "preferred_model": "model", "top_p": "top p"}


@dataclass(frozen=True, slots=True)
class Change:
    """One field: its values before and after, or for a long text the lines that went ("-") and came ("+")."""

    field: str
    before: str
    after: str
    lines: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Version:
    """One saved version; the first has no changes."""

    number: int
    at: datetime
    by: str
    changes: list[Change]
    is_first: bool
    is_current: bool


def history(personality: Personality) -> list[Version]:
    """The last SHOWN versions, newest first; two queries however many there are."""
    kept = list(personality.versions.order_by("-version")[: SHOWN + 1])
    people = {version.content.get(SAVED_BY) for version in kept} - {None}
    names = {str(user.pk): str(user) for user in User.objects.filter(pk__in=people)} if people else {}
    told = []
    for version, earlier in zip(kept[:SHOWN], [*kept[1:], None], strict=False):
        told.append(
            Version(
                number=version.version,
                at=version.created_at,
                by=names.get(str(version.content.get(SAVED_BY)), ""),
                changes=changes(earlier.content, version.content) if earlier else [],
                is_first=earlier is None,
                is_current=version.version == personality.version,
            )
        )
    return told


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs between two versions' contents, in the form's order."""
    found = []
    for field in VERSIONED:
        old, new = before.get(field), after.get(field)
        if old == new or field == "metadata":
            continue
        name = NAMES.get(field, words(field))
        if field in LONG:
            found.append(Change(name, "", "", _difference(str(old or ""), str(new or ""))))
        else:
            found.append(Change(name, _told(old), _told(new), []))
    return found


def _difference(before: str, after: str) -> list[tuple[str, str]]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [(line[0], line[2:]) for line in lines if line[0] in "+-"]


def _told(value: Any) -> str:
    return "none" if value in (None, "") else str(value)
