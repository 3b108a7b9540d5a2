"""A model that cannot work stops the start with a sentence that names the setting."""

import pytest

from config import providers
from config.readers import ConfigurationError


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for name in (
        "OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "VOYAGE_API_KEY",
        "VOYAGE_BASE_URL",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


def test_the_built_in_models_need_nothing():
    providers.check("offline", "local")


@pytest.mark.parametrize(
    ("chat", "embedding", "named"),
    [
        ("openai:gpt-4o", "local", "OPENAI_API_KEY"),
        ("anthropic:claude", "local", "ANTHROPIC_API_KEY"),
        ("offline", "openai:text-embedding-3-small", "OPENAI_API_KEY"),
        ("gpt-4o", "local", "LLM_MODEL"),
        ("openai:", "local", "LLM_MODEL"),
        ("offline", "voyage:voyage-3.5", "VOYAGE_API_KEY"),
        ("offline", "cohere:embed-4", "EMBEDDING_MODEL"),
        ("voyage:voyage-3.5", "local", "LLM_MODEL"),
        ("offline,openai:gpt-4o", "local", "'openai:gpt-4o', and OPENAI_API_KEY is not set"),
        ("offline,", "local", "LLM_MODEL is ''"),
        ("offline,gpt-4o", "local", "several of them with commas between"),
    ],
)
def test_what_is_missing_is_named(chat, embedding, named):
    with pytest.raises(ConfigurationError, match=named):
        providers.check(chat, embedding)


def test_a_key_or_a_server_of_ones_own_is_enough(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9911/v1")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    providers.check("openai:anything", "openai:anything")
    monkeypatch.setenv("VOYAGE_API_KEY", "k")
    providers.check("anthropic:claude", "voyage:voyage-3.5")
    providers.check("openai:anything, anthropic:claude,offline", "local")
