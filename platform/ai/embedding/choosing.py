"""From the text of a setting to the embedder it names."""

import os
from functools import cache, lru_cache

from django.conf import settings

from ai.configuration import Configuration
from ai.embedding.hashing import HashingEmbedder
from ai.embedding.local import LocalEmbedder
from ai.embedding.openai import OpenAIEmbedder
from ai.embedding.seam import Embedder
from ai.embedding.voyage import VoyageEmbedder

DEFAULT = "local"


def embedder(spec: str | None = None, configured: Configuration | None = None) -> Embedder:
    """The embedder that `spec` names: "local", "openai:MODEL", "voyage:MODEL", or "hashing" (tests). None:
    settings.EMBEDDING_MODEL. `configured` in place of the settings' keys.

    The same spec and configuration give the same object in one process. Raises ValueError with a sentence for any
    other spec.
    """
    chosen = _chosen(spec)
    if configured is None or provider_of(chosen) not in configured.own_keys:
        return _made(chosen)
    return _made_with_own_key(chosen, configured)


def embedding_provider() -> str:
    """Whose server settings.EMBEDDING_MODEL is at: "openai" or "voyage"; "" for a model on this machine."""
    return provider_of(_chosen(None))


def provider_of(spec: str) -> str:
    """The provider in a spec such as "openai:gpt-…"; "" where it names none."""
    provider, colon, _ = spec.partition(":")
    return provider if colon else ""


def _chosen(spec: str | None) -> str:
    return spec or getattr(settings, "EMBEDDING_MODEL", None) or DEFAULT


@lru_cache(maxsize=256)
def _made_with_own_key(spec: str, configured: Configuration) -> Embedder:
    provider, _, model = spec.partition(":")
    return OpenAIEmbedder(model, configured) if provider == "openai" else VoyageEmbedder(model, configured)


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
