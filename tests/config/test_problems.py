"""Whatever a program is refused, it is told as problem+json; people get pages; neither learns what is inside."""

import asyncio
import json
import logging
import re

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from config import asgi, http_protocol, problem_net
from config.isolation import doors
from kernel import observing
from tenants.rest.problems import CODES, for_programs, server_error
from tests.cast import api_key
from tests.tenants.callers import caller
from widgets.chat import booting, exchanging

pytestmark = pytest.mark.django_db

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FROBNICATE")
ARGUMENT = re.compile(r"<[^>]+>")
SOME_ID = "01970000-0000-7000-8000-00000000000a"
UNKNOWN = (
    "/api", "/api/", "/api/v1/", "/api/v1/nothing/", "/api/v2/widgets/", "/api/v1/widgets/x/y/z", "/widget", "/widget/",
    "/widget/v1/nothing", "/widget/v1/panel.js", "/widget/v9.js", "/webhooks", "/webhooks/", "/webhooks/stripe/x",
    "/api/v1/widgets/%00", "/api/v1/widgets/not-an-id/", "/api/v1/%ff%fe/",
)  # fmt: skip
SECRET = "the password is hunter2"


def is_problem(response, status=None):
    assert response["Content-Type"] == "application/problem+json", (
        response.status_code,
        response.content[:200],
    )
    body = response.json()
    assert {"type", "title", "status", "detail", "code", "errors"} <= set(body)
    assert body["status"] == response.status_code
    assert status is None or response.status_code == status
    return body


def addresses():
    found = ["/" + ARGUMENT.sub(SOME_ID, door.route) for door in doors.urls()]
    return sorted({path for path in found if for_programs(path)})


@pytest.fixture
def client(redis, settings):
    settings.RATE_LIMITS = False
    return Client(raise_request_exception=False, enforce_csrf_checks=True)


class TestTheWalk:
    @pytest.mark.django_db(transaction=True)
    def test_every_address_and_method_without_a_key_and_with_one(self, acme, client):
        key = api_key(acme)
        paths, refusals = addresses(), 0
        assert len(paths) >= 60
        for path in paths:
            for method in METHODS:
                for headers in ({}, {"Authorization": f"Bearer {key}"}):
                    response = client.generic(method, path, b"{broken", "application/json", headers=headers)
                    if path == "/readyz" and response.status_code == 503:
                        continue  # it says in a form of its own what is missing
                    assert response.status_code < 500, (method, path, response.content)
                    if response.status_code >= 400:
                        refusals += 1
                        is_problem(response)
        assert refusals > len(paths) * 4

    @pytest.mark.parametrize("path", UNKNOWN)
    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    def test_every_unknown_address(self, client, path, method):
        body = is_problem(client.generic(method, path, b"{}", "application/json"), 404)
        assert body["code"] == "not_found"

    def test_a_method_that_is_not_there_is_named(self, client):
        refused = client.get("/widget/v1/boot")
        assert is_problem(refused, 405)["code"] == "method_not_allowed"
        assert set(refused["Allow"].split(", ")) == {"POST", "OPTIONS"}
        assert refused["Access-Control-Allow-Origin"] == "*"
        assert is_problem(client.post("/widget/v1.js"), 405)

    @pytest.mark.parametrize(
        "path", ["/api/v1/widgets/", "/widget/v1/boot", "/api/v1/openapi.json", "/readyz"]
    )
    def test_a_host_that_is_not_ours(self, client, path):
        body = is_problem(client.get(path, headers={"Host": "evil.example"}), 400)
        assert body["code"] == "bad_host"
        assert "evil" not in json.dumps(body)

    def test_what_is_not_json_or_not_ours_to_write(self, acme, client):
        call = caller(client, acme)
        headers = {"Authorization": f"Bearer {api_key(acme)}"}
        broken = client.generic("POST", "/api/v1/widgets/", b"{", "application/json", headers=headers)
        assert is_problem(broken, 400)["code"] == "malformed"
        assert is_problem(call("GET", "widgets/", Accept="text/csv"), 406)
        other = client.generic("POST", "/api/v1/widgets/", b"<a/>", "application/xml", headers=headers)
        assert is_problem(other, 415)
        assert is_problem(client.generic("POST", "/widget/v1/boot", b"[", "application/json"), 400)

    def test_a_door_that_asks_for_a_forms_token(self, client):
        assert is_problem(client.post("/healthz"), 403)["code"] == "not_allowed"


class TestFailures:
    @pytest.fixture(autouse=True)
    def _quiet(self, caplog):
        caplog.set_level(logging.CRITICAL, "django.request")

    def fails(self, *_, **__):
        raise RuntimeError(SECRET)

    def test_ours_tell_nothing_but_the_requests_number(self, acme, client, monkeypatch):
        monkeypatch.setattr("widgets.api.newest_first", self.fails)
        monkeypatch.setattr(booting, "boot", self.fails)
        boot = json.dumps({"widget": "pk_x"})
        for response in (
            caller(client, acme)("GET", "widgets/"),
            client.generic("POST", "/widget/v1/boot", boot, "application/json"),
        ):
            body = is_problem(response, 500)
            assert body["code"] == "internal"
            assert SECRET not in json.dumps(body)
            assert "Traceback" not in json.dumps(body)

    async def through(self, path, **headers):
        """An answer of the whole application."""
        sent, pieces = [], [{"type": "http.request", "body": b""}]
        scope = {
            "type": "http", "http_version": "1.1", "method": "GET", "path": path, "query_string": b"",
            "headers": [(b"host", b"localhost"), *((k.encode(), v.encode()) for k, v in headers.items())],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "scheme": "http",
        }  # fmt: skip

        async def receive():
            return pieces.pop() if pieces else await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        await asgi.application(scope, receive, send)
        headers = {name.lower(): value for name, value in sent[0]["headers"]}
        return sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:])

    @pytest.mark.django_db(transaction=True)
    async def test_the_number_is_the_one_in_the_header_and_the_log(self, monkeypatch):
        monkeypatch.setattr(exchanging, "admit", self.fails)
        status, headers, body = await self.through("/widget/v1/messages", authorization="Bearer x")
        told = json.loads(body)
        assert (status, headers[b"content-type"]) == (500, b"application/problem+json")
        assert told["request_id"] == headers[b"x-request-id"].decode()
        assert SECRET not in body.decode()

    async def test_what_fails_around_django_is_told_too(self, monkeypatch):
        async def fails(scope, receive, send):
            raise RuntimeError(SECRET)

        monkeypatch.setattr(asgi, "_blocking", fails)
        status, headers, body = await self.through("/widget/v1/boot")
        assert (status, headers[b"content-type"]) == (500, b"application/problem+json")
        assert headers[b"access-control-allow-origin"] == b"*"
        assert SECRET not in body.decode()

    @pytest.mark.parametrize("status", sorted(CODES))
    def test_a_bare_refusal_of_any_kind_is_caught(self, status):
        from django.http import HttpResponse

        bare = HttpResponse("<h1>no</h1>", status=status, headers={"X-Kept": "yes"})
        told = problem_net.caught("/api/v1/x", bare)
        assert (told["Content-Type"], told["X-Kept"]) == ("application/problem+json", "yes")
        assert problem_net.caught("/admin/x", bare) is bare


class TestPages:
    @pytest.mark.parametrize("path", ["/nothing", "/admin-not/", "/demo/nobody/"])
    def test_people_get_a_page(self, client, path):
        response = client.get(path)
        assert response.status_code == 404
        assert response["Content-Type"].startswith("text/html")
        page = response.content.decode()
        assert "There is nothing here" in page
        assert "<style" not in page
        assert "<script" not in page
        assert "style=" not in page
        assert "default-src 'none'" in response["Content-Security-Policy"]

    def test_also_when_we_fail_with_the_number_to_ask_for(self, rf):
        with observing.work(request_id="0123abc"):
            response = server_error(rf.get("/demo/"))
        assert response.status_code == 500
        assert "Something went wrong on our side" in response.content.decode()
        assert "<code>0123abc</code>" in response.content.decode()

    def test_a_stale_form_says_what_to_do(self, client):
        response = client.post("/admin/login/", {"username": "x", "password": "y"})
        assert response.status_code == 403
        assert "This form is too old" in response.content.decode()

    def test_a_foreign_host(self, client):
        response = client.get("/admin/", headers={"Host": "evil.example"})
        assert response.status_code == 400
        assert "This request cannot be read" in response.content.decode()


class TestHeads:
    """Against uvicorn itself, with a real connection."""

    @pytest.fixture
    async def port(self):
        import uvicorn

        async def application(scope, receive, send):
            assert scope["type"] == "http"
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(len(body)).encode()})

        config = uvicorn.Config(
            application,
            port=0,
            http=http_protocol.GuardedProtocol,
            lifespan="off",
            log_config=None,
            log_level="critical",
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
        server.should_exit = True
        await running

    async def ask(self, port, *pieces):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
        length = int(re.search(r"content-length: (\d+)", head)[1]) if "content-length" in head else 0
        body = await reader.readexactly(length)
        writer.close()
        return int(head.split()[1]), head, body

    @pytest.mark.parametrize(
        ("pieces", "status", "code"),
        [
            ([b"NOT HTTP AT ALL\r\n\r\n"], 400, "malformed"),
            ([b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"], 414, "uri_too_long"),
            ([b"GET /" + b"a" * 9_000, b"a" * 9_000, b"a" * 9_000], 414, "uri_too_long"),
            ([b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000 + b"\r\n\r\n"], 431, "headers_too_large"),
            ([b"GET / HTTP/1.1\r\nx: ", *[b"a" * 10_000] * 8], 431, "headers_too_large"),
            ([b"GET / HTTP/1.1\r\n", *[b"y: " + b"b" * 9_990 + b"\r\n"] * 8], 431, "headers_too_large"),
        ],
    )
    async def test_what_is_too_large_or_no_http_is_a_problem(self, port, pieces, status, code):
        found, head, body = await self.ask(port, *pieces)
        assert found == status
        assert "content-type: application/problem+json" in head
        assert json.loads(body)["code"] == code

    async def test_large_bodies_and_many_requests_on_one_connection_pass(self, port):
        body = b"x" * 300_000
        request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n" + body
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            for start in range(0, len(request), 50_000):
                writer.write(request[start : start + 50_000])
                await writer.drain()
            assert b"200" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert b"300000" in await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
        for _ in range(40):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nz: " + b"z" * 3_000 + b"\r\n\r\n")
            assert b"200" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
        writer.close()

    async def test_nothing_of_it_needs_the_database(self):
        assert (await sync_to_async(for_programs)("/api/v1/widgets/")) is True
