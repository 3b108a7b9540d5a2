"""The reference for chat: the least that any Python backend must do between a visitor's socket and a model.

    python -m benchmarks.relay --port N --provider http://127.0.0.1:9912/v1 --model NAME

One embedding, one streamed answer, each token passed on as it comes. No database, no tenants, no money, no history.
`{"type": "message", "content": …}` is answered by `delta` frames and one `message` frame.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator

import aiohttp
import orjson
import uvloop
from websockets.asyncio.server import ServerConnection, serve

PREFIX = b"data: {"


class Relay:
    """One provider behind one socket server."""

    def __init__(self, http: aiohttp.ClientSession, provider: str, model: str) -> None:
        self._http, self._provider, self._model = http, provider, model

    async def converse(self, connection: ServerConnection) -> None:
        """Answer a visitor's questions, one after the other, until they leave."""
        async for frame in connection:
            question = orjson.loads(frame)["content"]
            await self._embed(question)
            pieces = []
            async for text in self._tokens(question):
                pieces.append(text)
                await connection.send(orjson.dumps({"type": "delta", "text": text}).decode())
            answer = {"type": "message", "message": {"content": "".join(pieces)}}
            await connection.send(orjson.dumps(answer).decode())

    async def _embed(self, text: str) -> None:
        body = {"model": "stub", "input": [text], "dimensions": 1024, "encoding_format": "base64"}
        async with self._http.post(f"{self._provider}/embeddings", data=orjson.dumps(body)) as response:
            await response.read()

    async def _tokens(self, question: str) -> AsyncIterator[str]:
        messages = [{"role": "user", "content": question}]
        body = {"model": self._model, "stream": True, "messages": messages}
        async with self._http.post(f"{self._provider}/chat/completions", data=orjson.dumps(body)) as response:
            async for line in response.content:
                if not line.startswith(PREFIX):
                    continue
                choices = orjson.loads(line[6:])["choices"]
                text = choices[0]["delta"].get("content") if choices else None
                if text:
                    yield text


async def run(port: int, provider: str, model: str) -> None:
    """Serve until the process is ended."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        relay = Relay(http, provider, model)
        async with serve(
            relay.converse, "127.0.0.1", port, compression=None, max_queue=None, ping_interval=None
        ):
            print("serving", flush=True)
            await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A bare relay between sockets and a model.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--provider", required=True)
    parser.add_argument("--model", default="stub")
    arguments = parser.parse_args()
    uvloop.run(run(arguments.port, arguments.provider, arguments.model))


if __name__ == "__main__":
    main()
