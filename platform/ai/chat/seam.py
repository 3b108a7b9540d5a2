"""The seam to every chat model: what is asked, what comes back, and the promise between."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from ai.failures import Attempt
from ai.usage import Usage

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the tenant's knowledge. `content` is its text as stored (markdown or plain), `heading` the path of
    headings above it ("" for none)."""

    content: str
    title: str
    url: str | None = None
    heading: str = ""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to a model.

    `messages` is the whole prompt for real models, instructions and passages included. `question` and `passages` (best
    first) say the same in parts, for the extractive answerer that works without a model.
    """

    messages: tuple[ChatMessage, ...]
    question: str
    passages: tuple[Passage, ...] = ()
    temperature: Decimal | float = 0.7
    max_tokens: int = 2000
    top_p: Decimal | float = 1.0
    frequency_penalty: Decimal | float = 0.0
    presence_penalty: Decimal | float = 0.0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The answer is whole: always the last event of a good stream.

    `finish_reason` is in OpenAI's words (stop, length, content_filter, …) for every provider. `model` is the name the
    provider answered with, often dated, where it gives one. `retries` counts the calls of this model that failed before
    this one, and `failed` are those, of other models too, that are to be paid for all the same.
    """

    finish_reason: str
    usage: Usage
    model: str
    retries: int = 0
    failed: tuple[Attempt, ...] = ()


ChatEvent = TextDelta | Completed


class ChatModel(Protocol):
    """A model that answers in a stream.

    `stream` yields one or more TextDelta, then exactly one Completed. It raises kernel.errors.ProviderError for
    everything else, also in the middle: what came before was used and is to be paid for, and
    `ai.chat.estimate_usage(request, text_so_far)` says how much it was; `ai.chat.attempts_of(error)` tells of calls
    that failed without a word and are to be paid for too. It never ends without Completed, and never completes without
    text. To stop early, `aclose()` the generator: the connection is hung up at once. `own_key`: the asker's own key
    pays (`Configuration.own_keys`).
    """

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def own_key(self) -> bool: ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]: ...
