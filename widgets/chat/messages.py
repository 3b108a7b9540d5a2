"""The message object: the one shape of a message in frames, boot and REST (product.md section 3)."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypedDict

from django.db.models import QuerySet

from widgets.models import Message

FIELDS: Final = (
    "id", "session_id", "seq", "role", "author__name", "author__avatar_url", "author_id", "content", "attachments",
    "citations", "status", "client_id", "metadata", "timestamp", "feedback__rating", "feedback__comment",
)  # fmt: skip
PUBLIC_METADATA: Final = frozenset({"event", "confidence", "abstained", "model", "latencyMs", "firstTokenMs"})


class Author(TypedDict):
    """A person of the tenant who wrote a message."""

    name: str
    avatar_url: str | None


class Citation(TypedDict):
    """A passage an answer rests on; `quote` stands verbatim in the chunk."""

    document_id: str
    chunk_id: str
    title: str
    url: str | None
    quote: str


class Attachment(TypedDict):
    """A file beside a message."""

    type: Literal["image", "file"]
    url: str
    name: str
    size: int
    sha256: str


class MessageObject(TypedDict):
    """A committed message."""

    id: str
    session: str
    seq: int
    role: Literal["user", "assistant", "system"]
    author: Author | None
    content: str
    attachments: list[Attachment]
    citations: list[Citation]
    status: Literal["complete", "interrupted", "failed"]
    client_id: str | None
    event: str | None
    metadata: dict[str, Any]
    timestamp: str


def listed(messages: "QuerySet[Message]", *, for_visitor: bool = True) -> list[MessageObject]:
    """Messages as objects, in the order of the query, without making model instances."""
    return [as_message_object(row, for_visitor=for_visitor) for row in messages.values(*FIELDS)]


def as_message_object(row: dict[str, Any], *, for_visitor: bool) -> MessageObject:
    """One row of `FIELDS`. What an answer cost is the tenant's business: visitors do not see it. What its visitor
    thinks of it is in `metadata.feedback`."""
    metadata = row["metadata"]
    shown = {k: v for k, v in metadata.items() if k in PUBLIC_METADATA} if for_visitor else metadata
    # A message that was just said has no such column, and nobody has rated it.
    rating = row.get("feedback__rating")
    if rating is not None:
        shown = {**shown, "feedback": {"rating": rating, "comment": row["feedback__comment"]}}
    return {
        "id": str(row["id"]),
        "session": str(row["session_id"]),
        "seq": row["seq"],
        "role": row["role"],
        "author": _author(row),
        "content": row["content"],
        "attachments": row["attachments"],
        "citations": row["citations"],
        "status": row["status"],
        "client_id": str(row["client_id"]) if row["client_id"] else None,
        "event": metadata.get("event"),
        "metadata": shown,
        "timestamp": as_rfc3339(row["timestamp"]),
    }


def as_rfc3339(moment: datetime) -> str:
    """A time in UTC as the API writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def after(session_id: uuid.UUID, seq: int, limit: int) -> list[MessageObject]:
    """Up to `limit` messages of a session with a greater seq, ascending, for its visitor."""
    return listed(Message.objects.filter(session_id=session_id, seq__gt=seq).order_by("seq")[:limit])


def last(session_id: uuid.UUID, count: int) -> list[MessageObject]:
    """The last `count` messages of a session, ascending, for its visitor."""
    found: Sequence[MessageObject] = listed(
        Message.objects.filter(session_id=session_id).order_by("-seq")[:count]
    )
    return list(reversed(found))


def _author(row: dict[str, Any]) -> Author | None:
    if row["author_id"] is None:
        return None
    return {"name": row["author__name"] or "", "avatar_url": row["author__avatar_url"] or None}
