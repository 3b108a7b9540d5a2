"""What the rest of the house knows of embedding models: their vectors, what those cost, and how they fail."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ai.usage import Usage

DIMENSIONS = 1024
"""Every vector in the product has this length. One of a model with fewer is spread over them (`spreading`)."""

Kind = Literal["query", "passage"]
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embeddings:
    """`vectors` are float32 (n, 1024), of unit length, in the order of the texts. Vectors of two models never mix."""

    vectors: Vectors
    usage: Usage
    provider: str
    model: str
    latency_ms: int
    own_key: bool = False
    """The asker's own key pays."""


class Embedder(Protocol):
    """One embedding model, safe to share between threads and event loops."""

    provider: str
    model: str
    languages: frozenset[str] | None
    """ISO 639-1 codes of the languages it was trained on; None: no such limit."""

    async def embed(self, texts: Sequence[str], *, kind: Kind) -> Embeddings:
        """One vector for each text; none for no texts. Raises ProviderError. Never blocks the event loop."""
        ...


def join(parts: Sequence[Embeddings]) -> Embeddings:
    """Several calls to one model as one: vectors in order, usage and latency added up. Needs at least one part."""
    first = parts[0]
    usage = Usage(
        input_tokens=sum(part.usage.input_tokens for part in parts),
        estimated=any(part.usage.estimated for part in parts),
    )
    vectors = np.concatenate([part.vectors for part in parts])
    latency_ms = sum(part.latency_ms for part in parts)
    return Embeddings(vectors, usage, first.provider, first.model, latency_ms, first.own_key)
