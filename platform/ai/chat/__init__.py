"""Chat models behind one small seam: `chat_model(spec)` and the types that go in and come out."""

from ai.chat.choosing import chat_model
from ai.chat.estimating import estimate_input_tokens, estimate_usage
from ai.chat.seam import ChatEvent, ChatMessage, ChatModel, ChatRequest, Completed, Passage, TextDelta

__all__ = [
    "ChatEvent",
    "ChatMessage",
    "ChatModel",
    "ChatRequest",
    "Completed",
    "Passage",
    "TextDelta",
    "chat_model",
    "estimate_input_tokens",
    "estimate_usage",
]
