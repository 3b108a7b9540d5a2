"""What a visitor missed: what was said since, and the text so far of the answer being made."""

import uuid
from dataclasses import dataclass
from typing import Final

from django.utils import timezone

from tenants.context import run_as
from widgets.chat import asking, messages, recovery
from widgets.chat.asking import Run
from widgets.chat.hub import Key, hub
from widgets.chat.messages import MessageObject
from widgets.chat.protocol import PartialAnswer, ServerHistory
from widgets.chat.streams import bus
from widgets.models import AnswerRun

LONGEST_HISTORY: Final = 500


@dataclass(frozen=True, slots=True)
class Missed:
    """What a resume found in the database."""

    messages: list[MessageObject]
    complete: bool
    running_id: uuid.UUID | None
    next_run: Run | None


async def history_after(key: Key, after: int) -> tuple[ServerHistory, Run | None]:
    """The frame that answers `resume`, and the answer that is now to be made, if somebody has to begin one."""
    missed = await run_as(key[0], read_missed, key[1], after)
    frame: ServerHistory = {"type": "history", "messages": missed.messages, "complete": missed.complete}
    partial = await _partial(key, missed)
    if partial is not None:
        frame["partial"] = partial
    return frame, missed.next_run


def read_missed(session_id: uuid.UUID, after: int) -> Missed:
    """What was said after `after`, and the answer being made. A run whose process died is ended here and now, and what
    was asked meanwhile is taken up, so that a visitor who comes back need not wait for beat."""
    run = asking.running(session_id)
    if run is not None and run.lease_until < timezone.now():
        recovery.recover(run.pk)
        run = asking.running(session_id)
    next_run = asking.next_unanswered(session_id) if run is None else None
    found = messages.after(session_id, after, LONGEST_HISTORY + 1)
    complete = len(found) <= LONGEST_HISTORY
    return Missed(found[-LONGEST_HISTORY:], complete, _running_id(run), next_run)


async def _partial(key: Key, missed: Missed) -> PartialAnswer | None:
    live = hub().answering(key)
    if live is not None and str(live.message_id) not in {message["id"] for message in missed.messages}:
        return {"message_id": str(live.message_id), "text": live.text}
    if missed.running_id is None:
        return None
    text = await bus().text_so_far(key[0], missed.running_id)
    return {"message_id": str(missed.running_id), "text": text}


def _running_id(run: AnswerRun | None) -> uuid.UUID | None:
    return run.message_id if run else None
