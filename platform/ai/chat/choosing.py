"""From a model's spec, as settings and personalities name it, to the model."""

from functools import lru_cache

from ai import configuration
from ai.chat.anthropic import AnthropicChat
from ai.chat.offline import OfflineChat
from ai.chat.openai import OpenAIChat
from ai.chat.retrying import Retrying
from ai.chat.scripted import ScriptedChat
from ai.chat.seam import ChatModel
from ai.configuration import ANTHROPIC_URL, OPENAI_URL, Configuration
from kernel.errors import InvalidInput

ALLOWED = "must be offline, openai:MODEL or anthropic:MODEL"
MAX_NAME = 200


def chat_model(spec: str, configured: Configuration | None = None) -> ChatModel:
    """The model that `spec` names: "offline", "openai:gpt-…", "anthropic:claude-…" or, in tests, "scripted:NAME".

    The same object for the same spec and settings (or `configured`, in place of the settings). It is safe to share
    between tasks and event loops. Raises InvalidInput for a spec that is none of these, and for a provider without its
    key.
    """
    provider, _, name = spec.partition(":")
    if spec == "offline":
        return _offline()
    if not name or name != name.strip() or len(name) > MAX_NAME:
        raise InvalidInput.of("model", f"{ALLOWED}, not {spec[:MAX_NAME]!r}")
    if provider == "scripted":
        # Not kept: a test may register another script under the same name.
        return ScriptedChat(name)
    return _remote(provider, name, configured or configuration.current())


@lru_cache(maxsize=1)
def _offline() -> ChatModel:
    return OfflineChat()


@lru_cache(maxsize=256)
def _remote(provider: str, name: str, configured: Configuration) -> ChatModel:
    if provider == "openai":
        if not configured.openai_api_key and configured.openai_base_url == OPENAI_URL:
            message = f"must be set for openai:{name}, or OPENAI_BASE_URL for another server"
            raise InvalidInput.of("OPENAI_API_KEY", message)
        return Retrying(OpenAIChat(name, configured))
    if provider == "anthropic":
        if not configured.anthropic_api_key and configured.anthropic_base_url == ANTHROPIC_URL:
            raise InvalidInput.of("ANTHROPIC_API_KEY", f"must be set for anthropic:{name}")
        return Retrying(AnthropicChat(name, configured))
    raise InvalidInput.of("model", f"{ALLOWED}, not {provider}:{name}")
