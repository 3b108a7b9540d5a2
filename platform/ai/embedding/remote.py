"""What embedding models behind HTTP have in common: lists cut into requests, requests made again, vectors read and
checked."""

import asyncio
import base64
import binascii
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ai import failures, http
from ai.embedding.counting import counted
from ai.embedding.seam import DIMENSIONS, Embeddings, Kind, Vectors, join
from ai.embedding.spreading import spread
from ai.patience import PATIENT, Patience
from ai.usage import Usage, estimate_tokens
from kernel.errors import ProviderError

TIMEOUT_S = 30.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request takes: `texts` of at most `characters` each, `size` bytes of UTF-8 in all."""

    texts: int
    size: int
    characters: int


class RemoteEmbedder(ABC):
    """One model behind an `/embeddings` endpoint."""

    provider: str
    limits: ClassVar[Limits]
    languages: frozenset[str] | None = None

    def __init__(
        self, model: str, *, url: str, key: str, patience: Patience = PATIENT, own_key: bool = False
    ) -> None:
        self.model = model
        self.own_key = own_key
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._patience = patience

    @abstractmethod
    def payload(self, texts: list[str], kind: Kind) -> dict[str, Any]:
        """`texts` in the provider's words."""

    @abstractmethod
    def tokens(self, usage: Any) -> object:
        """The number of tokens in the answer's usage; it may raise what the wrong shape raises in Python."""

    @counted
    async def embed(self, texts: Sequence[str], *, kind: Kind) -> Embeddings:
        """See Embedder. Long lists go out in several requests, one after the other; a failure of one, tried three
        times, fails all."""
        if not texts:
            return Embeddings(
                np.zeros((0, DIMENSIONS), np.float32), Usage(), self.provider, self.model, 0, self.own_key
            )
        return join([await self._request(part, kind) for part in self._requests(texts)])

    async def _request(self, texts: list[str], kind: Kind) -> Embeddings:
        started = time.monotonic()
        answer = await self._ask(self.payload(texts, kind))
        elapsed = round((time.monotonic() - started) * 1000)
        vectors, usage = self._vectors(answer, len(texts)), self._usage(answer, texts)
        return Embeddings(vectors, usage, self.provider, self.model, elapsed, self.own_key)

    async def _ask(self, payload: dict[str, Any]) -> Any:
        retries = 0
        while True:
            try:
                return await http.post_json(
                    self._url,
                    provider=self.provider,
                    headers=self._headers,
                    payload=payload,
                    timeout_s=TIMEOUT_S,
                )
            except ProviderError as error:
                wait = self._patience.wait(error, retries)
                if wait is None:
                    raise
                retries += 1
                logger.warning(
                    "%s:%s %s, retry %d in %.2f s", self.provider, self.model, error.code, retries, wait
                )
            await asyncio.sleep(wait)

    def _requests(self, texts: Sequence[str]) -> list[list[str]]:
        requests: list[list[str]] = []
        size = self.limits.size
        for text in texts:
            # The API refuses an empty text, and JSON cannot carry a lone surrogate.
            clean = text[: self.limits.characters].encode("utf-8", "replace").decode() or " "
            length = len(clean.encode())
            if size + length > self.limits.size or len(requests[-1]) == self.limits.texts:
                requests.append([])
                size = 0
            requests[-1].append(clean)
            size += length
        return requests

    def _vectors(self, answer: Any, expected: int) -> Vectors:
        try:
            entries = sorted(answer["data"], key=lambda entry: entry["index"])
            if [entry["index"] for entry in entries] != list(range(expected)):
                raise ValueError("not one vector for each text")
            vectors = np.stack([_decoded(entry["embedding"]) for entry in entries])
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise failures.bad_response(self.provider, f"sent embeddings we cannot read: {error}") from error
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(length).all() or (length == 0).any():
            raise failures.bad_response(self.provider, "sent an embedding without a direction")
        return spread(np.asarray(vectors / length, dtype=np.float32))

    def _usage(self, answer: Any, texts: list[str]) -> Usage:
        try:
            tokens = self.tokens(answer["usage"])
        except (KeyError, TypeError):
            tokens = None
        if isinstance(tokens, int) and tokens > 0:
            return Usage(input_tokens=tokens)
        return Usage(input_tokens=sum(estimate_tokens(text) for text in texts), estimated=True)


def _decoded(value: Any) -> Vectors:
    """Base64 of little-endian float32, as asked for; some servers ignore that and send a list of numbers."""
    if isinstance(value, str):
        values = np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
    else:
        values = np.asarray(value, dtype=np.float32)
    if values.ndim != 1 or not 0 < len(values) <= DIMENSIONS:
        raise ValueError(f"a vector of shape {values.shape}, at most {DIMENSIONS} dimensions are possible")
    return values
