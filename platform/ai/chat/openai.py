"""Chat Completions as OpenAI streams them, and as most other servers do (vLLM, Ollama, llama.cpp, OpenRouter, …)."""

from typing import Any

from yarl import URL

from ai import failures
from ai.chat.options import Options
from ai.chat.seam import ChatRequest
from ai.chat.streaming import Answer, StreamingChat
from ai.configuration import OPENAI_URL, Configuration
from ai.usage import Usage


class OpenAIAnswer(Answer):
    """An answer in chat.completion.chunk events; the usage comes after the finish reason."""

    provider = "openai"

    def __init__(self, request: ChatRequest, model: str) -> None:
        super().__init__(request, model)
        self._usage: Usage | None = None

    def note(self, event: Any) -> object:
        if error := event.get("error"):
            raise failures.from_event(self.provider, error)
        if counts := event.get("usage"):
            self._usage = _usage(counts)
        if name := event.get("model"):
            self.model = str(name)
        if not (choices := event.get("choices")):
            return ""
        choice = choices[0]
        if reason := choice.get("finish_reason"):
            self.finish_reason = str(reason)
        delta = choice.get("delta") or {}
        return delta.get("content") or delta.get("refusal") or ""

    def counted(self) -> Usage | None:
        # Some servers send a usage of zeros: that is not a count.
        return self._usage if self._usage and self._usage.input_tokens else None


class OpenAIChat(StreamingChat):
    """One model of an OpenAI-compatible server."""

    answer = OpenAIAnswer

    def __init__(self, model: str, configuration: Configuration) -> None:
        url = f"{configuration.openai_base_url}/chat/completions"
        # `max_tokens` is deprecated at OpenAI itself and refused by its reasoning models; elsewhere it is the name
        # that every server knows. A refusal switches to the other, never to none: the money reserved for the answer
        # counts on the limit.
        official = URL(url).host == URL(OPENAI_URL).host
        self._limits = (
            ("max_completion_tokens", "max_tokens") if official else ("max_tokens", "max_completion_tokens")
        )
        key = configuration.openai_api_key
        super().__init__(
            model,
            url=url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            options=Options(
                "temperature",
                "top_p",
                "frequency_penalty",
                "presence_penalty",
                "stream_options",
                self._limits[0],
            ),
            timeouts=configuration.timeouts,
            own_key="openai" in configuration.own_keys,
        )

    def payload(self, request: ChatRequest) -> dict[str, Any]:
        refused = self._options.refused
        limit, other = self._limits
        options: dict[str, Any] = {
            "stream_options": {"include_usage": True},
            "temperature": float(request.temperature),
        }
        # Neutral values are left out: a server that does not know them has nothing to refuse.
        if request.top_p != 1:
            options["top_p"] = float(request.top_p)
        if request.frequency_penalty:
            options["frequency_penalty"] = float(request.frequency_penalty)
        if request.presence_penalty:
            options["presence_penalty"] = float(request.presence_penalty)
        return {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "stream": True,
            other if limit in refused else limit: request.max_tokens,
        } | {name: value for name, value in options.items() if name not in refused}


def _usage(counts: Any) -> Usage:
    """Usage as Chat Completions counts it: prompt_tokens include the cached ones."""
    details = counts.get("prompt_tokens_details") or {}
    given = int(counts.get("prompt_tokens") or 0)
    cached = int(details.get("cached_tokens") or 0)
    written = int(details.get("cache_write_tokens") or 0)
    return Usage(given, int(counts.get("completion_tokens") or 0), min(cached, given), min(written, given))
