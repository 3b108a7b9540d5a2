"""What streaming from OpenAI and from Anthropic have in common: one request, events in, deltas and Completed out."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from typing import Any, ClassVar

import orjson

from ai import failures, http
from ai.chat.estimating import estimate_usage
from ai.chat.options import Options
from ai.chat.seam import ChatEvent, ChatRequest, Completed, TextDelta
from ai.configuration import Timeouts
from ai.usage import Usage
from kernel.errors import ProviderError

# After the finish reason only the accounts are missing: an answer is not lost for the want of them.
WAIT_FOR_USAGE_S = 2.0
DONE = b"[DONE]"


class Answer(ABC):
    """What has been received of one answer."""

    provider: ClassVar[str]

    def __init__(self, request: ChatRequest, model: str) -> None:
        self.request = request
        self.model = model
        self.texts: list[str] = []
        self.finish_reason = ""
        self.done = False

    @abstractmethod
    def note(self, event: Any) -> object:
        """Note one decoded event and return its text ("" for none). An event of another shape may raise anything that
        the wrong shape raises in Python: `take` turns it into bad_response."""

    @abstractmethod
    def counted(self) -> Usage | None:
        """What the provider has counted so far, None where it did not."""

    def usage(self) -> Usage | None:
        """What a whole answer has used, None where it was not counted: no answer is without output."""
        counted = self.counted()
        return counted if counted and counted.output_tokens else None

    async def next_batch(self, events: http.EventStream) -> list[bytes]:
        """The events that arrived next. Once the answer is whole, what goes wrong with the rest no longer matters."""
        if not self.finish_reason:
            return await events.read()
        events.hasten(WAIT_FOR_USAGE_S)
        try:
            return await events.read()
        except ProviderError:
            return []

    def take(self, data: bytes) -> str:
        """Note one event and return its text. Raises ProviderError: bad_response, or what an error event says."""
        if data == DONE:
            self.done = True
            return ""
        try:
            text = self.note(orjson.loads(data))
            if not isinstance(text, str):
                raise TypeError("text is not a string")
        except (ValueError, AttributeError, TypeError, LookupError) as error:
            raise failures.bad_response(self.provider, "sent an event that its API does not know") from error
        if text:
            self.texts.append(text)
        return text

    def completed(self) -> Completed:
        """The last event. Raises ProviderError where the stream ended early, or there is no text."""
        if not self.finish_reason:
            raise failures.cut(self.provider)
        text = "".join(self.texts)
        if not text.strip():
            if self.finish_reason == "content_filter":
                raise failures.refused(self.provider, "it declined to answer.")
            raise failures.bad_response(self.provider, f"completed without any text ({self.finish_reason})")
        return Completed(self.finish_reason, self.usage() or estimate_usage(self.request, text), self.model)


class StreamingChat(ABC):
    """One model behind HTTP. It does not retry, except for options that the model turns out not to take."""

    answer: ClassVar[type[Answer]]

    def __init__(
        self,
        model: str,
        *,
        url: str,
        headers: dict[str, str],
        options: Options,
        timeouts: Timeouts,
        own_key: bool = False,
    ) -> None:
        self.model = model
        self.own_key = own_key
        self._url = url
        self._headers = headers
        self._options = options
        self._timeouts = timeouts

    @property
    def provider(self) -> str:
        return self.answer.provider

    @abstractmethod
    def payload(self, request: ChatRequest) -> dict[str, Any]:
        """`request` in the provider's words, without the options that this model refused."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """See ChatModel. A stream without a finish reason is cut, however cleanly it ended."""
        answer = self.answer(request, self.model)
        while not answer.done:
            try:
                async with http.event_stream(
                    self._url,
                    provider=self.provider,
                    headers=self._headers,
                    payload=self.payload(request),
                    timeouts=self._timeouts,
                ) as events:
                    while not answer.done and (batch := await answer.next_batch(events)):
                        # Events that arrived together leave together.
                        if text := "".join([answer.take(data) for data in batch]):
                            yield TextDelta(text)
                    yield answer.completed()
                    await events.drain()
                    return
            except ProviderError as error:
                if answer.texts or not self._options.learn(error):
                    raise self._with_usage(error, answer) from error.__cause__

    def _with_usage(self, error: ProviderError, answer: Answer) -> ProviderError:
        """The error, with what the provider says the call has used where nobody has seen a word of it: thinking, or a
        prompt read before it broke off."""
        usage = None if answer.texts else answer.counted()
        return (
            error
            if usage is None
            else failures.with_attempts(
                error, [failures.Attempt(self.provider, answer.model, usage, self.own_key)]
            )
        )
