"""The bytes of the two wire formats that the stub provider speaks."""

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.ai.stub_provider import Behaviour


class Wire(ABC):
    """One streamed answer to `body`, event by event, each as bytes ready to send."""

    def __init__(self, body: dict[str, Any], behaviour: "Behaviour") -> None:
        self.body = body
        self.behaviour = behaviour
        self.model = str(body["model"]).partition("?")[0]
        self.words = 0
        prompt = json.dumps([body.get("system", ""), body["messages"]])
        self.prompt_tokens = max(1, len(prompt) // 4)

    @staticmethod
    @abstractmethod
    def error(kind: str, message: str) -> dict[str, Any]:
        """The document of an answer with an error status."""

    @abstractmethod
    def begin(self) -> bytes: ...

    @abstractmethod
    def reasoning(self) -> bytes: ...

    @abstractmethod
    def word(self, text: str) -> bytes: ...

    @abstractmethod
    def finish(self) -> bytes:
        """The finish reason."""

    @abstractmethod
    def end(self) -> bytes:
        """What follows it."""

    @abstractmethod
    def error_event(self, kind: str) -> bytes: ...


class OpenAI(Wire):
    """Chat Completions."""

    @staticmethod
    def error(kind: str, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._event({"choices": [choice]})

    def _event(self, more: dict[str, Any]) -> bytes:
        head = {
            "id": "chatcmpl-stub",
            "object": "chat.completion.chunk",
            "created": 1760000000,
            "model": self.model,
        }
        return b"data: " + json.dumps(head | {"usage": None} | more).encode() + b"\n\n"

    def begin(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def reasoning(self) -> bytes:
        return self._chunk({"reasoning_content": "hm "})

    def word(self, text: str) -> bytes:
        self.words += 1
        return self._chunk({"content": text})

    def finish(self) -> bytes:
        return self._chunk({}, "stop")

    def end(self) -> bytes:
        done = b"data: [DONE]\n\n"
        asked = (self.body.get("stream_options") or {}).get("include_usage")
        if not asked or not self.behaviour.usage:
            return done
        usage = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.words,
            "total_tokens": self.prompt_tokens + self.words,
            "prompt_tokens_details": {"cached_tokens": min(self.behaviour.cached, self.prompt_tokens)},
        }
        return self._event({"choices": [], "usage": usage}) + done

    def error_event(self, kind: str) -> bytes:
        return b"data: " + json.dumps(self.error(kind, "stub error event")).encode() + b"\n\n"


class Voyage:
    """Voyage's errors; its embeddings are as OpenAI's, and nothing of it is streamed."""

    @staticmethod
    def error(kind: str, message: str) -> dict[str, Any]:
        return {"detail": message}


class Anthropic(Wire):
    """The Messages API."""

    @staticmethod
    def error(kind: str, message: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": kind, "message": message}}

    def _event(self, kind: str, **more: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()

    def begin(self) -> bytes:
        behaviour = self.behaviour
        usage = {
            "input_tokens": self.prompt_tokens,
            "cache_read_input_tokens": behaviour.cached,
            "cache_creation_input_tokens": behaviour.written,
            "output_tokens": 1,
        }
        message = {
            "id": "msg_stub",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": self.model,
        }
        counted = {"usage": usage} if behaviour.usage else {}
        return (
            self._event("message_start", message=message | {"stop_reason": None} | counted)
            + self._event("content_block_start", index=0, content_block={"type": "text", "text": ""})
            + self._event("ping")
        )

    def reasoning(self) -> bytes:
        return self._event(
            "content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm "}
        )

    def word(self, text: str) -> bytes:
        self.words += 1
        return self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})

    def finish(self) -> bytes:
        usage = {"usage": {"output_tokens": self.words}} if self.behaviour.usage else {}
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        return self._event("content_block_stop", index=0) + self._event("message_delta", delta=delta, **usage)

    def end(self) -> bytes:
        return self._event("message_stop")

    def error_event(self, kind: str) -> bytes:
        return self._event("error", error={"type": kind, "message": "stub error event"})
