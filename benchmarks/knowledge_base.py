"""Documents for a benchmark's tenant, taught through the REST API, and questions that they answer."""

import asyncio
import itertools
import time
import uuid
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

CORPUS: Final = Path(__file__).resolve().parents[1] / "knowledge" / "corpus" / "acme"
READY_S: Final = 60.0
# Far above the threshold of abstaining, whatever the mark adds: the model must be asked every time.
QUESTIONS: Final = (
    "What do I send for a warranty claim: the serial number, a photo of the fault and the order number?",
    "Is the warranty three years from the day of delivery for every Acme device?",
    "Which devices are repaired after the warranty for a fixed price, hubs and locks?",
    "What do the colours of the hub's ring mean?",
)


class Api:
    """A program of the tenant: the REST API with its key."""

    def __init__(self, http: aiohttp.ClientSession, url: str, key: str) -> None:
        self._http, self._url = http, f"{url}/api/v1/"
        self._headers = {"Authorization": f"Bearer {key}"}

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON at `path`. Raises aiohttp.ClientResponseError where it is refused."""
        async with self._http.get(self._url + path, params=query, headers=self._headers) as response:
            response.raise_for_status()
            return orjson.loads(await response.read())

    async def post(self, path: str, body: Any) -> Any:
        """The JSON that a POST is answered with. Raises RuntimeError, with the problem, where it is refused."""
        async with self._http.post(self._url + path, json=body, headers=self._headers) as response:
            content = await response.read()
            if response.status >= 400:
                raise RuntimeError(f"POST {path}: {response.status} {content[:500]!r}")
            return orjson.loads(content)

    async def every(self, path: str, **query: Any) -> list[Any]:
        """All items of a list, newest first, page by page."""
        found: list[Any] = []
        page = await self.get(path, limit=100, **query)
        while True:
            found += page["results"]
            if page["next"] is None:
                return found
            page = await self.get(path, limit=100, cursor=page["next"], **query)


async def teach(api: Api) -> int:
    """Teach the small corpus and wait until all of it can be found; the number of documents."""
    files = sorted(CORPUS.glob("*.md"))
    ids = []
    for file in files:
        content = file.read_text().partition("\n---\n")[2]
        body = {
            "title": file.stem.replace("-", " ").capitalize(),
            "content": content,
            "external_id": file.stem,
        }
        ids.append((await api.post("documents/", body))["id"])
    deadline = time.monotonic() + READY_S
    for document_id in ids:
        while (document := await api.get(f"documents/{document_id}/"))["status"] != "ready":
            if document["status"] == "failed" or time.monotonic() > deadline:
                raise RuntimeError(
                    f"document {document['title']} is {document['status']}: {document.get('error')}"
                )
            await asyncio.sleep(0.1)
    return len(ids)


class Questions:
    """Questions that the corpus answers, each with a mark of its own, so that no two are the same."""

    def __init__(self) -> None:
        self._next = itertools.cycle(QUESTIONS)
        self.asked: list[str] = []

    def __call__(self) -> str:
        question = f"{next(self._next)} ({uuid.uuid4().hex[:12]})"
        self.asked.append(question)
        return question
