"""The OpenAI-compatible embedder against a server of our own: what it sends, reads, and refuses."""

import base64

import numpy as np
import pytest
from aiohttp import web

from ai import http
from ai.configuration import Configuration
from ai.embedding import DIMENSIONS
from ai.embedding.openai import OpenAIEmbedder
from ai.patience import Patience
from kernel.errors import ProviderError

MAX_TEXTS = OpenAIEmbedder.limits.texts


def encoded(values):
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode()


def answer(texts, *, dimensions=DIMENSIONS, as_list=False, usage=True):
    data = []
    for index, text in enumerate(texts):
        vector = np.zeros(dimensions, dtype=np.float32)
        vector[len(text) % dimensions] = 3.0
        data.append({"index": index, "embedding": vector.tolist() if as_list else encoded(vector)})
    return {"data": data[::-1], "usage": {"prompt_tokens": 7 * len(texts)} if usage else None}


@pytest.fixture
async def server():
    class Server:
        requests: list = []
        reply = staticmethod(answer)
        status = 200
        headers: dict = {}

    async def embeddings(request):
        body = await request.json()
        state.requests.append((body, request.headers.get("Authorization")))
        if state.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=state.status, headers=state.headers)
        return web.json_response(state.reply(body["input"]))

    state = Server()
    state.requests = []
    application = web.Application()
    application.router.add_post("/v1/embeddings", embeddings)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    state.embedder = OpenAIEmbedder(
        "text-embedding-3-small",
        Configuration(openai_api_key="sk-test", openai_base_url=f"http://127.0.0.1:{port}/v1"),
        Patience(backoff_s=0.001, longest_wait_s=1),
    )
    yield state
    await http.close()
    await runner.cleanup()


async def test_it_asks_for_our_dimensions_in_base64_and_keeps_the_order(server):
    found = await server.embedder.embed(["a", "bbb"], kind="passage")
    body, key = server.requests[0]
    assert body == {
        "model": "text-embedding-3-small",
        "input": ["a", "bbb"],
        "dimensions": DIMENSIONS,
        "encoding_format": "base64",
    }
    assert key == "Bearer sk-test"
    assert [int(vector.argmax()) for vector in found.vectors] == [1, 3]
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1)
    assert (found.usage.input_tokens, found.usage.estimated) == (14, False)


async def test_shorter_vectors_are_spread_and_lists_are_read(server):
    server.reply = lambda texts: answer(texts, dimensions=384, as_list=True, usage=False)
    found = await server.embedder.embed(["abcd"], kind="query")
    assert found.vectors.shape == (1, DIMENSIONS)
    assert np.linalg.norm(found.vectors[0]) == pytest.approx(1, abs=1e-5)
    assert found.usage.estimated
    assert found.usage.input_tokens == 1


async def test_many_texts_go_out_in_several_requests(server):
    texts = ["t" * (n + 1) for n in range(MAX_TEXTS + 5)]
    found = await server.embedder.embed(texts, kind="passage")
    assert [len(body["input"]) for body, _ in server.requests] == [MAX_TEXTS, 5]
    assert [int(vector.argmax()) for vector in found.vectors] == [n + 1 for n in range(MAX_TEXTS + 5)]


async def test_empty_and_broken_texts_are_made_sendable(server):
    await server.embedder.embed(["", "\ud800x"], kind="query")
    assert server.requests[0][0]["input"] == [" ", "?x"]


async def test_nothing_is_sent_for_no_texts(server):
    found = await server.embedder.embed([], kind="query")
    assert found.vectors.shape == (0, DIMENSIONS)
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (401, "unauthorized", False),
        (429, "rate_limited", True),
        (500, "unavailable", True),
        (400, "refused", False),
    ],
)
async def test_failures_say_what_they_are(server, status, code, retryable):
    server.status, server.headers = status, {"Retry-After": "3"}
    with pytest.raises(ProviderError) as failed:
        await server.embedder.embed(["a"], kind="query")
    assert (failed.value.code, failed.value.retryable, failed.value.provider) == (code, retryable, "openai")
    assert failed.value.retry_after == (3.0 if status in (429, 500) else None)
    assert len(server.requests) == 1, "three seconds are more than this one waits"


async def test_a_moments_trouble_is_waited_out(server):
    server.status = 503
    with pytest.raises(ProviderError):
        await server.embedder.embed(["a"], kind="query")
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"data": []},
        {"data": [{"index": 0, "embedding": "not base64!"}]},
        {"data": [{"index": 0, "embedding": encoded([0.0] * DIMENSIONS)}]},
        {"data": [{"index": 0, "embedding": encoded([float("nan")] * DIMENSIONS)}]},
        {"data": [{"index": 0, "embedding": encoded([1.0] * 3072)}]},
        {"data": [{"index": 1, "embedding": encoded([1.0] * DIMENSIONS)}]},
        {"data": [{"index": 0, "embedding": None}]},
    ],
    ids=["nothing", "no vectors", "not base64", "zeros", "not numbers", "too long", "another index", "null"],
)
async def test_answers_we_cannot_read_are_bad_responses(server, reply):
    server.reply = lambda texts: reply
    with pytest.raises(ProviderError) as failed:
        await server.embedder.embed(["a"], kind="query")
    assert (failed.value.code, failed.value.retryable) == ("bad_response", True)
