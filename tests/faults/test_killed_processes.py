"""kill -9 in the middle of a conversation: nothing acknowledged is lost, the visitor is told, the cost is booked."""

import asyncio
import os
import signal
import time
import uuid

import pytest

from benchmarks.installation import installed
from benchmarks.knowledge_base import Api, teach
from benchmarks.visitors import Website, client_session, next_frame, send
from tests.ai.stub_provider import running

pytestmark = pytest.mark.live

MODEL = "stub?ttft=0.2&itl=0.25&n=40"
QUESTION = "How long is the warranty of my device?"
# The lease of an answer (10 s), beat's round (5 s) and a restart on a busy machine.
RECOVERED_S = 60


@pytest.fixture(scope="module")
def copy():
    with (
        running() as stub,
        installed(
            LLM_MODEL=f"openai:{MODEL}",
            EMBEDDING_MODEL="openai:stub",
            OPENAI_BASE_URL=f"{stub}/v1",
            OPENAI_API_KEY="none",
        ) as started,
    ):
        yield started


async def test_a_killed_web_process_loses_nothing(copy):
    tenant = copy.tenant("acme", models=["stub", MODEL])
    async with client_session() as http:
        api = Api(http, copy.url, tenant.api_key)
        await teach(api)
        website = Website(http, copy.url, tenant.widget_key, tenant.origin)
        visitor = await website.arrive()
        client_id = str(uuid.uuid4())
        await send(visitor.socket, {"type": "message", "id": client_id, "content": QUESTION})
        frames = [await next_frame(visitor.socket) for _ in range(6)]
        ack = frames[0]
        assert [frame["type"] for frame in frames] == ["ack", "start", "delta", "delta", "delta", "delta"]
        told = "".join(frame["text"] for frame in frames[2:])
        await asyncio.sleep(0.3)

        os.kill(copy.process("web"), signal.SIGKILL)
        again = await _arrive(website, visitor.token)
        await send(again.socket, {"type": "message", "id": client_id, "content": QUESTION})
        assert await _next(again, "ack") == ack
        messages = await _recovered(again, api, ack["session"])

        question, answer = messages
        assert (question["content"], question["seq"], question["client_id"]) == (QUESTION, 1, client_id)
        assert (answer["id"], answer["seq"], answer["status"]) == (frames[1]["message_id"], 2, "interrupted")
        assert answer["content"].startswith(told)
        events = await api.every("cost-events/", session=ack["session"])
        assert [event["service"] for event in events].count("llm") == 1
        assert all(event["cost_usd"] is not None for event in events)

        await send(again.socket, {"type": "message", "id": str(uuid.uuid4()), "content": QUESTION})
        assert (await _next(again, "ack"))["seq"] == 3
        assert (await _next(again, "start"))["message_id"] != answer["id"]


async def _arrive(website, token):
    deadline = time.monotonic() + RECOVERED_S
    while True:
        try:
            return await website.arrive(token)
        except Exception:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.3)


async def _next(visitor, kind):
    async with asyncio.timeout(RECOVERED_S):
        while (frame := await next_frame(visitor.socket))["type"] != kind:
            pass
    return frame


async def _recovered(visitor, api, session):
    """What the visitor finds by resuming until the answer is there, which is what the API shows too."""
    deadline = time.monotonic() + RECOVERED_S
    while time.monotonic() < deadline:
        await send(visitor.socket, {"type": "resume", "after": 0})
        found = (await _next(visitor, "history"))["messages"]
        if len(found) == 2:
            shown = await api.every(f"sessions/{session}/messages/")
            assert sorted(message["id"] for message in shown) == sorted(message["id"] for message in found)
            return found
        await asyncio.sleep(1)
    raise AssertionError("the answer was not recovered in time")
