"""Every type of event there is, with what its `data` holds: the very object that the REST API shows.

Each room declares its own as constants in its `events.py`, which its AppConfig.ready imports, so that the catalogue is
whole in every process. The OpenAPI document describes all of them under `webhooks`.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event. `schema`: what the component of the OpenAPI document is called that `data` is one of."""

    name: str
    description: str
    schema: str

    def __str__(self) -> str:
        return self.name


_types: Final[dict[str, EventType]] = {}


def event_type(name: str, description: str, *, schema: str) -> EventType:
    """Register a type whose data is one of the document's component `schema`: the name alone, since whoever publishes
    an event lies below the doors that describe the object."""
    if name in _types:
        raise ValueError(f"the event type {name} is registered twice")
    made = _types[name] = EventType(name, description, schema)
    return made


def event_types() -> list[EventType]:
    """All of them, by name."""
    return [_types[name] for name in sorted(_types)]


def is_known(name: str) -> bool:
    """Whether a type has this name."""
    return name in _types
