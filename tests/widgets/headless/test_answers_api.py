"""answers/: asked once, without a conversation."""

import json

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from kernel.ids import uuid7
from tenants.context import acting_as
from tests import cast, conversations
from tests.tenants.callers import caller, wrong_fields
from tests.widgets.chat.visitors import settle
from widgets.models import Personality

QUESTION = "How long is the warranty of the hub?"


@pytest.fixture
def ask(acme, bolt, redis, transactional_db):
    conversations.teach(bolt, "Warranty", "The warranty of a Bolt scooter is nine months.")
    conversations.teach(acme, "Warranty", "# Warranty\n\nThe warranty of the hub is two years.")
    headers = {"Authorization": f"Bearer {cast.api_key(acme)}"}

    async def post(**body):
        return await AsyncClient().post(
            "/api/v1/answers/", body, content_type="application/json", headers=headers
        )

    return post


async def test_an_answer_rests_on_ones_own_documents(ask):
    told = (await ask(question=QUESTION)).json()
    assert "two years" in told["answer"]
    assert "nine months" not in told["answer"]
    assert (told["abstained"], told["citations"][0]["title"]) == (False, "Warranty")
    abstained = (await ask(question="Which xylophone did Mozart prefer?")).json()
    assert (abstained["abstained"], abstained["citations"]) == (True, [])


async def test_a_stream_ends_with_the_whole_message(ask):
    response = await ask(question=QUESTION, stream=True)
    assert response["Content-Type"] == "text/event-stream"
    text = b"".join([piece async for piece in response.streaming_content]).decode()
    frames = [json.loads(block.partition("data: ")[2]) for block in text.strip().split("\n\n")]
    assert [frames[0]["type"], frames[-1]["type"]] == ["start", "message"]
    assert "".join(f["text"] for f in frames if f["type"] == "delta") == frames[-1]["message"]["content"]
    await settle()


async def test_a_personality_must_be_an_active_one_of_ones_own(ask, acme, bolt):
    def made(tenant, **fields):
        with acting_as(tenant):
            return str(Personality.objects.create(name="Voice", **fields).pk)

    own = await sync_to_async(made)(acme)
    assert (await ask(question=QUESTION, personality=own)).status_code == 200
    idle = await sync_to_async(made)(acme, is_active=False)
    theirs = await sync_to_async(made)(bolt)
    for other in (idle, theirs, str(uuid7())):
        for stream in (False, True):
            assert wrong_fields(await ask(question=QUESTION, personality=other, stream=stream)) == {
                "personality"
            }


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "question"), ({"question": " "}, "question"), ({"question": "x" * 8001}, "question"),
     ({"question": "x", "history": [{"role": "system", "content": "x"}]}, "history.0.role"),
     ({"question": "x", "personality": "x"}, "personality"), ({"question": "x", "model": "gpt"}, "model")],
)  # fmt: skip
def test_a_wrong_field_is_named(client, acme, body, field):
    assert wrong_fields(caller(client, acme)("POST", "answers/", body)) == {field}
