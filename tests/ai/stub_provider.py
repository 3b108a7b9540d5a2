"""A model server on this machine, for tests and benchmarks: OpenAI's and Anthropic's wire formats, and their faults.

    python -m tests.ai.stub_provider --port 9912        (port 0 takes a free one; the URL is printed)

OPENAI_BASE_URL is its URL with /v1, ANTHROPIC_BASE_URL without. The model's name says how to behave, as in
`stub?ttft=0.05&itl=0.005&n=40&error=cut`: see Behaviour. `GET /log` returns the requests received as JSON,
`POST /reset` forgets them.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
from aiohttp import web

from tests.ai import stub_wire

FOREVER_S = 3600
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Behaviour:
    """What a model name asks for.

    `ttft` and `itl` are the seconds before the first token and between tokens, `n` the number of tokens, `text` what
    to say instead of them. `cached` and `written` are tokens of the prompt cache; `usage=0` leaves the usage out.
    `chunk` is the number of words per event; `reasoning` the number of events without text before the first.
    `error` is one of: an HTTP status (with `retry_after`, and `message`, where given); timeout (no answer at all);
    badjson (a document, not a stream); html; badevent (garbage in the stream); event (an error event halfway, of type
    `kind`); empty; early (hang up before the first token); cut (hang up halfway); end (end halfway, cleanly); stall
    (stop halfway); nostop (everything but the finish reason); tail (hang up after the finish reason).
    `first=2` makes only the first two requests to this model fail; `refuse=temperature` answers 400 to every request
    that has this parameter; `key` is the only API key that it accepts, any other gets 401.
    """

    ttft: float = 0.0
    itl: float = 0.0
    n: int = 20
    text: str = ""
    cached: int = 0
    written: int = 0
    usage: int = 1
    chunk: int = 1
    reasoning: int = 0
    error: str = ""
    kind: str = "overloaded_error"
    message: str = ""
    retry_after: str = ""
    first: int = 0
    refuse: str = ""
    key: str = ""

    @classmethod
    def of(cls, model: str) -> "Behaviour":
        """The behaviour that `model` spells out after its question mark. Unknown words are refused loudly."""
        asked = dict(parse_qsl(model.partition("?")[2], strict_parsing="?" in model))
        types = {f.name: type(f.default) for f in fields(cls)}
        return cls(**{name: types[name](value) for name, value in asked.items()})

    def words(self) -> list[str]:
        words = re.findall(r"\S+\s*", self.text) if self.text else [f"tok{i} " for i in range(self.n)]
        return ["".join(words[i : i + self.chunk]) for i in range(0, len(words), self.chunk)]


@dataclass
class Stub:
    """The server's memory: `requests` as {path, headers, body}, oldest first; `url` once it runs."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)

    def count(self, model: str) -> int:
        return sum(request["body"].get("model") == model for request in self.requests)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(request, stub_wire.OpenAI)

    async def messages(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(request, stub_wire.Anthropic)

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        body = await self._note(request)
        behaviour = Behaviour.of(body["model"])
        wire = stub_wire.Voyage if "input_type" in body else stub_wire.OpenAI
        if refused := _refused(behaviour, request):
            message = f"Incorrect API key provided: {refused}"
            return web.json_response(wire.error("authentication_error", message), status=401)
        if self._fails(behaviour, body) and (failed := await _fail(behaviour, request, wire)):
            return failed
        await asyncio.sleep(behaviour.ttft)
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        vectors = [
            embed(text, int(body.get("dimensions") or body.get("output_dimension") or 1024)) for text in texts
        ]
        as_base64 = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(vector.tobytes()).decode() if as_base64 else vector.tolist(),
            }
            for index, vector in enumerate(vectors)
        ]
        tokens = sum(max(1, len(text) // 4) for text in texts)
        usage = {"total_tokens": tokens} | ({"prompt_tokens": tokens} if wire is stub_wire.OpenAI else {})
        named = body["model"].partition("?")[0]
        return web.json_response({"object": "list", "data": data, "model": named, "usage": usage})

    async def log(self, request: web.Request) -> web.Response:
        return web.json_response(self.requests)

    async def reset(self, request: web.Request) -> web.Response:
        self.requests.clear()
        return web.json_response({})

    async def _note(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(await request.read())
        names = ("authorization", "x-api-key", "anthropic-version", "accept-encoding", "content-type")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        peer = request.transport.get_extra_info("peername")[1] if request.transport else None
        self.requests.append({"path": request.path, "headers": headers, "body": body, "peer": peer})
        return body

    def _fails(self, behaviour: Behaviour, body: dict[str, Any]) -> bool:
        return bool(behaviour.error) and not 0 < behaviour.first < self.count(body["model"])

    async def _stream(self, request: web.Request, wire: type[stub_wire.Wire]) -> web.StreamResponse:
        body = await self._note(request)
        behaviour = Behaviour.of(body["model"])
        if refused := _refused(behaviour, request):
            message = f"Incorrect API key provided: {refused}"
            return web.json_response(wire.error("authentication_error", message), status=401)
        if behaviour.refuse and behaviour.refuse in body:
            message = f"Unsupported parameter: '{behaviour.refuse}' is not supported with this model."
            return web.json_response(wire.error("invalid_request_error", message), status=400)
        fails = self._fails(behaviour, body)
        if fails and (failed := await _fail(behaviour, request, wire)):
            return failed
        response = web.StreamResponse(
            headers={"content-type": "text/event-stream", "cache-control": "no-cache"}
        )
        await response.prepare(request)
        await _say(request, response, wire(body, behaviour), behaviour, behaviour.error if fails else "")
        return response


def _refused(behaviour: Behaviour, request: web.Request) -> str:
    """The key that the request came with, where another one is asked for; else empty."""
    given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix(
        "Bearer "
    )
    return (given or "none") if behaviour.key and given != behaviour.key else ""


async def _fail(
    behaviour: Behaviour, request: web.Request, wire: type[stub_wire.Wire] | type[stub_wire.Voyage]
) -> web.StreamResponse | None:
    """The answer to a request that fails before any stream; None where it fails later."""
    error = behaviour.error
    if error.isdecimal():
        kinds = {"400": "invalid_request_error", "401": "authentication_error", "429": "rate_limit_error"}
        document = wire.error(kinds.get(error, "api_error"), behaviour.message or f"stub error {error}")
        headers = {"retry-after": behaviour.retry_after} if behaviour.retry_after else {}
        return web.json_response(document, status=int(error), headers=headers)
    if error == "timeout":
        await asyncio.sleep(FOREVER_S)
    if error in ("badjson", "html"):
        kind = "application/json" if error == "badjson" else "text/html"
        return web.Response(text="{not json", content_type=kind)
    return None


async def _say(
    request: web.Request, response: web.StreamResponse, wire: stub_wire.Wire, behaviour: Behaviour, error: str
) -> None:
    words = [] if error == "empty" else behaviour.words()
    if error == "early":
        return _hang_up(request)
    await response.write(wire.begin())
    await asyncio.sleep(behaviour.ttft)
    for _ in range(behaviour.reasoning):
        await response.write(wire.reasoning())
    for position, word in enumerate(words):
        if error and position == len(words) // 2:
            if error == "cut":
                return _hang_up(request)
            if error == "end":
                return None
            if error == "stall":
                await asyncio.sleep(FOREVER_S)
            if error == "badevent":
                await response.write(b"data: {not json\n\n")
            if error == "event":
                await response.write(wire.error_event(behaviour.kind))
                return None
        await response.write(wire.word(word))
        if behaviour.itl:
            await asyncio.sleep(behaviour.itl)
    if error == "nostop":
        return None
    await response.write(wire.finish())
    if error == "tail":
        return _hang_up(request)
    await response.write(wire.end())
    return None


def _hang_up(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


def embed(text: str, dimensions: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """A unit vector of hashed words: the same text always the same, similar texts near each other."""
    vector = np.zeros(dimensions, np.float32)
    for word in re.findall(r"\w+", text.lower()):
        for part in {word, word[:5]}:
            hashed = int.from_bytes(hashlib.blake2b(part.encode(), digest_size=8).digest(), "big")
            vector[hashed % dimensions] += 1 if hashed >> 63 else -1
    length = float(np.linalg.norm(vector))
    if not length:
        vector[0] = length = 1.0
    return vector / np.float32(length)


def application(stub: Stub) -> web.Application:
    app = web.Application(client_max_size=64 * 1024 * 1024)
    for prefix in ("", "/v1"):
        app.router.add_post(f"{prefix}/chat/completions", stub.chat)
        app.router.add_post(f"{prefix}/messages", stub.messages)
        app.router.add_post(f"{prefix}/embeddings", stub.embeddings)
    app.router.add_get("/log", stub.log)
    app.router.add_post("/reset", stub.reset)
    return app


@asynccontextmanager
async def serving(port: int = 0) -> AsyncIterator[Stub]:
    """The stub on the running event loop and a free port, for the length of an `async with`."""
    stub = Stub()
    # Handlers that sleep for ever end when their client hangs up, and at the end of the test.
    runner = web.AppRunner(
        application(stub), access_log=None, handler_cancellation=True, shutdown_timeout=0.05
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    host, taken = runner.addresses[0][:2]
    stub.url = f"http://{host}:{taken}"
    try:
        yield stub
    finally:
        await runner.cleanup()


@contextmanager
def running(port: int = 0) -> Iterator[str]:
    """The stub in a process of its own, for the length of a `with`: its URL."""
    command = [sys.executable, "-m", "tests.ai.stub_provider", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the stub did not start"
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


async def _serve_forever(port: int) -> None:
    async with serving(port) as stub:
        print(stub.url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A stub of OpenAI's and Anthropic's APIs on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=9912)
    try:
        import uvloop  # the stub must not be the slow part of a benchmark; without uvloop it still works
    except ImportError:
        runner = asyncio.run
    else:
        runner = uvloop.run
    try:
        runner(_serve_forever(parser.parse_args().port))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
