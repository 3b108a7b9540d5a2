"""What we send: each provider's own words, and only options that the model takes."""

from dataclasses import replace
from decimal import Decimal

import pytest

from ai.chat.anthropic import OPENING, AnthropicChat
from ai.chat.openai import OpenAIChat
from ai.configuration import Configuration
from tests.ai.asking import REQUEST, ask, ask_in_vain, remote, with_messages
from tests.ai.stub_provider import Stub

WARM = replace(
    REQUEST,
    temperature=Decimal("1.5"),
    top_p=Decimal("0.9"),
    frequency_penalty=0.2,
    presence_penalty=-0.1,
    max_tokens=77,
)


async def test_openai_gets_its_words(stub: Stub) -> None:
    await ask(remote("openai", "stub?n=1", stub), WARM)
    [request] = stub.requests
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["authorization"] == "Bearer key-of-openai"
    assert request["headers"]["accept-encoding"] == "identity"
    assert request["body"] == {
        "model": "stub?n=1",
        "messages": [{"role": m.role, "content": m.content} for m in WARM.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 77,
        "temperature": 1.5,
        "top_p": 0.9,
        "frequency_penalty": 0.2,
        "presence_penalty": -0.1,
    }


def test_openai_itself_gets_the_new_name_of_the_limit() -> None:
    payload = OpenAIChat("gpt-4o-mini", Configuration(openai_api_key="k")).payload(REQUEST)
    assert payload["max_completion_tokens"] == 2000
    assert "max_tokens" not in payload
    assert "top_p" not in payload
    assert "presence_penalty" not in payload


async def test_a_server_without_a_key_gets_none(stub: Stub) -> None:
    await ask(OpenAIChat("stub?n=1", Configuration(openai_base_url=f"{stub.url}/v1")))
    assert "authorization" not in stub.requests[0]["headers"]


async def test_anthropic_gets_its_words(stub: Stub) -> None:
    await ask(remote("anthropic", "stub?n=1", stub))
    [request] = stub.requests
    assert request["path"] == "/v1/messages"
    assert request["headers"]["x-api-key"] == "key-of-anthropic"
    assert request["headers"]["anthropic-version"] == "2023-06-01"
    system = {"type": "text", "text": REQUEST.messages[0].content, "cache_control": {"type": "ephemeral"}}
    assert request["body"] == {
        "model": "stub?n=1",
        "system": [system],
        "messages": [{"role": "user", "content": REQUEST.messages[1].content}],
        "stream": True,
        "max_tokens": 2000,
        "temperature": 0.7,
    }


def test_anthropic_never_gets_temperature_and_top_p_together() -> None:
    model = AnthropicChat("claude", Configuration(anthropic_api_key="k"))
    warm = model.payload(WARM)
    assert (warm["top_p"], "temperature" in warm) == (0.9, False)
    assert model.payload(replace(WARM, top_p=1.0))["temperature"] == 1.0


def test_only_the_first_system_message_is_marked_for_the_cache() -> None:
    request = with_messages(("system", "Who you are."), ("system", "Passages."), ("user", "Hi"))
    payload = AnthropicChat("claude", Configuration()).payload(request)
    assert [("cache_control" in block) for block in payload["system"]] == [True, False]


def test_anthropic_turns_alternate() -> None:
    request = with_messages(
        ("assistant", "Hello!"),
        ("user", "One"),
        ("user", "Two"),
        ("assistant", " "),
        ("user", "Three"),
        ("assistant", "Four"),
        ("system", "Passages."),
        ("user", "Five"),
    )
    payload = AnthropicChat("claude", Configuration()).payload(request)
    assert payload["messages"] == [
        {"role": "user", "content": OPENING},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "One\n\nTwo\n\nThree"},
        {"role": "assistant", "content": "Four"},
        {"role": "user", "content": "Five"},
    ]


async def test_anthropic_input_includes_the_cache(stub: Stub) -> None:
    _, plain = await ask(remote("anthropic", "stub?n=1", stub))
    _, cached = await ask(remote("anthropic", "stub?n=1&cached=100&written=30", stub))
    assert cached.usage.input_tokens == plain.usage.input_tokens + 130
    assert (cached.usage.cached_tokens, cached.usage.cache_write_tokens) == (100, 30)


@pytest.mark.parametrize(
    ("provider", "refused", "kept"),
    [
        ("openai", "temperature", "max_tokens"),
        ("openai", "stream_options", "max_tokens"),
        ("openai", "max_tokens", "max_completion_tokens"),
        ("anthropic", "temperature", "max_tokens"),
    ],
)
async def test_an_option_that_a_model_refuses_is_asked_once(
    stub: Stub, provider: str, refused: str, kept: str
) -> None:
    model = remote(provider, f"stub?n=2&refuse={refused}", stub)
    for _ in range(2):
        text, _ = await ask(model)
        assert text == "tok0 tok1 "
    bodies = [request["body"] for request in stub.requests]
    assert [refused in body for body in bodies] == [True, False, False]
    assert all(body[kept] == 2000 for body in bodies[1:])


async def test_other_refusals_teach_nothing(stub: Stub) -> None:
    name = "stub?error=400&message=max_tokens+is+too+large"
    _, error = await ask_in_vain(remote("openai", name, stub))
    assert (error.code, len(stub.requests)) == ("refused", 1)
    assert "max_tokens is too large" in error.detail


async def test_an_option_refused_under_both_names_ends_in_the_error(stub: Stub) -> None:
    name = "stub?error=400&message=Unsupported+parameter:+max_tokens"
    _, error = await ask_in_vain(remote("openai", name, stub))
    assert (error.code, len(stub.requests)) == ("refused", 2)
