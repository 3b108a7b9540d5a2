"""Text to vectors: the one seam to every embedding model."""

from ai.embedding.blocking import wait_for
from ai.embedding.choosing import embedder, embedding_provider
from ai.embedding.seam import DIMENSIONS, Embedder, Embeddings, Kind, Vectors, join

__all__ = [
    "DIMENSIONS",
    "Embedder",
    "Embeddings",
    "Kind",
    "Vectors",
    "embedder",
    "embedding_provider",
    "join",
    "wait_for",
]
