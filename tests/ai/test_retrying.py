"""Retries: in one place, counted, and never after somebody has seen a word."""

import pytest

from ai.chat import Completed, TextDelta
from ai.chat.retrying import Retrying
from ai.chat.scripted import Script, ScriptedChat, scripting
from ai.patience import Patience
from kernel.errors import ProviderError
from tests.ai.asking import REQUEST, ask, ask_in_vain, remote
from tests.ai.stub_provider import Stub

providers = pytest.mark.parametrize("provider", ["openai", "anthropic"])


def patient(provider: str, name: str, stub: Stub) -> Retrying:
    return Retrying(remote(provider, name, stub), Patience(backoff_s=0.001))


@providers
@pytest.mark.parametrize("fault", ["429", "500", "503", "early"])
async def test_two_failures_before_the_first_word_are_survived(stub: Stub, provider: str, fault: str) -> None:
    name = f"stub?n=2&error={fault}&first=2"
    text, completed = await ask(patient(provider, name, stub))
    assert (text, completed.retries, stub.count(name)) == ("tok0 tok1 ", 2, 3)


@providers
async def test_the_third_failure_is_the_answer(stub: Stub, provider: str) -> None:
    _, error = await ask_in_vain(patient(provider, "stub?error=500", stub))
    assert (error.code, len(stub.requests)) == ("unavailable", 3)


@providers
@pytest.mark.parametrize("fault", ["400", "401", "timeout", "badjson", "empty"])
async def test_failures_that_would_come_again_or_were_work_are_not_repeated(
    stub: Stub, provider: str, fault: str
) -> None:
    await ask_in_vain(patient(provider, f"stub?error={fault}", stub))
    assert len(stub.requests) == 1


@providers
@pytest.mark.parametrize("fault", ["cut", "end", "stall", "event"])
async def test_nothing_is_repeated_after_the_first_word(stub: Stub, provider: str, fault: str) -> None:
    text, _ = await ask_in_vain(patient(provider, f"stub?n=4&itl=0.01&error={fault}", stub))
    assert text.startswith("tok0 ")
    assert len(stub.requests) == 1


@pytest.mark.parametrize(("wait", "calls"), [("6", 1), ("0.01", 3), ("Wed, 21 Oct 2015 07:28:00 GMT", 3)])
async def test_a_provider_may_ask_for_five_seconds_and_no_more(stub: Stub, wait: str, calls: int) -> None:
    name = f"stub?error=429&retry_after={wait.replace(' ', '+')}"
    _, error = await ask_in_vain(patient("openai", name, stub))
    assert (error.code, len(stub.requests)) == ("rate_limited", calls)


async def test_the_wait_grows_and_honours_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    limited = ProviderError("slow down", provider="p", retryable=True, code="rate_limited", retry_after=0.4)
    with scripting("limited", Script(error=limited, error_at=0)):
        model = Retrying(ScriptedChat("limited"))
        monkeypatch.setattr("ai.chat.retrying.asyncio.sleep", note)
        _, error = await ask_in_vain(model)
    assert error is limited
    assert len(waits) == 2
    assert waits[0] == 0.4
    assert 0.5 <= waits[1] <= 0.625


async def test_a_spent_quota_is_not_asked_again(stub: Stub) -> None:
    spent = ProviderError("no quota", provider="p", retryable=False, code="rate_limited")
    with scripting("spent", Script(error=spent, error_at=0)) as script:
        await ask_in_vain(Retrying(ScriptedChat("spent")))
    assert len(script.requests) == 1


async def test_closing_the_wrapper_hangs_up(stub: Stub) -> None:
    stream = patient("openai", "stub?n=1000&itl=0.01", stub).stream(REQUEST)
    assert isinstance(await anext(stream), TextDelta)
    await stream.aclose()
    events = [event async for event in patient("openai", "stub?n=1", stub).stream(REQUEST)]
    assert isinstance(events[-1], Completed)
    assert len({request["peer"] for request in stub.requests}) == 2
