"""What every room holds of a person, so that all of it can be counted and erased: a list that rooms fill in
AppConfig.ready.

Whoever keeps something of a visitor's in a table that no key leads to, in Redis, in a file or a vector, says so here; a
table whose keys lead to the visitor is found by itself (`widgets.erasing`).
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Person:
    """A visitor by all the names that their data may have. `external_id` is how the tenant's own programs call them,
    empty where it is not known or not proved."""

    visitor_id: uuid.UUID
    external_id: str = ""
    session_ids: Sequence[uuid.UUID] = ()
    message_ids: Sequence[uuid.UUID] = ()
    answer_ids: Sequence[uuid.UUID] = ()

    @property
    def ids(self) -> list[uuid.UUID]:
        """Every id that leads to them."""
        return [self.visitor_id, *self.session_ids, *self.message_ids, *self.answer_ids]

    def as_json(self) -> dict[str, Any]:
        """Their ids alone, to go on with later: no name they have outside."""
        return {
            "visitor": str(self.visitor_id),
            "sessions": [str(one) for one in self.session_ids],
            "answers": [str(one) for one in self.answer_ids],
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Person":
        """What `as_json` gave."""
        return cls(
            uuid.UUID(kept["visitor"]),
            session_ids=[uuid.UUID(one) for one in kept["sessions"]],
            answer_ids=[uuid.UUID(one) for one in kept["answers"]],
        )


class Holding(NamedTuple):
    """Something held of people: how much of this one, and how to erase it. Inside `acting_as`; both may be repeated."""

    name: str
    count: Callable[[Person], int]
    erase: Callable[[Person], None]


_rows: dict[str, Holding] = {}
_outside: dict[str, Holding] = {}


def holds(name: str, count: Callable[[Person], int], erase: Callable[[Person], None]) -> None:
    """Have rows of `name` counted and erased in the transaction that erases a visitor, before the visitor's own."""
    _rows[name] = Holding(name, count, erase)


def holds_outside(name: str, count: Callable[[Person], int], erase: Callable[[Person], None]) -> None:
    """The same for what is not in the database: after that transaction, and again until it has worked."""
    _outside[name] = Holding(name, count, erase)


def rows_held() -> list[Holding]:
    """Everything that rooms hold in the database, in the order in which they said so."""
    return list(_rows.values())


def held_outside() -> list[Holding]:
    """Everything that rooms hold elsewhere."""
    return list(_outside.values())
