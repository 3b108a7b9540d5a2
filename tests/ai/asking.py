"""How the tests of `ai` put a question to a model and look at what comes back."""

from dataclasses import replace

from ai.chat import ChatMessage, ChatModel, ChatRequest, Completed, Passage, TextDelta
from ai.chat.anthropic import AnthropicChat
from ai.chat.openai import OpenAIChat
from ai.configuration import Configuration, Timeouts
from kernel.errors import ProviderError
from tests.ai.stub_provider import Stub

REQUEST = ChatRequest(
    messages=(
        ChatMessage("system", "You are the front desk of Acme."),
        ChatMessage("user", "When are you open? Größe, 日本語, 🙂"),
    ),
    question="When are you open?",
    passages=(Passage("We are open from nine to five.", "Opening hours"),),
)
HASTY = Timeouts(first_token=0.3, stall=0.3, total=3)

PROVIDERS = {"openai": OpenAIChat, "anthropic": AnthropicChat}


def configured(stub: Stub, timeouts: Timeouts = HASTY) -> Configuration:
    return Configuration("key-of-openai", f"{stub.url}/v1", "key-of-anthropic", stub.url, timeouts)


def remote(provider: str, model: str, stub: Stub, timeouts: Timeouts = HASTY) -> ChatModel:
    """The bare model, without retries."""
    return PROVIDERS[provider](model, configured(stub, timeouts))


async def ask(model: ChatModel, request: ChatRequest = REQUEST) -> tuple[str, Completed]:
    """The whole answer and its last event, checked against the promise of ChatModel."""
    events = [event async for event in model.stream(request)]
    *deltas, completed = events
    assert isinstance(completed, Completed)
    assert deltas
    assert all(isinstance(delta, TextDelta) and delta.text for delta in deltas)
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)), completed


async def ask_in_vain(model: ChatModel, request: ChatRequest = REQUEST) -> tuple[str, ProviderError]:
    """What was said before the failure, and the failure. An answer that completes fails the test."""
    text = ""
    try:
        async for event in model.stream(request):
            assert isinstance(event, TextDelta), f"completed: {event}"
            text += event.text
    except ProviderError as error:
        return text, error
    raise AssertionError("the stream ended without an error")


def with_messages(*messages: tuple[str, str]) -> ChatRequest:
    made = tuple(ChatMessage(role, content) for role, content in messages)
    return replace(REQUEST, messages=made)
