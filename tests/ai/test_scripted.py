"""The scripted model does what its script says."""

import asyncio

import pytest

from ai.chat import ChatModel, Completed, TextDelta, chat_model, estimate_usage
from ai.chat.scripted import Script, ScriptedChat, scripting
from ai.usage import Usage
from kernel.errors import ProviderError
from tests.ai.asking import REQUEST, ask, ask_in_vain


async def test_it_says_its_lines_and_keeps_what_it_was_asked() -> None:
    script = Script(
        ("One ", "two."), usage=Usage(10, 2, 5), finish_reason="length", provider="openai", model="gpt-4o"
    )
    with scripting("lines", script):
        model: ChatModel = chat_model("scripted:lines")
        assert [event async for event in model.stream(REQUEST)] == [
            TextDelta("One "),
            TextDelta("two."),
            Completed("length", Usage(10, 2, 5), "gpt-4o"),
        ]
    assert (model.provider, model.model) == ("openai", "gpt-4o")
    assert script.requests == [REQUEST]


async def test_usage_is_estimated_unless_scripted() -> None:
    with scripting("plain", Script(("Hello.",))):
        _, completed = await ask(ScriptedChat("plain"))
    assert completed.usage == estimate_usage(REQUEST, "Hello.")
    assert completed.model == "plain"


@pytest.mark.parametrize(("at", "said"), [(0, ""), (1, "a"), (None, "ab"), (9, "ab")])
async def test_it_fails_where_it_is_told_to(at: int | None, said: str) -> None:
    error = ProviderError("broken", provider="scripted", retryable=True, code="cut")
    with scripting("broken", Script(("a", "b"), error=error, error_at=at)):
        text, raised = await ask_in_vain(ScriptedChat("broken"))
    assert (text, raised) == (said, error)


async def test_it_takes_its_time() -> None:
    clock = asyncio.get_running_loop().time
    started = clock()
    with scripting("slow", Script(("a", "b"), delay=0.03)):
        await ask(ScriptedChat("slow"))
    assert clock() - started >= 0.05
