"""The shared session and the guard that keeps tests from spending money."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from ai import http
from ai.chat.openai import OpenAIChat
from ai.configuration import Configuration
from kernel.errors import ProviderError
from tests.ai.asking import REQUEST, ask_in_vain
from tests.ai.stub_provider import ROOT, Stub, running


@pytest.fixture
def _guarded() -> None:
    assert os.environ.get(http.GUARD), "tests/conftest.py must switch loopback_only on"


@pytest.mark.usefixtures("_guarded")
@pytest.mark.parametrize(
    "host",
    [
        "api.openai.com",
        "127.0.0.1.example.com",
        "10.0.0.1",
        "0.0.0.0",
        "[2001:db8::1]",
        "localhost.example.com",
    ],
)
async def test_no_test_can_call_a_stranger(host: str) -> None:
    model = OpenAIChat("gpt-4o", Configuration("a key", f"https://{host}/v1"))
    with pytest.raises(http.ForbiddenHost, match="switched off"):
        await anext(model.stream(REQUEST))


@pytest.mark.usefixtures("_guarded")
@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "[::1]"])
async def test_this_machine_may_be_called(host: str, unused_tcp_port: int) -> None:
    _, error = await ask_in_vain(OpenAIChat("m", Configuration("", f"http://{host}:{unused_tcp_port}/v1")))
    assert error.code == "unavailable"
    await http.close()


@pytest.mark.usefixtures("_guarded")
def test_processes_that_a_test_starts_inherit_the_guard() -> None:
    program = (
        "import asyncio; from ai import http\n"
        "asyncio.run(http.post_json('https://api.openai.com/v1', provider='p', headers={}, payload={}, timeout_s=1))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "ForbiddenHost" in done.stderr


async def test_one_session_per_event_loop(stub: Stub) -> None:
    assert http.session() is http.session()
    here = http.session()

    async def elsewhere() -> bool:
        try:
            return http.session() is not here
        finally:
            await http.close()

    assert await asyncio.to_thread(asyncio.run, elsewhere())
    await http.close()
    await http.close()
    assert http.session() is not here


async def test_json_there_and_back(stub: Stub) -> None:
    payload = {"model": "stub", "input": ["a", "b"]}
    answer = await http.post_json(
        f"{stub.url}/v1/embeddings", provider="p", headers={"X-Api-Key": "k"}, payload=payload, timeout_s=5
    )
    assert [len(item["embedding"]) for item in answer["data"]] == [1024, 1024]
    assert stub.requests[0]["headers"]["x-api-key"] == "k"


@pytest.mark.parametrize(
    ("fault", "code"),
    [("timeout", "timeout"), ("badjson", "bad_response"), ("500", "unavailable"), ("401", "unauthorized")],
)
async def test_json_faults(stub: Stub, fault: str, code: str) -> None:
    payload = {"model": f"stub?error={fault}", "input": "a"}
    with pytest.raises(ProviderError) as caught:
        await http.post_json(
            f"{stub.url}/embeddings", provider="p", headers={}, payload=payload, timeout_s=0.3
        )
    assert caught.value.code == code


@pytest.fixture
async def redirecting(stub: Stub) -> AsyncIterator[str]:
    """A server that sends everyone on to the stub."""

    async def move(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(f"{stub.url}{request.path}")

    app = web.Application()
    app.router.add_post("/{path:.*}", move)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_key_does_not_follow_a_redirect(stub: Stub, redirecting: str) -> None:
    _, error = await ask_in_vain(OpenAIChat("stub", Configuration("secret", f"{redirecting}/v1")))
    assert error.code == "bad_response"
    assert stub.requests == []


async def test_the_stub_runs_as_a_process_too() -> None:
    with running() as url:
        model = OpenAIChat("stub?n=2", Configuration(openai_base_url=f"{url}/v1"))
        assert len([event async for event in model.stream(REQUEST)]) >= 2
        await http.close()


def test_the_guard_can_be_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(http.GUARD, "1")
    http.loopback_only(False)
    assert http.GUARD not in os.environ
    http.loopback_only()
    assert os.environ[http.GUARD]
