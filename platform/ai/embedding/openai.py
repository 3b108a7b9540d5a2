"""Embedding models behind OpenAI's `/embeddings`, which most providers and self-hosted servers speak too."""

import base64
import binascii
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ai import failures, http
from ai.configuration import Configuration, current
from ai.embedding.counting import counted
from ai.embedding.seam import DIMENSIONS, Embeddings, Kind, Vectors, join
from ai.embedding.spreading import spread
from ai.usage import Usage, estimate_tokens

PROVIDER = "openai"
MAX_TEXTS, MAX_BYTES = 128, 400_000
"""Per request. OpenAI takes 2,048 texts and 300,000 tokens; smaller requests fail cheaper, other servers take less."""
MAX_TEXT = 16_000
"""Characters of one text: OpenAI's models read 8,191 tokens and refuse more, ours are chunks of 1,000 characters."""
TIMEOUT_S = 30.0


class OpenAIEmbedder:
    """One model at OpenAI or at OPENAI_BASE_URL, asked for 1,024 dimensions."""

    provider = PROVIDER
    languages: frozenset[str] | None = None

    def __init__(self, model: str, configuration: Configuration | None = None) -> None:
        self.model = model
        self._configuration = configuration or current()

    @counted
    async def embed(self, texts: Sequence[str], *, kind: Kind) -> Embeddings:
        """See Embedder. Long lists go out in several requests, one after the other; a failure of one fails all."""
        if not texts:
            return Embeddings(np.zeros((0, DIMENSIONS), np.float32), Usage(), self.provider, self.model, 0)
        return join([await self._request(part) for part in _requests(texts)])

    async def _request(self, texts: list[str]) -> Embeddings:
        started = time.monotonic()
        key = self._configuration.openai_api_key
        answer = await http.post_json(
            f"{self._configuration.openai_base_url}/embeddings",
            provider=self.provider,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            payload={
                "model": self.model,
                "input": texts,
                "dimensions": DIMENSIONS,
                "encoding_format": "base64",
            },
            timeout_s=TIMEOUT_S,
        )
        elapsed = round((time.monotonic() - started) * 1000)
        return Embeddings(
            self._vectors(answer, len(texts)), _usage(answer, texts), self.provider, self.model, elapsed
        )

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


def _requests(texts: Sequence[str]) -> list[list[str]]:
    requests: list[list[str]] = []
    size = MAX_BYTES
    for text in texts:
        # The API refuses an empty text, and JSON cannot carry a lone surrogate.
        clean = text[:MAX_TEXT].encode("utf-8", "replace").decode() or " "
        length = len(clean.encode())
        if size + length > MAX_BYTES or len(requests[-1]) == MAX_TEXTS:
            requests.append([])
            size = 0
        requests[-1].append(clean)
        size += length
    return requests


def _decoded(value: Any) -> Vectors:
    """Base64 of little-endian float32, as asked for; some servers ignore that and send a list of numbers."""
    if isinstance(value, str):
        values = np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
    else:
        values = np.asarray(value, dtype=np.float32)
    if values.ndim != 1 or not 0 < len(values) <= DIMENSIONS:
        raise ValueError(f"a vector of shape {values.shape}, at most {DIMENSIONS} dimensions are possible")
    return values


def _usage(answer: Any, texts: list[str]) -> Usage:
    counted = answer.get("usage") if isinstance(answer, dict) else None
    tokens = counted.get("prompt_tokens") if isinstance(counted, dict) else None
    if isinstance(tokens, int) and tokens > 0:
        return Usage(input_tokens=tokens)
    return Usage(input_tokens=sum(estimate_tokens(text) for text in texts), estimated=True)
