"""From a model's spec, as settings and personalities name it, to the model."""

import logging
from functools import lru_cache

from django.conf import settings

from ai import configuration
from ai.chat.anthropic import AnthropicChat
from ai.chat.breaking import Circuit
from ai.chat.falling_back import Candidate, FallingBack
from ai.chat.offline import OfflineChat
from ai.chat.openai import OpenAIChat
from ai.chat.retrying import Retrying
from ai.chat.scripted import ScriptedChat
from ai.chat.seam import ChatModel
from ai.configuration import ANTHROPIC_URL, OPENAI_URL, Configuration, specs_in
from ai.patience import HASTY, PATIENT, Patience
from kernel.errors import InvalidInput

logger = logging.getLogger(__name__)

ALLOWED = "must be offline, openai:MODEL or anthropic:MODEL"
MAX_NAME = 200
# What runs here and costs nobody anything.
FREE = "offline"


def chat_model(spec: str, configured: Configuration | None = None) -> ChatModel:
    """The model that `spec` names: "offline", "openai:gpt-…", "anthropic:claude-…" or, in tests, "scripted:NAME"; or
    several of them, comma-separated, the preferred one first: then the next answers where one fails before its first
    word (`FallingBack`).

    For one name the same object each time with the same settings (or `configured`, in place of the settings), which is
    safe to share between tasks and event loops; for several one that is made for one answer. Raises InvalidInput for a
    spec that is none of these, and for a provider without its key.
    """
    *first, last = specs_in(spec)
    settled = configured or configuration.current()
    if not first:
        return _one(last, settled, PATIENT)
    models = [*(_one(name, settled, HASTY) for name in first), _one(last, settled, PATIENT)]
    return FallingBack(
        [Candidate(model, circuit(name, settled)) for name, model in zip(specs_in(spec), models, strict=True)]
    )


def answering_model(preferred: str = "", configured: Configuration | None = None) -> ChatModel:
    """The model that a personality prefers, then those of settings.LLM_MODEL; `configured` in place of the settings'
    keys. One that cannot be used, as for want of its key, is passed over, and the log says so.

    Where the first would be paid with the asker's own key, no model follows that the installation pays for, unless
    `configured.may_fall_back`: then the same models with the installation's keys.
    """
    settled = configured or configuration.current()
    specs = specs_in(settings.LLM_MODEL)
    if preferred and preferred not in specs[:1]:
        try:
            chat_model(preferred, settled)
        except InvalidInput as error:
            logger.warning("the preferred model %s cannot be used: %s", preferred, error.detail)
        else:
            specs = (preferred, *dict.fromkeys(spec for spec in specs if spec != preferred))
    if not _is_own(specs[0], settled):
        return chat_model(",".join(specs), settled)
    own = [spec for spec in specs if _is_own(spec, settled) or spec == FREE]
    if not settled.may_fall_back:
        return chat_model(",".join(own), settled)
    return _then_ours(own, settled, preferred)


def names_providers(preferred: str = "") -> bool:
    """Whether `answering_model(preferred)` may ask a provider: else nobody's key matters."""
    return any(":" in spec for spec in (preferred, *specs_in(settings.LLM_MODEL)))


def _is_own(spec: str, configured: Configuration) -> bool:
    return spec.partition(":")[0] in configured.own_keys


def _then_ours(own: list[str], configured: Configuration, preferred: str) -> ChatModel:
    """Those paid with the asker's own key first, then what the installation would answer with by itself."""
    first = [
        Candidate(_one(spec, configured, HASTY), circuit(spec, configured)) for spec in own if spec != FREE
    ]
    ours = answering_model(preferred)
    if isinstance(ours, FallingBack):
        return FallingBack([*first, *ours.candidates])
    return FallingBack(
        [*first, Candidate(ours, circuit(f"{ours.provider}:{ours.model}", configuration.current()))]
    )


def _one(spec: str, configured: Configuration, patience: Patience) -> ChatModel:
    provider, _, name = spec.partition(":")
    if spec == "offline":
        return _offline()
    if not name or name != name.strip() or len(name) > MAX_NAME:
        raise InvalidInput.of("model", f"{ALLOWED}, not {spec[:MAX_NAME]!r}")
    if provider == "scripted":
        # Not kept: a test may register another script under the same name.
        return ScriptedChat(name)
    return _remote(provider, name, configured, patience)


@lru_cache(maxsize=1)
def _offline() -> ChatModel:
    return OfflineChat()


@lru_cache(maxsize=256)
def circuit(spec: str, configured: Configuration) -> Circuit:
    """The circuit breaker that all answers of this process share for a model."""
    return Circuit()


@lru_cache(maxsize=256)
def _remote(provider: str, name: str, configured: Configuration, patience: Patience) -> ChatModel:
    if provider == "openai":
        if not configured.openai_api_key and configured.openai_base_url == OPENAI_URL:
            message = f"must be set for openai:{name}, or OPENAI_BASE_URL for another server"
            raise InvalidInput.of("OPENAI_API_KEY", message)
        return Retrying(OpenAIChat(name, configured), patience)
    if provider == "anthropic":
        if not configured.anthropic_api_key and configured.anthropic_base_url == ANTHROPIC_URL:
            raise InvalidInput.of("ANTHROPIC_API_KEY", f"must be set for anthropic:{name}")
        return Retrying(AnthropicChat(name, configured), patience)
    raise InvalidInput.of("model", f"{ALLOWED}, not {provider}:{name}")
