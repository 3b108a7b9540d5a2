"""Who changed what: an append-only record of every change by people, keys and staff.

Changes of the tables that `WatchTable` names are recorded by the database, in the transaction that makes them and
whatever code makes them. What is no change of a row (signing in, exports, erasures) is recorded by `record`. The doors
say who acts by `doing_as`; what nobody is named for is the system's.
"""

from tenants.auditing.actors import Actor, ActorKind, by_person, current_actor, doing_as, operator
from tenants.auditing.recording import Target, record

__all__ = [
    "Actor",
    "ActorKind",
    "Target",
    "by_person",
    "current_actor",
    "doing_as",
    "operator",
    "record",
]
