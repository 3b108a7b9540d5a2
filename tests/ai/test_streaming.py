"""Both providers over the wire: good streams, and every fault that a provider is known for."""

import asyncio

import pytest

from ai.chat import TextDelta, estimate_usage
from ai.configuration import Timeouts
from ai.usage import Usage
from tests.ai.asking import PROVIDERS, REQUEST, ask, ask_in_vain, remote
from tests.ai.stub_provider import Stub

both = pytest.mark.parametrize("provider", PROVIDERS)
HALF = "tok0 tok1 tok2 "


@both
async def test_an_answer_streams_and_completes(stub: Stub, provider: str) -> None:
    text, completed = await ask(remote(provider, "stub?n=4&cached=5&itl=0.002", stub))
    assert text == "tok0 tok1 tok2 tok3 "
    assert (completed.finish_reason, completed.model, completed.retries) == ("stop", "stub", 0)
    usage = completed.usage
    assert (usage.output_tokens, usage.cached_tokens, usage.estimated) == (4, 5, False)
    assert usage.input_tokens > usage.cached_tokens


@both
async def test_deltas_arrive_while_the_model_still_writes(stub: Stub, provider: str) -> None:
    model = remote(provider, "stub?n=5&itl=0.05", stub)
    clock = asyncio.get_running_loop().time
    arrivals = [clock() async for event in model.stream(REQUEST) if isinstance(event, TextDelta)]
    assert len(arrivals) == 5
    assert arrivals[-1] - arrivals[0] > 0.1


@both
async def test_text_survives_the_wire_exactly(stub: Stub, provider: str) -> None:
    said = "Größe 日本語 🙂 *bold* \\n < & >"
    text, _ = await ask(remote(provider, f"stub?text={said.replace('&', '%26').replace(' ', '+')}", stub))
    assert text == said


@both
async def test_thinking_is_neither_text_nor_silence(stub: Stub, provider: str) -> None:
    text, _ = await ask(remote(provider, "stub?n=1&reasoning=3", stub))
    assert text == "tok0 "


@both
async def test_usage_is_estimated_where_none_is_sent(stub: Stub, provider: str) -> None:
    text, completed = await ask(remote(provider, "stub?n=6&usage=0", stub))
    assert completed.usage == estimate_usage(REQUEST, text)
    assert completed.usage.estimated
    assert completed.usage.output_tokens == len(text.encode()) // 4 + 1


FAULTS = {
    # error: (code, retryable, what was said before)
    "400": ("refused", False, ""),
    "401": ("unauthorized", False, ""),
    "403": ("unauthorized", False, ""),
    "404": ("unavailable", False, ""),
    "413": ("refused", False, ""),
    "429": ("rate_limited", True, ""),
    "500": ("unavailable", True, ""),
    "503": ("unavailable", True, ""),
    "529": ("unavailable", True, ""),
    "timeout": ("timeout", True, ""),
    "badjson": ("bad_response", True, ""),
    "html": ("bad_response", True, ""),
    "badevent": ("bad_response", True, HALF),
    "event": ("unavailable", True, HALF),
    "empty": ("bad_response", True, ""),
    "early": ("cut", True, ""),
    "cut": ("cut", True, HALF),
    "end": ("cut", True, HALF),
    "stall": ("stalled", True, HALF),
    "nostop": ("cut", True, HALF + "tok3 tok4 tok5 "),
}


@both
@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_is_told_apart(stub: Stub, provider: str, fault: str) -> None:
    name = f"stub?n=6&itl=0.005&error={fault}"
    text, error = await ask_in_vain(remote(provider, name, stub))
    code, retryable, said = FAULTS[fault]
    if fault == "early" and error.code == "unavailable":
        code = "unavailable"  # the stub may hang up before its headers have left
    assert (error.code, error.retryable, error.provider) == (code, retryable, provider)
    # A reset throws away what the kernel had received and we had not read yet, so only a beginning is certain.
    assert text == said or (fault == "cut" and said.startswith(text))
    assert provider in error.detail
    assert "key-of" not in error.detail
    assert stub.count(name) == 1, "a bare model must not retry"


@both
async def test_a_loss_after_the_finish_reason_loses_no_answer(stub: Stub, provider: str) -> None:
    text, completed = await ask(remote(provider, "stub?n=3&error=tail&itl=0.01", stub))
    assert (text, completed.finish_reason) == ("tok0 tok1 tok2 ", "stop")
    assert completed.usage.output_tokens > 0


@both
@pytest.mark.parametrize("kind", ["rate_limit_error", "invalid_request_error", "authentication_error"])
async def test_an_error_event_is_read(stub: Stub, provider: str, kind: str) -> None:
    codes = {
        "rate_limit_error": "rate_limited",
        "invalid_request_error": "refused",
        "authentication_error": "unauthorized",
    }
    _, error = await ask_in_vain(remote(provider, f"stub?n=4&error=event&kind={kind}", stub))
    assert error.code == codes[kind]


@both
async def test_retry_after_is_passed_on(stub: Stub, provider: str) -> None:
    _, error = await ask_in_vain(remote(provider, "stub?error=429&retry_after=7", stub))
    assert error.retry_after == 7.0


@both
async def test_the_whole_answer_has_a_limit_too(stub: Stub, provider: str) -> None:
    timeouts = Timeouts(first_token=5, stall=5, total=0.2)
    text, error = await ask_in_vain(remote(provider, "stub?n=1000&itl=0.02", stub, timeouts))
    assert error.code == "timeout"
    assert text.startswith("tok0 ")


@both
async def test_nobody_listening(stub: Stub, provider: str, unused_tcp_port: int) -> None:
    gone = Stub(url=f"http://127.0.0.1:{unused_tcp_port}")
    _, error = await ask_in_vain(remote(provider, "stub", gone))
    assert (error.code, error.retryable) == ("unavailable", True)


@both
async def test_one_connection_serves_answer_after_answer(stub: Stub, provider: str) -> None:
    for _ in range(3):
        await ask(remote(provider, "stub?n=2", stub))
    assert len({request["peer"] for request in stub.requests}) == 1


@both
async def test_leaving_early_hangs_up(stub: Stub, provider: str) -> None:
    model = remote(provider, "stub?n=1000&itl=0.01", stub)
    stream = model.stream(REQUEST)
    assert isinstance(await anext(stream), TextDelta)
    await stream.aclose()
    await ask(remote(provider, "stub?n=1", stub))
    assert len({request["peer"] for request in stub.requests}) == 2


def test_usage_of_a_cut_stream_can_be_estimated() -> None:
    usage = estimate_usage(REQUEST, HALF)
    assert usage == Usage(usage.input_tokens, 4, estimated=True)
    assert usage.input_tokens > 8
