"""Servers that answer 200 and then do strange things, byte for byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from ai import http
from ai.chat.anthropic import AnthropicChat
from ai.chat.openai import OpenAIChat
from ai.configuration import Configuration
from ai.sse import MAX_PENDING
from ai.usage import Usage
from tests.ai.asking import HASTY, ask, ask_in_vain

Saying = Callable[..., Awaitable[Configuration]]


@pytest.fixture
async def saying() -> AsyncIterator[Saying]:
    """`await saying(piece, …, hold=seconds, beat=seconds)`: a server that streams these pieces, then holds the line,
    sending a comment at every beat."""
    runners: list[web.AppRunner] = []

    async def start(*pieces: str, hold: float = 0, beat: float = 0) -> Configuration:
        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            for piece in pieces:
                await response.write(piece.encode())
            for _ in range(int(hold / beat) if beat else 0):
                await response.write(b": still there\n\n")
                await asyncio.sleep(beat)
            await asyncio.sleep(0 if beat else hold)
            return response

        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.05)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return Configuration("", f"{url}/v1", "", url, HASTY)

    yield start
    await http.close()
    for runner in runners:
        await runner.cleanup()


def chunk(text: str, finish: str = "null", more: str = "") -> str:
    return f'data: {{"choices": [{{"delta": {{"content": {text}}}, "finish_reason": {finish}}}]{more}}}\n\n'


async def openai_error(configured: Configuration) -> str:
    _, error = await ask_in_vain(OpenAIChat("m", configured))
    return error.code


@pytest.mark.parametrize(
    "piece",
    [
        chunk("5"),
        chunk('["a"]'),
        'data: {"choices": 1}\n\n',
        'data: {"choices": [[]]}\n\n',
        "data: []\n\n",
        "data: null\n\n",
        'data: {"usage": 4}\n\n',
        'data: {"usage": {"prompt_tokens": "many"}}\n\n',
        "data: {\xff}\n\n",
    ],
)
async def test_events_of_another_shape(saying: Saying, piece: str) -> None:
    assert await openai_error(await saying(piece, chunk('"a"', '"stop"'))) == "bad_response"


async def test_an_event_without_end(saying: Saying) -> None:
    assert await openai_error(await saying("data: " + "x" * MAX_PENDING)) == "bad_response"


async def test_nothing_at_all(saying: Saying) -> None:
    assert await openai_error(await saying()) == "cut"


@pytest.mark.parametrize(("pieces", "code"), [((), "timeout"), ((chunk('"a"'),), "stalled")])
async def test_signs_of_life_are_no_answer(saying: Saying, pieces: tuple[str, ...], code: str) -> None:
    assert await openai_error(await saying(*pieces, hold=2, beat=0.05)) == code


@pytest.mark.parametrize(("reason", "code"), [("content_filter", "refused"), ("length", "bad_response")])
async def test_openai_declining_and_thinking_too_long(saying: Saying, reason: str, code: str) -> None:
    assert await openai_error(await saying(chunk("null", f'"{reason}"'), "data: [DONE]\n\n")) == code


async def test_blank_text_is_no_answer(saying: Saying) -> None:
    configured = await saying(chunk('"\\n "', '"stop"'), "data: [DONE]\n\n")
    _, error = await ask_in_vain(OpenAIChat("m", configured))
    assert error.code == "bad_response"


async def test_claude_declining(saying: Saying) -> None:
    configured = await saying(
        'data: {"type": "message_delta", "delta": {"stop_reason": "refusal"}}\n\n',
        'data: {"type": "message_stop"}\n\n',
    )
    _, error = await ask_in_vain(AnthropicChat("m", configured))
    assert (error.code, error.retryable) == ("refused", False)


async def test_claudes_events_of_another_shape(saying: Saying) -> None:
    configured = await saying('data: {"type": "content_block_delta"}\n\n')
    _, error = await ask_in_vain(AnthropicChat("m", configured))
    assert error.code == "bad_response"


async def test_a_server_that_does_not_hang_up_after_the_end(saying: Saying) -> None:
    text, completed = await ask(
        OpenAIChat("m", await saying(chunk('"a"', '"stop"'), "data: [DONE]\n\n", hold=5))
    )
    assert (text, completed.finish_reason) == ("a", "stop")


async def test_usage_in_every_chunk_and_of_zeros(saying: Saying) -> None:
    zeros = ', "usage": {"prompt_tokens": 0, "completion_tokens": 0}'
    counts = ', "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 99}}'
    _, counted = await ask(
        OpenAIChat("m", await saying(chunk('"a"', more=zeros), chunk('"b"', '"stop"', counts)))
    )
    assert counted.usage == Usage(9, 2, 9)
    _, zero = await ask(OpenAIChat("m", await saying(chunk('"a"', '"stop"', zeros))))
    assert zero.usage.estimated


async def test_carriage_returns_and_no_done(saying: Saying) -> None:
    text, _ = await ask(
        OpenAIChat("m", await saying(": hello\r\n\r\n", chunk('"a"', '"stop"').replace("\n", "\r\n")))
    )
    assert text == "a"
