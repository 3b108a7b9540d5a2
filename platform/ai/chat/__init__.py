"""Chat models behind one small seam: `chat_model(spec)` and the types that go in and come out."""

from ai.chat.choosing import answering_model, chat_model, names_providers
from ai.chat.estimating import estimate_input_tokens, estimate_usage
from ai.chat.falling_back import models_of, only, refusals_of
from ai.chat.seam import ChatEvent, ChatMessage, ChatModel, ChatRequest, Completed, Passage, TextDelta
from ai.failures import Attempt, attempts_of

__all__ = [
    "Attempt",
    "ChatEvent",
    "ChatMessage",
    "ChatModel",
    "ChatRequest",
    "Completed",
    "Passage",
    "TextDelta",
    "answering_model",
    "attempts_of",
    "chat_model",
    "estimate_input_tokens",
    "estimate_usage",
    "models_of",
    "names_providers",
    "only",
    "refusals_of",
]
