"""Counts and traces every call of an embedder, in one place for all of them."""

import functools
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar, cast

from ai.embedding.seam import Embeddings
from ai.labelling import model_label
from kernel import measuring, tracing
from kernel.errors import ProviderError

Embed = TypeVar("Embed", bound=Callable[..., Coroutine[Any, Any, Embeddings]])


def counted(embed: Embed) -> Embed:
    """Decorates the `embed` of an embedder, whose `provider` and `model` name the call."""

    @functools.wraps(embed)
    async def observed(self: Any, texts: Sequence[str], *, kind: str) -> Embeddings:
        began = time.monotonic()
        labels = (self.provider, model_label(self.provider, self.model))
        with tracing.span(
            f"embeddings {self.model}",
            kind="client",
            gen_ai__operation__name="embeddings",
            gen_ai__provider__name=self.provider,
            gen_ai__request__model=self.model,
        ) as span:
            try:
                found = await embed(self, texts, kind=kind)
            except ProviderError as error:
                measuring.EMBEDDING_CALLS.labels(*labels, error.code).inc()
                span.fail(error.code)
                raise
            span.set(gen_ai__usage__input_tokens=found.usage.input_tokens)
        measuring.EMBEDDING_CALLS.labels(*labels, "ok").inc()
        measuring.EMBEDDING_TOKENS.labels(*labels).inc(found.usage.input_tokens)
        measuring.EMBEDDING_SECONDS.labels(self.provider).observe(time.monotonic() - began)
        return found

    return cast(Embed, observed)
