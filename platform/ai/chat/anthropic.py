"""Claude, through Anthropic's Messages API."""

from typing import Any

from ai import failures
from ai.chat.options import Options
from ai.chat.seam import ChatMessage, ChatRequest
from ai.chat.streaming import Answer, StreamingChat
from ai.configuration import Configuration
from ai.usage import Usage

VERSION = "2023-06-01"
# Anthropic wants the user to speak first; a window of the history may begin with the assistant.
OPENING = "(The conversation so far begins with your message.)"

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "tool_use": "tool_calls",
}


class AnthropicAnswer(Answer):
    """An answer in message_start, content_block_delta, message_delta and message_stop events."""

    provider = "anthropic"

    def __init__(self, request: ChatRequest, model: str) -> None:
        super().__init__(request, model)
        self._counts: dict[str, int] = {}

    def note(self, event: Any) -> object:
        kind = event.get("type")
        if kind == "content_block_delta":
            return event["delta"].get("text") or ""
        if kind == "message_start":
            message = event["message"]
            self.model = str(message.get("model") or self.model)
            self._count(message.get("usage"))
        elif kind == "message_delta":
            if reason := event["delta"].get("stop_reason"):
                self.finish_reason = FINISH_REASONS.get(reason, str(reason))
            self._count(event.get("usage"))
        elif kind == "message_stop":
            self.done = True
        elif kind == "error":
            raise failures.from_event(self.provider, event.get("error"))
        return ""

    def _count(self, usage: Any) -> None:
        # Counts are cumulative: a later one replaces an earlier one, a missing one does not.
        self._counts |= {name: value for name, value in (usage or {}).items() if isinstance(value, int)}

    def counted(self) -> Usage | None:
        """Anthropic's input_tokens EXCLUDE what the cache read and wrote; ours include both."""
        read = self._counts.get("cache_read_input_tokens", 0)
        written = self._counts.get("cache_creation_input_tokens", 0)
        given = self._counts.get("input_tokens", 0) + read + written
        output = self._counts.get("output_tokens", 0)
        return Usage(given, output, read, written) if given else None


class AnthropicChat(StreamingChat):
    """One Claude model."""

    answer = AnthropicAnswer

    def __init__(self, model: str, configuration: Configuration) -> None:
        super().__init__(
            model,
            url=f"{configuration.anthropic_base_url.removesuffix('/v1')}/v1/messages",
            headers={"x-api-key": configuration.anthropic_api_key, "anthropic-version": VERSION},
            options=Options("temperature", "top_p"),
            timeouts=configuration.timeouts,
            own_key="anthropic" in configuration.own_keys,
        )

    def payload(self, request: ChatRequest) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "model": self.model,
            "messages": alternating(request.messages),
            "max_tokens": request.max_tokens,
            "stream": True,
        }
        if system := _system(request.messages):
            payload["system"] = system
        # Claude's newer models refuse temperature and top_p together. A top_p below 1 was set by somebody, while
        # every personality has a temperature. Anthropic's temperature ends at 1, OpenAI's and ours at 2.
        if request.top_p != 1:
            options = {"top_p": float(request.top_p)}
        else:
            options = {"temperature": min(float(request.temperature), 1.0)}
        return payload | {name: value for name, value in options.items() if name not in self._options.refused}


def alternating(messages: tuple[ChatMessage, ...]) -> list[dict[str, str]]:
    """The conversation as Anthropic wants it: the user first, roles in turn (neighbours of one role joined by a blank
    line), nothing empty, system messages apart."""
    turns: list[dict[str, str]] = []
    for message in messages:
        if message.role == "system" or not message.content.strip():
            continue
        if turns and turns[-1]["role"] == message.role:
            turns[-1]["content"] += "\n\n" + message.content
        else:
            turns.append({"role": message.role, "content": message.content})
    if turns and turns[0]["role"] != "user":
        turns.insert(0, {"role": "user", "content": OPENING})
    return turns


def _system(messages: tuple[ChatMessage, ...]) -> list[dict[str, Any]]:
    """System messages as blocks. The first is marked for the prompt cache: put there what does not change between
    questions (who the assistant is), and the passages into a later one."""
    blocks: list[dict[str, Any]] = [
        {"type": "text", "text": message.content}
        for message in messages
        if message.role == "system" and message.content.strip()
    ]
    if blocks:
        blocks[0]["cache_control"] = {"type": "ephemeral"}
    return blocks
