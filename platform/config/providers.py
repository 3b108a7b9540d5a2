"""Are the models that the settings name usable? Asked at the start, so that the first visitor does not find out."""

from config import env
from config.readers import ConfigurationError

# Each provider's key, and the address of its own that needs none (a server of one's own may).
KEYS = {
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
    "voyage": ("VOYAGE_API_KEY", "VOYAGE_BASE_URL"),
}
CHAT = ("openai", "anthropic")
EMBEDDING = ("openai", "voyage")


def check(chat: str, embedding: str) -> None:
    """Raise ConfigurationError for a name that is no model, or a provider with neither key nor own address. `chat` may
    name several models, comma-separated."""
    for name in chat.split(","):
        _check("LLM_MODEL", name.strip(), ("offline",), CHAT, ", or several of them with commas between")
    # hashing is the test double: fast, free and without any sense.
    _check("EMBEDDING_MODEL", embedding, ("local", "hashing"), EMBEDDING)


def _check(
    setting: str, value: str, built_in: tuple[str, ...], providers: tuple[str, ...], several: str = ""
) -> None:
    provider, _, model = value.partition(":")
    if value in built_in:
        return
    if provider not in providers or not model:
        allowed = " or ".join(f"{name}:MODEL" for name in providers)
        raise ConfigurationError(f"{setting} is {value!r}: it must be {built_in[0]}, {allowed}{several}.")
    key, address = KEYS[provider]
    if not env.secret(key) and not env.url(address):
        raise ConfigurationError(f"{setting} is {value!r}, and {key} is not set: that provider needs one.")
