"""From the text of a setting to the embedder it names."""

import os
from functools import cache

from django.conf import settings

from ai.embedding.hashing import HashingEmbedder
from ai.embedding.local import LocalEmbedder
from ai.embedding.openai import OpenAIEmbedder
from ai.embedding.seam import Embedder
from ai.embedding.voyage import VoyageEmbedder

DEFAULT = "local"


def embedder(spec: str | None = None) -> Embedder:
    """The embedder that `spec` names: "local", "openai:MODEL", "voyage:MODEL", or "hashing" (tests). None:
    settings.EMBEDDING_MODEL.

    The same spec gives the same object in one process. Raises ValueError with a sentence for any other spec.
    """
    return _made(spec or getattr(settings, "EMBEDDING_MODEL", None) or DEFAULT)


@cache
def _made(spec: str) -> Embedder:
    kind, _, model = spec.partition(":")
    if spec == "local":
        return LocalEmbedder()
    if spec == "hashing":
        return HashingEmbedder()
    if kind == "openai" and model:
        return OpenAIEmbedder(model)
    if kind == "voyage" and model:
        return VoyageEmbedder(model)
    raise ValueError(f"EMBEDDING_MODEL is {spec!r}; it can be local, openai:<model> or voyage:<model>")


# A forked child inherits the object but not its threads, and would wait for them for ever.
os.register_at_fork(after_in_child=_made.cache_clear)
