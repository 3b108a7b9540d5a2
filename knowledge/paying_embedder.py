"""The embedder of one tenant: the installation's, or the same model paid with the tenant's own key."""

import logging
from collections.abc import Sequence
from typing import Any

from ai.embedding import Embedder, Embeddings, Kind, embedder, embedding_provider
from ai.failures import is_keys_fault
from kernel.errors import ProviderError
from tenants import bringing_keys
from tenants.bringing_keys import PAID_BY_TENANT, OwnKeys
from tenants.context import TenantRef, acting_as, run_as
from tenants.models import Tenant

logger = logging.getLogger(__name__)


def embedder_of(tenant: TenantRef | Tenant) -> Embedder:
    """The embedder for texts of `tenant`. Call it outside any transaction, on a thread that may block. Raises
    ProviderError where the tenant's key cannot be read."""
    if not embedding_provider():
        return embedder()
    with acting_as(tenant):
        return _with(tenant, bringing_keys.own_keys())


async def aembedder_of(tenant: TenantRef | Tenant) -> Embedder:
    """`embedder_of` for async callers; a model on this machine costs no look at the database."""
    if not embedding_provider():
        return embedder()
    return _with(tenant, await run_as(tenant, bringing_keys.own_keys))


def payer(embeddings: Embeddings) -> dict[str, Any]:
    """What the metadata of the cost event says of who has paid."""
    return dict(PAID_BY_TENANT) if embeddings.own_key else {}


def _with(tenant: TenantRef | Tenant, keys: OwnKeys) -> Embedder:
    provider = embedding_provider()
    if keys.configuration is None or provider not in keys.configuration.own_keys:
        return embedder()
    return OwnKeyEmbedder(
        tenant,
        embedder(configured=keys.configuration),
        embedder() if keys.configuration.may_fall_back else None,
        was_refused=provider in keys.refused,
    )


class OwnKeyEmbedder:
    """`own`, paid by the tenant, and `ours` (None: nobody) where its provider refuses the key; either is noted for the
    tenant's people to see."""

    def __init__(
        self, tenant: TenantRef | Tenant, own: Embedder, ours: Embedder | None, *, was_refused: bool
    ) -> None:
        self.provider, self.model, self.languages = own.provider, own.model, own.languages
        self._tenant, self._own, self._ours, self._was_refused = tenant, own, ours, was_refused

    async def embed(self, texts: Sequence[str], *, kind: Kind) -> Embeddings:
        """See Embedder."""
        try:
            made = await self._own.embed(texts, kind=kind)
        except ProviderError as error:
            if not is_keys_fault(error):
                raise
            logger.warning("the tenant's own key for %s is refused: %s", self.provider, error.detail)
            self._was_refused = True
            await run_as(self._tenant, bringing_keys.note_refusals, {self.provider: error.detail})
            if self._ours is None:
                raise
            return await self._ours.embed(texts, kind=kind)
        if self._was_refused:
            self._was_refused = False
            await run_as(self._tenant, bringing_keys.note_accepted, [self.provider])
        return made
