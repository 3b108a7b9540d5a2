"""A visitor who comes back after a cut: boots again, resends what was not acknowledged with the same id, and resumes.

What reaches them is checked as they would see it: each seq once, none missing, the running answer's pieces joined
without a gap, and in the end the text that is stored.
"""

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from benchmarks.visitors import Broken, Visitor, Website, send

ANSWERED_WITHIN_S: Final = 60.0
RETRY_S: Final = 0.2


@dataclass(slots=True)
class Recollection:
    """What a returned visitor knows of the conversation."""

    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    answer_id: str | None = None
    text: str = ""
    acknowledged: bool = False
    is_caught_up: bool = False

    def take(self, frame: dict[str, Any]) -> None:
        """One frame. Raises Broken where it contradicts the others."""
        match frame["type"]:
            case "ack":
                self.acknowledged = True
            case "history":
                self._catch_up(frame)
            case "start":
                self.answer_id, self.text = frame["message_id"], ""
            case "delta":
                self._append(frame)
            case "message":
                self._add(frame["message"])
            case "error" if frame["code"] == "model_unavailable":
                pass  # told beside the message that says so
            case other:
                raise Broken(f"did not expect {other}: {str(frame)[:300]}")

    def answer_to(self, client_id: str) -> dict[str, Any] | None:
        """The answer that follows the message `client_id`; None while there is none."""
        asked = [seq for seq, message in self.messages.items() if message["client_id"] == client_id]
        if len(asked) > 1:
            raise Broken(f"message {client_id} is there {len(asked)} times")
        later = [seq for seq in self.messages if asked and seq > asked[0]]
        answers = [seq for seq in later if self.messages[seq]["role"] == "assistant"]
        return self.messages[min(answers)] if answers else None

    def check_complete(self) -> None:
        """Raises Broken where a seq is missing."""
        if sorted(self.messages) != list(range(1, len(self.messages) + 1)):
            raise Broken(f"the seq are {sorted(self.messages)}")

    def _catch_up(self, frame: dict[str, Any]) -> None:
        self.is_caught_up = True
        for message in frame["messages"]:
            self.messages[message["seq"]] = message
        partial = frame.get("partial")
        if partial:
            self.answer_id, self.text = partial["message_id"], partial["text"]

    def _append(self, frame: dict[str, Any]) -> None:
        if not self.is_caught_up and frame["message_id"] != self.answer_id:
            return  # of an answer whose beginning the history is about to tell
        if frame["message_id"] != self.answer_id or frame["offset"] != len(self.text):
            raise Broken(
                f"a piece at {frame['offset']}, after {len(self.text)} characters: {str(frame)[:200]}"
            )
        self.text += frame["text"]

    def _add(self, message: dict[str, Any]) -> None:
        if self.is_caught_up and message["seq"] in self.messages:
            raise Broken(f"seq {message['seq']} came twice")
        if message["id"] == self.answer_id and message["content"] != self.text:
            raise Broken(f"told {self.text[:80]!r}, stored {message['content'][:80]!r}")
        self.messages[message["seq"]] = message


async def ask_and_leave(visitor: Visitor, question: str, after_s: float) -> str:
    """Ask, and after a moment break the connection off without a word. The message's client id."""
    client_id = str(uuid.uuid4())
    await send(visitor.socket, {"type": "message", "id": client_id, "content": question})
    await asyncio.sleep(after_s)
    cut(visitor)
    return client_id


def cut(visitor: Visitor) -> None:
    """Break the connection off, as a lost network does."""
    visitor.socket._response.close()  # aiohttp has no public way to drop a socket without a close frame


async def come_back(website: Website, token: str, client_id: str, question: str) -> Recollection:
    """Return until the answer to `client_id` is there. Raises Broken, or TimeoutError after a minute.

    While the server is away the visitor tries again, as the widget does.
    """
    async with asyncio.timeout(ANSWERED_WITHIN_S):
        while True:
            try:
                return await _return_once(website, token, client_id, question)
            except (aiohttp.ClientError, ConnectionError) as away:
                if isinstance(away, aiohttp.ClientResponseError) and away.status < 500:
                    raise Broken(f"refused: {away.status}") from away
            await asyncio.sleep(RETRY_S)


async def _return_once(website: Website, token: str, client_id: str, question: str) -> Recollection:
    visitor = await website.arrive(token)
    known = Recollection()
    try:
        await send(visitor.socket, {"type": "message", "id": client_id, "content": question})
        # A session's first message makes the session that resume is about.
        while not known.acknowledged:
            known.take(await _frame(visitor))
        await send(visitor.socket, {"type": "resume", "after": 0})
        while not known.is_caught_up or known.answer_to(client_id) is None:
            known.take(await _frame(visitor))
        known.check_complete()
        return known
    finally:
        await visitor.socket.close()


async def _frame(visitor: Visitor) -> dict[str, Any]:
    try:
        return await visitor.frame()
    except Broken as closed:
        raise ConnectionError(str(closed)) from closed
