"""The settings that chat models and embedders read: keys, addresses and how long a provider may take."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com"
VOYAGE_URL = "https://api.voyageai.com/v1"

FIRST_TOKEN_TIMEOUT_S = 30.0
STALL_TIMEOUT_S = 20.0
TOTAL_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds a provider may take: until it sends its first event, between two events, and for the whole answer."""

    first_token: float = FIRST_TOKEN_TIMEOUT_S
    stall: float = STALL_TIMEOUT_S
    total: float = TOTAL_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where the providers are and what we show them. A base URL has no slash at its end; an empty key means none.

    `own_keys` are the providers whose key is the asker's own and not this installation's: their calls say so, and a
    call that fails is not made again at the installation's expense unless `may_fall_back`.
    """

    openai_api_key: str = field(default="", repr=False)
    openai_base_url: str = OPENAI_URL
    anthropic_api_key: str = field(default="", repr=False)
    anthropic_base_url: str = ANTHROPIC_URL
    timeouts: Timeouts = Timeouts()
    voyage_api_key: str = field(default="", repr=False)
    voyage_base_url: str = VOYAGE_URL
    own_keys: frozenset[str] = frozenset()
    may_fall_back: bool = False


def current() -> Configuration:
    """The configuration of this process, from django.conf.settings."""

    def text(name: str, default: str = "") -> str:
        return str(getattr(settings, name, None) or default).rstrip("/")

    def seconds(name: str, default: float) -> float:
        return float(getattr(settings, name, None) or default)

    return Configuration(
        openai_api_key=text("OPENAI_API_KEY"),
        openai_base_url=text("OPENAI_BASE_URL", OPENAI_URL),
        anthropic_api_key=text("ANTHROPIC_API_KEY"),
        anthropic_base_url=text("ANTHROPIC_BASE_URL", ANTHROPIC_URL),
        voyage_api_key=text("VOYAGE_API_KEY"),
        voyage_base_url=text("VOYAGE_BASE_URL", VOYAGE_URL),
        timeouts=Timeouts(
            first_token=seconds("LLM_FIRST_TOKEN_TIMEOUT_S", FIRST_TOKEN_TIMEOUT_S),
            stall=seconds("LLM_STALL_TIMEOUT_S", STALL_TIMEOUT_S),
            total=seconds("LLM_TOTAL_TIMEOUT_S", TOTAL_TIMEOUT_S),
        ),
    )


def with_own_keys(keys: Mapping[str, str], *, may_fall_back: bool) -> Configuration:
    """The configuration of this process with these keys, by provider, in place of its own. They go where the
    installation's would go: an address is never the asker's to choose."""
    own: dict[str, Any] = {f"{provider}_api_key": key for provider, key in keys.items()}
    return replace(current(), **own, own_keys=frozenset(keys), may_fall_back=may_fall_back)


def specs_in(text: str) -> tuple[str, ...]:
    """The models that a setting such as LLM_MODEL names, comma-separated, in its order and each once."""
    return tuple(dict.fromkeys(spec.strip() for spec in text.split(",")))
