"""What two tenants leave behind in Redis and on disk: each piece belongs to one of them, or says nothing of either.

Both do the same things through every door that leaves something: a chat over a socket and over HTTP, an upload, calls
with a key, a sign-in that fails. A new kind of key turns this red until it carries its tenant or is explained here.
"""

import re
import uuid
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from ai.chat.scripted import Script, scripting
from knowledge import ingest
from knowledge.uploading import upload
from tenants.context import acting_as
from tenants.creating import create_user
from tests import conversations
from tests.knowledge import corpus
from tests.tenants.callers import caller
from tests.widgets.chat.visitors import arrive, boot, settle

pytestmark = pytest.mark.django_db(transaction=True)

# Keys without a tenant in their name, and why that is right.
SHARED = {
    r"frontdesk:workers": "which workers live",
    r"frontdesk:(metrics:.*|seen)": "counters of processes, without tenants",
    r"frontdesk:canaries:\w+": "the platform's own round",
    r"frontdesk:tries:.*": "tries at signing in, before a tenant is known: names are hashes",
    r"frontdesk:proof:[0-9a-f]+": "a proof of work that was used: a hash",
    r"frontdesk:limit:.*": "how often somebody asked: a count for a key, person, tenant or address",
    r"fd:ticket:[\w-]+": "unguessable and good once; its value names its one tenant",
}


@pytest.fixture
def left(acme, bolt, redis, settings, tmp_path):
    """Where files go, and for each tenant a word that only its visitors and documents say."""
    settings.STORAGE_URL = f"file://{tmp_path}"
    settings.RATE_LIMITS = True
    return {acme: "amaranth", bolt: "burgundy"}


async def test_whatever_is_kept_outside_the_database_belongs_to_one_tenant(left, redis, settings, tmp_path):
    settings.LLM_MODEL = "scripted:chat"
    visitors = []
    for tenant, word in left.items():
        visitors.append(await _do_everything(tenant, word))
    kept = {key.decode(): _value(redis, key) for key in redis.scan_iter("*")}
    files = [path for path in Path(tmp_path).rglob("*") if path.is_file()]
    for visitor in visitors:
        await visitor.leave()

    unexplained, told = [], []
    for tenant, word in left.items():
        (other,) = (one for one in left if one != tenant)
        for key, value in kept.items():
            if str(tenant.pk) in key:
                if str(other.pk) in key or str(other.pk).encode() in value or left[other].encode() in value:
                    told.append(key)
            elif word.encode() in value and str(other.pk) not in key:
                told.append(key)  # what a visitor said, under a name without its tenant
    for key, value in kept.items():
        owners = [str(tenant.pk) for tenant in left if str(tenant.pk) in key]
        if not owners and not any(re.fullmatch(pattern, key) for pattern in SHARED):
            unexplained.append(key)
        if not owners and sum(str(tenant.pk).encode() in value for tenant in left) > 1:
            told.append(key)
    assert unexplained == []
    assert told == []
    # Each of them did leave something, or the test has looked at nothing.
    for tenant, word in left.items():
        assert any(str(tenant.pk) in key and word.encode() in value for key, value in kept.items())
        own = [path for path in files if str(tenant.pk) in path.parts]
        assert own
        assert all(word.encode() in path.read_bytes() for path in own)
    assert len(files) == len(
        [path for path in files if {str(tenant.pk) for tenant in left} & set(path.parts)]
    )


async def _do_everything(tenant, word):
    widget = await sync_to_async(_prepare)(tenant, word)
    script = Script(deltas=(f"The colour is {word} ", "[1]."), provider="offline", model="test")
    with scripting("chat", script):
        visitor = await arrive(widget)
        await visitor.ask(f"Is the colour of the hub {word}?", client_id=str(uuid.UUID(int=7)))
        await settle()
    await sync_to_async(_over_http)(tenant, widget, word)
    return visitor


def _prepare(tenant, word):
    conversations.teach(tenant, "Colours", f"# Colours\n\nThe colour of the hub is {word}.")
    with acting_as(tenant):
        document = upload("colours.md", f"# Paint\n\nPaint it {word}.".encode())
    ingest.ingest(corpus.ref(tenant), document.pk)
    return conversations.known_widget(tenant)


def _over_http(tenant, widget, word):
    token = boot(widget).json()["visitor_token"]
    headers = {"Origin": widget.domain_whitelist[0], "Authorization": f"Bearer {token}"}
    said = Client(headers=headers).get("/widget/v1/messages?after=0")
    assert said.status_code == 200
    call = caller(Client(), tenant)
    assert call("GET", "sessions/").status_code == 200
    made = call("POST", "documents/", {"title": "T", "content": word}, **{"Idempotency-Key": "the-same"})
    assert made.status_code == 202
    with acting_as(tenant):
        create_user(f"somebody@{tenant.slug}.example", "correct horse battery")
    refused = Client().post(
        "/admin/login/", {"username": f"somebody@{tenant.slug}.example", "password": "wrong"}
    )
    assert refused.status_code == 200


def _value(redis, key):
    match redis.type(key):
        case b"string":
            return redis.get(key) or b""
        case b"hash":
            return repr(redis.hgetall(key)).encode()
        case b"list":
            return repr(redis.lrange(key, 0, -1)).encode()
        case b"set":
            return repr(redis.smembers(key)).encode()
        case b"zset":
            return repr(redis.zrange(key, 0, -1)).encode()
        case b"stream":
            return repr(redis.xrange(key)).encode()
        case b"none":
            return b""  # its time ran out since it was listed
        case other:
            raise AssertionError(f"{key!r} is a {other!r}: say here how it is read")
