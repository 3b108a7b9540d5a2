"""The embedder of tests: words hashed into buckets. It knows which words two texts share and nothing of meaning."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from ai.embedding.counting import counted
from ai.embedding.seam import DIMENSIONS, Embeddings, Kind
from ai.usage import Usage

PROVIDER, MODEL = "local", "hashing"
WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Deterministic, in microseconds, without a model file. A text without a word points along the first axis."""

    provider = PROVIDER
    model = MODEL
    languages: frozenset[str] | None = None

    @counted
    async def embed(self, texts: Sequence[str], *, kind: Kind) -> Embeddings:
        """See Embedder; never raises. Usage counts words."""
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        words = 0
        for row, text in zip(vectors, texts, strict=True):
            found = WORD.findall(text.lower())
            words += len(found)
            for word in found:
                digest = int.from_bytes(
                    hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
                )
                # Each word takes four signed places, so that two words rarely look alike.
                for shift in range(0, 44, 11):
                    row[(digest >> shift) % DIMENSIONS] += 1.0 if digest >> (44 + shift // 11) & 1 else -1.0
            length = float(np.linalg.norm(row))
            if length:
                row /= length
            else:
                row[0] = 1.0
        return Embeddings(vectors, Usage(input_tokens=words), self.provider, self.model, 0)
