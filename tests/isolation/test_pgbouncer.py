"""The services of docker-compose.yml as processes of their own, behind a real PgBouncer in transaction mode.

Two tenants talk at once over three server connections: whatever of a tenant's context outlived its transaction, or
needed a session of its own, would show here.
"""

import asyncio
import itertools

import pytest

from benchmarks.knowledge_base import Api
from benchmarks.visitors import Website, client_session
from tests.config.compose_file import LONG_RUNNING, SERVER_CONNECTIONS, alive, backends, composed

pytestmark = pytest.mark.live

FACTS = {
    "acme": "The warranty of every Acme device is three years from the day of delivery.",
    "bolt": "A Bolt scooter ride is insured for accidents up to thirty thousand euros.",
}
QUESTIONS = {
    "acme": "How long is the warranty of every Acme device?",
    "bolt": "For how much is a Bolt scooter ride insured?",
}
VISITORS, TURNS = 4, 5


@pytest.fixture(scope="module")
def copy():
    with composed() as started:
        yield started


@pytest.fixture(scope="module")
def tenants(copy):
    return {slug: copy.installation.tenant(slug) for slug in FACTS}


async def test_two_tenants_talk_over_few_server_connections_and_see_nothing_of_each_other(copy, tenants):
    async with client_session() as http:
        apis = {slug: Api(http, copy.installation.url, tenant.api_key) for slug, tenant in tenants.items()}
        for slug, api in apis.items():
            await _taught(api, FACTS[slug])
        visitors = [
            (slug, await Website(http, copy.installation.url, tenant.widget_key, tenant.origin).arrive())
            for slug, tenant in itertools.islice(itertools.cycle(tenants.items()), 2 * VISITORS)
        ]
        talks = [_talk(visitor, QUESTIONS[slug]) for slug, visitor in visitors]
        reads = [_read(api) for api in apis.values()]
        answers = dict.fromkeys(FACTS, "")
        for (slug, _), said in zip(
            visitors, (await asyncio.gather(*talks, *reads))[: len(talks)], strict=True
        ):
            answers[slug] += said
        assert 1 <= backends(copy) <= SERVER_CONNECTIONS
        for slug, other in (("acme", "bolt"), ("bolt", "acme")):
            assert FACTS[slug] in answers[slug]
            assert FACTS[other] not in answers[slug]
            await _sees_only_its_own(apis[slug], slug, other)


async def test_each_process_says_of_itself_that_it_works(copy):
    for service in LONG_RUNNING:
        for _ in range(40):
            if (found := alive(copy, service)).returncode == 0:
                break
            await asyncio.sleep(0.5)
        assert (found.returncode, found.stderr) == (0, ""), service


async def test_nothing_that_needs_a_session_of_its_own_was_tried(copy):
    printed = copy.log()
    assert "prepared statement" not in printed
    assert "unsupported startup parameter" not in printed
    assert '"level":"error"' not in printed
    assert "Traceback" not in printed


async def _taught(api, fact):
    document = await api.post("documents/", {"title": "Facts", "content": fact})
    for _ in range(300):
        found = await api.get(f"documents/{document['id']}/")
        assert found["status"] != "failed", found
        if found["status"] == "ready":
            return
        await asyncio.sleep(0.2)
    raise AssertionError("the document was not ready in time")


async def _talk(visitor, question):
    said = [(await visitor.ask(f"{question} ({turn})")).answer for turn in range(TURNS)]
    await visitor.socket.close()
    return "\n".join(said)


async def _read(api):
    for _ in range(TURNS * 4):
        await api.get("sessions/")
        await api.get("documents/")


async def _sees_only_its_own(api, slug, other):
    documents = await api.every("documents/")
    assert [document["title"] for document in documents] == ["Facts"]
    sessions = await api.every("sessions/")
    assert len(sessions) == VISITORS
    for session in sessions:
        messages = await api.every(f"sessions/{session['id']}/messages/")
        assert sorted(message["seq"] for message in messages) == list(range(1, 2 * TURNS + 1))
        text = "\n".join(message["content"] for message in messages)
        assert QUESTIONS[slug] in text
        assert QUESTIONS[other] not in text
        cited = {citation["document_id"] for message in messages for citation in message["citations"]}
        assert cited <= {documents[0]["id"]}
    events = await api.every("cost-events/")
    assert {event["session"] for event in events if event["session"]} == {
        session["id"] for session in sessions
    }
