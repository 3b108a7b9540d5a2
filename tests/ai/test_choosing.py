"""From a spec to a model."""

from typing import Any

import pytest

from ai.chat import chat_model
from ai.chat.scripted import Script, scripting
from ai.configuration import ANTHROPIC_URL, OPENAI_URL, STALL_TIMEOUT_S, Configuration, current
from kernel.errors import InvalidInput
from tests.ai.asking import ask, configured
from tests.ai.stub_provider import Stub


def test_offline_is_always_there() -> None:
    model = chat_model("offline")
    assert (model.provider, model.model) == ("offline", "extractive")
    assert chat_model("offline") is model


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_spec_names_provider_and_model(stub: Stub, provider: str) -> None:
    model = chat_model(f"{provider}:stub?n=1&error=503&first=1", configured(stub))
    assert (model.provider, model.model) == (provider, "stub?n=1&error=503&first=1")
    text, completed = await ask(model)
    assert (text, completed.retries) == ("tok0 ", 1)


def test_the_model_may_have_colons() -> None:
    assert chat_model("openai:llama3:8b", Configuration("k")).model == "llama3:8b"


def test_one_object_per_spec_and_settings() -> None:
    one, other = Configuration("k"), Configuration("another key")
    assert chat_model("openai:gpt-4o", one) is chat_model("openai:gpt-4o", one)
    assert chat_model("openai:gpt-4o", one) is not chat_model("openai:gpt-4o", other)


@pytest.mark.parametrize(
    "spec",
    ["", "openai", "openai:", "openai: gpt", "gemini:pro", "offline:x", "Offline", "openai:" + "x" * 201],
)
def test_other_specs_are_refused(spec: str) -> None:
    with pytest.raises(InvalidInput, match="must be offline, openai:MODEL or anthropic:MODEL") as caught:
        chat_model(spec, Configuration("k", OPENAI_URL, "k"))
    assert caught.value.errors[0].field == "model"


@pytest.mark.parametrize(
    ("spec", "field"), [("openai:gpt-4o", "OPENAI_API_KEY"), ("anthropic:claude", "ANTHROPIC_API_KEY")]
)
def test_a_provider_without_its_key_is_refused(spec: str, field: str) -> None:
    with pytest.raises(InvalidInput, match="must be set") as caught:
        chat_model(spec, Configuration())
    assert caught.value.errors[0].field == field


def test_a_script_exists_only_while_registered() -> None:
    with pytest.raises(InvalidInput, match="no script named 'greeting'"):
        chat_model("scripted:greeting")
    with scripting("greeting", Script()):
        assert chat_model("scripted:greeting").provider == "scripted"
    with pytest.raises(InvalidInput):
        chat_model("scripted:greeting")


def test_settings_decide(settings: Any) -> None:
    settings.OPENAI_API_KEY = "from settings"
    settings.OPENAI_BASE_URL = "http://localhost:1/v1/"
    settings.ANTHROPIC_API_KEY = ""
    settings.ANTHROPIC_BASE_URL = None
    settings.LLM_FIRST_TOKEN_TIMEOUT_S = 7
    found = current()
    assert (found.openai_api_key, found.openai_base_url) == ("from settings", "http://localhost:1/v1")
    assert (found.anthropic_api_key, found.anthropic_base_url) == ("", ANTHROPIC_URL)
    assert (found.timeouts.first_token, found.timeouts.stall) == (7.0, STALL_TIMEOUT_S)
    assert chat_model("openai:gpt-4o") is chat_model("openai:gpt-4o", found)
